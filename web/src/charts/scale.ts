// Axes of the charts: round steps for values, calendar steps of the city's zone for time. Pure, so that it can be tested.
import { clockText, dayText, parts, startOfDay } from '@/lib/format'

const MINUTE = 60000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The least "round" number at or above v: 1, 1.2, 1.5, 2 … times a power of ten. */
export function niceTop(v: number): number {
  if (!(v > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(v))
  const step = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((s) => s * power >= v * (1 - 1e-9)) ?? 10
  return Number((step * power).toPrecision(6))
}
/** Values to write at the axis between low and high, at most about `most`. */
export function valueTicks(low: number, high: number, most: number): number[] {
  const raw = (high - low) / Math.max(1, most)
  if (!(raw > 0)) return [low]
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = ([1, 2, 2.5, 5, 10].find((s) => s * power >= raw * (1 - 1e-9)) ?? 10) * power
  const ticks: number[] = []
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i++) ticks.push(Number((i * step).toPrecision(10)))
  return ticks
}
const STEPS = [5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 7 * DAY, 14 * DAY]
const MONTHS = [1, 2, 3, 6, 12, 24, 60]
export interface Tick { at: number; text: string }
/** Ticks on full hours, days or months of the city's calendar, at most about `most`. */
export function timeTicks(from: number, to: number, most: number): Tick[] {
  const raw = (to - from) / Math.max(1, most)
  const step = STEPS.find((s) => s >= raw)
  const ticks: Tick[] = []
  if (step !== undefined) {
    for (let at = startOfDay(from); at <= to; at += step) {
      if (at >= from) ticks.push({ at, text: clockText(at) === '00:00' ? dayText(at).slice(5) : clockText(at) })
    }
    return ticks
  }
  const months = MONTHS.find((m) => m * 30.4 * DAY >= raw) ?? 120
  const first = parts(from)
  const zone = startOfDay(from) - Date.UTC(first.year, first.month - 1, first.day)
  const start = Math.floor((first.year * 12 + first.month - 1) / months) * months
  for (let m = start; ; m += months) {
    const at = Date.UTC(Math.floor(m / 12), m % 12, 1) + zone
    if (at > to) return ticks
    if (at >= from) ticks.push({ at, text: months >= 12 ? String(Math.floor(m / 12)) : dayText(at).slice(0, 7) })
  }
}
/** Labels on one vertical line: as near to where they belong as their height allows, in order, inside [top, bottom]. */
export function spread(wanted: number[], gap: number, top: number, bottom: number): number[] {
  const order = wanted.map((y, i) => ({ y, i })).sort((a, b) => a.y - b.y)
  let last = top - gap
  for (const o of order) { o.y = Math.max(o.y, last + gap); last = o.y }
  let next = bottom + gap
  for (const o of [...order].reverse()) { o.y = Math.min(o.y, next - gap); next = o.y }
  const result = [...wanted]
  for (const o of order) result[o.i] = o.y
  return result
}
/** Roughly how wide a text is, in em: Chinese characters are one, the others a good half. */
export function emWidth(text: string): number {
  let sum = 0
  for (const c of text) sum += c.charCodeAt(0) > 0x2e80 ? 1 : 0.56
  return sum
}
export function clipEm(text: string, most: number): string {
  if (emWidth(text) <= most) return text
  let cut = text
  while (cut.length > 1 && emWidth(cut) + 0.6 > most) cut = cut.slice(0, -1)
  return `${cut}…`
}

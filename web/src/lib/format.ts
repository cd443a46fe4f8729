// Words and figures for people: times in the city's zone, durations, values with their unit.
import type { Time } from '@/api/types'

const CITY_MIN_DEFAULT = 480
let zoneMin = CITY_MIN_DEFAULT

export function setZone(minutes: number) { zoneMin = minutes }

export function toMs(value: Time | undefined): number | null {
  if (value === null || value === undefined || value === '') return null
  if (typeof value === 'number') return value > 0 ? value : null
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? null : ms
}

const two = (n: number) => String(n).padStart(2, '0')

/** Calendar parts in the city's zone, whatever zone the browser is set to. */
export function parts(ms: number) {
  const d = new Date(ms + zoneMin * 60000)
  return { year: d.getUTCFullYear(), month: d.getUTCMonth() + 1, day: d.getUTCDate(), hour: d.getUTCHours(), minute: d.getUTCMinutes(), second: d.getUTCSeconds() }
}
export function dayText(value: Time | undefined): string {
  const ms = toMs(value)
  if (ms === null) return '—'
  const p = parts(ms)
  return `${p.year}-${two(p.month)}-${two(p.day)}`
}
export function clockText(value: Time | undefined, seconds = false): string {
  const ms = toMs(value)
  if (ms === null) return '—'
  const p = parts(ms)
  return `${two(p.hour)}:${two(p.minute)}${seconds ? `:${two(p.second)}` : ''}`
}
export function timeText(value: Time | undefined, seconds = false): string {
  const ms = toMs(value)
  return ms === null ? '—' : `${dayText(ms)} ${clockText(ms, seconds)}`
}
/** Without the year or the day where they are those of today: what fits into a list. */
export function shortTime(value: Time | undefined, now: number): string {
  const ms = toMs(value)
  if (ms === null) return '—'
  const p = parts(ms)
  const n = parts(now)
  if (p.year === n.year && p.month === n.month && p.day === n.day) return clockText(ms)
  const date = p.year === n.year ? `${two(p.month)}-${two(p.day)}` : dayText(ms)
  return `${date} ${clockText(ms)}`
}
/** ISO 8601 with the city's offset, as the API wants times. */
export function isoOf(ms: number): string {
  const sign = zoneMin < 0 ? '-' : '+'
  const abs = Math.abs(zoneMin)
  const p = parts(ms)
  return `${p.year}-${two(p.month)}-${two(p.day)}T${two(p.hour)}:${two(p.minute)}:${two(p.second)}${sign}${two(Math.floor(abs / 60))}:${two(abs % 60)}`
}
/** "YYYY-MM-DDTHH:MM" in the city's zone: the form date fields work with. */
export function toLocalInput(value: Time | undefined): string {
  const ms = toMs(value)
  return ms === null ? '' : isoOf(ms).slice(0, 16)
}
export function fromLocalInput(text: string): number | null {
  const m = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text)
  if (!m) return null
  const ms = Date.UTC(+m[1]!, +m[2]! - 1, +m[3]!, +(m[4] ?? 0), +(m[5] ?? 0), +(m[6] ?? 0)) - zoneMin * 60000
  return Number.isNaN(ms) ? null : ms
}
export function startOfDay(ms: number): number {
  const p = parts(ms)
  return Date.UTC(p.year, p.month - 1, p.day) - zoneMin * 60000
}

export interface DurationWords { day: string; hour: string; minute: string; second: string; space: string }
export function durationText(seconds: number, words: DurationWords): string {
  const s = Math.max(0, Math.floor(seconds))
  const pieces: [number, string][] = [[Math.floor(s / 86400), words.day], [Math.floor(s / 3600) % 24, words.hour], [Math.floor(s / 60) % 60, words.minute], [s % 60, words.second]]
  const first = pieces.findIndex(([n]) => n > 0)
  if (first < 0) return `0${words.space}${words.second}`
  return pieces.slice(first, first === 3 ? 4 : Math.min(first + 2, 3)).filter(([n], i) => n > 0 || i === 0)
    .map(([n, word]) => `${n}${words.space}${word}`).join(words.space)
}

/** A number as measured: no rounding unless decimals are given, thin grouping, unknown looks unknown. */
export function numberText(value: unknown, decimals?: number): string {
  if (value === null || value === undefined || value === '') return '—'
  const n = Number(value)
  if (!Number.isFinite(n)) return '—'
  const text = decimals === undefined ? String(n) : n.toFixed(decimals)
  const [whole = '', fraction] = text.split('.')
  const grouped = Math.abs(n) >= 10000 ? whole.replace(/\B(?=(\d{3})+$)/g, ',') : whole
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}
/** A measured value as the post keeps it: a whole number of millionths. */
export const fixText = (millionths: number): string => numberText(millionths / 1e6)
export function bytesText(n: number | null | undefined): string {
  if (n === null || n === undefined) return '—'
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = n
  let i = 0
  while (value >= 1000 && i < units.length - 1) { value /= 1000; i++ }
  return `${value >= 100 || i === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[i]}`
}
export function percentText(part: number, whole: number): string {
  return whole > 0 ? `${((part / whole) * 100).toFixed(1)} %` : '—'
}

// Words, colours and shapes of air quality. The fills are fixed by the standard; they never stand without number, word or shape.
import type { Value } from '@/api/types'

export const POLLUTANTS = ['PM25', 'PM10', 'SO2', 'NO2', 'CO', 'O3'] as const
export type Pollutant = (typeof POLLUTANTS)[number]
export const WEATHER = ['TEMP', 'RH', 'PRES', 'WS', 'WD', 'RAIN'] as const
export type Weather = (typeof WEATHER)[number]
export type Item = Pollutant | Weather
/** Written with its small figures, as the standard writes it. */
export const SYMBOL: Record<Pollutant, string> = { PM25: 'PM₂.₅', PM10: 'PM₁₀', SO2: 'SO₂', NO2: 'NO₂', CO: 'CO', O3: 'O₃' }
export const symbol = (code: string): string => SYMBOL[code as Pollutant] ?? code
export const UNIT: Record<Item, string> = { PM25: 'µg/m³', PM10: 'µg/m³', SO2: 'µg/m³', NO2: 'µg/m³', CO: 'mg/m³', O3: 'µg/m³', TEMP: '°C', RH: '%', PRES: 'hPa', WS: 'm/s', WD: '°', RAIN: 'mm' }
export const DECIMALS: Record<Item, number> = { PM25: 0, PM10: 0, SO2: 0, NO2: 0, CO: 1, O3: 0, TEMP: 1, RH: 0, PRES: 0, WS: 1, WD: 0, RAIN: 1 }

const TOPS = [50, 100, 150, 200, 300]
/** Category 1 to 6 of an AQI or IAQI; 0 when unknown. */
export function levelOf(aqi: number | null | undefined): number {
  if (aqi === null || aqi === undefined || !Number.isFinite(aqi)) return 0
  const at = TOPS.findIndex((top) => aqi <= top)
  return at < 0 ? 6 : at + 1
}
/** One shape per category in a box of 16: circle, square, triangle, diamond, six-pointed and filled cross; readable in grey. */
export const LEVEL_SHAPE = [
  'M3 8h10', // unknown: a bar
  'M8 2a6 6 0 1 0 0 12a6 6 0 0 0 0-12z',
  'M3 3h10v10H3z',
  'M8 1.500l7 12.500H1z',
  'M8 .8l7.200 7.200L8 15.200.8 8z',
  'M8 .8l6.500 3.700v7L8 15.200l-6.500-3.700v-7z',
  'M5.500 1h5v4.500H15v5h-4.500V15h-5v-4.500H1v-5h4.500z',
]
/** Ink on the standard's fills that can be read: black on the first four, white on the two dark ones. */
export const inkOf = (level: number): string => (level >= 5 ? '#fff' : level === 0 ? 'var(--muted)' : '#000')
export const fillOf = (level: number): string => (level === 0 ? 'transparent' : `var(--aqi-${level})`)

export type HourState = 'preliminary' | 'reviewed' | 'corrected' | 'invalid'
/** State bits of an hour's value: 1 reviewed, 2 corrected, 4 invalid. Invalid wins; corrected implies reviewed. */
export function stateOf(bits: number | null | undefined): HourState {
  const b = bits ?? 0
  return b & 4 ? 'invalid' : b & 2 ? 'corrected' : b & 1 ? 'reviewed' : 'preliminary'
}
/** "territory:3" or "station:7". */
export interface Scope { kind: 'territory' | 'station'; id: string }
export function readScope(text: Value): Scope | null {
  const m = /^(territory|station):(\d+)$/.exec(String(text ?? ''))
  return m ? { kind: m[1] as Scope['kind'], id: m[2]! } : null
}
/** Days of the calendar as texts, without a zone: "2026-02-28". */
const two = (n: number) => String(n).padStart(2, '0')
export function addDays(day: string, n: number): string {
  return new Date(Date.UTC(+day.slice(0, 4), +day.slice(5, 7) - 1, +day.slice(8, 10)) + n * 86400000).toISOString().slice(0, 10)
}
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86400000)
}
export function monthEnd(day: string): string {
  return new Date(Date.UTC(+day.slice(0, 4), +day.slice(5, 7), 0)).toISOString().slice(0, 10)
}
export type PeriodKind = 'day' | 'week' | 'month' | 'quarter' | 'season' | 'year' | 'free'
export interface Period { kind: PeriodKind; from: string; to: string }
/** The period of a kind that holds the day. The heating season runs from October to March. */
export function periodOf(kind: PeriodKind, day: string): Period {
  const y = +day.slice(0, 4)
  const m = +day.slice(5, 7)
  switch (kind) {
    case 'week': { const dow = (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7; const from = addDays(day, -dow); return { kind, from, to: addDays(from, 6) } }
    case 'month': return { kind, from: `${day.slice(0, 7)}-01`, to: monthEnd(day) }
    case 'quarter': { const first = Math.floor((m - 1) / 3) * 3 + 1; return { kind, from: `${y}-${two(first)}-01`, to: monthEnd(`${y}-${two(first + 2)}-01`) } }
    case 'season': { const start = m >= 10 ? y : m <= 3 ? y - 1 : null; return start === null ? { kind, from: `${y}-04-01`, to: `${y}-09-30` } : { kind, from: `${start}-10-01`, to: `${start + 1}-03-31` } }
    case 'year': return { kind, from: `${y}-01-01`, to: `${y}-12-31` }
    default: return { kind, from: day, to: day }
  }
}
export function stepPeriod(p: Period, by: 1 | -1): Period {
  if (p.kind === 'free') { const n = (daysBetween(p.from, p.to) + 1) * by; return { kind: 'free', from: addDays(p.from, n), to: addDays(p.to, n) } }
  return periodOf(p.kind, by > 0 ? addDays(p.to, 1) : addDays(p.from, -1))
}
/** Written for people: the year, the month, or both days. */
export function periodText(p: Period): string {
  if (p.kind === 'year') return p.from.slice(0, 4)
  if (p.kind === 'month') return p.from.slice(0, 7)
  if (p.kind === 'quarter') return `${p.from.slice(0, 4)} Q${Math.floor((+p.from.slice(5, 7) + 2) / 3)}`
  return p.from === p.to ? p.from : `${p.from} – ${p.to}`
}
/** Decimals a statistic is written with: PM2.5 has one since the standard of 2026, hours and days before it are whole. */
export function figureDecimals(key: string, standard = '2026'): number {
  const k = key.toUpperCase()
  if (k === 'PM25') return standard < '2026' ? 0 : 1
  if (k.startsWith('COMPOSITE')) return 2
  return k === 'CO' || k.startsWith('GOOD_SHARE') ? 1 : 0
}
export const targetDecimals = (g: { indicator: string; standard: string }): number => figureDecimals(g.indicator, g.standard)
/** A limit, and the distance to it, have more decimals where the limit was given with more. */
export const limitDecimals = (g: { indicator: string; standard: string; limit: number | null }): number => Math.max(targetDecimals(g), sameDecimals([g.limit]))
/** How many decimals a column needs so that all its figures have the same: a missing zero at the end is added. */
export function sameDecimals(values: (number | null | undefined)[]): number {
  return values.reduce<number>((most, v) => Math.max(most, v === null || v === undefined ? 0 : String(v).split('.')[1]?.length ?? 0), 0)
}
/** "+3", "−2", "0" with a real minus; unknown stays unknown. */
export function signed(n: number | null | undefined, decimals = 0): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return '—'
  const text = Math.abs(n).toFixed(decimals)
  return Number(text) === 0 ? text : n > 0 ? `+${text}` : `−${text}`
}

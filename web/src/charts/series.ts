// From the API's table of rows to the lines of a chart.
import type { Series } from '@/api/types'
import { toMs } from '@/lib/format'
import type { ChartLimit, ChartLine } from './types'

/** Fields that carry a measured value; the others (marks, sums of emission) go elsewhere. */
export const VALUE_FIELDS = ['zs_avg', 'zs', 'avg', 'rtd', 'min', 'max']
export const isMark = (field: string) => field === 'mark' || field === 'flag'

/** Converted values where the limit is on converted values, else measured ones. */
export function bestField(series: Series, factor: string, basis?: string): string | null {
  const fields = series.columns.filter((c) => c.factor === factor).map((c) => c.field.toLowerCase())
  const converted = fields.find((f) => f.startsWith('zs') && (f.includes('avg') || f.includes('rtd') || f === 'zs'))
  const measured = fields.find((f) => f === 'avg' || f === 'rtd' || f === 'value')
  return (basis === 'measured' ? measured ?? converted : converted ?? measured) ?? fields.find((f) => !isMark(f)) ?? null
}
export function lineOf(series: Series, factor: string, field: string): ChartLine | null {
  const at = series.columns.findIndex((c) => c.factor === factor && c.field.toLowerCase() === field.toLowerCase())
  if (at < 0) return null
  const markAt = series.columns.findIndex((c) => c.factor === factor && isMark(c.field.toLowerCase()))
  const column = series.columns[at]!
  const points: ChartLine['points'] = []
  for (const row of series.rows) {
    const ms = toMs(row[0])
    if (ms === null) continue
    const value = row[at + 1]
    const mark = markAt < 0 ? undefined : row[markAt + 1]
    const n = value === null || value === undefined || value === '' ? null : Number(value)
    points.push(typeof mark === 'string' && mark ? [ms, n, mark] : [ms, n])
  }
  return { name: column.name, unit: column.unit, points: withGaps(points) }
}
/** Where several expected values are missing the line must break, not bridge the gap. */
export function withGaps(points: ChartLine['points']): ChartLine['points'] {
  if (points.length < 3) return points
  const steps = points.slice(1).map((p, i) => p[0] - points[i]![0]).sort((a, b) => a - b)
  const usual = steps[Math.floor(steps.length / 2)]!
  const result: ChartLine['points'] = []
  points.forEach((p, i) => {
    const before = points[i - 1]
    if (before && p[0] - before[0] > usual * 3.5) result.push([before[0] + usual, null])
    result.push(p)
  })
  return result
}
export function limitsOf(series: Series, factor: string, period: 'hour' | 'day', label: (value: number, unit: string) => string): ChartLimit[] {
  const unit = series.columns.find((c) => c.factor === factor)?.unit ?? ''
  return series.limits.filter((l) => l.factor === factor && l.period === period).map((l) => ({ value: l.value, label: label(l.value, unit) }))
}

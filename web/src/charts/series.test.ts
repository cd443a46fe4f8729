import { describe, expect, it } from 'vitest'
import type { Series } from '@/api/types'
import { bestField, limitsOf, lineOf, withGaps } from './series'

const series: Series = {
  columns: [{ factor: 'a21026', field: 'avg', name: 'SO2', unit: 'mg/m³' }, { factor: 'a21026', field: 'zsavg', name: 'SO2 z', unit: 'mg/m³' }, { factor: 'a21026', field: 'mark', name: 'mark', unit: '' }, { factor: 'a19001', field: 'avg', name: 'O2', unit: '%' }],
  rows: [['2026-11-25T00:00:00+08:00', 62.63, 54.18, 'N', 17], ['2026-11-25T01:00:00+08:00', null, null, 'F', 18], ['2026-11-25T02:00:00+08:00', 0, 0, 'N', null]],
  limits: [{ factor: 'a21026', period: 'hour', basis: 'converted', value: 150 }, { factor: 'a21026', period: 'day', basis: 'converted', value: 135 }],
  thinned: false,
}
describe('which values a chart shows', () => {
  it('those the limit is on', () => {
    expect(bestField(series, 'a21026', 'converted')).toBe('zsavg')
    expect(bestField(series, 'a21026', 'measured')).toBe('avg')
    expect(bestField(series, 'a19001', 'converted')).toBe('avg')
    expect(bestField(series, 'a34013')).toBeNull()
  })
  it('a gap stays a gap and zero stays zero, each with its mark', () => {
    const line = lineOf(series, 'a21026', 'zsavg')!
    expect(line.points.map((p) => [p[1], p[2]])).toEqual([[54.18, 'N'], [null, 'F'], [0, 'N']])
    expect(line.points[0]![0]).toBe(Date.UTC(2026, 10, 24, 16))
  })
  it('limits of the period only', () => {
    expect(limitsOf(series, 'a21026', 'hour', (v, u) => `${v} ${u}`)).toEqual([{ value: 150, label: '150 mg/m³' }])
    expect(limitsOf(series, 'a19001', 'hour', String)).toEqual([])
  })
  it('a missing stretch breaks the line', () => {
    const hour = 3600000
    const points = withGaps([[0, 1], [hour, 1], [2 * hour, 1], [9 * hour, 1], [10 * hour, 1]])
    expect(points).toContainEqual([3 * hour, null])
    expect(points).toHaveLength(6)
  })
})

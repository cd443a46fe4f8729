import { describe, expect, it } from 'vitest'
import { clipEm, emWidth, niceTop, spread, timeTicks, valueTicks } from './scale'

describe('axes', () => {
  it('round tops and steps', () => {
    expect(niceTop(37.8)).toBe(40)
    expect(niceTop(1.2)).toBe(1.2)
    expect(niceTop(0)).toBe(1)
    expect(valueTicks(0, 40, 4)).toEqual([0, 10, 20, 30, 40])
    expect(valueTicks(-10, 30, 4)).toEqual([-10, 0, 10, 20, 30])
    expect(valueTicks(0, 0.3, 3)).toEqual([0, 0.1, 0.2, 0.3])
  })
  it('time ticks lie on the city\'s full hours, days and months', () => {
    const from = Date.parse('2026-01-01T00:00:00+08:00')
    const day = timeTicks(from, from + 86400000, 6)
    expect(day.map((t) => t.text)).toEqual(['01-01', '06:00', '12:00', '18:00', '01-02'])
    const year = timeTicks(from, Date.parse('2026-12-31T23:00:00+08:00'), 5)
    expect(year.map((t) => t.text)).toEqual(['2026-01', '2026-04', '2026-07', '2026-10'])
    expect(year[1]!.at).toBe(Date.parse('2026-04-01T00:00:00+08:00'))
    expect(timeTicks(Date.parse('2017-05-01T00:00:00+08:00'), from, 9).map((t) => t.text)).toEqual(['2018', '2019', '2020', '2021', '2022', '2023', '2024', '2025', '2026'])
  })
  it('labels never lie on each other nor outside', () => {
    const at = spread([50, 51, 52, 99], 10, 0, 100)
    expect([...at].sort((a, b) => a - b)).toEqual(at)
    for (let i = 1; i < at.length; i++) expect(at[i]! - at[i - 1]!).toBeGreaterThanOrEqual(10)
    expect(Math.max(...at)).toBeLessThanOrEqual(100)
    expect(spread([5, 3], 4, 0, 100)).toEqual([7, 3])
  })
  it('texts are cut by their width', () => {
    expect(emWidth('颗粒物')).toBe(3)
    expect(clipEm('颗粒物小时均值', 4)).toBe('颗粒物…')
    expect(clipEm('NOx', 4)).toBe('NOx')
  })
})

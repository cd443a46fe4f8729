import { describe, expect, it } from 'vitest'
import { addDays, daysBetween, levelOf, periodOf, periodText, readScope, sameDecimals, signed, stateOf, stepPeriod } from './air'

describe('air quality', () => {
  it('categories change exactly above their limits', () => {
    expect([50, 51, 100, 101, 150, 151, 200, 201, 300, 301].map(levelOf)).toEqual([1, 2, 2, 3, 3, 4, 4, 5, 5, 6])
    expect(levelOf(null)).toBe(0)
    expect(levelOf(0)).toBe(1)
  })
  it('state bits: invalid wins over corrected, corrected over reviewed', () => {
    expect([0, 1, 2, 3, 4, 7].map(stateOf)).toEqual(['preliminary', 'reviewed', 'corrected', 'corrected', 'invalid', 'invalid'])
  })
  it('periods hold whole calendar units', () => {
    expect(periodOf('month', '2024-02-10')).toEqual({ kind: 'month', from: '2024-02-01', to: '2024-02-29' })
    expect(periodOf('season', '2026-01-05')).toEqual({ kind: 'season', from: '2025-10-01', to: '2026-03-31' })
    expect(periodOf('season', '2026-06-05').from).toBe('2026-04-01')
    expect(periodOf('week', '2026-11-25')).toEqual({ kind: 'week', from: '2026-11-23', to: '2026-11-29' })
    expect(periodText(periodOf('quarter', '2026-05-02'))).toBe('2026 Q2')
    expect(stepPeriod(periodOf('year', '2026-05-02'), -1).from).toBe('2025-01-01')
    expect(stepPeriod({ kind: 'free', from: '2026-01-01', to: '2026-01-10' }, 1)).toEqual({ kind: 'free', from: '2026-01-11', to: '2026-01-20' })
    expect(addDays('2024-12-31', 1)).toBe('2025-01-01')
    expect(daysBetween('2024-02-01', '2024-03-01')).toBe(29)
  })
  it('scopes and signs', () => {
    expect(readScope('territory:3')).toEqual({ kind: 'territory', id: '3' })
    expect(readScope('city:3')).toBeNull()
    expect(signed(-0.04, 1)).toBe('0.0')
    expect(sameDecimals([4.2, 3.76, null, 4])).toBe(2)
    expect(sameDecimals([])).toBe(0)
    expect(signed(-3)).toBe('−3')
    expect(signed(2.5, 1)).toBe('+2.5')
  })
})

import { beforeEach, describe, expect, it } from 'vitest'
import { bytesText, clockText, dayText, durationText, fixText, fromLocalInput, isoOf, numberText, percentText, setZone, shortTime, startOfDay, timeText, toLocalInput, toMs } from './format'

const zh = { day: '天', hour: '小时', minute: '分钟', second: '秒', space: ' ' }
beforeEach(() => setZone(480))

describe('times are those of the city, whatever the browser thinks', () => {
  const at = Date.UTC(2026, 10, 25, 16, 5, 9) // 00:05:09 next day in Shanghai
  it('shows the city day and clock', () => {
    expect(timeText(at, true)).toBe('2026-11-26 00:05:09')
    expect(dayText(at)).toBe('2026-11-26')
    expect(clockText(at)).toBe('00:05')
  })
  it('writes ISO with the offset and reads it back', () => {
    expect(isoOf(at)).toBe('2026-11-26T00:05:09+08:00')
    expect(toMs(isoOf(at))).toBe(at)
    setZone(-210)
    expect(isoOf(at)).toBe('2026-11-25T12:35:09-03:30')
    expect(toMs(isoOf(at))).toBe(at)
  })
  it('goes to a form field and back without losing the minute', () => {
    expect(toLocalInput(at)).toBe('2026-11-26T00:05')
    expect(fromLocalInput('2026-11-26T00:05')).toBe(at - 9000)
    expect(fromLocalInput('2026-11-26')).toBe(startOfDay(at))
    expect(fromLocalInput('26.11.2026')).toBeNull()
    expect(fromLocalInput('')).toBeNull()
  })
  it('leaves out what is the same as now', () => {
    expect(shortTime(at, at + 3600000)).toBe('00:05')
    expect(shortTime(at, at + 30 * 3600000)).toBe('11-26 00:05')
    expect(shortTime(at, at + 400 * 86400000)).toBe('2026-11-26 00:05')
  })
  it('unknown looks unknown', () => {
    for (const v of [null, undefined, '', 'nonsense', 0]) expect(timeText(v as never)).toBe('—')
  })
})
describe('durations', () => {
  it.each([[0, '0 秒'], [59, '59 秒'], [60, '1 分钟'], [720, '12 分钟'], [3600, '1 小时'], [11520, '3 小时 12 分钟'], [90000, '1 天 1 小时'], [86400, '1 天'], [-5, '0 秒']])('%i s is %s', (s, text) => {
    expect(durationText(s, zh)).toBe(text)
  })
})
describe('figures', () => {
  it('never rounds a measured value by itself', () => {
    expect(numberText(111.2825)).toBe('111.2825')
    expect(numberText(0)).toBe('0')
    expect([fixText(58300000), fixText(60000000), fixText(-172000), fixText(1)]).toEqual(['58.3', '60', '-0.172', '0.000001'])
    expect(numberText(-0.171)).toBe('-0.171')
  })
  it('groups long numbers and keeps short ones plain', () => {
    expect(numberText(9999)).toBe('9999')
    expect(numberText(106644)).toBe('106,644')
    expect(numberText(-1234567.5)).toBe('-1,234,567.5')
  })
  it('shows a missing value as missing, not as zero', () => {
    for (const v of [null, undefined, '', 'x', NaN]) expect(numberText(v)).toBe('—')
    expect(percentText(0, 0)).toBe('—')
    expect(percentText(26, 36)).toBe('72.2 %')
  })
  it('bytes', () => {
    expect(bytesText(51300000)).toBe('51.3 MB')
    expect(bytesText(999)).toBe('999 B')
    expect(bytesText(null)).toBe('—')
  })
})

import { describe, expect, it } from 'vitest'
import { csvText, fileName } from './csv'

describe('a table as CSV', () => {
  it('has the UTF-8 mark, lines of CR LF, and quotes only where they are needed', () => {
    expect(csvText(['时间', 'SO2 (mg/m³)', 'note'], [['2026-11-25 00:00:00', 62.63, 'a, "b"\nc']])).toBe('\ufeff时间,SO2 (mg/m³),note\r\n2026-11-25 00:00:00,62.63,"a, ""b""\nc"\r\n')
  })
  it('keeps numbers numbers, negative ones too, and tells nothing from zero', () => {
    expect(csvText(['v'], [[-1.5], [0], [null], [undefined], [Number.NaN]])).toBe('\ufeffv\r\n-1.5\r\n0\r\n\r\n\r\n\r\n')
  })
  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'])('a text %j is no formula', (text) => {
    expect(csvText(['v'], [[text]]).slice('\ufeffv\r\n'.length).replace(/^"/, '')[0]).toBe("'")
  })
  it('a heading is text as well', () => {
    expect(csvText(['=cmd'], [])).toBe("\ufeff'=cmd\r\n")
  })
  it('file names hold nothing a file system refuses', () => {
    expect(fileName('series', '1', '', '2026-11-25 08:00')).toBe('series_1_2026-11-25-08-00')
  })
})

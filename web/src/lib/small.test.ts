import { describe, expect, it } from 'vitest'
import type { MapData } from '@/api/types'
import { countiesOf } from './counties'
import { framePieces } from './frame'
import { newestAt } from './hour'
import { claim, LEASE_MS, readLease, release, type LeaseStore } from './lease'
import { dayLabel, gap, holds, reasons, total } from './ledger'
import { asPlantState, DRAW_ORDER, MARKS } from './plantMarks'
import { readSystem } from './system'
import { safeTarget } from './target'
import { titleOf } from './title'

describe('the address after signing in', () => {
  it.each([['/alarms/3', '/alarms/3'], ['//evil.example', '/'], ['/\\evil.example', '/'], ['https://evil.example', '/'], ['/sign-in?to=/x', '/'], [undefined, '/'], [['/a'], '/']])('%s -> %s', (to, result) => { expect(safeTarget(to)).toBe(result) })
})
describe('when an outlet last spoke', () => {
  it('is its newest value, whatever the order; nothing is unknown', () => {
    expect(newestAt([{ at: '2026-11-26T12:58:00+08:00' }, { at: '2026-11-26T13:00:00+08:00' }, { at: null }])).toBe(Date.parse('2026-11-26T13:00:00+08:00'))
    expect(newestAt([])).toBe(null)
  })
})
describe('ledger', () => {
  const day = { day: 20261125, received: 278, stored: 277, duplicate: 1, rejected: 0 }
  it('balances or says by how much not', () => {
    expect(holds(day)).toBe(true)
    expect(gap({ ...day, stored: 276 })).toBe(1)
    expect(holds({ ...day, stored: 276 })).toBe(false)
  })
  it('adds up and names days and reasons in either form', () => {
    expect(total([day, day])).toMatchObject({ received: 556, stored: 554, duplicate: 2, rejected: 0 })
    expect(dayLabel(20261125)).toBe('2026-11-25')
    expect(dayLabel('2026-11-25')).toBe('2026-11-25')
    expect(reasons({ ...day, reasons: { crc: 2 } })).toEqual([{ reason: 'crc', n: 2 }])
  })
})
describe('one event stream per browser', () => {
  const memory = (): LeaseStore => { let text: string | null = null; return { read: () => text, write: (t) => { text = t } } }
  it('one tab leads until its lease runs out', () => {
    const store = memory()
    expect(claim(store, 'a', 1000)).toBe(true)
    expect(claim(store, 'b', 1000 + LEASE_MS - 1)).toBe(false)
    expect(claim(store, 'a', 2000)).toBe(true)
    expect(claim(store, 'b', 2000 + LEASE_MS)).toBe(true)
    expect(claim(store, 'a', 2000 + LEASE_MS)).toBe(false)
  })
  it('a leader that leaves frees it, another tab cannot', () => {
    const store = memory()
    claim(store, 'a', 0)
    release(store, 'b')
    expect(readLease(store)?.id).toBe('a')
    release(store, 'a')
    expect(claim(store, 'b', 1)).toBe(true)
  })
  it('a clock set back, or rubbish in the store, does not silence the browser', () => {
    const store = memory()
    claim(store, 'a', 10_000_000)
    expect(claim(store, 'b', 1000)).toBe(true)
    store.write('{nonsense')
    expect(claim(store, 'c', 1000)).toBe(true)
  })
})
describe('raw frames by the byte', () => {
  const raw = '##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C80\r\n'
  it('every byte belongs to exactly one piece, in order', () => {
    const pieces = framePieces(raw)
    expect(pieces.map((p) => p.text).join('')).toBe(raw)
    pieces.slice(1).forEach((p, i) => expect(p.from).toBe(pieces[i]!.to))
    expect(pieces[pieces.length - 1]!.to).toBe(raw.length)
    expect(pieces.find((p) => p.name === 'RtdInterval')?.text).toBe('RtdInterval=30')
    expect(pieces.find((p) => p.name === 'CRC')?.text).toBe('1C80')
  })
  it('offsets count bytes where the text is Chinese, and broken input stays whole', () => {
    const pieces = framePieces('##0012CP=&&a=中;b=1&&')
    expect(pieces.find((p) => p.name === 'b')!.from).toBe(11 + 6)
    expect(framePieces('garbage')).toEqual([{ from: 0, to: 7, name: '?', text: 'garbage', group: 'broken' }])
    expect(framePieces('')).toEqual([])
  })
})
describe('states of plants', () => {
  it('each has a shape of its own and a place in the drawing order', () => {
    expect([...DRAW_ORDER].sort()).toEqual(Object.keys(MARKS).sort())
    expect(new Set(Object.values(MARKS).map((m) => m.path)).size).toBe(DRAW_ORDER.length)
    expect(asPlantState('news to me')).toBe('unknown')
  })
})
describe('small readers', () => {
  it('counties without the city round them, unless there is nothing else', () => {
    const territory = (id: number, level: string) => ({ id, code: String(id), name: '', level, center: null, plants: 3, alarms: 0 })
    const data = { plants: [], territories: [territory(1, 'city'), territory(2, 'county')] } as MapData
    expect(countiesOf(data).map((c) => c.id)).toEqual([2])
    expect(countiesOf({ ...data, territories: [territory(1, 'city')] }).map((c) => c.id)).toEqual([1])
    expect(countiesOf(null)).toEqual([])
  })
  it('titles', () => {
    expect(titleOf({ id: 1, name: '甲', name_en: 'Jia' }, 'en')).toBe('Jia')
    expect(titleOf({ id: 1, name: '甲', name_en: null }, 'en')).toBe('甲')
    expect(titleOf({ id: 9 })).toBe('#9')
    expect(titleOf(null)).toBe('—')
  })
  it('the system resource', () => {
    const v = readSystem({ ok: true, seq: 5, ledger: { received: 3, stored: 2, duplicate: 1, rejected: 0 }, storage: { journal_bytes: 10, last_backup_at: null }, queues: { recorder_blocks: 2 }, feeds: [{ device: 4, mn: 'm', since: '2026-11-26T00:00:00+08:00', cause: 'x' }], feeds_more: 7, faults: ['f'] })
    expect(v.ledger).toMatchObject({ received: 3 })
    expect(v.storage.map((x) => x.key)).toEqual(['storage_journal_bytes', 'storage_last_backup_at'])
    expect(v.running).toEqual([{ key: 'seq', value: 5, bytes: false, time: false }])
    expect(v.queues).toEqual([{ name: 'recorder_blocks', used: 2, limit: null }])
    expect(v.feeds[0]).toMatchObject({ device: 4, cause: 'x', since: Date.UTC(2026, 10, 25, 16) })
    expect([v.more, v.faults]).toEqual([7, ['f']])
  })
})

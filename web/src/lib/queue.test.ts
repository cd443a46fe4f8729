import { describe, expect, it } from 'vitest'
import type { Alarm } from '@/api/types'
import { isOverdue, matches, neighbour, placeOf, queueRows, verdictRows, worstFirst, type QueueFilter } from './queue'

const NOW = Date.UTC(2026, 10, 26)
const iso = (minutes: number) => new Date(NOW + minutes * 60000).toISOString()
function alarm(id: number, more: Partial<Alarm> = {}): Alarm {
  return { id, version: 1, rule: 'hour_exceed', rule_name: '小时值超标', severity: 'important', object_kind: 'outlet', object_id: id, object_name: `口${id}`, text: `句子${id}`, value: 1, limit_value: 1, count: 1, active: true, state: 'new', outcome: 'none', level: 0, first_at_ms: iso(-60), last_at_ms: iso(-1), ended_at_ms: null, due_at_ms: null, signed_at_ms: null, period_at_ms: null, period_ms: null, waiting_s: 0, moves: [], unit: 1, unit_name: '甲分局', ...more }
}
const all: QueueFilter = { severity: '', state: 'open', rule: '', text: '' }

describe('where an alarm is', () => {
  it('plant, then county and outlet, the device number last', () => {
    expect(placeOf(alarm(1, { object_kind: 'device', object_name: 'MN1', device_name: 'MN1', outlet_name: '1号口', enterprise_name: '甲厂', territory_name: '涧西区' }))).toEqual({ title: '甲厂', rest: '涧西区 · 1号口 · MN1' })
    expect(placeOf(alarm(1, { outlet_name: '口1' }))).toEqual({ title: '口1', rest: '' })
  })
  it('a device nobody knows yet is titled by what happened, the post by its name', () => {
    expect(placeOf(alarm(1, { object_kind: 'device', object_name: 'MN1', rule_name: '新设备' }))).toEqual({ title: '新设备', rest: 'MN1' })
    expect(placeOf(alarm(1, { object_kind: 'post', object_name: '平台' }))).toEqual({ title: '平台', rest: '' })
  })
})
describe('what a rule judged on', () => {
  it('names a cause once, in the reader’s language', () => {
    const inputs = { minutes: 47, cause: 'device', cause_zh: '连接仍在', cause_en: 'connected', interval_s: 30 }
    expect(verdictRows(inputs, 'zh')).toEqual([['minutes', 47], ['cause', '连接仍在'], ['interval_s', 30]])
    expect(verdictRows(inputs, 'en')).toEqual([['minutes', 47], ['cause', 'connected'], ['interval_s', 30]])
    expect(verdictRows({ cause: 'device' }, 'zh')).toEqual([['cause', 'device']])
  })
})
describe('order of the queue', () => {
  it('severity first, then overdue, then the longest waiting', () => {
    const list = [
      alarm(1, { severity: 'normal', first_at_ms: iso(-9000) }),
      alarm(2, { first_at_ms: iso(-10) }),
      alarm(3, { first_at_ms: iso(-500) }),
      alarm(4, { first_at_ms: iso(-5), due_at_ms: iso(-1) }),
      alarm(5, { severity: 'urgent', first_at_ms: iso(-1) }),
    ]
    expect([...list].sort(worstFirst(NOW)).map((a) => a.id)).toEqual([5, 4, 3, 2, 1])
  })
  it('a closed alarm is never overdue', () => {
    expect(isOverdue(alarm(1, { due_at_ms: iso(-1), state: 'closed' }), NOW)).toBe(false)
    expect(isOverdue(alarm(1, { due_at_ms: iso(-1) }), NOW)).toBe(true)
    expect(isOverdue(alarm(1, { due_at_ms: iso(1) }), NOW)).toBe(false)
  })
  it('one that went up a level is overdue until somebody signs, as on the board', () => {
    expect(isOverdue(alarm(1, { due_at_ms: iso(1), level: 1 }), NOW)).toBe(true)
    expect(isOverdue(alarm(1, { due_at_ms: iso(1), level: 1, state: 'signed' }), NOW)).toBe(false)
  })
})
describe('filters', () => {
  it('each one excludes what does not fit', () => {
    const a = alarm(1, { severity: 'urgent', enterprise_name: '涧西Steel' })
    expect(matches(a, all, NOW)).toBe(true)
    expect(matches(a, { ...all, severity: 'normal' }, NOW)).toBe(false)
    expect(matches(a, { ...all, rule: 'silence' }, NOW)).toBe(false)
    expect(matches(a, { ...all, text: ' steel ' }, NOW)).toBe(true)
    expect(matches(a, { ...all, text: 'cement' }, NOW)).toBe(false)
    expect(matches({ ...a, state: 'signed' }, { ...all, state: 'unsigned' }, NOW)).toBe(false)
    expect(matches({ ...a, signed_by_name: '林' }, { ...all, state: 'mine' }, NOW, '林')).toBe(true)
    expect(matches(a, { ...all, state: 'overdue' }, NOW)).toBe(false)
  })
})
describe('grouping', () => {
  const queue = [alarm(1, { rule: 'a' }), alarm(2, { rule: 'b' }), alarm(3, { rule: 'a' }), alarm(4, { rule: 'a', unit: 2 })]
  it('by unit and rule, each group where its worst item stood', () => {
    const rows = queueRows(queue, true, new Set())
    expect(rows.map((r) => (r.type === 'group' ? `${r.key}=${r.count}` : r.alarm.id))).toEqual(['1/a=2', 1, 3, '1/b=1', 2, '2/a=1', 4])
  })
  it('a folded group keeps its count and hides its items', () => {
    const rows = queueRows(queue, true, new Set(['1/a']))
    expect(rows.filter((r) => r.type === 'alarm')).toHaveLength(2)
    expect(rows[0]).toMatchObject({ type: 'group', count: 2, open: false })
  })
  it('J and K skip the heads and stop at the ends', () => {
    const rows = queueRows(queue, true, new Set())
    expect(neighbour(rows, null, 1)).toBe(1)
    expect(neighbour(rows, 3, 1)).toBe(2)
    expect(neighbour(rows, 4, 1)).toBe(4)
    expect(neighbour(rows, 1, -1)).toBe(1)
    expect(neighbour(rows, 99, 1)).toBe(1)
    expect(neighbour([], 1, 1)).toBeNull()
  })
})

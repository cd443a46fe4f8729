// Order and grouping of the duty queue. The server sends the queue worst first; a page that changes a single item
// in place must keep that order, so the rule is here once more: severity, then overdue, then the longest waiting.
import type { Alarm, Severity } from '@/api/types'
import { toMs } from './format'

export const SEVERITIES: Severity[] = ['urgent', 'important', 'normal']
export const SEVERITY_SHAPE: Record<Severity, string> = { urgent: '▲', important: '◆', normal: '●' }
const rank: Record<Severity, number> = { urgent: 0, important: 1, normal: 2 }

/** The deadline is passed, or was once and nobody has signed since. */
export function isOverdue(alarm: Alarm, now: number): boolean {
  const due = toMs(alarm.due_at_ms)
  const late = (due !== null && due <= now) || (alarm.state === 'new' && alarm.level > 0)
  return late && alarm.state !== 'closed' && alarm.state !== 'suppressed'
}
export function worstFirst(now: number) {
  return (a: Alarm, b: Alarm): number =>
    rank[a.severity] - rank[b.severity] ||
    Number(isOverdue(b, now)) - Number(isOverdue(a, now)) ||
    (toMs(a.first_at_ms) ?? 0) - (toMs(b.first_at_ms) ?? 0) ||
    a.id - b.id
}

/** Where it is, in a person's words: the plant first, then county and outlet; a device's number tells nobody much and may be cut off. */
export function placeOf(alarm: Alarm): { title: string; rest: string } {
  const device = alarm.object_kind === 'device' ? alarm.device_name || alarm.object_name : ''
  const outlet = alarm.outlet_name || (alarm.object_kind === 'outlet' ? alarm.object_name : '')
  const title = alarm.enterprise_name || outlet || (device ? alarm.rule_name : alarm.object_name) || alarm.rule_name
  return { title, rest: [alarm.territory_name, outlet === title ? '' : outlet, device].filter(Boolean).join(' · ') }
}

/** What a rule judged on, for reading: a cause in words stands once, in the reader's language, and its code not beside it. */
export function verdictRows(inputs: Record<string, unknown>, lang: string): [string, unknown][] {
  return Object.entries(inputs).flatMap(([key, value]): [string, unknown][] => {
    const told = /^cause_(\w\w)$/.exec(key)
    if (told) return told[1] === lang ? [['cause', value]] : []
    return key === 'cause' && inputs[`cause_${lang}`] ? [] : [[key, value]]
  })
}

export interface QueueFilter { severity: Severity | ''; state: 'open' | 'unsigned' | 'mine' | 'overdue'; rule: string; text: string }
export function matches(alarm: Alarm, filter: QueueFilter, now: number, me = ''): boolean {
  if (filter.severity && alarm.severity !== filter.severity) return false
  if (filter.rule && alarm.rule !== filter.rule) return false
  if (filter.state === 'unsigned' && alarm.state !== 'new') return false
  if (filter.state === 'overdue' && !isOverdue(alarm, now)) return false
  if (filter.state === 'mine' && alarm.signed_by_name !== me) return false
  const wanted = filter.text.trim().toLowerCase()
  if (!wanted) return true
  return [alarm.text, alarm.object_name, alarm.outlet_name, alarm.enterprise_name, alarm.territory_name].some((t) => t?.toLowerCase().includes(wanted))
}

export type QueueRow = { type: 'group'; key: string; unit: string; rule: string; severity: Severity; count: number; open: boolean } | { type: 'alarm'; key: string; alarm: Alarm }

/** Flat rows for the virtual list. A group stands where its worst item stands. */
export function queueRows(queue: Alarm[], grouped: boolean, closedGroups: ReadonlySet<string>): QueueRow[] {
  if (!grouped) return queue.map((alarm) => ({ type: 'alarm', key: `a${alarm.id}`, alarm }))
  const groups = new Map<string, Alarm[]>()
  for (const alarm of queue) {
    const key = `${alarm.unit ?? 0}/${alarm.rule}`
    const list = groups.get(key)
    if (list) list.push(alarm)
    else groups.set(key, [alarm])
  }
  const rows: QueueRow[] = []
  for (const [key, list] of groups) {
    const head = list[0]!
    const open = !closedGroups.has(key)
    rows.push({ type: 'group', key, unit: head.unit_name || '—', rule: head.rule_name, severity: head.severity, count: list.length, open })
    if (open) for (const alarm of list) rows.push({ type: 'alarm', key: `a${alarm.id}`, alarm })
  }
  return rows
}
/** The alarm before or after the selected one, skipping group heads; the first when nothing is selected. */
export function neighbour(rows: QueueRow[], selected: number | null, step: 1 | -1): number | null {
  const ids = rows.flatMap((row) => (row.type === 'alarm' ? [row.alarm.id] : []))
  if (ids.length === 0) return null
  const at = selected === null ? -1 : ids.indexOf(selected)
  if (at < 0) return ids[0]!
  return ids[Math.min(ids.length - 1, Math.max(0, at + step))]!
}

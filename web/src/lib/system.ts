// The system resource as the health page shows it. Numbers the page has no place for are listed by their name.
import type { LedgerDay, Time } from '@/api/types'
import { toMs } from './format'

export interface Feed { device: number | null; mn: string; place: string; since: number | null; lastAt: Time; cause: string; state: string }
export interface Fact { key: string; value: unknown; bytes: boolean; time: boolean }
export interface SystemView {
  ledger: LedgerDay | null
  faults: string[]
  storage: Fact[]
  running: Fact[]
  queues: { name: string; used: number; limit: number | null }[]
  feeds: Feed[]
  more: number
}
type Dict = Record<string, unknown>
const dict = (v: unknown): Dict => (v && typeof v === 'object' && !Array.isArray(v) ? (v as Dict) : {})
const list = (v: unknown): Dict[] => (Array.isArray(v) ? (v as Dict[]) : [])
const num = (v: unknown): number => (typeof v === 'number' ? v : 0)
const text = (v: unknown): string => (typeof v === 'string' ? v : '')

function readQueues(v: unknown): SystemView['queues'] {
  if (Array.isArray(v)) return list(v).map((q) => ({ name: text(q.name), used: num(q.used ?? q.depth ?? q.n), limit: typeof q.limit === 'number' ? q.limit : typeof q.max === 'number' ? q.max : null }))
  return Object.entries(dict(v)).flatMap(([name, q]) => {
    if (typeof q === 'number') return [{ name, used: q, limit: null }]
    const d = dict(q)
    return 'used' in d || 'depth' in d ? [{ name, used: num(d.used ?? d.depth), limit: typeof d.limit === 'number' ? d.limit : null }] : []
  })
}
function readFeed(f: Dict): Feed {
  return {
    device: typeof f.device === 'number' ? f.device : null,
    mn: text(f.mn),
    place: [text(f.enterprise_name), text(f.outlet_name)].filter(Boolean).join(' · '),
    since: toMs((f.since ?? null) as Time),
    lastAt: (f.last_data_at ?? null) as Time,
    cause: text(f.cause),
    state: text(f.state),
  }
}
export function readSystem(raw: Dict): SystemView {
  const l = dict(raw.ledger)
  const storage: Fact[] = []
  const running: Fact[] = []
  const add = (key: string, value: unknown) => {
    if (typeof value === 'number' || typeof value === 'string' || value === null) (key.startsWith('storage_') ? storage : running).push({ key, value, bytes: /bytes|size/.test(key), time: /_at$/.test(key) })
  }
  for (const [key, value] of Object.entries(raw)) {
    if (['ledger', 'queues', 'faults', 'feeds', 'feeds_more', 'ok', 'at'].includes(key)) continue
    if (value && typeof value === 'object' && !Array.isArray(value)) for (const [k, v] of Object.entries(dict(value))) add(`${key}_${k}`, v)
    else add(key, value)
  }
  return {
    ledger: 'received' in l ? { day: text(l.day), received: num(l.received), stored: num(l.stored), duplicate: num(l.duplicate), rejected: num(l.rejected), ...(l.reasons ? { reasons: l.reasons as Record<string, number> } : {}) } : null,
    faults: (Array.isArray(raw.faults) ? raw.faults : []).map((f: unknown) => (typeof f === 'string' ? f : text(dict(f).text) || text(dict(f).message) || JSON.stringify(f))),
    storage,
    running,
    queues: readQueues(raw.queues),
    feeds: list(raw.feeds).map(readFeed),
    more: num(raw.feeds_more),
  }
}

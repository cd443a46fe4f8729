// Evidence packages, day statements, and running past days again.
import { call, get, post, type Query } from './client'
import type { Page, RecordItem, Time } from './types'

export interface Evidence extends RecordItem { name: string; type: string; size: number; sha256: string; sm3: string; alarm_text?: string; delay_ms?: number; n_follow_ups?: number; hold?: boolean; state?: string; author_name?: string }
export interface Custody { at: Time; user: string; address: string; action: string; detail: string | Record<string, unknown> | null }
export interface EvidenceDetail { evidence: Evidence; manifest: Record<string, unknown>; follow_ups: Evidence[]; custody: Custody[]; holds: { id: number; reason: string; until: Time }[] }
export interface Check { check: string; ok: boolean; text: string; at?: number | null }
export interface EvidenceVerdict { ok: boolean; at: Time; took_ms: number; checks: Check[]; first_bad: null | { offset: number; entry: string; entry_offset: number; is: number | string; was: number | string | null; text: string } }
export interface DayStream { name: string; first: number; last: number; count: number; sha256: string; sm3: string }
export interface DayStatement { n: number; day: string; part: number; final: boolean; sealed_at: Time; previous: string; sha256: string; sm3: string; line: string; streams: DayStream[]; removed: boolean }
export interface ProofKeys { key: string; ed25519: string; sm2: string; made_at?: Time }
export interface ProofRun { running: boolean; from?: string; to?: string; day?: string; records?: number; batches?: number; statements?: number; rows?: number; started_at?: Time; ended_at?: Time; ok: boolean | null; findings?: { where: string; what: string; text: string }[]; seconds?: number }

export const proof = {
  ofAlarm: (alarm: number | string) => get<Page<Evidence>>('evidence', { alarm, sort: '-sealed_at_ms', limit: 20 }),
  detail: (id: number | string) => get<EvidenceDetail>(`evidence/${id}/detail`),
  verify: (id: number | string) => post<EvidenceVerdict>(`evidence/${id}/verify`),
  append: (id: number | string, file: Blob, query: Query) => call<Evidence>('POST', `evidence/${id}/append`, { query, raw: file }),
  handOver: (id: number | string, to: string, note: string) => post<{ custody: Custody[] }>(`evidence/${id}/custody`, { action: 'handed_over', to, note }),
  days: (before?: number) => get<{ key: string; items: DayStatement[]; next: number | null }>('proof/days', { limit: 50, before }),
  keys: () => get<ProofKeys>('proof/keys'),
  seal: () => post<{ n: number; day: string; part: number }>('proof/seal'),
  startVerify: (from: string, to: string) => post<{ job: number }>('proof/verify', from || to ? { ...(from ? { from } : {}), ...(to ? { to } : {}) } : {}),
  verifyState: () => get<ProofRun>('proof/verify'),
}

export interface ChangeItem { code?: string; limit?: number; [field: string]: unknown }
export interface DiffSum { before: number; after: number; gained: number; lost: number; changed?: number }
export interface ReplayResult {
  from: Time
  to: Time
  warm_from?: Time
  records: number
  frames: number
  frames_per_s: number
  days: number
  checked: { alarms: number; verdicts: number; hours: number; days: number; identical: boolean; differences: number; causes: Record<string, number> }
  change: null | {
    gained: number
    lost: number
    changed: number
    hours: number
    plants: number
    counties: number
    by_rule: (DiffSum & { rule: string; name: string })[]
    by_county: (DiffSum & { territory: number; name: string })[]
    by_plant: (DiffSum & { enterprise: number; name: string; territory: number })[]
    by_day: (DiffSum & { day: string })[]
  }
}
export interface Replay { id: number; version: number; day_from: Time; day_to: Time; territory: number | null; territory_name?: string; change: { items: ChangeItem[] } | string | null; state: 'queued' | 'running' | 'finished' | 'failed' | 'cancelled' | 'interrupted'; progress: number; at: Time; records?: number; frames: number; started_at?: Time; finished_at?: Time; seconds?: number; identical: boolean | null; gained: number | null; lost: number | null; changed: number | null; diffs?: number; result: ReplayResult | string | null; error?: string; author?: number | string; author_name?: string; applied_at?: Time; note?: string }
export interface ReplayDiff { n: number; side: string; what: string; change: string; rule: string; rule_name: string; outlet_name?: string; enterprise?: number; enterprise_name?: string; territory_name?: string; factor_name?: string; unit?: string | null; period_at: Time; field: string | null; before: Record<string, unknown> | null; after: Record<string, unknown> | null; cause_text?: string | null }
export const replays = {
  list: () => get<Page<Replay>>('replay', { sort: '-id', limit: 50 }),
  one: (id: number | string) => get<Replay>(`replay/${id}`),
  start: (body: unknown) => post<Replay>('replay', body),
  cancel: (id: number | string) => post<Replay>(`replay/${id}/cancel`),
  apply: (id: number | string) => post<unknown>(`replay/${id}/apply`),
  diff: (id: number | string, query: Query) => get<{ items: ReplayDiff[]; next: string | null; total: number }>(`replay/${id}/diff.json`, query),
}

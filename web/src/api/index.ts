// The resources of the API, one line each.
import { call, del, get, patch, post, put, type Query } from './client'
import type * as T from './types'

/** Lists come as {items} or, where there is only ever one page, as the plain array. */
const asItems = <X>(answer: { items: X[] } | X[]): { items: X[] } => (Array.isArray(answer) ? { items: answer } : answer)

export * from './types'
export { ApiError, apiUrl } from './client'

export const session = {
  current: () => call<T.Session>('GET', 'session', { quiet: true }),
  signIn: (login: string, password: string) => call<T.Session>('POST', 'session', { body: { login, password }, quiet: true }),
  signOut: () => call<void>('DELETE', 'session', { quiet: true }),
  language: (lang: 'zh' | 'en') => call<T.Session>('PUT', 'session', { body: { lang }, quiet: true }),
  password: (old: string, next: string) => call<T.Session | undefined>('PUT', 'session/password', { body: { old, new: next }, quiet: true }),
}
export const meta = () => get<T.Meta>('meta')

export const records = {
  list: <R = T.RecordItem>(kind: string, query?: Query, signal?: AbortSignal) => get<T.Page<R>>(kind, query, signal),
  one: <R = T.RecordItem>(kind: string, id: number | string) => get<R>(`${kind}/${id}`),
  create: (kind: string, body: unknown) => post<T.RecordItem>(kind, body),
  update: (kind: string, id: number | string, body: unknown) => patch<T.RecordItem>(`${kind}/${id}`, body),
  remove: (kind: string, id: number | string, version: number) => del<void>(`${kind}/${id}`, { version }),
  history: (kind: string, id: number | string) => get<{ items: T.HistoryItem[] }>(`${kind}/${id}/history`).then(asItems),
  importFile: (kind: string, file: Blob, format: string, dryRun: boolean) =>
    call<T.ImportReport>('POST', `${kind}/import`, { query: { format, dry_run: dryRun ? 1 : undefined }, raw: file }),
}
export const alarms = {
  board: (signal?: AbortSignal) => get<T.Board>('alarm/board', {}, signal),
  list: (query?: Query, signal?: AbortSignal) => get<T.Page<T.Alarm>>('alarm', query, signal),
  one: (id: number | string) => get<T.Alarm>(`alarm/${id}`),
  move: (id: number, move: string, body: Record<string, unknown> = {}) => post<T.Alarm>(`alarm/${id}/${move}`, body),
  verdicts: (id: number | string) => get<{ items: T.Verdict[] }>(`alarm/${id}/verdicts`).then(asItems),
  history: (id: number | string) => get<{ items: T.HistoryItem[] }>(`alarm/${id}/history`).then(asItems),
}
export const plant = {
  outlet: (id: number | string) => get<T.OutletSummary>(`outlet/${id}/summary`),
  enterprise: (id: number | string) => get<T.EnterpriseSummary>(`enterprise/${id}/summary`),
  map: () => get<T.MapData>('map'),
  boundaries: () => get<GeoJson>('map/boundaries'),
  overview: () => get<Record<string, unknown>>('overview'),
}
export interface GeoJson { type: string; features: { type: string; id?: string | number; properties: Record<string, unknown>; geometry: unknown }[] }

export const devices = {
  series: (id: number | string, query: Query, signal?: AbortSignal) => get<T.Series>(`device/${id}/series`, query, signal),
  frames: (id: number | string, query: Query) => get<T.Page<T.Frame>>(`device/${id}/frames`, query),
  ledger: (id: number | string, query: Query) => get<{ items: T.LedgerDay[] }>(`device/${id}/ledger`, query).then(asItems),
  versions: (id: number | string, query: Query) => get<{ items: T.ValueVersion[] }>(`device/${id}/versions`, query).then(asItems),
  connection: (id: number | string) => get<Record<string, unknown>>(`device/${id}/connection`),
  commands: (id: number | string) => get<T.Page<T.RecordItem>>(`device/${id}/commands`),
  command: (id: number | string, body: unknown) => post<T.RecordItem>(`device/${id}/command`, body),
  enroll: (id: number | string, body: unknown) => post<T.RecordItem>(`device/${id}/enroll`, body),
}
export const system = {
  state: () => get<Record<string, unknown>>('system'),
  ledger: (day: string) => get<{ items: T.LedgerDay[] }>('ledger', { day }).then(asItems),
  precision: (days: number) => get<{ days: number; rules: Record<string, unknown>[] }>('rule/precision', { days }),
  audit: (query: Query) => get<T.Page<T.AuditItem>>('audit', query),
  verifyAudit: () => get<Record<string, unknown>>('audit/verify'),
}
export { put }

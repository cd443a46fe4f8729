// Shapes of the HTTP API as the pages read them. Times are ISO 8601 texts, measured values plain numbers.
export type Severity = 'urgent' | 'important' | 'normal'
export type Time = string | number | null

export interface User {
  id: number
  login: string
  name: string
  role: string
  role_name: string
  permissions: string[]
  territory: number | null
  territory_name?: string
  lang: 'zh' | 'en'
  must_change: boolean
}
export interface Session { user: User; csrf: string }

export interface Choice { value: string; label: string }
export type FieldType = 'text' | 'int' | 'fix' | 'bool' | 'time' | 'date' | 'enum' | 'ref' | 'json' | 'secret'
export interface Field {
  name: string
  type: FieldType
  label: string
  unit?: string
  required?: boolean
  unique?: boolean
  readonly?: boolean
  secret?: boolean
  create_only?: boolean
  default?: string
  form?: string
  choices?: Choice[]
  ref?: string
  min?: number
  max?: number
  max_chars?: number
  in_list?: boolean
  hint?: string
}
export interface Kind {
  name: string
  label: string
  fields: Field[]
  can: { read: boolean; create: boolean; update: boolean; delete: boolean }
}
export interface Need { field: string; label: string; required: boolean; type?: FieldType; choices?: Choice[] }
export interface Move { name: string; label: string; from: string[]; to: string; needs: Need[]; permission?: string }
export interface Flow { states: { name: string; label: string }[]; moves: Move[] }
export interface CommandField { name: string; label?: string; type?: string; required?: boolean; min?: number; max?: number; unit?: string }
export interface CommandSpec { cn: number; name: string; notice?: boolean; fields?: CommandField[] }
/** What a number of a rule means to this rule; one that is not listed is not read by it. */
export interface RuleField { name: string; label: string; unit: string | null; hint: string | null }
export interface RuleSpec { code: string; name: string; fields: RuleField[] }
export interface Meta {
  version: string
  city: { name: string; name_en: string; center: [number, number] | null; tz_min: number; inset_corner?: string }
  demo: boolean
  kinds: Kind[]
  factors: { code: string; name: string; unit: string; decimals: number }[]
  rules: RuleSpec[]
  flows: Record<string, Flow>
  commands: CommandSpec[]
  marks: { mark: string; name: string }[]
  answers: { cn: number; code: number; name: string }[]
}

export type Value = string | number | boolean | null | undefined
export interface RecordItem { id: number; version: number; [field: string]: Value }
export interface Page<T> { items: T[]; next: string | null }

export interface Alarm {
  id: number
  version: number
  rule: string
  rule_name: string
  rule_version?: number
  severity: Severity
  object_kind: string
  object_id: number
  object_name: string
  device?: number | null
  device_name?: string
  outlet?: number | null
  outlet_name?: string
  enterprise?: number | null
  enterprise_name?: string
  territory?: number | null
  territory_name?: string
  unit?: number | null
  unit_name?: string
  factor?: string
  text: string
  value: number | null
  limit_value: number | null
  count: number
  active: boolean
  state: string
  outcome: string
  level: number
  first_at_ms: Time
  last_at_ms: Time
  ended_at_ms: Time
  due_at_ms: Time
  signed_at_ms: Time
  period_at_ms: Time
  period_ms: number | null
  signed_by_name?: string
  note?: string
  waiting_s: number
  moves: string[]
}
export interface BoardGroup { unit: number | null; unit_name: string; rule: string; rule_name: string; severity: Severity; count: number; oldest_at: Time; ids: number[] }
export interface Board {
  counts: { urgent: number; important: number; normal: number; unsigned: number; overdue: number }
  oldest_waiting_s: number
  groups: BoardGroup[]
  queue: Alarm[]
  more: number
  feeds_down: number
}
export interface Verdict { id: number; rule: string; rule_version: number; at: Time; outcome: string; inputs: Record<string, unknown>; text?: string }
export interface HistoryItem { version: number; at: Time; user_id: number; user_name: string; address?: string; action: string; change: Record<string, [Value, Value]>; note?: string }

export interface LatestFactor {
  factor: string
  name: string
  unit: string
  rtd: number | null
  zs: number | null
  mark: string | null
  at: Time
  device?: number
  hour?: { value: number | null; at: Time; limit: number | null; state: string } | null
  trend24?: (number | null)[]
}
export interface OutletSummary {
  outlet: RecordItem
  enterprise: RecordItem | null
  devices: RecordItem[]
  limits: RecordItem[]
  latest: LatestFactor[]
  alarms: Alarm[]
}
export interface EnterpriseSummary {
  enterprise: RecordItem
  outlets: { outlet: RecordItem; devices?: RecordItem[]; latest?: LatestFactor[]; alarms?: Alarm[] }[]
  alarms?: Alarm[]
}
export type SeriesKind = 'rtd' | 'min' | 'hour_r' | 'hour' | 'day' | 'day_r'
export interface Series {
  columns: { factor: string; field: string; name: string; unit: string }[]
  rows: (string | number | null)[][]
  limits: { factor: string; period: string; basis: string; value: number }[]
  thinned: boolean
  columns_cut?: boolean
}
export interface Frame { seq: number; at: Time; kind: string; reason: string | null; peer: string; raw: string; decoded: Record<string, unknown> | null }
export interface LedgerDay { day: string | number; mn?: string; received: number; stored: number; duplicate: number; rejected: number; reasons?: Record<string, number> | { reason: string; n: number }[] }
/** One change of an hour or day value after it was first made. */
export interface ValueVersion { id: number; factor: string; field: string; kind: 'hour' | 'day'; period_at: Time; version: number; old: number | null; new: number | null; at: Time; seq: number; cause: string }
export type PlantState = 'ok' | 'exceed' | 'alarm' | 'silent' | 'stopped' | 'unknown'
export interface Plant { id: number; name: string; lon: number | null; lat: number | null; industry: string; territory: number | null; state: PlantState; alarms: number }
export interface MapData {
  plants: Plant[]
  territories: { id: number; code: string; name: string; level?: string; center: [number, number] | null; plants: number; alarms: number }[]
}
export interface AuditItem { seq: number; at: Time; user_name: string; address: string; action: string; kind: string; record_id: number | null; detail: unknown }
export interface ImportReport { rows: number; created: number; updated: number; errors: { row: number; column: string; code: string; message: string }[] }

// The air routes: measured hours, changes and reviews, imports. Kept apart from the other resources because only the air pages need them.
import { call, get, post, type Query } from './client'
import type { HourState, Item, Pollutant, Weather } from '@/lib/air'
import type { Time } from './types'

export interface StationNow {
  id: number
  code: string
  name: string
  name_en?: string
  type: string
  evaluated: boolean
  national: boolean
  micro: boolean
  territory: number | null
  territory_name?: string
  lon: number | null
  lat: number | null
  hour: Time
  age_h: number | null
  values: Partial<Record<Pollutant, number | null>>
  weather?: Partial<Record<Weather, number | null>>
  states: Partial<Record<Item, HourState>>
  iaqi: Partial<Record<Pollutant, number | null>>
  aqi: number | null
  level: number
  primary: Pollutant[]
  reviewed: boolean
}
export interface AirNow { version: number; at: Time; hour: Time; standard: string; stations: StationNow[] }
export interface StationHours { version: number; station: { id: number; code: string; name: string; type: string }; items: Item[]; rows: [string, (number | null)[], number[], number | null][] }
export interface AirChange { id: number; version: number; station: number; station_name: string; at: Time; item: Item; old: number | null; new: number | null; old_state: HourState; new_state: HourState; old_source?: string; new_source?: string; refused: 'reviewed' | 'rank' | null; author: string; reason: string; review: number | null; made_at: Time }
export interface AirGap { from: Time; to: Time; hours: number; item: string }
export interface StationGaps { id: number; name: string; hours: number; missing: number; share_pct: number | null; gaps: AirGap[]; missing_by_item: Record<string, number> }
export type ReviewAction = 'correct' | 'invalidate' | 'restore' | 'confirm'
export interface ReviewItem {
  id: number
  version: number
  station: number
  station_name?: string
  items: string
  from_at: Time
  to_at: Time
  from_at_ms?: Time
  to_at_ms?: Time
  action: ReviewAction
  value: number | null
  reason: string
  author: number | string
  author_name?: string
  state: 'proposed' | 'approved' | 'rejected' | 'withdrawn' | 'reversed'
  reviewer?: number | string | null
  reviewer_name?: string
  decided_at?: Time
  decided_at_ms?: Time
  version_applied?: number | null
  version_reversed?: number | null
  note?: string
  due_at_ms?: Time
  moves?: string[]
  hours?: { at: Time; item: Item; value: number | null; state: HourState; proposed: number | null }[]
}
export interface ImportResult { version: number; rows: number; first: number; equal: number; filled: number; replaced: number; refused: number }
export interface AirFinding { code: string; level: 'wrong' | 'doubt' | 'note'; station: string; item: string; count: number; text: string }
export interface AirImport {
  dry_run: boolean
  applied: boolean
  format: string
  encoding?: string
  columns: { title: string; as: string }[]
  shape: string
  mapping: number | null
  co_unit: string
  hour_label: string
  tz_min: number
  from: Time
  to: Time
  rows: number
  stations: number
  preview: { line: number; station: string; station_id: number | null; at: Time; values: Partial<Record<Item, number | null>> }[]
  unknown_stations: { code: string; name: string; rows: number }[]
  findings: AirFinding[]
  errors: { row: number; column: string; message: string }[]
  errors_more: boolean
  result: ImportResult | null
  ms: number
}
export const air = {
  now: (at?: string, signal?: AbortSignal) => get<AirNow>('air/now', { at }, signal),
  hours: (id: number | string, from: string, to: string, signal?: AbortSignal) => get<StationHours>(`air/stations/${id}/hours`, { from, to }, signal),
  changes: (query: Query, signal?: AbortSignal) => get<{ version: number; items: AirChange[]; next: number | null }>('air/changes', query, signal),
  gaps: (query: Query, signal?: AbortSignal) => get<{ version: number; stations: StationGaps[] }>('air/gaps', query, signal),
  importFile: (file: Blob, query: Query) => call<AirImport>('POST', 'air/import', { query, raw: file }),
  reviews: (state?: string) => get<{ items: ReviewItem[] }>('air/review/list', { state }),
  review: (id: number | string) => get<ReviewItem>(`air/review/${id}`),
  propose: (body: unknown) => post<ReviewItem>('air/review', body),
  move: (id: number, move: string, note: string) => post<ReviewItem>(`air/review/${id}/${move}`, note ? { note } : {}),
}

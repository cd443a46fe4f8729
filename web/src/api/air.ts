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
export interface AirChange { id: number; version: number; station: number; station_name: string; at: Time; item: Item; old: number | null; new: number | null; old_state: HourState; new_state: HourState; old_source?: string; new_source?: string; refused: 'reviewed' | 'rank' | null; author: string; proposed_by?: string; decided_by?: string; reason: string; review: number | null; made_at: Time }
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

// ---- figures ----
export type FigureKey = Pollutant | 'composite_index' | 'good_share_pct' | 'days_good' | 'days_heavy'
export interface Change { before: number | null; now: number | null; diff: number | null; pct: number | null; points?: number | null; same: boolean; better: boolean | null; text: string }
export interface Figures {
  days_valid: number
  days_good: number
  days_heavy: number
  good_share_pct: number | null
  composite_index: number | null
  aqi_categories: Record<string, number>
  primary_days: Partial<Record<Pollutant, number>>
  pollutants: Record<Pollutant, { value: number | null; mean: number | null; percent: number | null; percentile: number | null; max: number | null; days_valid: number; exceed_days: number; limit: number | null; ratio: number | null; over_multiple: number | null; attained: boolean | null }>
}
export interface Compare { from: string; to: string; standard: string; standard_differs: boolean; crosses_2018: boolean; figures: Figures; change: Partial<Record<FigureKey, Change>> }
export interface ScopeInfo { kind: string; ids: number[]; name: string; level: string; stations: { id: number; code: string; name: string }[] }
export interface AirDay { day: string; standard: string; aqi: number | null; level: number; category: string | null; primary: Pollutant[]; values: Partial<Record<Pollutant, number | null>>; iaqi: Partial<Record<Pollutant, number | null>>; dust: boolean; dust_aqi: number | null; hours: number; hours_expected: number; values_n: number; values_reviewed: number; preliminary: boolean }
export interface AirDays { scope: ScopeInfo; from: string; to: string; version: number; items: AirDay[] }
export interface AirPeriod { scope: ScopeInfo; period: string; from: string; to: string; days: number; standard: string; version: number; at: Time; figures: Figures; figures_kept: Figures; figures_deducted: Figures; dust_days: number; yoy: Compare; mom: Compare | null; statistics_valid: boolean; gaps: { pollutant: Pollutant | null; year: number; month: number; days: number; needed: number }[]; hours: number; hours_expected: number; values_n: number; values_reviewed: number; reviewed_share_pct: number | null; preliminary: boolean; crosses_2018: boolean; attained: boolean | null }
export type Means = Partial<Record<Pollutant, number | null>>
export interface Diurnal { scope: ScopeInfo; version: number; hours: ({ hour: number } & Means)[]; weekdays: ({ weekday: number } & Means)[] }
export type SeriesItem = { from: string; to: string; days_valid: number; days_good: number; days_heavy: number; good_share_pct: number | null; composite_index: number | null; yoy: Partial<Record<FigureKey, number | null>> } & Means
export interface AirSeries { scope: ScopeInfo; step: string; version: number; items: SeriesItem[] }
export type Span = { from: string; to: string; composite_index: number | null; good_share_pct: number | null; days_good: number; days_valid: number; days_heavy: number } & Means
export interface BoardItem { territory: number; name: string; level: string; day: AirDay; month: Span; ytd: Span; yoy: Partial<Record<FigureKey, Change>> }
export interface AirBoard { day: string; version: number; items: BoardItem[] }
export type RankItem = { rank: number | null; tied: boolean; member: { kind: string; id: number | null; name: string; own: boolean }; composite_index: number | null; good_share_pct: number | null; days_good: number | null; days_valid: number | null; rank_before: number | null; move: number | null; change: Partial<Record<FigureKey, Change>>; improve_rank: number | null; to_next: { name: string; key: string; gap: number | null; pm25_ugm3: number | null; good_days: number | null } | null } & Means
export interface Ranking { scheme: { id: number; code: string; name: string; member: string; keys: string; note?: string }; from: string; to: string; before: { from: string; to: string } | null; standard: string; version: number; invented: boolean; items: RankItem[]; best: string[]; worst: string[] }
export interface Target {
  id: number
  record_version: number
  name: string
  territory: number | null
  territory_name: string
  enterprise: number | null
  enterprise_name: string
  process: string
  indicator: string
  indicator_name: string
  unit: string
  period: string
  start: string
  end: string
  how: string
  value: number | null
  base_value: number | null
  limit: number | null
  parent: number | null
  weight: number | null
  note: string
  at: string
  standard: string
  now: number | null
  gap: number | null
  better: boolean | null
  days_total: number
  days_past: number
  days_left: number
  days_valid: number
  days_good: number
  days_heavy: number
  allowed_left: number | null
  allowed_text: string
  last_year_left: number | null
  days_needed: number | null
  bad_left: number | null
  heavy_left: number | null
  affordable: Record<string, number | null> | null
  typical: Record<string, number | null> | null
  probability: number | null
  probability_years: number
  probability_draws: number
  end_value: { p10: number | null; p50: number | null; p90: number | null } | null
  light: 'met' | 'on_way' | 'at_risk' | 'missed' | 'unknown'
  light_name: string
  light_rule: string
  road: { day: string; value: number | null; allowed: number | null }[]
  has_parts: boolean
}
export interface Parts { parent: Target; mode: 'additive' | 'mean'; items: Target[]; total: number | null; whole: number | null; difference: number | null; adds_up: boolean }
export interface Plan { target: Target; rest_days: number; winter_days: number; last_rest: number | null; last_winter: number | null; rows: { rest_mean: number | null; winter_allowed: number | null }[]; text: string }
export interface WhatIf { before: Target; after: Target; days: ({ day: string; aqi: number | null; category: string | null } & Means)[]; counties: { territory: number; name: string; before: number | null; after: number | null }[]; text: string }
export interface Paper { id: number; number: string; kind: string; title: string; territory: number; day: string; lang: string; version: number; published_at: Time; author: string; sha256: string }

const TARGET_PAGES = 10 // of 500: far more than a list on one page can show

export const figures = {
  board: (day?: string, signal?: AbortSignal) => get<AirBoard>('air/board', { day }, signal),
  days: (scope: string, from: string, to: string, signal?: AbortSignal) => get<AirDays>('air/days', { scope, from, to }, signal),
  period: (query: Query, signal?: AbortSignal) => get<AirPeriod>('air/period', query, signal),
  diurnal: (scope: string, from: string, to: string) => get<Diurnal>('air/diurnal', { scope, from, to }),
  series: (query: Query) => get<AirSeries>('air/series', query),
  ranking: (query: Query, signal?: AbortSignal) => get<Ranking>('air/ranking', query, signal),
  targets: async (at?: string) => {
    const all: Target[] = []
    for (let cursor: string | undefined, page = 0; page < TARGET_PAGES; page++) {
      const r = await get<{ items: Target[]; next: string | null }>('air/targets', { at, cursor })
      all.push(...r.items)
      if (!r.next) break
      cursor = r.next
    }
    return all
  },
  target: (id: number | string, at?: string) => get<Target>(`air/target/${id}`, { at }),
  parts: (id: number | string) => get<Parts>(`air/target/${id}/parts`),
  share: (id: number | string, body: unknown) => post<Parts>(`air/target/${id}/parts`, body),
  plan: (id: number | string, at?: string) => get<Plan>('air/season-plan', { target: id, at }),
  whatIf: (body: unknown) => post<WhatIf>('air/whatif', body),
  papers: () => get<{ items: Paper[] }>('air/papers', { limit: 100 }),
  publish: (body: unknown) => post<Paper>('air/paper', body),
}

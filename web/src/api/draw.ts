// The random draw of targets and inspectors: counted, committed to, revealed, checked.
import { get, post } from './client'
import type { Page, RecordItem, Time } from './types'
import type { Check } from './proof'

export interface Draw extends RecordItem { name: string; territory_name?: string; state: 'committed' | 'revealed' | 'cancelled'; pick: number; team: number; targets: number; inspectors: number; public_source: string; public_value: string | null; list_sha256: string; seed_sha256: string; result_sha256: string | null; committed_at: Time; revealed_at: Time; author?: string; revealed_by?: string; note?: string | null }
export interface DrawQuota { by: 'county' | 'industry'; value: string; name?: string; min: number; max: number; drawn?: number | null }
export interface DrawGroup { value: string; name?: string; targets: number; weight?: number }
export interface DrawPreview { targets: number; inspectors: number; conflicts: number; counties: DrawGroup[]; industries: DrawGroup[]; risk: DrawGroup[]; credit: DrawGroup[] }
export interface DrawPerson { id: string; person: number; name: string; unit: string }
export interface DrawRow { n: number; target: string; enterprise: number; name: string; county_name: string; industry: string; industry_name: string; risk: string; credit: string; weight: number; team: DrawPerson[] }
export interface DrawResult { draw: Draw; line: string; revealed: boolean; seed: string | null; avoid_own_county: boolean; weights: { by: string; value: string; weight: number }[]; quotas: DrawQuota[]; rows: DrawRow[]; load: (DrawPerson & { n: number })[] }
export interface DrawMine { draw: number; name: string; revealed_at: Time; n: number; enterprise: number; target_name: string; county_name: string; industry: string; team: string }

export const draws = {
  list: () => get<Page<Draw>>('draw', { sort: '-id', limit: 100 }),
  mine: () => get<{ items: DrawMine[] }>('draw/mine'),
  result: (id: number | string) => get<DrawResult>(`draw/${id}/result`),
  count: (body: unknown) => post<DrawPreview>('draw', body, { dry_run: 1 }),
  commit: (body: unknown) => post<{ draw: Draw; line: string }>('draw', body),
  reveal: (id: number | string, value: string) => post<DrawResult>(`draw/${id}/reveal`, { public_value: value }),
  cancel: (id: number | string, note: string) => post<Draw>(`draw/${id}/cancel`, { note }),
  verify: (id: number | string) => post<{ ok: boolean; checks: Check[] }>(`draw/${id}/verify`),
}

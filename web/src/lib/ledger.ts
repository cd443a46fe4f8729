// received = stored + duplicate + rejected, for every device and day. The page checks the sum itself.
import type { LedgerDay } from '@/api/types'

export const gap = (d: Pick<LedgerDay, 'received' | 'stored' | 'duplicate' | 'rejected'>): number => d.received - d.stored - d.duplicate - d.rejected
export const holds = (d: Pick<LedgerDay, 'received' | 'stored' | 'duplicate' | 'rejected'>): boolean => gap(d) === 0

/** 20261125, "20261125" or "2026-11-25" as "2026-11-25". */
export function dayLabel(day: string | number): string {
  const m = /^(\d{4})-?(\d{2})-?(\d{2})/.exec(String(day))
  return m ? `${m[1]}-${m[2]}-${m[3]}` : String(day)
}
export function reasons(d: LedgerDay): { reason: string; n: number }[] {
  const r = d.reasons
  if (!r) return []
  return Array.isArray(r) ? r : Object.entries(r).map(([reason, n]) => ({ reason, n }))
}
export function total(days: LedgerDay[]): LedgerDay {
  return days.reduce((s, d) => ({ day: '', received: s.received + d.received, stored: s.stored + d.stored, duplicate: s.duplicate + d.duplicate, rejected: s.rejected + d.rejected }), { day: '', received: 0, stored: 0, duplicate: 0, rejected: 0 } as LedgerDay)
}

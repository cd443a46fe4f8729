import type { LatestFactor, Time } from '@/api/types'
import { toMs } from './format'

/** Values of an outlet count as interrupted after this. */
export const STALE_S = 300
/** When an outlet last spoke: the time of its newest value, not of the page. */
export function newestAt(latest: readonly { at?: Time }[]): number | null {
  return latest.reduce<number | null>((most, l) => { const v = toMs(l.at); return v !== null && (most === null || v > most) ? v : most }, null)
}

/** How the last full hour stands to its limit; without an hour it is unknown, never compliant. */
export const hourState = (l: LatestFactor): string => l.hour?.state ?? 'unknown'

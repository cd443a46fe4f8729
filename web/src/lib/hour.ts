import type { LatestFactor } from '@/api/types'

/** How the last full hour stands to its limit; without an hour it is unknown, never compliant. */
export const hourState = (l: LatestFactor): string => l.hour?.state ?? 'unknown'

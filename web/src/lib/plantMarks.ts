// Marks of a plant's or device's state on a 16 px box. A vocabulary of its own: triangles and diamonds belong to alarms.
import type { PlantState } from '@/api/types'

export interface Mark { path: string; token: string; filled: boolean }
const circle = (r: number) => `M${8 - r} 8a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`
export const MARKS: Record<PlantState, Mark> = {
  ok: { path: circle(4), token: '--green', filled: true },
  exceed: { path: 'M2.500 2.500h11v11h-11z', token: '--red', filled: true },
  alarm: { path: 'M8 1.500l6.500 5-2.500 8h-8l-2.500-8z', token: '--amber', filled: true },
  silent: { path: `${circle(5)}M4.500 11.500l7-7`, token: '--info', filled: false },
  stopped: { path: 'M2.500 6.500h11v3h-11z', token: '--muted', filled: true },
  unknown: { path: circle(4.5), token: '--muted', filled: false },
}
/** Drawn last, so that what needs a person is never covered by what does not. */
export const DRAW_ORDER: PlantState[] = ['stopped', 'unknown', 'ok', 'silent', 'alarm', 'exceed']
export const asPlantState = (state: string): PlantState => (state in MARKS ? (state as PlantState) : 'unknown')

/** A drawn series: [time in ms or place on a named axis, value or gap, note such as the data mark]. */
export interface ChartLine {
  name: string
  unit: string
  points: [number, number | null, string?][]
  /** Bars for sums and comparisons, dots for single measurements; a line if nothing is said. */
  as?: 'line' | 'bar' | 'dots'
  dashed?: boolean
  /** A CSS colour; the palette's next if nothing is said. */
  colour?: string
  decimals?: number
  /** Without its name at the end, where a neighbour speaks for it. */
  quiet?: boolean
}
export interface ChartLimit { value: number; label: string }

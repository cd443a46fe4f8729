/** A measured line: [time ms, value or gap, note such as the data mark]. */
export interface ChartLine { name: string; unit: string; points: [number, number | null, string?][] }
export interface ChartLimit { value: number; label: string }

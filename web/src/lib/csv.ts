// A table as a CSV file for spreadsheets: RFC 4180, with the mark by which they know UTF-8.
export type Cell = string | number | null | undefined

const BOM = '\ufeff'
/** A spreadsheet takes a text that starts like this for a formula and runs it. */
const FORMULA = /^[=+\-@\t\r]/

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : ''
  const text = FORMULA.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text
}
export function csvText(head: string[], rows: Cell[][]): string {
  return BOM + [head, ...rows].map((row) => `${row.map(cellText).join(',')}\r\n`).join('')
}
/** A name every file system takes. */
export const fileName = (...words: string[]) => words.filter(Boolean).join('_').replace(/[\\/:*?"<>|\s]+/g, '-')

export function download(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  document.body.append(link)
  link.click()
  link.remove()
  // Not at once: the browser may not have begun to read it.
  window.setTimeout(() => URL.revokeObjectURL(url), 10000)
}

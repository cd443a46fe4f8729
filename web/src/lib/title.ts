import type { RecordItem } from '@/api/types'

/** What a record is called in a list or a heading: its name, else its number, else its id. */
export function titleOf(item: Partial<RecordItem> | null | undefined, lang: string = 'zh'): string {
  if (!item) return '—'
  const candidates = [lang === 'en' ? item.name_en : null, item.name, item.title, item.code, item.mn, item.login, item.rule]
  for (const c of candidates) if (typeof c === 'string' && c !== '') return c
  return item.id === undefined ? '—' : `#${String(item.id)}`
}

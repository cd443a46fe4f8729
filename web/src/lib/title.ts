import type { Kind, RecordItem } from '@/api/types'

/** What a record is called in a list or a heading: its name, else its number, else its id. */
export function titleOf(item: Partial<RecordItem> | null | undefined, lang: string = 'zh', kind?: Kind): string {
  if (!item) return '—'
  if (typeof item.outlet_name === 'string' && typeof item.factor === 'string') return `${item.outlet_name} · ${item.factor}`
  const candidates = [lang === 'en' ? item.name_en : null, item.name, item.title, item.code, item.mn, item.login, item.rule]
  const first = kind?.fields.find((f) => f.type === 'enum' && (f.name === 'code' || f.name === 'rule') && item[f.name])
  const label = first?.choices?.find((c) => c.value === String(item[first.name]))?.label
  if (label) return label
  for (const c of candidates) if (typeof c === 'string' && c !== '') return c
  return item.id === undefined ? '—' : `#${String(item.id)}`
}

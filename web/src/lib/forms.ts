// From a kind's declared fields to form texts and back. Forms hold texts; the server gets typed values.
import type { Field, Kind, RecordItem, RuleSpec, Value } from '@/api/types'
import { fromLocalInput, isoOf, toLocalInput } from './format'

export type FormValues = Record<string, string | boolean>
export const SYSTEM_FIELDS = new Set(['id', 'version', 'created_at_ms', 'updated_at_ms', 'deleted'])

export function isSecret(field: Field): boolean { return field.type === 'secret' || field.secret === true }
export function editable(kind: Kind, isNew: boolean): Field[] { return kind.fields.filter((f) => !f.readonly && (isNew || !f.create_only) && !SYSTEM_FIELDS.has(f.name)) }
const NUMBERS_OF_A_RULE = new Set(['enter_fix', 'leave_fix', 'min_duration_min', 'min_valid_share', 'param1', 'param2'])
/** The numbers of a rule mean something else to each: called by what they mean, and only those the rule reads. */
export function ofRule(fields: Field[], rule: RuleSpec | undefined): Field[] {
  return rule ? fields.flatMap((f) => (NUMBERS_OF_A_RULE.has(f.name) ? rule.fields.filter((m) => m.name === f.name).map((m) => ({ ...f, label: m.label, unit: m.unit ?? '', hint: m.hint ?? '' })) : [f])) : fields
}
export const isWhen = (field: Field): boolean => field.type === 'time' || field.type === 'date'
export function listed(kind: Kind, most = 9): Field[] {
  const chosen = kind.fields.filter((f) => f.in_list && !isSecret(f))
  // What a record is called comes first, its number after it.
  const named = chosen.findIndex((f) => f.name === 'name')
  if (named > 0) chosen.unshift(...chosen.splice(named, 1))
  return chosen.length > 0 ? chosen : kind.fields.filter((f) => !isSecret(f) && !SYSTEM_FIELDS.has(f.name)).slice(0, most)
}

export function toForm(fields: Field[], item: Partial<RecordItem> | null): FormValues {
  const values: FormValues = {}
  for (const field of fields) {
    const value = item ? item[field.name] : field.default
    if (field.type === 'bool') values[field.name] = value === true || value === 1 || value === 'true'
    else if (isSecret(field)) values[field.name] = ''
    else if (isWhen(field)) values[field.name] = item ? toLocalInput(value as string | number | null).slice(0, field.type === 'date' ? 10 : 16) : ''
    else if (field.type === 'json') values[field.name] = value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
    else values[field.name] = value === null || value === undefined ? '' : String(value)
  }
  return values
}

export type FieldFault = 'required' | 'number' | 'whole' | 'range' | 'length' | 'time'
/** First check in the page; the server's word is final. */
export function checkField(field: Field, value: string | boolean | undefined, isNew: boolean): FieldFault | null {
  if (typeof value === 'boolean') return null
  const text = (value ?? '').trim()
  if (text === '') return field.required && (isNew || !isSecret(field)) ? 'required' : null
  if (field.type === 'int' || field.type === 'fix' || field.type === 'ref') {
    if (!/^[+-]?\d+(\.\d+)?$/.test(text)) return 'number'
    if (field.type !== 'fix' && text.includes('.')) return 'whole'
    const n = Number(text)
    if (field.type !== 'ref' && ((field.min !== undefined && field.min !== null && n < field.min) || (field.max !== undefined && field.max !== null && n > field.max))) return 'range'
  }
  if (isWhen(field) && fromLocalInput(text) === null) return 'time'
  if (field.max_chars && [...text].length > field.max_chars) return 'length'
  return null
}

export function toValue(field: Field, value: string | boolean | undefined): Value {
  if (field.type === 'bool') return value === true
  const text = typeof value === 'string' ? value.trim() : ''
  if (text === '') return null
  if (field.type === 'int' || field.type === 'fix' || field.type === 'ref') return Number(text)
  if (isWhen(field)) {
    const ms = fromLocalInput(text)
    return ms === null ? null : isoOf(ms)
  }
  return text
}
/** Only what changed goes to the server, so that two people can edit different fields and history stays short. */
export function changes(fields: Field[], before: FormValues | null, now: FormValues): Record<string, Value> {
  const body: Record<string, Value> = {}
  for (const field of fields) {
    const value = now[field.name]
    if (isSecret(field) && value === '') continue
    if (before && before[field.name] === value) continue
    if (!before && (value === '' || value === undefined)) continue
    body[field.name] = toValue(field, value)
  }
  return body
}

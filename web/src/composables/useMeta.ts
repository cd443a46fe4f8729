// What the server declares about itself: kinds, factors, rules, flows. Loaded once per language.
import { shallowRef, watch } from 'vue'
import { meta as load, type Field, type Kind, type Meta, type Move } from '@/api'
import { i18n, locale } from '@/i18n'
import { setZone } from '@/lib/format'

const meta = shallowRef<Meta | null>(null)
let loading: Promise<void> | null = null

/** Units of time are words; all others are written alike in both languages. */
const unitWord = (unit: string): string => (i18n.global.te(`unitOf.${unit}`) ? i18n.global.t(`unitOf.${unit}`) : unit)

export function ensureMeta(): Promise<void> {
  loading ??= load().then((m) => {
    for (const k of m.kinds) for (const f of k.fields) if (f.unit) f.unit = unitWord(f.unit)
    for (const r of m.rules) for (const f of r.fields) if (f.unit) f.unit = unitWord(f.unit)
    meta.value = m
    setZone(m.city.tz_min)
  }, (error: unknown) => {
    loading = null
    throw error
  })
  return loading
}
export function forgetMeta() {
  loading = null
  meta.value = null
}
watch(locale, () => {
  if (!meta.value) return
  loading = null
  void ensureMeta().catch(() => { /* the old words stay until the next attempt */ })
})

export function useMeta() {
  const kind = (name: string): Kind | undefined => meta.value?.kinds.find((k) => k.name === name)
  const field = (kindName: string, name: string): Field | undefined => kind(kindName)?.fields.find((f) => f.name === name)
  const choice = (kindName: string, name: string, value: unknown): string => {
    if (value === null || value === undefined || value === '') return '—'
    return field(kindName, name)?.choices?.find((c) => c.value === String(value))?.label ?? String(value)
  }
  const factor = (code: string) => meta.value?.factors.find((f) => f.code === code)
  const rule = (code: string) => meta.value?.rules.find((r) => r.code === code)?.name ?? code
  const ruleSpec = (code: unknown) => meta.value?.rules.find((r) => r.code === code)
  /** What a field of a record is called: a number of a rule by what it means to that rule. */
  const fieldLabel = (kindName: string, name: string, code?: unknown): string | undefined => (kindName === 'rule' ? ruleSpec(code)?.fields.find((f) => f.name === name)?.label : undefined) ?? field(kindName, name)?.label
  /** QnRtn (9011) or ExeRtn (9012) in words, "" when the standard knows no such code. */
  const answerName = (cn: number, code: unknown): string => meta.value?.answers.find((a) => a.cn === cn && a.code === Number(code))?.name ?? ''
  const alarmState = (name: string) => meta.value?.flows.alarm?.states.find((s) => s.name === name)?.label ?? name
  const alarmMove = (name: string): Move | undefined => meta.value?.flows.alarm?.moves.find((m) => m.name === name)
  const mark = (code: string | null) => meta.value?.marks.find((m) => m.mark === code)?.name ?? code ?? ''
  const refLabel = (kindName: string) => kind(kindName)?.label ?? kindName
  return { meta, kind, field, choice, factor, rule, alarmState, alarmMove, mark, refLabel, ruleSpec, fieldLabel, answerName }
}

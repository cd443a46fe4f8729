// Two complete languages. The Chinese messages are the type; English must have the same keys or the check fails.
import { createI18n, useI18n } from 'vue-i18n'
import { computed, type Ref } from 'vue'
import { setApiLanguage } from '@/api/client'
import type { zh } from './zh'

export type Language = 'zh' | 'en'
type Widen<M> = { [K in keyof M]: M[K] extends string ? string : Widen<M[K]> }
export type Messages = Widen<typeof zh>
type Paths<M, P extends string = ''> = { [K in keyof M & string]: M[K] extends string ? `${P}${K}` : Paths<M[K], `${P}${K}.`> }[keyof M & string]
export type MessageKey = Paths<Messages>
export type Params = Record<string, string | number>

export const i18n = createI18n<false>({ legacy: false, locale: 'zh', fallbackLocale: false, missingWarn: false, fallbackWarn: false, messages: {} })
export const locale = i18n.global.locale as unknown as Ref<string>

const loaders: Record<Language, () => Promise<Messages>> = {
  zh: () => import('./zh').then((m) => m.zh as Messages),
  en: () => import('./en').then((m) => m.en),
}
interface MessageContext { named(name: string): unknown; normalize(parts: string[]): string }
type Ready = { [key: string]: Ready | ((ctx: MessageContext) => string) }
/** Every text becomes a function of its parameters: without the library's compiler it takes nothing else. */
export function ready(messages: object): Ready {
  const result: Ready = {}
  for (const [key, value] of Object.entries(messages)) {
    if (typeof value !== 'string') { result[key] = ready(value as object); continue }
    const parts = value.split(/\{(\w+)\}/)
    result[key] = parts.length === 1 ? () => value : (ctx) => ctx.normalize(parts.map((part, i) => (i % 2 ? String(ctx.named(part) ?? '') : part)))
  }
  return result
}

const loaded = new Set<Language>()

export async function setLanguage(lang: Language) {
  if (!loaded.has(lang)) {
    i18n.global.setLocaleMessage(lang, ready(await loaders[lang]()) as never)
    loaded.add(lang)
  }
  locale.value = lang
  setApiLanguage(lang, i18n.global.t('error.network'), i18n.global.t('error.networkHint'))
  document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en'
  try { localStorage.setItem('lt-lang', lang) } catch { /* storage switched off: the choice lasts for this page */ }
}
/** What follows a language change, such as telling the server. */
let afterChange: (lang: Language) => void = () => {}
export function onLanguage(run: (lang: Language) => void) { afterChange = run }
export async function chooseLanguage(lang: Language) {
  await setLanguage(lang)
  afterChange(lang)
}
export function storedLanguage(): Language {
  let stored: string | null = null
  try { stored = localStorage.getItem('lt-lang') } catch { /* storage switched off */ }
  if (stored === 'zh' || stored === 'en') return stored
  // The product speaks Chinese first, whatever the browser is set to.
  return 'zh'
}

export function useT() {
  const { t, te, locale } = useI18n({ useScope: 'global' })
  return {
    t: (key: MessageKey, params?: Params): string => (params ? t(key, params) : t(key)),
    /** For keys made from codes of the server: the code itself is shown when there is no word for it. */
    word: (prefix: string, code: string | null | undefined): string => (code ? (te(`${prefix}.${code}`) ? t(`${prefix}.${code}`) : code) : '—'),
    /** Several things one after the other, and a remark, as the language writes them. */
    listed: (things: readonly string[]): string => things.join(locale.value === 'zh' ? '、' : ', '),
    /** Two words of their own read as one: 本年优良率, Year to date good days. */
    phrase: (first: string, second: string): string => (locale.value === 'zh' ? first + second : `${first} ${second.charAt(0).toLowerCase()}${second.slice(1)}`),
    remark: (text: string): string => (locale.value === 'zh' ? `（${text}）` : ` (${text})`),
    lang: computed(() => locale.value as Language),
  }
}

// The one place that talks to the server: JSON in and out, page token, errors as one type.
export interface ErrorBody { code: string; message: string; detail?: string; hint?: string; field?: string }

/** The post writes its English reasons as parts of a line; on a page each stands alone and begins as a sentence does. */
export const sentence = (text: string) => text.replace(/^[a-z](?=[a-z]*[ ,;:])/, (letter) => letter.toUpperCase())

export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly hint: string
  readonly field: string
  constructor(status: number, body: Partial<ErrorBody>) {
    // Nobody answered, or only a proxy in between did: that has one sentence, wherever it is shown.
    const away = !body.message && (status === 0 || (status >= 502 && status <= 504))
    super(sentence(body.message || '') || (away ? state.away : `HTTP ${status}`))
    this.name = 'ApiError'
    this.status = status
    this.code = body.code || (status === 0 ? 'NETWORK' : `HTTP_${status}`)
    this.detail = body.detail || ''
    this.hint = sentence(body.hint || '') || (away ? state.awayHint : '')
    this.field = body.field || ''
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>

const state = { csrf: '', lang: 'zh', away: 'NETWORK', awayHint: '', onSignedOut: () => {}, onMustChange: () => {} }

export function setCsrf(token: string) { state.csrf = token }
/** The language of the answers, and the words for no answer at all. */
export function setApiLanguage(lang: string, away: string, awayHint: string) { Object.assign(state, { lang, away, awayHint }) }
/** Called when the server says that the session is over, so that the sign-in page can be shown. */
export function setSignedOutHandler(signedOut: () => void, mustChange: () => void) {
  state.onSignedOut = signedOut
  state.onMustChange = mustChange
}

export function apiUrl(path: string, query: Query = {}): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') params.set(name, String(value))
  }
  params.set('lang', state.lang)
  return `/api/v1/${path}?${params.toString()}`
}

async function readError(response: Response): Promise<ApiError> {
  let body: Partial<ErrorBody> = {}
  try {
    const parsed = (await response.json()) as { error?: ErrorBody }
    body = parsed.error ?? {}
  } catch { /* a proxy in between may answer in HTML; the status says enough */ }
  return new ApiError(response.status, body)
}

interface Options { query?: Query | undefined; body?: unknown; raw?: Blob | undefined; signal?: AbortSignal | undefined; quiet?: boolean | undefined }

/** A line that breaks has a sentence of its own; what the page itself gave up does not. */
function lost(cause: unknown): never {
  throw cause instanceof DOMException && cause.name === 'AbortError' ? cause : new ApiError(0, {})
}

export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  const init: RequestInit = { method, headers, credentials: 'same-origin' }
  if (options.signal) init.signal = options.signal
  if (method !== 'GET') headers['X-CSRF-Token'] = state.csrf
  if (options.raw) {
    headers['Content-Type'] = options.raw.type || 'application/octet-stream'
    init.body = options.raw
  } else if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json'
    init.body = JSON.stringify(options.body)
  }
  const response = await fetch(apiUrl(path, options.query), init).catch(lost)
  if (!response.ok) {
    const error = await readError(response)
    if (!options.quiet) {
      if (error.status === 401) state.onSignedOut()
      else if (error.code === 'AUTH_CHANGE') state.onMustChange()
    }
    throw error
  }
  if (response.status === 204) return undefined as T
  const text = await response.text().catch(lost) // the line may also break in the middle of an answer
  return (text ? JSON.parse(text) : undefined) as T
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) => call<T>('GET', path, { query, signal })
export const post = <T>(path: string, body?: unknown, query?: Query) => call<T>('POST', path, { body: body ?? {}, query })
export const patch = <T>(path: string, body: unknown) => call<T>('PATCH', path, { body })
export const put = <T>(path: string, body: unknown) => call<T>('PUT', path, { body })
export const del = <T>(path: string, query?: Query) => call<T>('DELETE', path, { query })

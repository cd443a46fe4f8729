// Loads something, keeps the last good answer while a newer one is on its way, and tells its age.
import { onScopeDispose, ref, shallowRef, watch, type WatchSource } from 'vue'
import { ApiError } from '@/api'

export interface LoadOptions { every?: number; when?: WatchSource | WatchSource[]; immediate?: boolean }

export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, options: LoadOptions = {}) {
  const data = shallowRef<T | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const loading = ref(false)
  const at = ref<number | null>(null)
  let abort: AbortController | null = null
  let timer = 0
  let disposed = false

  async function reload(): Promise<void> {
    abort?.abort()
    const mine = new AbortController()
    abort = mine
    loading.value = true
    try {
      const answer = await load(mine.signal)
      if (mine.signal.aborted) return
      data.value = answer
      error.value = null
      at.value = Date.now()
    } catch (cause) {
      if (mine.signal.aborted) return
      if (!(cause instanceof ApiError)) console.error(cause)
      error.value = cause instanceof ApiError ? cause : new ApiError(0, { code: 'PAGE', message: String(cause) })
    } finally {
      if (!mine.signal.aborted) loading.value = false
    }
    window.clearTimeout(timer)
    if (options.every && !disposed) timer = window.setTimeout(() => void reload(), options.every)
  }
  // Bursts of live events ask for one reload, not for fifty.
  let soonTimer = 0
  function reloadSoon(delay = 400) {
    if (soonTimer) return
    soonTimer = window.setTimeout(() => { soonTimer = 0; void reload() }, delay)
  }
  if (options.when) watch(options.when, () => { data.value = null; void reload() })
  if (options.immediate !== false) void reload()
  onScopeDispose(() => {
    disposed = true
    abort?.abort()
    window.clearTimeout(timer)
    window.clearTimeout(soonTimer)
  })
  return { data, error, loading, at, reload, reloadSoon }
}

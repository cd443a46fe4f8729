// A paged list of one kind: filters and sort live in the address, pages come by cursor.
import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { useRoute, useRouter, type LocationQuery } from 'vue-router'
import { ApiError, records, type RecordItem } from '@/api'

const PAGE = 100
const OWN = new Set(['alarm', 'tab', 'open', 'new', 'import'])
/** Everything in the address that the API understands as a filter. */
export function filtersOf(query: LocationQuery): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [key, value] of Object.entries(query)) {
    if (!OWN.has(key) && key !== 'sort' && typeof value === 'string' && value !== '') result[key] = value
  }
  return result
}

export function useList<R = RecordItem>(kind: Ref<string>, fixed: () => Record<string, string> = () => ({}), defaultSort = '') {
  const route = useRoute()
  const router = useRouter()
  const items = shallowRef<R[]>([])
  const next = ref<string | null>(null)
  const loading = ref(false)
  const loaded = ref(false)
  const error = shallowRef<ApiError | null>(null)
  const at = ref<number | null>(null)
  const filters = computed(() => filtersOf(route.query))
  const sort = computed({
    get: () => (typeof route.query.sort === 'string' ? route.query.sort : defaultSort),
    set: (value) => { void router.replace({ query: { ...route.query, sort: value && value !== defaultSort ? value : undefined } }) },
  })
  let abort: AbortController | null = null

  async function fetchPage(cursor: string | null) {
    abort?.abort()
    const mine = new AbortController()
    abort = mine
    loading.value = true
    try {
      const page = await records.list<R>(kind.value, { ...filters.value, ...fixed(), sort: sort.value || undefined, limit: PAGE, cursor }, mine.signal)
      if (mine.signal.aborted) return
      items.value = cursor ? [...items.value, ...page.items] : page.items
      next.value = page.next
      error.value = null
      loaded.value = true
      at.value = Date.now()
    } catch (cause) {
      if (mine.signal.aborted) return
      error.value = cause instanceof ApiError ? cause : new ApiError(0, { code: 'PAGE', message: String(cause) })
    } finally { if (!mine.signal.aborted) loading.value = false }
  }
  const reload = () => fetchPage(null)
  const more = () => { if (next.value && !loading.value) void fetchPage(next.value) }
  function setFilter(name: string, value: string) {
    const query = { ...route.query, [name]: value || undefined }
    void router.replace({ query })
  }
  function clear() { void router.replace({ query: Object.fromEntries(Object.entries(route.query).filter(([k]) => OWN.has(k) || k === 'sort')) }) }
  const key = computed(() => JSON.stringify([kind.value, filters.value, sort.value]))
  watch(key, (now, before) => {
    if (before && (JSON.parse(now) as string[])[0] !== (JSON.parse(before) as string[])[0]) { items.value = []; loaded.value = false }
    void reload()
  }, { immediate: true })
  onScopeDispose(() => abort?.abort())
  return { items, next, loading, loaded, error, at, filters, sort, reload, more, setFilter, clear, fixed }
}

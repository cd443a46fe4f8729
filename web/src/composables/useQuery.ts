// Page state that lives in the address, so that a page can be sent in a message and opened again as it was.
import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'

let waiting: LocationQueryRaw | null = null
export function useQuery() {
  const route = useRoute()
  const router = useRouter()
  /** Several values set in one go become one change of the address. */
  function set(values: Record<string, string | null | undefined>) {
    const first = waiting === null
    waiting = { ...(waiting ?? route.query) }
    for (const [name, value] of Object.entries(values)) { if (value) waiting[name] = value; else delete waiting[name] }
    if (first) queueMicrotask(() => { const query = waiting!; waiting = null; void router.replace({ query }) })
  }
  const text = (name: string, standard = ''): WritableComputedRef<string> => computed({
    get: () => { const v = route.query[name]; return typeof v === 'string' ? v : standard },
    set: (v) => set({ [name]: v === standard ? '' : v }),
  })
  return { text, set }
}

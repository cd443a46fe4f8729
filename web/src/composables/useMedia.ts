import { onScopeDispose, ref } from 'vue'

/** Whether a media query holds, kept up to date. */
export function useMedia(query: string) {
  const list = window.matchMedia(query)
  const matches = ref(list.matches)
  const change = () => { matches.value = list.matches }
  list.addEventListener('change', change)
  onScopeDispose(() => list.removeEventListener('change', change))
  return matches
}
/** While the page is being put on paper: lists that draw only what is in sight draw all they have. */
export function usePrinting() {
  const printing = ref(false)
  const begin = () => { printing.value = true }
  const end = () => { printing.value = false }
  window.addEventListener('beforeprint', begin)
  window.addEventListener('afterprint', end)
  onScopeDispose(() => { window.removeEventListener('beforeprint', begin); window.removeEventListener('afterprint', end) })
  return printing
}
export const usePhone = () => useMedia('(max-width: 767px)')

// Dark for duty room and wall, light for offices, or as the system says. The first choice is made in /theme.js.
import { ref } from 'vue'

export type ThemeChoice = 'dark' | 'light' | 'system'
const system = window.matchMedia('(prefers-color-scheme: dark)')
const stored = (() => { try { return localStorage.getItem('lt-theme') } catch { return null } })()
const choice = ref<ThemeChoice>(stored === 'dark' || stored === 'light' ? stored : 'system')
const applied = ref<'dark' | 'light'>('dark')
let forced: 'dark' | null = null
let printing = false

function apply() {
  const next = printing ? 'light' : forced ?? (choice.value === 'system' ? (system.matches ? 'dark' : 'light') : choice.value)
  document.documentElement.dataset.theme = next
  applied.value = next // last: canvases (map) read their colours from the document when this changes
}
system.addEventListener('change', apply)
// Paper is white: maps are drawn with the light theme's colours while the page is printed.
window.addEventListener('beforeprint', () => { printing = true; apply() })
window.addEventListener('afterprint', () => { printing = false; apply() })
apply()

export function useTheme() {
  function set(next: ThemeChoice) {
    choice.value = next
    try { localStorage.setItem('lt-theme', next) } catch { /* storage switched off */ }
    apply()
  }
  /** The wall is always dark; leaving it gives the reader's own choice back. */
  function force(theme: 'dark' | null) {
    forced = theme
    document.documentElement.classList.toggle('wall', theme !== null)
    apply()
  }
  return { choice, applied, set, force }
}
/** A token's present value, for canvases that cannot use CSS names. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

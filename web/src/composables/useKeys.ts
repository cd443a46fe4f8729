// Single-key commands of a page. Silent while somebody types or a dialog is open.
import { onBeforeUnmount, onMounted } from 'vue'

export function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}
export function useKeys(keys: Record<string, (event: KeyboardEvent) => void>) {
  function down(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return
    if (document.querySelector('[role="dialog"],[role="alertdialog"],[role="menu"],[role="listbox"][data-state="open"]')) return
    // Enter belongs to the button or link that has the focus.
    if (event.key === 'Enter' && event.target instanceof Element && event.target.closest('button, a, summary')) return
    const run = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key]
    if (!run) return
    event.preventDefault()
    run(event)
  }
  onMounted(() => window.addEventListener('keydown', down))
  onBeforeUnmount(() => window.removeEventListener('keydown', down))
}

// Short messages at the edge of the page; an action such as "undo" may go with one.
import { ref } from 'vue'

export interface Toast { id: number; kind: 'ok' | 'error' | 'info'; text: string; hint?: string; action?: { label: string; run: () => void } }
const toasts = ref<Toast[]>([])
let next = 1

export function useToast() {
  const add = (toast: Omit<Toast, 'id'>) => {
    toasts.value = [...toasts.value.slice(-3), { ...toast, id: next++ }]
  }
  return {
    toasts,
    add,
    ok: (text: string, action?: Toast['action']) => add(action ? { kind: 'ok', text, action } : { kind: 'ok', text }),
    fail: (error: unknown) => {
      const e = error as { message?: string; hint?: string }
      add(e.hint ? { kind: 'error', text: e.message ?? String(error), hint: e.hint } : { kind: 'error', text: e.message ?? String(error) })
    },
    remove: (id: number) => { toasts.value = toasts.value.filter((t) => t.id !== id) },
  }
}

// One shared clock for waiting times and stale marks; it ticks only while somebody looks.
import { onScopeDispose, ref, type Ref } from 'vue'

const now = ref(Date.now())
let users = 0
let timer = 0

export function useNow(): Ref<number> {
  if (users++ === 0) {
    now.value = Date.now()
    timer = window.setInterval(() => { now.value = Date.now() }, 1000)
  }
  onScopeDispose(() => { if (--users === 0) window.clearInterval(timer) })
  return now
}

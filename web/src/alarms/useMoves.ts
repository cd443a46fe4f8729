// Moves of an alarm: which are allowed now, which need words first, and how to take one back.
import { ref, shallowRef } from 'vue'
import { alarms, type Alarm } from '@/api'
import { useMeta } from '@/composables/useMeta'
import { useToast } from '@/composables/useToast'
import { useT } from '@/i18n'

export const MOVE_KEYS: Record<string, string> = { sign: 'a', handle: 'd', report: 'r', confirm: 'c', close: 'x', suppress: 's', reopen: 'o' }
/** The first move offered is the one that carries the work on; suppress and reopen stand last. */
export const MOVE_ORDER = ['sign', 'handle', 'report', 'confirm', 'close', 'reopen', 'suppress']
export const ordered = (moves: string[]) => [...moves].sort((a, b) => MOVE_ORDER.indexOf(a) - MOVE_ORDER.indexOf(b))

export function useMoves(done: (alarm: Alarm) => void) {
  const { alarmMove } = useMeta()
  const { t } = useT()
  const { ok, fail } = useToast()
  const asking = shallowRef<{ alarm: Alarm; move: string } | null>(null)
  const busy = ref(false)
  const label = (move: string) => alarmMove(move)?.label ?? move

  async function perform(alarm: Alarm, move: string, body: Record<string, unknown> = {}) {
    if (busy.value) return
    busy.value = true
    try {
      const answer = await alarms.move(alarm.id, move, body)
      const now = answer?.id ? answer : await alarms.one(alarm.id)
      asking.value = null
      done(now)
      const back = (now.moves ?? []).includes('reopen') && move !== 'reopen'
      ok(t('alarm.moved', { move: label(move), name: alarm.object_name || `#${alarm.id}` }), back ? { label: label('reopen'), run: () => start(now, 'reopen') } : undefined)
    } catch (error) {
      if (!asking.value) fail(error)
      throw error
    } finally { busy.value = false }
  }
  function start(alarm: Alarm, move: string) {
    if (!(alarm.moves ?? []).includes(move)) return
    const needs = alarmMove(move)?.needs ?? []
    // Signing for an alarm at night is one key: only what the flow demands is asked.
    if (needs.length === 0 || (move === 'sign' && needs.every((n) => !n.required))) void perform(alarm, move).catch(() => { /* told by toast */ })
    else asking.value = { alarm, move }
  }
  return { asking, busy, start, perform, label }
}

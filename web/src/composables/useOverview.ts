// Totals for header, wall and bell; one loader for all who show them.
import { effectScope, ref, shallowRef, watch } from 'vue'
import { plant } from '@/api'
import type { Time } from '@/api/types'
import { useLive } from './useLive'
import { useLoad } from './useLoad'

export interface Overview {
  connected: number
  silent: number
  pending: number
  devices: number
  framesPerS: number
  framesToday: number
  urgent: number
  important: number
  normal: number
  unsigned: number
  exceeding: number
  lastDataAt: Time
}
const n = (v: unknown): number => (typeof v === 'number' ? v : 0)
const o = (v: unknown): Record<string, unknown> => (v && typeof v === 'object' ? (v as Record<string, unknown>) : {})
export function readOverview(raw: Record<string, unknown>): Overview {
  const devices = o(raw.devices)
  const alarms = o(raw.alarms)
  return {
    connected: n(devices.connected), silent: n(devices.silent), pending: n(devices.pending), devices: n(devices.active),
    framesPerS: n(raw.frames_per_s), framesToday: n(raw.frames_today),
    urgent: n(alarms.urgent), important: n(alarms.important), normal: n(alarms.normal),
    unsigned: n(alarms.unsigned),
    exceeding: n(raw.exceeding_outlets),
    lastDataAt: (raw.last_data_at ?? null) as Time,
  }
}
const overview = shallowRef<Overview | null>(null)
const refresh = shallowRef<() => void>(() => {})
/** While the post does not answer: when it last did. */
const away = ref<number | null>(null)
let started = false

export function useOverview() {
  if (!started) {
    started = true
    effectScope(true).run(() => {
      const { on, link } = useLive()
      const { reload, reloadSoon, error, at } = useLoad(async () => {
        const raw = await plant.overview()
        overview.value = readOverview(raw)
        return raw
      }, { every: 15000 })
      refresh.value = () => void reload()
      on('alarm', () => reloadSoon(800))
      on('resync', () => reloadSoon(100))
      watch(link, (state) => { if (state === 'lost') reloadSoon(1500) })
      watch(error, (e) => { away.value = e && (e.status === 0 || e.status >= 502) ? at.value : null })
    })
  }
  return { overview, away, refresh: () => refresh.value() }
}

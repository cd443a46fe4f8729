// Live events: one EventSource per browser (HTTP/1.1 allows six connections per host), shared over tabs by a
// BroadcastChannel. The tab with the lease listens to the server; the others listen to that tab.
import { onScopeDispose, ref } from 'vue'
import { apiUrl } from '@/api'
import { claim, LEASE_MS, release, type LeaseStore } from '@/lib/lease'

export type LinkState = 'off' | 'connecting' | 'live' | 'lost'
export interface LiveEvents {
  alarm: { id: number; change: 'new' | 'repeat' | 'moved' | 'ended'; severity?: string; state?: string }
  latest: { device: number; at: string; values: Record<string, { rtd?: number; zs?: number; mark?: string }> }
  system: Record<string, unknown>
  command: { id: number; device: number; step: string; code: number }
  /** Hours came in or were changed; no stations named means many. */
  air: { version: number; from: string; to: string; stations: number[] }
  replay: { id: number; state: string; progress: number }
  /** The stream was interrupted and is back: what was shown may be old, load it again. */
  resync: null
}
type Name = keyof LiveEvents
type Message = { type: 'event'; name: Name; data: unknown } | { type: 'state'; state: LinkState } | { type: 'bye' } | { type: 'hello' }

const link = ref<LinkState>('off')
const lastEventAt = ref<number | null>(null)
const listeners = new Map<Name, Set<(data: never) => void>>()
const me = Math.random().toString(36).slice(2)
let memory: string | null = null // storage switched off: every tab leads itself
const store: LeaseStore = {
  read: () => { try { return localStorage.getItem('lt-live') } catch { return memory } },
  write: (text) => { try { if (text === null) localStorage.removeItem('lt-live'); else localStorage.setItem('lt-live', text) } catch { memory = text } },
}
let channel: BroadcastChannel | null = null
let source: EventSource | null = null
let timer = 0
let wasLost = false

function emit(name: Name, data: unknown) {
  lastEventAt.value = Date.now()
  for (const run of listeners.get(name) ?? []) (run as (data: unknown) => void)(data)
}
function setLink(state: LinkState) {
  link.value = state
  if (source) channel?.postMessage({ type: 'state', state } satisfies Message)
}
function forward(name: Name, data: unknown) {
  emit(name, data)
  channel?.postMessage({ type: 'event', name, data } satisfies Message)
}

function openSource() {
  setLink('connecting')
  const opened = new EventSource(apiUrl('events'), { withCredentials: true })
  source = opened
  opened.onopen = () => {
    setLink('live')
    if (wasLost) forward('resync', null)
    wasLost = false
  }
  opened.onerror = () => {
    wasLost = true
    setLink('lost')
    // A closed source (refused, signed out) does not come back by itself; the next lease turn opens a new one.
    if (opened.readyState === EventSource.CLOSED) closeSource()
  }
  for (const name of ['alarm', 'latest', 'system', 'command', 'air', 'replay'] as const) {
    opened.addEventListener(name, (event) => {
      try { forward(name, JSON.parse((event as MessageEvent<string>).data)) } catch { /* a cut-off event: the next one brings the state */ }
    })
  }
}
function closeSource() {
  source?.close()
  source = null
}
function turn() {
  const mine = claim(store, me, Date.now())
  if (!mine && source) closeSource()
  if (mine && !source) openSource()
}
function receive(message: Message) {
  if (message.type === 'event') emit(message.name, message.data)
  else if (message.type === 'state' && !source) link.value = message.state
  else if (message.type === 'hello' && source) setLink(link.value)
  else if (message.type === 'bye') window.setTimeout(turn, Math.random() * 300)
}
function leave() {
  if (source) {
    closeSource()
    release(store, me)
    channel?.postMessage({ type: 'bye' } satisfies Message)
  }
}

export function startLive() {
  if (timer) return
  channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('lt-live')
  if (channel) channel.onmessage = (event: MessageEvent<Message>) => receive(event.data)
  link.value = 'connecting'
  window.addEventListener('pagehide', leave)
  window.addEventListener('pageshow', turn)
  timer = window.setInterval(turn, LEASE_MS / 2.5)
  channel?.postMessage({ type: 'hello' } satisfies Message)
  turn()
}
export function stopLive() {
  window.clearInterval(timer)
  timer = 0
  leave()
  channel?.close()
  channel = null
  link.value = 'off'
}

export function useLive() {
  function on<N extends Name>(name: N, run: (data: LiveEvents[N]) => void) {
    const set = listeners.get(name) ?? new Set()
    listeners.set(name, set)
    set.add(run as (data: never) => void)
    onScopeDispose(() => set.delete(run as (data: never) => void))
  }
  return { link, lastEventAt, on }
}

// Which of a browser's tabs holds the one event stream. Plain HTTP on a LAN has no navigator.locks, so a lease in
// localStorage decides: it must be renewed, and any tab may take one that ran out. Time and store are arguments.
export interface Lease { id: string; until: number }
export interface LeaseStore { read(): string | null; write(text: string | null): void }

export const LEASE_MS = 5000

export function readLease(store: LeaseStore): Lease | null {
  try {
    const lease = JSON.parse(store.read() ?? 'null') as Lease | null
    return lease && typeof lease.id === 'string' && typeof lease.until === 'number' ? lease : null
  } catch {
    return null
  }
}
/** Takes or renews the lease. True when it is ours; a second look a little later settles two takers at once. */
export function claim(store: LeaseStore, me: string, now: number): boolean {
  const lease = readLease(store)
  // A lease far in the future comes from a clock that was set back: it counts as run out.
  if (lease && lease.id !== me && lease.until > now && lease.until <= now + LEASE_MS) return false
  store.write(JSON.stringify({ id: me, until: now + LEASE_MS }))
  return readLease(store)?.id === me
}
export function release(store: LeaseStore, me: string) {
  if (readLease(store)?.id === me) store.write(null)
}

// Who is signed in, and what that person may do.
import { computed, shallowRef } from 'vue'
import { ApiError, session as api, type Session } from '@/api'
import { setCsrf } from '@/api/client'
import { setLanguage, storedLanguage } from '@/i18n'

const current = shallowRef<Session | null>(null)
let asked: Promise<void> | null = null

function take(session: Session | null) {
  current.value = session
  setCsrf(session?.csrf ?? '')
}

/** Asks once per page load; later calls wait for the same answer. A dead network is an error, not a sign-out. */
export function ensureSession(): Promise<void> {
  asked ??= api.current().then(take, (error: unknown) => {
    asked = null
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) take(null)
    else throw error
  })
  return asked
}
export function forgetSession() {
  take(null)
  asked = null
}
/** "kind:action" against what the role was given; "*" is everything, "kind:*" everything with that kind. */
export function allows(permissions: readonly string[], wanted: string): boolean {
  const [kind = '', action = ''] = wanted.split(':')
  return permissions.some((p) => p === '*' || p === wanted || p === `${kind}:*` || p === `*:${action}`)
}

export function useSession() {
  const user = computed(() => current.value?.user ?? null)
  async function signIn(login: string, password: string) {
    const session = await api.signIn(login, password)
    take(session)
    asked = Promise.resolve()
    let chosen = false
    try { chosen = localStorage.getItem('lt-lang') !== null } catch { /* storage switched off */ }
    await setLanguage(chosen ? storedLanguage() : session.user.lang)
    return session.user
  }
  async function changePassword(old: string, next: string) {
    await api.password(old, next)
    take(await api.current())
    asked = Promise.resolve()
  }
  async function signOut() {
    // A session the post has already ended is what was wanted; one it could not be told about goes on, and the person must know.
    try { await api.signOut() } catch (error) { if (!(error instanceof ApiError && error.status === 401)) throw error }
    forgetSession()
  }
  const can = (permission: string) => allows(user.value?.permissions ?? [], permission)
  return { user, can, signIn, signOut, changePassword }
}

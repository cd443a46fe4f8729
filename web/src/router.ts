// Addresses. Every object has a stable one, so that it can be sent in a message and opened again after signing in.
import { createRouter, createWebHistory, type RouteLocationNormalizedLoaded, type RouteRecordRaw } from 'vue-router'
import { ApiError, session } from '@/api'
import { ensureMeta } from '@/composables/useMeta'
import { ensureSession, useSession } from '@/composables/useSession'
import { useToast } from '@/composables/useToast'
import type { MessageKey } from '@/i18n'
import { safeTarget } from '@/lib/target'

declare module 'vue-router' {
  interface RouteMeta { open?: boolean; title?: MessageKey; area?: 'map' | 'alarms' | 'sources' | 'air' | 'admin' | 'me'; /** The kind a role must be allowed to read. */ needs?: string }
}
const DutyPage = () => import('@/pages/DutyPage.vue')

const inside: RouteRecordRaw[] = [
  { path: '', name: 'duty', component: DutyPage, meta: { title: 'nav.duty', area: 'alarms' } },
  { path: 'map', name: 'map', component: () => import('@/pages/MapPage.vue'), meta: { title: 'nav.map', area: 'map' } },
  { path: 'alarms', name: 'alarms', component: () => import('@/pages/AlarmListPage.vue'), meta: { needs: 'alarm', title: 'nav.alarmList', area: 'alarms' } },
  { path: 'alarms/:id(\\d+)', name: 'alarm', component: () => import('@/pages/AlarmPage.vue'), meta: { needs: 'alarm', title: 'nav.alarm', area: 'alarms' } },
  { path: 'precision', name: 'precision', component: () => import('@/pages/PrecisionPage.vue'), meta: { needs: 'rule', title: 'nav.precision', area: 'alarms' } },
  { path: 'sources', redirect: { name: 'enterprises' } },
  { path: 'enterprises', name: 'enterprises', component: () => import('@/pages/SourceListPage.vue'), props: { kind: 'enterprise' }, meta: { title: 'nav.enterprises', area: 'sources' } },
  { path: 'outlets', name: 'outlets', component: () => import('@/pages/SourceListPage.vue'), props: { kind: 'outlet' }, meta: { title: 'nav.outlets', area: 'sources' } },
  { path: 'devices', name: 'devices', component: () => import('@/pages/SourceListPage.vue'), props: { kind: 'device' }, meta: { title: 'nav.devices', area: 'sources' } },
  { path: 'enterprises/:id(\\d+)', name: 'enterprise', component: () => import('@/pages/EnterprisePage.vue'), meta: { needs: 'enterprise', title: 'nav.enterprise', area: 'sources' } },
  { path: 'outlets/:id(\\d+)', name: 'outlet', component: () => import('@/pages/OutletPage.vue'), meta: { needs: 'outlet', title: 'nav.outlet', area: 'sources' } },
  { path: 'devices/:id(\\d+)', name: 'device', component: () => import('@/pages/DevicePage.vue'), meta: { needs: 'device', title: 'nav.device', area: 'sources' } },
  { path: 'air', name: 'air', component: () => import('@/pages/AirBoardPage.vue'), meta: { needs: 'station', title: 'nav.airBoard', area: 'air' } },
  { path: 'air/stations/:id(\\d+)', name: 'air-station', component: () => import('@/pages/AirStationPage.vue'), meta: { needs: 'station', title: 'nav.airStation', area: 'air' } },
  { path: 'air/history', name: 'air-history', component: () => import('@/pages/AirHistoryPage.vue'), meta: { needs: 'station', title: 'nav.airHistory', area: 'air' } },
  { path: 'air/ranking', name: 'air-ranking', component: () => import('@/pages/AirRankingPage.vue'), meta: { needs: 'rank_scheme', title: 'nav.airRanking', area: 'air' } },
  { path: 'air/targets', name: 'air-targets', component: () => import('@/pages/AirTargetsPage.vue'), meta: { needs: 'air_target', title: 'nav.airTargets', area: 'air' } },
  { path: 'air/papers', name: 'air-papers', component: () => import('@/pages/AirPapersPage.vue'), meta: { needs: 'air_target', title: 'nav.airPapers', area: 'air' } },
  { path: 'air/reviews', name: 'air-reviews', component: () => import('@/pages/AirReviewsPage.vue'), meta: { needs: 'air_review', title: 'nav.airReviews', area: 'air' } },
  { path: 'air/import', name: 'air-import', component: () => import('@/pages/AirImportPage.vue'), meta: { title: 'nav.airImport', area: 'air' } },
  { path: 'evidence', name: 'evidence', component: () => import('@/pages/EvidenceListPage.vue'), meta: { title: 'nav.evidence', area: 'alarms' } },
  { path: 'evidence/:id(\\d+)', name: 'evidence-one', component: () => import('@/pages/EvidencePage.vue'), meta: { needs: 'evidence', title: 'nav.evidence', area: 'alarms' } },
  { path: 'me', name: 'me', component: () => import('@/pages/MePage.vue'), meta: { title: 'nav.me', area: 'me' } },
  {
    path: 'admin', component: () => import('@/pages/AdminLayout.vue'), meta: { area: 'admin' },
    children: [
      { path: '', name: 'admin', component: () => import('@/pages/AdminHome.vue'), meta: { title: 'nav.admin', area: 'admin' } },
      { path: 'system', name: 'system', component: () => import('@/pages/SystemPage.vue'), meta: { title: 'nav.system', area: 'admin' } },
      { path: 'audit', name: 'audit', component: () => import('@/pages/AuditPage.vue'), meta: { title: 'nav.audit', area: 'admin' } },
      { path: 'proof', name: 'proof', component: () => import('@/pages/ProofPage.vue'), meta: { title: 'nav.proof', area: 'admin' } },
      { path: 'draws', name: 'draws', component: () => import('@/pages/DrawListPage.vue'), meta: { title: 'nav.draws', area: 'admin' } },
      { path: 'draws/:id(\\d+)', name: 'draw', component: () => import('@/pages/DrawPage.vue'), meta: { title: 'nav.draws', area: 'admin' } },
      { path: 'replays', name: 'replays', component: () => import('@/pages/ReplayListPage.vue'), meta: { title: 'nav.replays', area: 'admin' } },
      { path: 'replays/:id(\\d+)', name: 'replay', component: () => import('@/pages/ReplayPage.vue'), meta: { title: 'nav.replays', area: 'admin' } },
      { path: ':kind([a-z_]+)', name: 'kind', component: () => import('@/kinds/KindPage.vue'), props: true, meta: { title: 'nav.admin', area: 'admin' } },
    ],
  },
]
export const router = createRouter({
  history: createWebHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/sign-in', name: 'sign-in', component: () => import('@/pages/SignInPage.vue'), meta: { open: true, title: 'nav.signIn' } },
    { path: '/password', name: 'password', component: () => import('@/pages/PasswordPage.vue'), meta: { title: 'nav.password' } },
    { path: '/wall', name: 'wall', component: () => import('@/pages/WallPage.vue'), meta: { title: 'nav.wall' } },
    { path: '/', component: () => import('@/shell/AppShell.vue'), children: [...inside, { path: ':rest(.*)*', name: 'missing', component: () => import('@/pages/MissingPage.vue'), meta: { title: 'nav.missing' } }] },
  ],
})
export const routeTitle = (route: RouteLocationNormalizedLoaded): MessageKey | undefined => route.meta.title

router.beforeEach(async (to) => {
  const { user } = useSession()
  try {
    await ensureSession()
  } catch {
    // The post cannot be reached. The sign-in page says so and can try again.
    return to.meta.open ? true : { name: 'sign-in', query: { to: to.fullPath, lost: '1' } }
  }
  if (!user.value) return to.meta.open ? true : { name: 'sign-in', query: to.fullPath === '/' ? {} : { to: to.fullPath } }
  if (user.value.must_change) return to.name === 'password' ? true : { name: 'password', query: { to: to.fullPath } }
  if (to.name === 'sign-in') return safeTarget(to.query.to)
  try { await ensureMeta() } catch { if (to.name !== 'password') return { name: 'sign-in', query: { to: to.fullPath, lost: '1' } } }
  return true
})
// A part of the pages did not come. Where the post does not answer, the page that is there stays and the person is told;
// where it does, it was updated and its old parts are gone: the page is loaded anew, once.
const RELOADED = 'lt-reloaded'
router.onError(async (error: unknown, to) => {
  if (!/dynamically imported module|module script|preload CSS/i.test(String(error))) return
  try { await session.current() } catch (cause) {
    if (cause instanceof ApiError && cause.status !== 401) { useToast().fail(cause); return }
  }
  try {
    if (sessionStorage.getItem(RELOADED) === to.fullPath) return
    sessionStorage.setItem(RELOADED, to.fullPath)
  } catch { return }
  location.assign(to.fullPath)
})
router.afterEach((_to, _from, failure) => { if (!failure) try { sessionStorage.removeItem(RELOADED) } catch { /* storage switched off */ } })

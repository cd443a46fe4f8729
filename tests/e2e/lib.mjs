// What every browser test needs: one Chromium, a signed-in page, and a watch on what the page asks for.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

export const URL_BASE = process.env.LT_URL ?? 'http://127.0.0.1:8080'
const ACCOUNTS_FILE = process.env.LT_ACCOUNTS ?? ''
const BROWSER = process.env.LT_CHROMIUM ?? '/usr/bin/chromium-headless-shell'
/** Longest wait for a page: generous, because the machine may be busy with everything else. */
const WAIT_MS = 60000
export const PATIENCE = WAIT_MS
export const SIZES = { wall: { width: 1920, height: 1080 }, desk: { width: 1366, height: 768 }, phone: { width: 390, height: 844 } }

/** LT_ACCOUNTS names a JSON file {"login":"password"}; without it the demonstration city's accounts are used. */
export function password(login) {
  if (ACCOUNTS_FILE && existsSync(ACCOUNTS_FILE)) {
    const found = JSON.parse(readFileSync(ACCOUNTS_FILE, 'utf8'))[login]
    if (found) return found
  }
  return process.env.LT_PASSWORD ?? 'Blue-Sky-2026'
}

export async function launch() {
  return chromium.launch({
    executablePath: BROWSER,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
}

/** A fresh browser profile; everything that goes wrong in the page, or leaves the host, is collected. */
export async function open(browser, { size = 'desk', theme, lang, reducedMotion = true, cookies = [] } = {}) {
  const context = await browser.newContext({
    viewport: SIZES[size], locale: 'zh-CN', timezoneId: 'Asia/Shanghai', reducedMotion: reducedMotion ? 'reduce' : 'no-preference',
    hasTouch: size === 'phone', isMobile: size === 'phone', acceptDownloads: true,
  })
  await context.addInitScript(([t, l]) => {
    if (t) localStorage.setItem('lt-theme', t)
    if (l) localStorage.setItem('lt-lang', l)
  }, [theme, lang])
  if (cookies.length) await context.addCookies(cookies)
  context.setDefaultTimeout(WAIT_MS)
  const page = await context.newPage()
  const trouble = []
  const away = []
  page.on('pageerror', (e) => trouble.push(`error: ${e.message}`))
  page.on('console', (m) => { if (m.type() === 'error' && !/status of 40[0-9]|ERR_ABORTED/.test(m.text())) trouble.push(`console: ${m.text()}`) })
  page.on('request', (r) => { const u = r.url(); if (!u.startsWith(URL_BASE) && !/^(data|blob|about|chrome)/.test(u)) away.push(u) })
  return { context, page, trouble, away }
}

export class Pages {
  constructor(page) { this.page = page }
  async go(path) {
    await this.page.goto(URL_BASE + path)
    await this.settle()
  }
  /** Until nothing is a skeleton any more. The event stream stays open, so "network idle" would never come. */
  async settle() {
    await this.page.waitForFunction(() => document.querySelector('#app')?.childElementCount && !document.querySelector('.sk'), null, { timeout: WAIT_MS })
  }
  /** As a link inside the pages does it: without loading the program anew. Waits until the page has what it asked for. */
  async push(path) {
    await this.page.evaluate((p) => document.querySelector('#app').__vue_app__.config.globalProperties.$router.push(p), path)
    await this.quiet()
  }
  async quiet() {
    await this.page.waitForFunction(() => {
      const now = performance.getEntriesByType('resource').length
      const was = window.lookedAt ?? -1
      window.lookedAt = now
      return was === now && !document.querySelector('.sk, [aria-busy=true]')
    }, null, { timeout: WAIT_MS, polling: 60 })
  }
  /** The addresses of the router that need no number, and the ones the page links to; numbers of one shape count once. */
  async links() {
    return this.page.evaluate(() => {
      const router = document.querySelector('#app').__vue_app__.config.globalProperties.$router
      const plain = router.getRoutes().map((r) => r.path).filter((p) => p && !/[:*]/.test(p))
      const here = [...document.querySelectorAll('a[href^="/"]:not([download])')].map((a) => a.getAttribute('href')).filter((h) => !h.startsWith('/api/'))
      return { plain, here }
    })
  }
  async signIn(login, path = '/') {
    await this.page.goto(`${URL_BASE}/sign-in${path === '/' ? '' : `?to=${encodeURIComponent(path)}`}`)
    await this.page.fill('#login', login)
    await this.page.fill('#password', password(login))
    await this.page.click('button[type=submit]')
    await this.page.waitForURL((u) => !u.pathname.startsWith('/sign-in'))
    await this.settle()
  }
  queueItems() { return this.page.locator('.queue [role=option]') }
  async key(k) { await this.page.keyboard.press(k) }
  dialog() { return this.page.locator('[role=dialog]') }
  async toast(text) { await this.page.locator('.toast', { hasText: text }).first().waitFor() }
}

export const shape = (path) => {
  const u = new URL(path, URL_BASE)
  return u.pathname.replace(/\d+/g, ':n') + (u.search ? `?${[...u.searchParams.keys()].sort().join('&')}` : '')
}
/** Signed in on a page of his own. */
export async function visit(browser, login, path = '/', options = {}) {
  const v = await open(browser, options)
  const pages = new Pages(v.page)
  await pages.signIn(login, path)
  return { ...v, pages }
}
/** Asks the API in the page's own session. */
export const ask = (page, path) => page.evaluate(async (p) => (await fetch(p)).json(), `/api/v1${path}`)
/** Nothing went wrong in the page, and nothing left the host. */
export function clean(v) {
  assert.deepEqual(v.trouble, [], 'errors in the page')
  assert.deepEqual(v.away, [], 'requests that leave the host')
}
export async function until(what, look, ms = WAIT_MS) {
  const start = Date.now()
  for (;;) {
    const got = await look()
    if (got) return got
    assert.ok(Date.now() - start < ms, `${what}: not within ${ms} ms`)
    await new Promise((r) => setTimeout(r, 100))
  }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Accessibility faults of the page as it stands: rule, number of places, first place. */
export async function axe(page) {
  // Evaluated through the debugger, which the page's content security policy does not concern.
  await page.evaluate(axeSource)
  const result = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'], resultTypes: ['violations'] }))
  return result.violations.map((v) => `${v.id} (${v.nodes.length}): ${v.nodes[0]?.target.join(' ')} ${v.nodes[0]?.failureSummary?.split('\n')[1]?.trim() ?? ''}`)
}

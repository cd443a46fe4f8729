// Every role walks every page it can reach: nothing written by hand is the list, the router and the links of the pages are.
// Themes, languages and sizes go round by number, so that over all pages each meets each. The first role that reaches a page
// looks at it thoroughly; of the pages others have looked at, a role takes every twelfth, another role others. LT_LONG=1 takes
// the whole product of roles, pages, sizes, themes and languages.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { axe, launch, open, Pages, shape } from '../lib.mjs'

const LONG = process.env.LT_LONG === '1'
const ROLES = ['admin', 'duty', 'analyst', 'county', 'inspector', 'plant', 'leader', 'auditor']
const SIZES = ['wall', 'desk', 'phone']
const PHONE_PX = 390
const TOUCH_PX = 40
const OTHERS = 12
/** Lists of kinds are one component; without LT_LONG a role looks at every n-th, another role at the next. */
const EVERY_KIND = LONG ? 1 : 4
let browser
const looked = new Map()
before(async () => { browser = await launch() })
after(async () => { await browser.close() })

/** What a person with a phone would point at: pages that slide sideways, controls too small for a finger. */
const phoneFaults = (page, touch) => page.evaluate(([px, finger]) => {
  const faults = []
  const wide = document.documentElement.scrollWidth - px
  if (wide > 0) faults.push(`${wide} px too wide for a phone`)
  if (!finger) return faults
  for (const e of document.querySelectorAll('button, a.btn, select, input:not([type=checkbox]):not([type=radio]):not([type=file]):not([type=range])')) {
    const r = e.getBoundingClientRect()
    // Words inside a sentence or a row of a table are no targets of their own.
    if (r.height > 0 && r.height < finger && !e.closest('table, p, .cal, .ol-control') && getComputedStyle(e).visibility === 'visible') faults.push(`${Math.round(r.height)} px high for a finger: ${e.className || e.tagName} "${(e.textContent || e.getAttribute('aria-label') || '').trim().slice(0, 20)}"`)
  }
  return faults
}, [PHONE_PX, touch ? TOUCH_PX : 0])

async function settings(role) {
  const some = SIZES.map((size, s) => ({ size, theme: (role + s) % 2 ? 'light' : 'dark', lang: ((role >> 1) + s) % 2 ? 'en' : 'zh' }))
  return LONG ? SIZES.flatMap((size) => ['dark', 'light'].flatMap((theme) => ['zh', 'en'].map((lang) => ({ size, theme, lang })))) : some
}

async function look(v, path, once) {
  const faults = []
  const had = v.trouble.length
  const way = `${path} (${v.how.size} ${v.how.theme} ${v.how.lang})`
  await v.pages.push(path)
  if (once) faults.push(...(await axe(v.page)))
  if (v.how.size === 'phone') faults.push(...await phoneFaults(v.page, true))
  else {
    const size = v.page.viewportSize()
    await v.page.setViewportSize({ width: PHONE_PX, height: 844 })
    faults.push(...await phoneFaults(v.page, false))
    await v.page.setViewportSize(size)
  }
  if (v.how.lang === 'en') {
    const chinese = await v.page.evaluate(() => [...document.querySelectorAll('h2, h3, th[scope=col], dt, label, button, .lt-tab, .rail .entry')].map((e) => e.textContent ?? '').find((s) => /[\u3000-\u303f\uff00-\uffef]/.test(s) && !/[\u4e00-\u9fff]{2}/.test(s)))
    if (chinese) faults.push(`Chinese punctuation in English words: ${chinese.slice(0, 40)}`)
  }
  faults.push(...v.trouble.slice(had))
  return faults.map((f) => `${way}: ${f}`)
}

async function walk(login, number) {
  const views = []
  let cookies = []
  for (const how of await settings(number)) {
    const v = { ...(await open(browser, { ...how, cookies })), how }
    v.pages = new Pages(v.page)
    if (cookies.length === 0) { await v.pages.signIn(login); cookies = await v.context.cookies() } else { await v.pages.go('/') }
    views.push(v)
  }
  const faults = []
  const seen = new Set(['/'])
  const todo = ['/']
  let kinds = 0
  for (let n = 0, path; (path = todo.shift()) !== undefined; n++) {
    const kindPage = /^\/admin\/[a-z_]+$/.test(path) && !/system|audit|proof|draws|replays/.test(path)
    if (kindPage && kinds++ % EVERY_KIND !== number % EVERY_KIND) continue
    // The lists of kinds are judged as one page, some of them.
    const what = kindPage && kinds % 3 ? '/admin/:kind' : shape(path)
    const times = looked.get(what) ?? 0
    if (!LONG && n > 0 && times > 0 && (n + number) % OTHERS) continue
    looked.set(what, times + 1)
    for (const v of LONG ? views : [views[n % views.length]]) {
      // One page that hangs is a fault of that page, and the others are still to be looked at.
      try { faults.push(...(await look(v, path, LONG || times === 0))) } catch (e) { faults.push(`${path} (${v.how.size} ${v.how.theme} ${v.how.lang}): ${e.message.split('\n')[0]}`) }
    }
    const v = views[LONG ? 0 : n % views.length]
    const { plain, here } = await v.pages.links()
    for (const next of [...here, ...plain]) if (!seen.has(shape(next))) { seen.add(shape(next)); todo.push(next) }
  }
  for (const v of views) { faults.push(...v.away.map((a) => `leaves the host: ${a}`)); await v.context.close() }
  return { faults, pages: seen.size }
}

test('every role, every page: no error, no fault of accessibility, nothing leaves the host, fits a phone', async (t) => {
  // Two roles at a time: the pages mostly wait for answers.
  const queue = ROLES.map((login, i) => [login, i])
  const found = []
  const worker = async () => { for (let job; (job = queue.shift());) { const r = await walk(...job); found.push(...r.faults.map((f) => `${job[0]} ${f}`)); t.diagnostic(`${job[0]}: ${r.pages} pages`); assert.ok(r.pages > 8, `${job[0]} reaches pages`) } }
  await Promise.all(LONG ? [worker()] : [worker(), worker()])
  const faults = [...new Set(found)]
  for (const f of faults) t.diagnostic(f)
  assert.deepEqual(faults, [])
})

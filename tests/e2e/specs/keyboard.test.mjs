// The main jobs without a mouse: every step is a key, and what has the focus can be seen.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Device, frame, stamp } from '../hj212.mjs'
import { ask, clean, launch, open, Pages, password, until, URL_BASE } from '../lib.mjs'

let browser
before(async () => { browser = await launch() })
after(async () => { await browser.close() })

/** What the person at the keyboard is on: its name, and whether a ring shows it. */
const focused = (page) => page.evaluate(() => {
  const e = document.activeElement
  if (!e || e === document.body) return { name: '', ring: true, tag: '' }
  const s = getComputedStyle(e)
  const label = e.id ? document.querySelector(`label[for="${e.id}"]`)?.textContent : ''
  return { name: (e.getAttribute('aria-label') || label || e.textContent || '').trim(), tag: e.tagName, ring: (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none' }
})
/** Tab until the focus stands on what is meant. */
async function tabTo(page, name, most = 90) {
  const passed = []
  for (let i = 0; i < most; i++) {
    const f = await focused(page)
    if (f.tag && typeof name === 'string' ? f.name === name || f.name.startsWith(`${name} `) : name.test?.(f.name)) return f
    await page.keyboard.press('Tab')
    const now = await focused(page)
    assert.ok(now.ring, `the focus can be seen on "${now.name}" (${now.tag})`)
    passed.push(now.name.slice(0, 24))
  }
  return assert.fail(`"${name}" is not reached by Tab; passed ${passed.join(' | ')}`)
}

test('sign in, take an alarm to its end, correct an hour, search, open a device, publish: by keyboard alone', async () => {
  const v = await open(browser, { size: 'desk', theme: 'light', lang: 'zh' })
  const { page } = v
  const pages = new Pages(page)
  const key = (k) => page.keyboard.press(k)
  const dialog = page.locator('[role=dialog]')
  await page.goto(`${URL_BASE}/sign-in`)
  await until('the name has the focus', async () => (await focused(page)).tag === 'INPUT')
  await page.keyboard.type('duty')
  await key('Tab')
  await page.keyboard.type(password('duty'))
  await key('Enter')
  await page.waitForURL((u) => !u.pathname.startsWith('/sign-in'))
  await pages.settle()

  // An exceedance comes in; the officer finds it in the queue and brings it to its end.
  const limits = (await ask(page, '/factor_limit?factor=a34013&period=hour&limit=200')).items
  const busy = new Set((await ask(page, '/alarm?state.not=closed&limit=200')).items.map((a) => a.outlet))
  const device = (await ask(page, '/device?status=active&limit=200')).items.find((d) => limits.some((l) => l.outlet === d.outlet && Number(l.limit_value) < 90) && !busy.has(d.outlet))
  assert.ok(device, 'a quiet device')
  const hour = Math.floor(Date.now() / 3600e3) * 3600e3 - 3600e3
  const qn = stamp(Date.now() + 1000, true)
  const d = new Device(process.env.LT_HJ212)
  await d.send(frame({ mn: device.mn, qn, cn: 2061, st: device.st || 31, area: `DataTime=${stamp(hour)};a34013-Cou=1.2,a34013-Min=80.1,a34013-Avg=90.5,a34013-Max=99.2,a34013-ZsMin=85.5,a34013-ZsAvg=95.17,a34013-ZsMax=101.2,a34013-Flag=N` }), qn)
  await page.locator('.queue [role=option]', { hasText: '95.17' }).first().waitFor({ timeout: 20000 })
  await key('/')
  await page.keyboard.type('95.17')
  await key('Escape')
  await key('j')
  await page.locator('section.right', { hasText: '95.17 mg/m³' }).first().waitFor()
  const id = Number(new URL(page.url()).searchParams.get('alarm'))
  const state = async () => (await ask(page, `/alarm/${id}`)).state
  // Enter on a button presses this button, and does not open the page of the alarm.
  await tabTo(page, /^签收/)
  await key('Enter')
  await until('signed', async () => (await state()) === 'signed')
  assert.ok(page.url().includes('alarm='), 'still on the board')
  const move = async (k, words) => {
    await page.locator('section.right button:enabled', { has: page.locator('kbd', { hasText: k.toUpperCase() }) }).first().waitFor()
    await key(k)
    if (!words) return
    await dialog.waitFor()
    await page.keyboard.type(words) // the first field has the focus
    await key('Control+Enter')
  }
  await move('d')
  await until('handling, with a note where one is asked', async () => { if (await dialog.count()) { await tabTo(page, /^开始处置|^处置/); await key('Enter') } return (await state()) === 'handling' })
  await move('r', '布袋破损，已更换')
  await until('reported', async () => (await state()) === 'reported')
  await move('c')
  await dialog.waitFor()
  await key('Space') // the first verdict
  await tabTo(page, '核实')
  await key('Enter')
  await until('confirmed', async () => (await state()) === 'confirmed')
  await move('x')
  await until('closed', async () => { if (await dialog.count()) { await tabTo(page, '关闭'); await key('Enter') } return (await state()) === 'closed' })
  d.close()

  // Search opens, finds and leads to the device; what was left gets the focus back when it closes.
  await tabTo(page, '查找', 200)
  await key('Enter')
  await dialog.waitFor()
  await key('Escape')
  await until('the focus is back on the button', async () => (await focused(page)).name === '查找')
  await key('Enter')
  await dialog.waitFor()
  await page.keyboard.type(device.mn)
  await page.locator('[role=option]', { hasText: device.mn }).first().waitFor()
  await key('ArrowDown')
  await key('Enter')
  await page.waitForURL(/\/devices\/\d+/)
  await pages.settle()

  // An hour is corrected.
  const station = (await ask(page, '/station?limit=1')).items[0]
  await pages.push(`/air/stations/${station.id}`)
  await tabTo(page, '提出订正')
  await key('Enter')
  await dialog.waitFor()
  await tabTo(page, /^订正值|^改为|^数值/)
  await page.keyboard.type('42')
  await tabTo(page, /理由|原因/)
  await page.keyboard.type('键盘测试：校准后的值')
  await tabTo(page, '提交复核')
  await key('Enter')
  await pages.toast('等待另一人复核')

  // A paper is published, after the question whether it is meant.
  const papers = async () => (await ask(page, '/air/papers')).items.length
  const had = await papers()
  await pages.push('/air/papers')
  await page.locator('iframe').waitFor()
  await tabTo(page, '发布')
  await key('Enter')
  await page.locator('[role=alertdialog]').waitFor()
  assert.equal((await focused(page)).name, '取消', 'what cannot be taken back is not one key away')
  await tabTo(page, '发布')
  await key('Enter')
  await until('published', async () => (await papers()) === had + 1)
  clean(v)
  await v.context.close()
})

// The main paths, as people walk them, in real Chromium against a real post with devices on real sockets.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Device, frame, stamp } from '../hj212.mjs'
import { ask as api, axe, clean, launch, open, until, URL_BASE, visit } from '../lib.mjs'

let browser
const HJ212 = process.env.LT_HJ212
before(async () => { browser = await launch() })
after(async () => { await browser.close() })

const visitor = (...how) => visit(browser, ...how)

test('a wrong password is refused in words, a right one leads on', async () => {
  const v = await open(browser)
  await v.page.goto(`${URL_BASE}/alarms`)
  await v.page.waitForURL(/sign-in/)
  await v.page.fill('#login', 'leader')
  await v.page.fill('#password', 'wrong-password-1')
  await v.page.click('button[type=submit]')
  await v.page.getByText('用户名或密码错误').waitFor()
  await v.page.fill('#password', 'Blue-Sky-2026')
  await v.page.click('button[type=submit]')
  await v.page.waitForURL(/\/alarms$/) // back to where he wanted to go
  clean(v)
  await v.context.close()
})

test('an exceedance reaches the open board, is signed for, handled, reported, confirmed and closed by keyboard', async () => {
  const v = await visitor('duty')
  const { page } = v
  // an enrolled device whose outlet has an hourly limit for particulate matter, and nothing open about it
  const limits = (await api(page, '/factor_limit?factor=a34013&period=hour&limit=200')).items
  const devices = (await api(page, '/device?status=active&limit=200')).items
  const busy = new Set((await api(page, '/alarm?state.not=closed&limit=200')).items.map((a) => a.outlet))
  const device = devices.find((d) => limits.some((l) => l.outlet === d.outlet) && !busy.has(d.outlet))
  assert.ok(device, 'a quiet device')
  const hour = Math.floor(Date.now() / 3600e3) * 3600e3 - 3600e3
  const qn = stamp(Date.now() + 1000, true)
  const area = `DataTime=${stamp(hour)};a34013-Cou=1.2,a34013-Min=80.1,a34013-Avg=90.5,a34013-Max=99.2,a34013-ZsMin=85.5,a34013-ZsAvg=97.31,a34013-ZsMax=101.2,a34013-Flag=N`
  const d = new Device(HJ212)
  const sent = Date.now()
  await d.send(frame({ mn: device.mn, qn, area, cn: 2061, st: device.st || 31 }), qn)
  const item = page.locator('.queue [role=option]', { hasText: '97.31' }).first()
  await item.waitFor({ timeout: 20000 })
  console.log(`# from the frame to the open board: ${Date.now() - sent} ms`)
  await item.click()
  await page.locator('section.right', { hasText: '97.31 mg/m³' }).first().waitFor()
  const id = Number(new URL(page.url()).searchParams.get('alarm'))
  const state = async () => (await api(page, `/alarm/${id}`)).state
  // A key counts once the page offers its move: the server may be a step ahead of what the page shows.
  const press = async (key) => {
    await page.waitForFunction(() => !document.querySelector('[role=dialog]'))
    await page.locator('section.right button:enabled', { has: page.locator('kbd', { hasText: key.toUpperCase() }) }).first().waitFor()
    await page.keyboard.press(key)
  }
  await press('a')
  await until('signed', async () => (await state()) === 'signed')
  await press('d')
  await page.waitForTimeout(300)
  if (await v.pages.dialog().count()) { // when handling asks for a note
    await v.pages.dialog().locator('textarea').first().fill('已电话通知企业')
    await v.pages.dialog().locator('button[type=submit]').click()
  }
  await until('handling', async () => (await state()) === 'handling')
  await press('r')
  await v.pages.dialog().locator('button[type=submit]').click()
  assert.equal(await state(), 'handling', 'a report without words is not taken')
  await v.pages.dialog().locator('textarea').first().fill('布袋破损，已更换')
  await v.pages.dialog().locator('button[type=submit]').click()
  await until('reported', async () => (await state()) === 'reported')
  await press('c')
  await v.pages.dialog().getByRole('radio').first().click()
  await v.pages.dialog().locator('button[type=submit]').click()
  await until('confirmed', async () => (await state()) === 'confirmed')
  await press('x')
  await page.waitForTimeout(300)
  if (await v.pages.dialog().count()) await v.pages.dialog().locator('button[type=submit]').click() // words are optional here
  await until('closed', async () => (await state()) === 'closed')
  const history = await api(page, `/alarm/${id}/history`)
  assert.ok(JSON.stringify(history).includes('林晚照'), 'the history names the person')
  d.close()
  clean(v)
  await v.context.close()
})

test('an outlet shows values against limits, a chart with a table, and its device shows ledger and frames', async () => {
  const v = await visitor('analyst', '/outlets/1')
  const { page } = v
  await page.getByText('折算').first().waitFor()
  await page.locator('svg.chart').first().waitFor({ timeout: 20000 })
  await page.getByText('数据表').first().click()
  await page.locator('table').nth(1).waitFor()
  const summary = await api(page, '/outlet/1/summary')
  await v.pages.go(`/devices/${summary.devices[0].id}`)
  await page.getByText('相符').first().waitFor() // received = stored + duplicate + rejected
  await v.pages.go(`/devices/${summary.devices[0].id}?tab=frames`)
  await page.locator('.fl .one').first().click()
  await page.getByText('DataTime').first().waitFor()
  clean(v)
  await v.context.close()
})

test('a command goes down to a device and its answer comes back', async () => {
  const v = await visitor('duty')
  const { page } = v
  const csrf = (await api(page, '/session')).csrf
  let device, made = {}
  for (device of (await api(page, '/device?status=active&limit=20')).items.reverse()) { // some of the invented ones are silent for a while
    made = await page.evaluate(async ([id, token]) => (await fetch(`/api/v1/device/${id}/command`, {
      method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': token }, body: JSON.stringify({ cn: 1061, area: '' }) })).json(), [device.id, csrf])
    if (made.error?.code !== 'DEVICE_OFFLINE') break
  }
  await v.pages.go(`/devices/${device.id}?tab=commands`)
  assert.ok(made.id, JSON.stringify(made))
  const done = await until('answered', async () => {
    const c = (await api(page, `/device/${device.id}/commands`)).items.find((x) => x.id === made.id)
    return c && c.step === 'done' ? c : null
  }, 30000)
  assert.match(done.answer, /RtdInterval=\d+/)
  await page.getByText('RtdInterval').first().waitFor()
  clean(v)
  await v.context.close()
})

test('a device nobody knows is kept as pending and can be enrolled', async () => {
  const mn = `E2E${Date.now()}`.padEnd(24, '0').slice(0, 24)
  const qn = stamp(Date.now(), true)
  const d = new Device(HJ212)
  d.socket.write(frame({ mn, qn, area: `DataTime=${stamp(Date.now())};a21026-Rtd=12.5,a21026-Flag=N` }))
  const v = await visitor('admin', '/devices')
  const { page } = v
  const pending = await until('pending', async () => (await api(page, `/device?q=${mn}`)).items.find((x) => x.status === 'pending'))
  assert.ok(!d.text.includes('9014'), 'not answered while enrolment is closed')
  await v.pages.go(`/devices/${pending.id}`)
  await page.locator('form.enrol').waitFor()
  const csrf = (await api(page, '/session')).csrf
  const outlet = (await api(page, '/outlet?limit=1')).items[0].id
  const answer = await page.evaluate(async ([id, o, token]) => (await fetch(`/api/v1/device/${id}/enroll`, {
    method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': token }, body: JSON.stringify({ outlet: o, pw: '123456' }) })).json(), [pending.id, outlet, csrf])
  assert.equal(answer.status ?? (await api(page, `/device/${pending.id}`)).status, 'active')
  await until('answered from now on', async () => {
    const q = stamp(Date.now(), true)
    d.socket.write(frame({ mn, qn: q, area: `DataTime=${stamp(Date.now())};a21026-Rtd=12.6,a21026-Flag=N` }))
    await new Promise((r) => setTimeout(r, 400))
    return d.text.includes('CN=9014')
  })
  d.close()
  clean(v)
  await v.context.close()
})

test('a county officer sees his county only', async () => {
  const v = await visitor('county')
  const mine = (await api(v.page, '/session')).user.territory
  const plants = (await api(v.page, '/enterprise?limit=200')).items
  assert.ok(plants.length > 0 && plants.every((p) => p.territory === mine))
  const all = await visitor('duty')
  const other = (await api(all.page, '/enterprise?limit=200')).items.find((p) => p.territory !== mine)
  const status = await v.page.evaluate(async (id) => (await fetch(`/api/v1/enterprise/${id}`)).status, other.id)
  assert.equal(status, 404)
  await v.context.close()
  await all.context.close()
})

test('English, the wall, and a phone', async () => {
  const v = await visitor('duty', '/', { lang: 'en' })
  await v.page.getByText('Duty board').first().waitFor()
  assert.ok(!/[\u4e00-\u9fff]/.test(await v.page.locator('nav').first().innerText()), 'no Chinese in the rail')
  clean(v)
  await v.context.close()
  const w = await visitor('duty', '/wall', { size: 'wall', theme: 'dark' })
  await w.page.waitForTimeout(1500)
  const scroll = await w.page.evaluate(() => [document.documentElement.scrollHeight - innerHeight, document.documentElement.scrollWidth - innerWidth])
  assert.deepEqual(scroll, [0, 0], 'the wall never scrolls')
  clean(w)
  await w.context.close()
  const p = await visitor('duty', '/', { size: 'phone' })
  const wide = await p.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  assert.equal(wide, 0, 'nothing sticks out on a phone')
  clean(p)
  await p.context.close()
})

test('no accessibility fault on the main pages, in both themes', async () => {
  for (const theme of ['dark', 'light']) {
    const v = await visitor('admin', '/', { theme })
    const faults = []
    for (const path of ['/', '/map', '/alarms', '/outlets/1', '/devices/1', '/admin/system', '/admin/rule', '/admin/audit']) {
      await v.pages.go(path)
      await v.page.waitForTimeout(400)
      faults.push(...(await axe(v.page)).map((x) => `${theme} ${path}: ${x}`))
    }
    assert.deepEqual(faults, [])
    clean(v)
    await v.context.close()
  }
})

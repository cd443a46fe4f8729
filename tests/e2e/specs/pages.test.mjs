// What a page must do whatever the day brings: refuse a wrong password, show what it has, fit its screen, be readable by all.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ask as api, axe, clean, launch, open, until, URL_BASE, visit } from '../lib.mjs'

let browser
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
  await page.getByText('ExeRtn=1 执行成功').first().waitFor() // the code with its meaning, not a bare number
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

test('without the post the page stays, says so, and goes on by itself', async () => {
  const v = await visitor('duty')
  const { page } = v
  const gone = page.getByRole('alert').filter({ hasText: '与平台的连接已断开' })
  await v.context.setOffline(true)
  await gone.waitFor()
  await page.locator('nav.rail a[href="/map"]').click() // its part of the program was not loaded yet
  await v.pages.toast('无法连接到平台')
  assert.equal(new URL(page.url()).pathname, '/')
  await v.context.setOffline(false)
  await gone.waitFor({ state: 'detached' })
  await page.locator('nav.rail a[href="/map"]').click()
  await page.getByRole('heading', { name: '态势' }).waitFor()
  await v.context.close()
})

test('a list on paper has every row that was loaded, not only those in sight', async () => {
  const v = await visitor('admin', '/admin/factor_limit')
  const rows = v.page.locator('tbody tr[aria-rowindex]')
  const tell = (what) => v.page.evaluate((name) => void window.dispatchEvent(new Event(name)), what)
  await rows.first().waitFor()
  const loaded = (await api(v.page, '/factor_limit?limit=100')).items.length
  assert.ok(await rows.count() < loaded, 'a screen holds fewer than there are')
  await tell('beforeprint')
  await until('every row', async () => await rows.count() === loaded)
  await tell('afterprint')
  await until('those in sight', async () => await rows.count() < loaded)
  clean(v)
  await v.context.close()
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

// Proof in the browser: an alarm is sealed by itself and checked on the spot; days, audit and replay open and say what they found.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Device, frame, stamp } from '../hj212.mjs'
import { ask as api, axe, clean, launch, until, visit } from '../lib.mjs'

let browser
const HJ212 = process.env.LT_HJ212
before(async () => { browser = await launch() })
after(async () => { await browser.close() })

const visitor = (...how) => visit(browser, ...how)

test('an exceedance is sealed without a person, found at its alarm, and verified now', async () => {
  const v = await visitor('admin', '/alarms')
  const { page } = v
  const limits = (await api(page, '/factor_limit?factor=a34013&period=hour&limit=200')).items
  const devices = (await api(page, '/device?status=active&limit=200')).items
  const busy = new Set((await api(page, '/alarm?state.not=closed&limit=200')).items.map((a) => a.outlet))
  const device = devices.find((d) => limits.some((l) => l.outlet === d.outlet && Number(l.limit_value) < 90) && !busy.has(d.outlet))
  assert.ok(device, 'a quiet device')
  const hour = Math.floor(Date.now() / 3600e3) * 3600e3 - 3600e3
  const qn = stamp(Date.now() + 1000, true)
  const area = `DataTime=${stamp(hour)};a34013-Cou=1.2,a34013-Min=80.1,a34013-Avg=90.5,a34013-Max=99.2,a34013-ZsMin=85.5,a34013-ZsAvg=96.42,a34013-ZsMax=101.2,a34013-Flag=N`
  const d = new Device(HJ212)
  await d.send(frame({ mn: device.mn, qn, area, cn: 2061, st: device.st || 31 }), qn)
  const alarm = await until('the alarm', async () => (await api(page, `/alarm?outlet=${device.outlet}&limit=20`)).items.find((a) => a.text.includes('96.42')), 20000)
  const pack = await until('the package', async () => (await api(page, `/evidence?alarm=${alarm.id}`)).items[0], 20000)
  await v.pages.go(`/alarms/${alarm.id}`)
  await page.getByRole('link', { name: `告警封存 · ${pack.name}` }).click()
  await page.waitForURL(/\/evidence\/\d+$/)
  await page.getByText(pack.sha256).waitFor()
  await page.getByRole('button', { name: '立即核验' }).click()
  await page.getByText('核验通过').waitFor({ timeout: 20000 })
  await page.getByRole('link', { name: 'frames.bin' }).waitFor()
  await page.getByText('核验', { exact: true }).first().waitFor() // and the check stands in the list of hands
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: '下载' }).click()])
  assert.match(file.suggestedFilename(), /\.zip$/)
  assert.deepEqual(await axe(page), [])
  clean(v)
  await v.context.close()
  d.close?.()
})

test('day statements, audit and replay open, and a replay of today compares with what was recorded', async () => {
  const v = await visitor('admin', '/admin/proof')
  const { page } = v
  await page.getByText('Ed25519').first().waitFor()
  await page.getByRole('button', { name: '立即封存' }).click()
  await v.pages.toast('已封存')
  await page.getByRole('button', { name: '查看' }).first().click()
  await page.getByText(/^LANTIAN /).first().waitFor()
  assert.deepEqual(await axe(page), [])
  await v.pages.go('/admin/audit')
  await page.locator('tbody tr').first().click()
  await page.locator('.detail').waitFor()
  assert.equal(await page.locator('.detail').getByText('{').count(), 0, 'details are words, not JSON')
  assert.deepEqual(await axe(page), [])
  await v.pages.go('/admin/replays')
  await page.getByRole('button', { name: '开始重演' }).click()
  await page.waitForURL(/\/admin\/replays\/\d+$/)
  await page.getByText(/规则不变时/).first().waitFor({ timeout: 60000 })
  assert.deepEqual(await axe(page), [])
  clean(v)
  await v.context.close()
})

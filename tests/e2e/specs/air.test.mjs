// The air pages, as the office uses them: the board, an import with a wrong unit, what-if.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { axe, clean, launch, visit } from '../lib.mjs'

let browser
// Not evaluated: the city's figures stay as they are for the other specs, which run beside this one.
const STATION = { code: 'E2E-01', name: '测试县控站', name_en: 'Test county', type: 'county', evaluated: false, lon: 112.45, lat: 34.62 }
before(async () => {
  browser = await launch()
  const v = await visitor('admin', '/admin')
  await seed(v.page)
  await v.context.close()
})
after(async () => { await browser.close() })

const visitor = (...how) => visit(browser, ...how)
/** Talks to the API in the page's own session. */
const api = (page, method, path, body, raw) => page.evaluate(async ([m, p, b, text]) => {
  const session = await (await fetch('/api/v1/session')).json()
  const answer = await fetch(`/api/v1${p}`, { method: m, headers: { 'X-CSRF-Token': session.csrf, 'Content-Type': text ? 'text/csv' : 'application/json' }, ...(m === 'GET' ? {} : { body: text ?? JSON.stringify(b ?? {}) }) })
  const out = await answer.text()
  return out ? JSON.parse(out) : null
}, [method, path, body ?? null, raw ?? null])
const two = (n) => String(n).padStart(2, '0')
const local = (ms) => { const d = new Date(ms + 8 * 3600e3); return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())} ${two(d.getUTCHours())}:00` }
const NOW = Math.floor(Date.now() / 3600e3) * 3600e3
/** Three days of one station, even and plausible; CO in mg/m³. */
function hours(code, co = (pm) => (0.4 + pm / 120).toFixed(1), days = 3) {
  const rows = ['time,station,PM25,PM10,SO2,NO2,CO,O3']
  for (let at = NOW - days * 24 * 3600e3; at < NOW; at += 3600e3) {
    const h = new Date(at + 8 * 3600e3).getUTCHours()
    const pm = 40 + ((h * 7) % 17)
    rows.push(`${local(at)},${code},${pm},${pm + 35},${8 + (h % 4)},${30 + (h % 9)},${co(pm)},${20 + 4 * Math.max(0, 8 - Math.abs(14 - h))}`)
  }
  return `${rows.join('\n')}\n`
}
let station
let target
async function seed(page) {
  const city = (await api(page, 'GET', '/territory?limit=100')).items.find((t) => t.level === 'city')
  const had = (await api(page, 'GET', `/station?code=${STATION.code}`)).items[0]
  station = had ?? await api(page, 'POST', '/station', { ...STATION, territory: city.id })
  const report = await api(page, 'POST', '/air/import?format=csv&dry_run=0&co_unit=mg&hour_label=start&tz=480', null, hours(STATION.code))
  assert.equal(report.applied, true, JSON.stringify(report.findings))
  target = await api(page, 'POST', '/air_target', { name: '测试年均值', territory: city.id, indicator: 'pm25', period: 'year', start_day: `${local(NOW).slice(0, 4)}-01-01`, end_day: `${local(NOW).slice(0, 4)}-12-31`, how: 'absolute', value: 45 })
}

test('the board opens with map and list, goes back by the hour, and keeps that in the address', async () => {
  const v = await visitor('leader', '/air')
  const { page } = v
  await page.getByRole('link', { name: STATION.name }).waitFor()
  await page.locator('.am canvas').first().waitFor()
  await page.keyboard.press('ArrowLeft')
  await page.waitForURL(/at=/)
  await page.getByText('起一小时').waitFor()
  await page.getByRole('button', { name: '日', exact: true }).click()
  await page.waitForURL(/mode=day/)
  assert.deepEqual(await axe(page), [])
  clean(v)
  await v.context.close()
})

test('an import in the wrong unit is explained, and nothing is written', async () => {
  const v = await visitor('admin', '/air/import')
  const { page } = v
  const was = (await api(page, 'GET', '/air/versions?limit=1')).version
  await page.setInputFiles('input[type=file]', { name: 'wrong.csv', mimeType: 'text/csv', buffer: Buffer.from(hours(STATION.code, (pm) => String(Math.round(400 + pm * 8)), 12)) })
  await page.locator('.find li.wrong').first().waitFor({ timeout: 20000 })
  assert.match(await page.locator('.find').innerText(), /CO/)
  assert.ok(await page.getByRole('button', { name: '导入', exact: true }).isDisabled())
  assert.equal((await api(page, 'GET', '/air/versions?limit=1')).version, was)
  assert.deepEqual(await axe(page), [])
  clean(v)
  await v.context.close()
})

test('a file with a column of its own name is read by hand once, and the reading is kept', async () => {
  const v = await visitor('admin', '/air/import')
  const { page } = v
  await page.setInputFiles('input[type=file]', { name: 'own.csv', mimeType: 'text/csv', buffer: Buffer.from(hours(STATION.code).replace('PM25', 'fine dust')) })
  const column = page.locator('.cols li', { hasText: 'fine dust' }).getByRole('combobox')
  await column.click()
  await page.getByRole('option', { name: 'PM₂.₅' }).click()
  await page.getByRole('button', { name: '保存并使用此对应' }).click()
  await page.locator('.opts').getByText('own.csv').waitFor() // the mapping is chosen by its name
  assert.equal((await api(page, 'GET', '/air_mapping?limit=100')).items.filter((m) => m.name === 'own.csv').length, 1)
  clean(v)
  await v.context.close()
})

test('a target shows its road, and what-if moves what is left', async () => {
  const v = await visitor('analyst', `/air/targets?id=${target.id}`)
  const { page } = v
  await page.getByText('目标之路').waitFor()
  await page.locator('svg.chart').first().waitFor()
  await page.getByRole('button', { name: '计算' }).click()
  await page.getByText('设想后').first().waitFor()
  await page.getByText('数据表').first().click()
  await page.locator('.cb table').first().waitFor()
  assert.deepEqual(await axe(page), [])
  clean(v)
  await v.context.close()
})

test('assessment, ranking, papers and reviews open in both languages, also on a phone', async () => {
  for (const options of [{ lang: 'en', theme: 'light' }, { lang: 'zh', size: 'phone' }]) {
    const v = await visitor('admin', '/air/history', options)
    for (const path of ['/air/history', '/air/history?view=years', '/air/ranking', '/air/papers', '/air/reviews', `/air/stations/${station.id}`]) {
      await v.pages.go(path)
      assert.deepEqual(await axe(v.page), [], path)
      const wide = await v.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.ok(wide <= 0, `${path}: ${wide} px too wide`)
    }
    clean(v)
    await v.context.close()
  }
})

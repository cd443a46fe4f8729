// A random draw in the browser: the list is counted, committed to, revealed with the public value, verified; each role sees its own.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { axe, clean, launch, visit } from '../lib.mjs'

let browser
let address
before(async () => { browser = await launch() })
after(async () => { await browser.close() })

const visitor = (...how) => visit(browser, ...how)

test('a draw is counted with quotas, committed to, revealed and verified', async () => {
  const v = await visitor('duty', '/admin/draws')
  const { page } = v
  await page.fill('.new input >> nth=0', '十二月抽查')
  await page.fill('.new input >> nth=1', '双色球 2026137 期开奖号码')
  await page.fill('.new input[pattern="[0-9]{1,3}"]', '6')
  await page.click('.new button[type=submit]')
  await page.waitForSelector('.new [role=status]')
  await page.fill('.new .two table:nth-child(1) tbody tr:nth-child(1) td:nth-child(3) input', '2')
  await page.click('.new .btn.primary')
  await page.waitForURL(/\/admin\/draws\/\d+$/)
  await v.pages.settle()
  address = new URL(page.url()).pathname
  assert.match(await page.textContent('main'), /LANTIAN-DRAW 1 list=[0-9a-f]{64} seed=[0-9a-f]{64} public="双色球/)
  assert.deepEqual(await axe(page), [])
  await page.fill('form .f input', '03 09 14 22 28 31 + 07')
  await page.click('form .btn.primary')
  await page.click('.lt-dialog .btn.danger')
  await page.waitForSelector('text=抽取结果')
  assert.equal(await page.locator('.scroll-x tbody tr').count(), 6)
  await page.click('.top button')
  await page.waitForSelector('.checks')
  assert.equal(await page.locator('.checks li').count(), 8)
  assert.equal(await page.locator('.checks li.red').count(), 0)
  assert.deepEqual(await axe(page), [])
  clean(v)
  await v.context.close()
})

test('who reads sees the result, in English too; an inspector sees his own; a plant none', async () => {
  const leader = await visitor('leader', address, { lang: 'en', theme: 'dark', size: 'phone' })
  assert.match(await leader.page.textContent('main'), /Seed/)
  assert.ok(await leader.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing wider than a phone')
  clean(leader)
  await leader.context.close()
  const inspector = await visitor('inspector', '/admin/draws')
  assert.match(await inspector.page.textContent('main'), /本人抽查任务/)
  assert.equal(await inspector.page.locator('.new').count(), 0)
  assert.deepEqual(await axe(inspector.page), [])
  clean(inspector)
  await inspector.context.close()
  const plant = await visitor('plant', '/admin/draws')
  assert.match(await plant.page.textContent('main'), /无权/)
  clean(plant)
  await plant.context.close()
})

// Proof in the browser: days, audit and replay open and say what they found. The package of an alarm is in the story.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { axe, clean, launch, visit } from '../lib.mjs'

let browser
before(async () => { browser = await launch() })
after(async () => { await browser.close() })

const visitor = (...how) => visit(browser, ...how)

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

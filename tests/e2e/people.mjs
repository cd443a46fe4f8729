// The people of the office, and what they do at their screens. A verb waits until what it tells of is there.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { clean, PATIENCE, until, visit } from './lib.mjs'

export class Person {
  /** Comes in, signs in, and has a page of his own before him. */
  static async arrives(browser, login, path = '/', options = {}) {
    const v = await visit(browser, login, path, options)
    const p = new Person()
    Object.assign(p, v)
    p.name = (await p.asks('/session')).user.name
    return p
  }
  async opens(path) { await this.pages.go(path) }
  /** Reads the post's own answer in the page's session: what the page was made of. */
  async asks(path) { return (await this.calls('GET', path)).body }
  /** Any call, refused ones too. */
  async calls(method, path, body) {
    return this.page.evaluate(async ([m, p, b]) => {
      const { csrf } = m === 'GET' ? {} : await (await fetch('/api/v1/session')).json()
      const answer = await fetch(`/api/v1${p}`, { method: m, headers: { 'X-CSRF-Token': csrf ?? '', 'Content-Type': 'application/json' }, ...(m === 'GET' ? {} : { body: JSON.stringify(b ?? {}) }) })
      const text = await answer.text()
      return { status: answer.status, body: text ? JSON.parse(text) : null }
    }, [method, path, body ?? null])
  }
  async records(kind, body) {
    const made = await this.calls('POST', `/${kind}`, body)
    assert.equal(made.status, 201, `${kind}: ${JSON.stringify(made.body)}`)
    return made.body
  }
  async changes(kind, id, body) {
    const { version } = await this.asks(`/${kind}/${id}`)
    const made = await this.calls('PATCH', `/${kind}/${id}`, { version, ...body })
    assert.equal(made.status, 200, `${kind}: ${JSON.stringify(made.body)}`)
  }
  /** Sees a text, wherever on the page or in one part of it. */
  async sees(text, part = 'body', ms = PATIENCE) { await this.part(part, text).first().waitFor({ timeout: ms }) }
  async seesNo(name) { assert.equal(await this.button(name).count(), 0, `${this.name} is not offered ${name}`) }
  part(part, text) { return this.page.locator(part, { hasText: text }) }
  button(name, within = this.page) { return within.getByRole('button', { name, exact: true }) }
  async clicks(name, within = this.page) { await this.button(name, within).first().click() }
  async fills(field, text) { await this.page.fill(field, text) }
  async isTold(text) { await this.pages.toast(text) }
  dialog() { return this.page.getByRole('dialog') }
  /** Presses the key of a step once the page offers it: the post may be a step ahead of what the page shows. */
  async presses(key) {
    await this.page.waitForFunction(() => !document.querySelector('[role=dialog]'))
    await this.page.locator('section.right button:enabled', { has: this.page.locator('kbd', { hasText: key.toUpperCase() }) }).first().waitFor()
    await this.page.keyboard.press(key)
  }
  /** Fills what a step asks for, and sends it. */
  async answers(text, choice) {
    const box = this.dialog()
    if (choice) await box.getByRole('radio', { name: choice }).click()
    if (text) await box.locator('textarea').first().fill(text)
    await box.locator('button[type=submit]').click()
    await box.waitFor({ state: 'detached' })
  }
  async takes(link) {
    const [file] = await Promise.all([this.page.waitForEvent('download'), link.click()])
    const path = await file.path()
    return { name: file.suggestedFilename(), path, bytes: readFileSync(path) }
  }
  async until(what, look, ms) { return until(`${this.name}: ${what}`, look, ms) }
  async leaves() {
    clean(this)
    await this.context.close()
  }
}

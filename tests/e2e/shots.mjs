// Pictures of every page, to be looked at: node shots.mjs DIR [login] [sizes] [themes] [langs] [path...]
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { launch, open, Pages } from './lib.mjs'

const [dir = 'shots', login = 'admin', sizes = 'wall,desk,phone', themes = 'dark,light', langs = 'zh,en', ...paths] = process.argv.slice(2)
mkdirSync(dir, { recursive: true })
const all = paths.length ? paths : ['/', '/map', '/alarms', '/alarms/1', '/precision', '/enterprises', '/enterprises/1', '/outlets/1', '/devices', '/devices/1', '/admin/system', '/admin/audit', '/admin/rule', '/admin/user', '/air', '/air?mode=day', '/air/stations/1', '/air/history', '/air/history?view=years', '/air/ranking', '/air/targets', '/air/papers', '/air/reviews', '/air/import', '/evidence', '/evidence/1', '/admin/proof', '/admin/replays', '/wall', '/nowhere']
const browser = await launch()
for (const size of sizes.split(',')) for (const theme of themes.split(',')) for (const lang of langs.split(',')) {
  const { context, page, trouble, away } = await open(browser, { size, theme, lang })
  const pages = new Pages(page)
  await pages.signIn(login)
  for (const path of all) {
    try {
      await pages.go(path)
      await page.waitForTimeout(900)
      await page.screenshot({ path: join(dir, `${path.replace(/\W+/g, '_').replace(/^_|_$/g, '') || 'duty'}-${size}-${theme}-${lang}.png`) })
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (wide > 0) console.log(`${path} ${size} ${lang}: ${wide} px too wide`)
    } catch (e) { console.log(`${path} ${size} ${theme} ${lang}: ${e.message.split('\n')[0]}`) }
  }
  for (const t of [...new Set(trouble)]) console.log(`${size} ${theme} ${lang}: ${t}`)
  for (const a of [...new Set(away)]) console.log(`${size}: leaves the host: ${a}`)
  await context.close()
}
await browser.close()

// Pictures of every page a role can reach, found by following its links, and sheets of several to be looked at together.
//   node shots.mjs DIR [roles] [sizes] [themes] [langs] [path...]
// DIR gets one picture per page and combination, and sheet-*.png. PRINT=1 takes the pages as paper prints them.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launch, open, Pages, shape, SIZES } from './lib.mjs'

const [dir = 'shots', roles = 'admin', sizes = 'desk', themes = 'light', langs = 'zh', ...paths] = process.argv.slice(2)
const PRINT = process.env.PRINT === '1'
const PER_SHEET = Number(process.env.PER_SHEET ?? 4)
mkdirSync(dir, { recursive: true })
const browser = await launch()
const name = (path) => path.replace(/\W+/g, '_').replace(/^_|_$/g, '') || 'duty'

/** The height a page would need without scrolling inside, so that one picture shows all of it. */
const need = (page) => page.evaluate(() => {
  const boxes = [...document.querySelectorAll('.main, .main *')].filter((e) => /auto|scroll/.test(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 4)
  return boxes.reduce((h, e) => Math.max(h, innerHeight + e.scrollHeight - e.clientHeight), innerHeight)
})
async function sheet(file, taken) {
  const columns = taken[0].width < 500 ? 5 : PER_SHEET < 3 ? 1 : 2
  const page = await browser.newPage({ viewport: { width: columns === 1 ? 1366 : 1800, height: 600 } })
  const cells = taken.map((t) => `<figure><img src="data:image/png;base64,${readFileSync(t.file).toString('base64')}"><figcaption>${t.label}</figcaption></figure>`)
  await page.setContent(`<style>body{margin:6px;background:#888;font:13px sans-serif;columns:auto;display:grid;grid-template-columns:repeat(${columns},1fr);gap:6px;align-items:start}figure{margin:0;background:#fff}img{width:100%;display:block}figcaption{padding:1px 6px;background:#222;color:#fff}</style>${cells.join('')}`)
  await page.screenshot({ path: file, fullPage: true })
  await page.close()
}
for (const login of roles.split(',')) for (const size of sizes.split(',')) for (const theme of themes.split(',')) for (const lang of langs.split(',')) {
  const { context, page, trouble, away } = await open(browser, { size, theme, lang })
  const pages = new Pages(page)
  await pages.signIn(login)
  const todo = paths.length ? [...paths] : ['/']
  const seen = new Set(todo.map(shape))
  const taken = []
  for (let path; (path = todo.shift()) !== undefined;) {
    try {
      await page.setViewportSize(SIZES[size])
      await pages.push(path)
      await page.waitForTimeout(250)
      if (!paths.length) {
        const { plain, here } = await pages.links()
        for (const next of [...here, ...plain]) if (!seen.has(shape(next))) { seen.add(shape(next)); todo.push(next) }
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (wide > 0) console.log(`${login} ${path} ${size} ${lang}: ${wide} px too wide`)
      const file = join(dir, `${name(path)}-${login}-${size}-${theme}-${lang}.png`)
      if (PRINT) { await page.emulateMedia({ media: 'print' }); await page.setViewportSize({ width: 703, height: 1000 }) }
      const high = PRINT ? 0 : Math.min(await need(page), size === 'phone' ? 2400 : 1900)
      if (high > SIZES[size].height) { await page.setViewportSize({ width: SIZES[size].width, height: high }); await page.waitForTimeout(250) }
      await page.screenshot({ path: file, fullPage: PRINT })
      if (PRINT) await page.emulateMedia({ media: 'screen' })
      taken.push({ file, label: `${login} ${path} ${size} ${theme} ${lang}`, width: SIZES[size].width })
    } catch (e) { console.log(`${login} ${path} ${size} ${theme} ${lang}: ${e.message.split('\n')[0]}`) }
  }
  writeFileSync(join(dir, `pages-${login}.txt`), `${taken.map((t) => t.label).join('\n')}\n`)
  const per = size === 'phone' ? PER_SHEET * 2.5 : PER_SHEET
  for (let i = 0; i < taken.length; i += per) await sheet(join(dir, `sheet-${login}-${size}-${theme}-${lang}-${String(i / per).padStart(2, '0')}.png`), taken.slice(i, i + per))
  for (const t of [...new Set(trouble)]) console.log(`${login} ${size} ${theme} ${lang}: ${t}`)
  for (const a of [...new Set(away)]) console.log(`${login} ${size}: leaves the host: ${a}`)
  await context.close()
}
await browser.close()

// Weighs the built pages (gzip, as a plain-HTTP browser gets them) and fails when they outgrow the budget.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('manifest.json', dist), 'utf8'))
const weight = new Map()
const weigh = (file) => {
  if (!weight.has(file)) weight.set(file, gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length)
  return weight.get(file)
}

/** All files a chunk needs before it can run: itself and its static imports. */
function closure(keys) {
  const seen = new Set()
  const visit = (key) => {
    if (seen.has(key)) return
    seen.add(key)
    for (const next of manifest[key].imports ?? []) visit(next)
  }
  keys.forEach(visit)
  return new Set([...seen].map((key) => manifest[key].file))
}
const sum = (files) => [...files].reduce((total, file) => total + weigh(file), 0)
const js = Object.values(manifest).map((entry) => entry.file).filter((file) => file.endsWith('.js'))

// First paint of a signed-in duty officer: entry, one language, the shell and the duty board, before map and charts arrive.
const first = closure(['index.html', 'src/i18n/zh.ts', 'src/shell/AppShell.vue', 'src/pages/DutyPage.vue'])
const part = (name) => js.filter((file) => new RegExp(`assets/${name}-`).test(file))
const lines = [
  ['first paint', sum(first), 100],
  ['map', sum(new Set(part('ol'))), 95],
  ['charts', sum(new Set(part('SeriesChart'))), 20],
  ['all scripts', sum(new Set(js)), 450],
]
let bad = 0
for (const [name, bytes, limit] of lines) {
  const kb = bytes / 1000
  const over = kb > limit
  if (over || bytes === 0) bad++
  console.log(`${name.padEnd(12)} ${kb.toFixed(1).padStart(7)} kB of ${limit} kB ${over ? 'TOO MUCH' : bytes === 0 ? 'MISSING' : 'ok'}`)
}
if (process.argv.includes('--list')) for (const [file, bytes] of [...weight].sort((a, b) => b[1] - a[1])) console.log(`${(bytes / 1000).toFixed(1).padStart(8)} ${file}`)
process.exit(bad ? 1 : 0)

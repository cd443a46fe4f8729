// Packs web/dist into src/assets/web_pack.bin and src/assets/web_assets.c, which the C build takes in.
// No dependencies. Usage: node web/pack.mjs [DIST [OUT]]
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const here = dirname(fileURLToPath(import.meta.url))
const dist = process.argv[2] ?? join(here, 'dist')
const out = process.argv[3] ?? join(here, '..', 'src', 'assets')

const types = {
  html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8', json: 'application/json; charset=utf-8', geojson: 'application/geo+json; charset=utf-8',
  svg: 'image/svg+xml', png: 'image/png', jpg: 'image/jpeg', webp: 'image/webp', ico: 'image/x-icon',
  woff2: 'font/woff2', txt: 'text/plain; charset=utf-8', wasm: 'application/wasm',
  webmanifest: 'application/manifest+json; charset=utf-8',
}
const packed = new Set(['html', 'js', 'mjs', 'css', 'json', 'geojson', 'svg', 'txt', 'wasm', 'webmanifest', 'ico'])

function walk(dir) {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    return statSync(path).isDirectory() ? walk(path) : [path]
  })
}

let files
try {
  files = walk(dist)
} catch {
  console.error(`pack: no ${dist}; run "npm run build" in web/ first`)
  process.exit(2)
}
if (!files.some((f) => relative(dist, f) === 'index.html')) {
  console.error(`pack: ${dist} has no index.html`)
  process.exit(2)
}

const chunks = []
let at = 0
function add(bytes) {
  const place = { at, n: bytes.length }
  const pad = (8 - (bytes.length % 8)) % 8
  chunks.push(bytes, Buffer.alloc(pad))
  at += bytes.length + pad
  return place
}
const none = { at: 0, n: 0 }

const rows = files
  .filter((f) => !f.endsWith('.map'))
  .map((f) => ({ file: f, path: '/' + relative(dist, f).split(sep).join('/') }))
  .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
  .map(({ file, path }) => {
    const body = readFileSync(file)
    const ext = path.slice(path.lastIndexOf('.') + 1)
    const small = (variant) => (variant.length < body.length * 0.95 ? add(variant) : none)
    const identity = add(body)
    const gzip = packed.has(ext) ? small(gzipSync(body, { level: 9 })) : none
    const brotli = packed.has(ext)
      ? small(brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length } }))
      : none
    return {
      path,
      type: types[ext] ?? 'application/octet-stream',
      etag: createHash('sha256').update(body).digest('hex').slice(0, 16),
      immutable: /^\/assets\/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/.test(path),
      bodies: [identity, gzip, brotli],
    }
  })

const quote = (s) => '"' + s.replace(/[\\"]/g, '\\$&') + '"'
const table = rows.map(
  (r) =>
    `    {${quote(r.path)}, ${quote(r.type)}, "${r.etag}", ${r.immutable}, ` +
    `{${r.bodies.map((b) => `{${b.at}u, ${b.n}u}`).join(', ')}}},`,
)
mkdirSync(out, { recursive: true })
writeFileSync(join(out, 'web_pack.bin'), Buffer.concat(chunks))
writeFileSync(
  join(out, 'web_assets.c'),
  `/* Made by web/pack.mjs; do not edit. */
#include "assets/assets_pack.h"

const struct assets_file assets_table[] = {
${table.join('\n')}
};
const size_t assets_table_n = ${rows.length};
const bool assets_table_built = true;
`,
)
const sum = (k) => rows.reduce((n, r) => n + (r.bodies[k].n || r.bodies[0].n), 0)
console.log(`pack: ${rows.length} files, ${sum(0)} bytes, gzip ${sum(1)}, brotli ${sum(2)}; pack ${at} bytes`)

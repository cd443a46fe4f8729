// Packs web/dist for the C build: src/assets/web_pack.bin holds every file as it is, with gzip and with brotli;
// src/assets/web_assets.c is the table assets.c searches. Same input, same output, byte for byte.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = fileURLToPath(new URL('./dist/', import.meta.url))
const target = fileURLToPath(new URL('../src/assets/', import.meta.url))
const TYPES = {
  html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', json: 'application/json; charset=utf-8',
  svg: 'image/svg+xml', png: 'image/png', ico: 'image/x-icon', woff2: 'font/woff2', txt: 'text/plain; charset=utf-8', webmanifest: 'application/manifest+json',
}
const ALIGN = 8
const WORTH = 0.95 // a coding is kept only when it saves 5 %
const NOT_SERVED = new Set(['manifest.json']) // for the size budget only

function walk(folder, prefix) {
  return readdirSync(join(dist, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    return entry.isDirectory() ? walk(path, prefix) : NOT_SERVED.has(path) ? [] : [path]
  })
}
const bodies = []
let size = 0
function put(buffer) {
  const at = size
  bodies.push(buffer)
  size += buffer.length
  const gap = (ALIGN - (size % ALIGN)) % ALIGN
  bodies.push(Buffer.alloc(gap))
  size += gap
  return { at, n: buffer.length }
}
const none = { at: 0, n: 0 }
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))
const rows = walk('.').map((path) => `/${path}`).sort(byBytes).map((path) => {
  const plain = readFileSync(join(dist, path))
  const gzip = gzipSync(plain, { level: 9 })
  const brotli = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } })
  const kept = (coded) => (coded.length < plain.length * WORTH ? put(coded) : none)
  const body = [put(plain), kept(gzip), kept(brotli)]
  const type = TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
  const etag = createHash('sha256').update(plain).digest('hex').slice(0, 16)
  const immutable = /^\/assets\/.+-[\w-]{8}\.\w+$/.test(path)
  return `    {"${path}", "${type}", "${etag}", ${immutable}, {${body.map((b) => `{${b.at}, ${b.n}}`).join(', ')}}},`
})
if (rows.length === 0) throw new Error('web/dist is empty: run npm run build first')
writeFileSync(join(target, 'web_pack.bin'), Buffer.concat(bodies))
writeFileSync(join(target, 'web_assets.c'), `/* Made by web/pack.mjs from web/dist. */
#include "assets/assets_pack.h"

const struct assets_file assets_table[] = {
${rows.join('\n')}
};
const size_t assets_table_n = ${rows.length};
const bool assets_table_built = true;
`)
console.log(`${rows.length} files, ${(size / 1000).toFixed(0)} kB in three codings`)

// Opens the papers the post prints, each by a way of its own, and gives what stands in them: paragraphs and table rows.
import { execFileSync } from 'node:child_process'
import { inflateRawSync } from 'node:zlib'

/** Figures of a text: every number in it, as it is written. */
export const figures = (text) => text.match(/\d+(?:\.\d+)?/g) ?? []
/** What one of two heaps of figures has more than the other. */
export function beyond(some, others) {
  const left = [...others]
  return some.filter((x) => { const at = left.indexOf(x); if (at >= 0) left.splice(at, 1); return at < 0 })
}
/** Without white space: where a line breaks is the printer's matter. */
export const solid = (text) => text.replace(/\s+/g, '')

/** The page in the browser's frame, as a reader sees it. */
export function readPage(frame) {
  return frame.locator('body').evaluate((body) => {
    const texts = (root, what) => [...root.querySelectorAll(what)].map((x) => x.textContent.trim())
    return {
      title: body.querySelector('h1').textContent,
      heads: [...body.querySelectorAll('.fig > div')].map((d) => [...d.children].map((c) => c.textContent.trim())),
      paragraphs: texts(body, 'p'),
      rows: [...body.querySelectorAll('tbody tr')].map((tr) => texts(tr, 'td, th')),
      figures: [...body.querySelectorAll('*')].flatMap((x) => [...x.childNodes]).filter((x) => x.nodeType === 3 && !x.parentElement.closest('footer, style')).flatMap((x) => x.data.match(/\d+(?:\.\d+)?/g) ?? []),
    }
  })
}

/** The PDF by poppler: text of each page in reading order, without the line at its foot. */
export function readPdf(path) {
  const pages = execFileSync('pdftotext', ['-layout', path, '-'], { encoding: 'utf8' }).split('\f').slice(0, -1)
  const told = Number(/^Pages:\s+(\d+)/m.exec(execFileSync('pdfinfo', [path], { encoding: 'utf8' }))[1])
  const feet = pages.map((p) => p.trimEnd().split('\n').at(-1))
  return { told, feet, pages: pages.map((p, i) => p.slice(0, p.lastIndexOf(feet[i]))), lines: pages.join('\n').split('\n').map(solid) }
}

/** The members of a ZIP file, by its central directory. */
export function unzip(bytes) {
  const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06'))
  const out = new Map()
  for (let i = 0, at = bytes.readUInt32LE(end + 16); i < bytes.readUInt16LE(end + 10); i++) {
    const [method, packed, nameN, extraN, noteN, local] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20), bytes.readUInt16LE(at + 28), bytes.readUInt16LE(at + 30), bytes.readUInt16LE(at + 32), bytes.readUInt32LE(at + 42)]
    const name = bytes.toString('utf8', at + 46, at + 46 + nameN)
    const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
    const body = bytes.subarray(from, from + packed)
    out.set(name, method === 0 ? body : inflateRawSync(body))
    at += 46 + nameN + extraN + noteN
  }
  return out
}

const plain = (xml) => xml.replace(/<[^>]+>/g, '').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&amp;/g, '&')
/** Rows of the first sheet: numbers as numbers, texts as texts, empty cells left out. */
export function readSheet(bytes) {
  const files = unzip(bytes)
  const texts = [...files.get('xl/sharedStrings.xml').toString().matchAll(/<si>(.*?)<\/si>/gs)].map((m) => plain(m[1]))
  return [...files.get('xl/worksheets/sheet1.xml').toString().matchAll(/<row .*?<\/row>/gs)].map(([row]) =>
    [...row.matchAll(/<c r="[A-Z]+\d+"([^>]*?)(?:\/>|>(.*?)<\/c>)/gs)].flatMap(([, how, body]) => {
      const v = /<v>(.*?)<\/v>/.exec(body ?? '')
      return v ? [how.includes('t="s"') ? texts[Number(v[1])] : Number(v[1])] : []
    }))
}

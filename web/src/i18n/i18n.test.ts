import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { en } from './en'
import { ready } from './index'
import { zh } from './zh'

type Tree = { [key: string]: string | Tree }
function flat(tree: Tree, prefix = ''): Map<string, string> {
  const result = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') result.set(prefix + key, value)
    else for (const [k, v] of flat(value, `${prefix}${key}.`)) result.set(k, v)
  }
  return result
}
const zhFlat = flat(zh as unknown as Tree)
const enFlat = flat(en as unknown as Tree)
const params = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()

describe('both languages are complete', () => {
  it('have the same keys', () => { expect([...enFlat.keys()].sort()).toEqual([...zhFlat.keys()].sort()) })
  it('have the same parameters in every message', () => {
    for (const [key, text] of zhFlat) expect([key, params(enFlat.get(key) ?? '')]).toEqual([key, params(text)])
  })
  it('no message is empty, and English holds no Chinese', () => {
    for (const [key, text] of zhFlat) expect([key, text.trim() !== '']).toEqual([key, true])
    for (const [key, text] of enFlat) expect([key, /[\u4e00-\u9fff]/.test(text)]).toEqual([key, false])
  })
  it('pages hold no Chinese of their own: every word stands in the messages', () => {
    const bad: string[] = []
    const walk = (folder: string) => {
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name)
        if (entry.isDirectory()) walk(path)
        else if (entry.name.endsWith('.vue')) {
          const text = readFileSync(path, 'utf8').replace(/\/\/.*$/gm, '').replace(/中文/g, '')
          if (/[\u4e00-\u9fff]/.test(text)) bad.push(path)
        }
      }
    }
    walk(join(process.cwd(), 'src'))
    expect(bad).toEqual([])
  })
})
describe('messages with parameters', () => {
  it('become functions of them, and so do texts without any', () => {
    const tree = ready({ a: { plain: 'x', n: '{n} of {all}' } }) as unknown as { a: { plain: () => string; n: (ctx: unknown) => string } }
    expect(tree.a.plain()).toBe('x')
    const ctx = { named: (k: string) => ({ n: 3, all: 0 })[k], normalize: (p: string[]) => p.join('') }
    expect(tree.a.n(ctx)).toBe('3 of 0')
  })
})

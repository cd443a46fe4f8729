import { beforeEach, describe, expect, it } from 'vitest'
import type { Field, Kind, RecordItem } from '@/api/types'
import { changes, checkField, editable, listed, ofRule, toForm, toValue } from './forms'
import { setZone } from './format'

beforeEach(() => setZone(480))
const fields: Field[] = [
  { name: 'code', type: 'text', label: '编号', required: true, max_chars: 4, in_list: true },
  { name: 'name', type: 'text', label: '名称', required: true, in_list: true },
  { name: 'limit_value', type: 'fix', label: '限值', min: 0, max: 100 },
  { name: 'st', type: 'int', label: 'ST', default: '31' },
  { name: 'outlet', type: 'ref', label: '排放口', ref: 'outlet' },
  { name: 'convert', type: 'bool', label: '折算', default: 'true' },
  { name: 'until_at', type: 'time', label: '截止' },
  { name: 'valid_from', type: 'date', label: '起' },
  { name: 'pw', type: 'text', secret: true, label: '密码' },
  { name: 'mn', type: 'text', label: 'MN', create_only: true },
  { name: 'last_at_ms', type: 'time', label: '最近', readonly: true },
]
const kind: Kind = { name: 'thing', label: '物', fields, can: { read: true, create: true, update: true, delete: true } }
const f = (name: string) => fields.find((x) => x.name === name)!
const item: RecordItem = { id: 7, version: 3, code: 'A', name: '甲', limit_value: 12.5, st: 31, outlet: 4, convert: false, until_at: '2026-11-26T08:30:00+08:00', valid_from: '2026-01-01T00:00:00+08:00', pw_set: true }

describe('which fields', () => {
  it('readonly never, create-only only when new', () => {
    expect(editable(kind, true).map((x) => x.name)).toContain('mn')
    expect(editable(kind, false).map((x) => x.name)).not.toContain('mn')
    expect(editable(kind, true).map((x) => x.name)).not.toContain('last_at_ms')
  })
  it('a list shows the name first', () => { expect(listed(kind).map((x) => x.name)).toEqual(['name', 'code']) })
})
describe('the numbers of a rule', () => {
  const numbers: Field[] = [{ name: 'severity', type: 'text', label: '级别' }, { name: 'enter_fix', type: 'fix', label: '触发阈值' }, { name: 'param1', type: 'fix', label: '参数 1', max: 9 }, { name: 'param2', type: 'fix', label: '参数 2' }]
  const silence = { code: 'silence', name: '设备失联', fields: [{ name: 'param1', label: '再加宽限', unit: '秒', hint: '留空为 60' }] }
  it('are called by what they mean, those the rule does not read are not asked for', () => {
    expect(ofRule(numbers, silence)).toEqual([numbers[0], { name: 'param1', type: 'fix', label: '再加宽限', unit: '秒', hint: '留空为 60', max: 9 }])
  })
  it('as declared where the rule is not chosen yet', () => { expect(ofRule(numbers, undefined)).toEqual(numbers) })
})
describe('to the form and back', () => {
  it('a new record starts with the declared defaults', () => {
    const form = toForm(fields, null)
    expect(form.st).toBe('31')
    expect(form.convert).toBe(true)
    expect(form.pw).toBe('')
  })
  it('an unchanged form changes nothing', () => {
    const form = toForm(fields, item)
    expect(form.until_at).toBe('2026-11-26T08:30')
    expect(form.valid_from).toBe('2026-01-01')
    expect(changes(fields, form, { ...form })).toEqual({})
  })
  it('only what was touched goes to the server, with its type', () => {
    const form = toForm(fields, item)
    expect(changes(fields, form, { ...form, limit_value: '13.25', outlet: '', convert: true, valid_from: '2026-02-01' })).toEqual({ limit_value: 13.25, outlet: null, convert: true, valid_from: '2026-02-01T00:00:00+08:00' })
  })
  it('a secret left empty stays what it was', () => {
    const form = toForm(fields, item)
    expect(changes(fields, form, { ...form, pw: '' })).toEqual({})
    expect(changes(fields, form, { ...form, pw: 'x' })).toEqual({ pw: 'x' })
  })
  it('a new record leaves out what was left empty', () => {
    const body = changes(fields, null, { ...toForm(fields, null), code: 'B', name: '乙' })
    expect(body).toEqual({ code: 'B', name: '乙', st: 31, convert: true })
  })
  it('keeps long codes as text', () => { expect(toValue(f('code'), ' 0012 ')).toBe('0012') })
})
describe('checks before the server', () => {
  it.each([
    ['code', '', true, 'required'], ['code', 'ABCDE', true, 'length'], ['code', '汉字四个', true, null], ['limit_value', '一', true, 'number'], ['limit_value', '1e3', true, 'number'],
    ['limit_value', '101', true, 'range'], ['limit_value', '100', true, null], ['st', '1.5', true, 'whole'], ['until_at', '2026-13', true, 'time'], ['limit_value', '', true, null],
  ])('%s = "%s"', (name, value, isNew, fault) => { expect(checkField(f(name as string), value as string, isNew as boolean)).toBe(fault) })
})

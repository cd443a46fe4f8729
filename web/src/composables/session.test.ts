import { describe, expect, it, vi } from 'vitest'
import { ApiError, call, sentence, setApiLanguage, setCsrf, setSignedOutHandler } from '@/api/client'
import { allows } from './useSession'

describe('permissions', () => {
  it.each([[['*'], 'rule:write', true], [['rule:write'], 'rule:write', true], [['rule:read'], 'rule:write', false], [['rule:*'], 'rule:write', true], [['*:read'], 'alarm:read', true], [['*:read'], 'alarm:sign', false], [[], 'alarm:read', false]])('%s for %s: %s', (has, wanted, result) => {
    expect(allows(has as string[], wanted as string)).toBe(result)
  })
})
describe('talking to the server', () => {
  const answer = (status: number, body: unknown) => vi.stubGlobal('fetch', vi.fn(async () => new Response(body === undefined ? null : JSON.stringify(body), { status })))
  it('calls a line that breaks a broken line, before the answer and in the middle of it', async () => {
    const broken = async () => { throw new TypeError('Failed to fetch') }
    vi.stubGlobal('fetch', vi.fn(broken))
    await expect(call('GET', 'alarm/1')).rejects.toMatchObject({ name: 'ApiError', code: 'NETWORK' })
    vi.stubGlobal('fetch', vi.fn(async () => Object.assign(new Response('{}'), { text: broken })))
    await expect(call('GET', 'alarm/1')).rejects.toMatchObject({ name: 'ApiError', code: 'NETWORK' })
  })
  it('sends the page token with every change and never with a read', async () => {
    answer(200, {})
    setCsrf('token-1')
    await call('POST', 'alarm/1/sign', { body: {} })
    await call('GET', 'alarm/1')
    const calls = vi.mocked(fetch).mock.calls
    expect((calls[0]![1]!.headers as Record<string, string>)['X-CSRF-Token']).toBe('token-1')
    expect((calls[1]![1]!.headers as Record<string, string>)['X-CSRF-Token']).toBeUndefined()
  })
  it('carries code, field and hint of a refusal', async () => {
    answer(422, { error: { code: 'FIELD_RANGE', message: 'm', hint: 'h', field: 'o2_ref' } })
    await expect(call('POST', 'outlet', { body: {} })).rejects.toMatchObject({ status: 422, code: 'FIELD_RANGE', field: 'o2_ref', hint: 'h' })
  })
  it('a lost session is told once per answer; a quiet question is not', async () => {
    const out = vi.fn()
    setSignedOutHandler(out, () => {})
    answer(401, { error: { code: 'AUTH_EXPIRED', message: 'm' } })
    await expect(call('GET', 'map')).rejects.toBeInstanceOf(ApiError)
    expect(out).toHaveBeenCalledTimes(1)
    await expect(call('GET', 'session', { quiet: true })).rejects.toBeInstanceOf(ApiError)
    expect(out).toHaveBeenCalledTimes(1)
  })
  it('nobody at the other end is one sentence, through a proxy too; what was answered keeps its own', async () => {
    setApiLanguage('en', 'The post cannot be reached', 'Check the network')
    vi.stubGlobal('fetch', vi.fn(async () => { throw new TypeError('failed') }))
    await expect(call('GET', 'map')).rejects.toMatchObject({ message: 'The post cannot be reached', hint: 'Check the network' })
    vi.stubGlobal('fetch', vi.fn(async () => new Response('<html>', { status: 502 })))
    await expect(call('GET', 'map')).rejects.toMatchObject({ code: 'HTTP_502', message: 'The post cannot be reached' })
    answer(503, { error: { code: 'BUSY', message: 'the queue is full', hint: '' } })
    await expect(call('GET', 'map')).rejects.toMatchObject({ message: 'The queue is full', hint: '' })
  })
  it('an English reason begins as a sentence; a field, a number and Chinese stay as they are', () => {
    expect(['name or password is wrong', 'o2_ref is not a number', '3 rows', '未找到', ''].map(sentence)).toEqual(['Name or password is wrong', 'o2_ref is not a number', '3 rows', '未找到', ''])
  })
  it('a dead network and an HTML error page are errors with a code', async () => {
    vi.stubGlobal('fetch', vi.fn(async () => { throw new TypeError('failed') }))
    await expect(call('GET', 'map')).rejects.toMatchObject({ status: 0, code: 'NETWORK' })
    vi.stubGlobal('fetch', vi.fn(async () => new Response('<html>', { status: 502 })))
    await expect(call('GET', 'map')).rejects.toMatchObject({ code: 'HTTP_502' })
  })
})

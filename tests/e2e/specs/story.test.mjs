// One day of the office, from the morning brief to the auditor's visit, in real Chromium against a real post with
// recorders on real sockets. The chapters build on each other; the first that fails ends the day.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Device, HOUR, Recorder, stamp } from '../hj212.mjs'
import { axe, launch } from '../lib.mjs'
import { beyond, figures, readPage, readPdf, readSheet, solid } from '../papers.mjs'
import { Person } from '../people.mjs'

const HJ212 = process.env.LT_HJ212
const LANTIAN = process.env.LANTIAN
const DAY = 24 * HOUR
const NOW = Date.now()
const dayOf = (ms) => new Date(ms + 8 * HOUR).toISOString().slice(0, 10)
const midnight = (ms) => Math.floor((ms + 8 * HOUR) / DAY) * DAY - 8 * HOUR
const clock = (ms) => new Date(ms + 8 * HOUR).toISOString().slice(0, 16)
const TODAY = midnight(NOW)
const YESTERDAY = TODAY - DAY
const day = {} // what one chapter leaves to the next
let browser
before(async () => { browser = await launch() })
after(async () => { await browser.close() })

test('a day of the office', { timeout: 900_000 }, async (t) => {
  const comes = (login, path, options) => Person.arrives(browser, login, path, options)
  let well = true
  const chapter = (name, tell) => t.test(name, { skip: well ? false : 'an earlier chapter failed' }, async () => {
    well = false
    await tell()
    well = true
  })

  await chapter('before dawn: two new stacks are registered and their recorders call in', async () => {
    const analyst = await comes('analyst', '/devices')
    const owner = await comes('plant')
    const [plant] = (await owner.asks('/enterprise')).items
    await owner.leaves()
    const n = stamp(NOW).slice(2)
    const stack = async (code, name) => {
      const outlet = await analyst.records('outlet', { code, name, enterprise: plant.id, convert: false })
      await analyst.records('factor_limit', { outlet: outlet.id, factor: 'a34013', period: 'hour', basis: 'measured', limit_value: 20, standard: 'GB 39726-2020', valid_from: dayOf(NOW - 60 * DAY) })
      await analyst.records('factor_limit', { outlet: outlet.id, factor: 'a34013', period: 'day', basis: 'measured', limit_value: 20, standard: 'GB 39726-2020', valid_from: dayOf(NOW - 60 * DAY) })
      return outlet
    }
    day.kiln1 = await stack(`N1${n}`, `一号窑排口 ${n}`)
    day.kiln2 = await stack(`N2${n}`, `二号窑排口 ${n}`)

    // A recorder nobody knows is heard, kept, not answered; then the analyst enrols it.
    day.line1 = new Device(HJ212)
    day.recorder1 = new Recorder(`N1${n}`.padEnd(24, '0'), day.line1)
    await day.recorder1.says(2011, NOW, 'a34013-Rtd=11.5,a34013-Flag=N', { heard: false })
    const unknown = await analyst.until('the unknown recorder is pending', async () => (await analyst.asks(`/device?q=${day.recorder1.mn}`)).items.find((d) => d.status === 'pending'))
    assert.ok(!day.line1.text.includes('9014'), 'not answered before it is enrolled')
    await analyst.opens(`/devices/${unknown.id}`)
    await analyst.fills('#en-outlet', day.kiln1.name)
    await analyst.page.getByRole('option', { name: day.kiln1.name }).click()
    await analyst.fills('#en-pw', '123456')
    await analyst.clicks('登记并启用')
    await analyst.isTold('设备已启用')
    day.device1 = unknown.id

    // The others are entered by hand: one that will exceed, and three on one line, of which two will have their troubles.
    const device = (k, outlet) => analyst.records('device', { mn: `N${k}${n}`.padEnd(24, '0'), outlet: outlet.id, pw: '123456', status: 'active', rtd_interval_s: 3600 })
    const [second, host, quiet, barred] = [await device(2, day.kiln2), await device(3, day.kiln2), await device(4, day.kiln2), await device(5, day.kiln2)]
    const line2 = new Device(HJ212)
    const line3 = new Device(HJ212)
    day.lines = [line2, line3]
    day.recorder2 = new Recorder(second.mn, line2)
    Object.assign(day, { quiet, barred, device2: second })
    await day.recorder2.now(12.1)
    await new Recorder(host.mn, line2).now(9.5)
    await new Recorder(quiet.mn, line2).now(8.5)
    await new Recorder(barred.mn, line3).now(8.8)
    await new Recorder(barred.mn, line3).says(2011, Date.now(), 'a34013-Rtd=8.9,a34013-Flag=N', { pw: '654321', heard: false })

    // The first recorder tells of one hour of yesterday; then its line is cut.
    await day.recorder1.pours(Array.from({ length: 6 }, (_, m) => [YESTERDAY + 9 * HOUR + m * 600e3, 12, 0.5]))
    await day.recorder1.now(12)
    day.line1.close()
    // From now on it is expected every second, like two of the others: who stays away is soon missed.
    for (const d of [quiet, barred]) await analyst.changes('device', d.id, { rtd_interval_s: 1 })
    await analyst.clicks('编辑')
    await analyst.fills('#f-rtd_interval_s', '1')
    await analyst.clicks('保存', analyst.dialog())
    await analyst.isTold('已保存')
    await analyst.leaves()
  })

  await chapter('morning: the brief on the page, in Excel and as PDF says the same; published, it prints the same bytes again', async () => {
    const analyst = day.analyst = await comes('analyst', '/air/papers')
    const frame = analyst.page.frameLocator('.prev iframe')
    await frame.locator('h1').waitFor()
    const page = await readPage(frame)
    assert.match(page.title, /日报$/)
    assert.ok(page.heads.length >= 6 && page.paragraphs.length >= 3 && page.rows.length >= 20, 'a full brief')

    const sheet = readSheet((await analyst.takes(analyst.page.getByRole('link', { name: 'XLSX' }))).bytes)
    const same = (cell, text) => (typeof cell === 'number' ? cell === Number(text) : cell === text)
    const inSheet = (cells) => sheet.some((row) => row.length === cells.length && row.every((c, i) => same(c, cells[i])))
    for (const row of page.rows) assert.ok(inSheet(row.filter(Boolean)), `in the sheet: ${row}`)
    for (const p of page.paragraphs) assert.ok(inSheet([p]), `in the sheet: ${p}`)
    for (const [label, value, change] of page.heads) {
      const [number, unit] = value.split(' ')
      assert.ok(inSheet([label, number, unit, change].filter(Boolean)), `in the sheet: ${label} ${value}`)
    }

    const pdf = readPdf((await analyst.takes(analyst.page.getByRole('link', { name: 'PDF' }))).path)
    assert.equal(pdf.pages.length, pdf.told)
    assert.deepEqual(pdf.feet.map((f) => /—(\d+)—$/.exec(f)?.[1]), pdf.pages.map((_, i) => String(i + 1)), 'pages are numbered')
    for (const row of page.rows) assert.ok(pdf.lines.includes(solid(row.join(''))), `in the PDF: ${row}`)
    const printed = solid(pdf.pages.join('\n'))
    for (const p of page.paragraphs) assert.ok(printed.includes(solid(p)), `in the PDF: ${p}`)
    const inPdf = pdf.pages.flatMap(figures)
    assert.ok(inPdf.length > 100, 'a brief is full of figures')
    assert.deepEqual([beyond(inPdf, page.figures), beyond(page.figures, inPdf)], [[], []], 'not one figure more or less than on the page')

    await analyst.clicks('发布')
    await analyst.clicks('发布', analyst.page.getByRole('alertdialog'))
    await analyst.isTold('已发布')
    await analyst.page.waitForURL(/id=\d+/)
    await analyst.sees('洛阳市环境空气质量日报', '.pl .on')
    day.paper = new URL(analyst.page.url()).searchParams.get('id')
    day.printed = await prints(analyst)
    assert.deepEqual(await prints(analyst), day.printed, 'the same bytes')
  })
  /** A published paper, taken from the page in its three forms. */
  async function prints(person) {
    const html = await person.page.evaluate(async (a) => (await fetch(a)).text(), `/api/v1/air/paper/${day.paper}?format=html`)
    const [xlsx, pdf] = [await person.takes(person.page.getByRole('link', { name: 'XLSX' })), await person.takes(person.page.getByRole('link', { name: 'PDF' }))]
    return { html, xlsx: xlsx.bytes.toString('base64'), pdf: pdf.bytes.toString('base64') }
  }

  await chapter('a wrong hour of a station is corrected by one and approved by another, and the ranking moves before the leader\'s eyes', async () => {
    const leader = await comes('leader')
    const scheme = (await leader.asks('/rank_scheme?limit=100')).items.find((x) => x.member === 'county' && x.code === 'county')
    await leader.opens(`/air/ranking?scheme=${scheme.id}&p=free&from=${dayOf(YESTERDAY)}&to=${dayOf(YESTERDAY)}`)
    const first = leader.page.locator('tbody tr').first()
    const county = await first.locator('th').innerText()
    const place = () => leader.part('tbody tr', county).first().locator('td').first().innerText()
    assert.equal(await place(), '1')
    const { items } = await leader.asks('/station?evaluated=true&limit=100')
    const station = items.find((s) => s.territory_name === county)

    const { analyst } = day
    await analyst.opens(`/air/stations/${station.id}`)
    await analyst.clicks('提出订正')
    await analyst.fills('#rv-from', clock(YESTERDAY + 9 * HOUR))
    await analyst.fills('#rv-to', clock(YESTERDAY + 10 * HOUR))
    await analyst.fills('#rv-value', '890')
    await analyst.fills('#rv-reason', '仪器校准，按质控结果订正')
    await analyst.clicks('提交复核')
    await analyst.isTold('等待另一人复核')
    await analyst.sees('需由另一人复核', '.rc')
    await analyst.seesNo('通过')
    const review = (await analyst.asks('/air/review/list?state=proposed')).items.find((r) => r.station === station.id)
    const own = await analyst.calls('POST', `/air/review/${review.id}/approve`)
    assert.equal(own.status, 403, `the post refuses it too: ${JSON.stringify(own.body)}`)
    assert.equal(await place(), '1', 'a proposal moves nothing')

    const admin = await comes('admin', '/air/reviews')
    const card = admin.part('.rc', '仪器校准').first()
    await admin.clicks('查看逐小时数据', card)
    await admin.sees('890', '.rc .hrs')
    const was = (await card.locator('.hrs tbody td').nth(2).innerText()).trim()
    await admin.clicks('通过', card)
    await admin.isTold('已完成')

    await leader.until('the county moves', async () => (await place()) !== '1')
    const changed = analyst.part('tr', '仪器校准').first()
    await changed.waitFor()
    const told = await changed.locator('td').allInnerTexts()
    assert.deepEqual([told[3], told[4]], [was, '890'], 'both values')
    for (const part of [analyst.name, admin.name, '按质控结果订正']) assert.ok(told.join(' ').includes(part), `author, reviewer and reason: ${told}`)
    await analyst.opens(`/air/papers?id=${day.paper}`)
    await analyst.sees(`v`, '.prev .cap')
    assert.deepEqual(await prints(analyst), day.printed, 'what was published stays as it was published')
    for (const p of [leader, admin]) await p.leaves()
  })

  await chapter('an outlet exceeds: the alarm is on the open board, sealed, signed for by keyboard, explained from a phone, confirmed and closed', async () => {
    const officer = day.officer = await comes('duty')
    const owner = await comes('plant', '/', { size: 'phone' })
    const hour = Math.floor(Date.now() / HOUR) * HOUR
    await owner.records('process_state', { outlet: day.kiln2.id, state: 'startup', begin_at: new Date(hour - 2 * HOUR).toISOString(), end_at: new Date(hour - HOUR).toISOString(), reason: '点火烘炉' })
    await day.recorder2.hour(hour - 2 * HOUR, 97.31) // while the kiln is fired up this is no exceedance
    await day.recorder2.hour(hour - HOUR, 23.18)

    const entry = officer.part('.queue [role=option]', '23.18').first()
    await entry.waitFor()
    assert.equal(await officer.part('.queue [role=option]', '97.31').count(), 0, 'a declared start-up is no alarm')
    await entry.click()
    await officer.sees('23.18 mg/m³', 'section.right')
    await officer.page.waitForURL(/alarm=\d+/)
    day.alarm = Number(new URL(officer.page.url()).searchParams.get('alarm'))

    // The proof seals itself while nobody does anything but look.
    const witness = await comes('inspector', `/alarms/${day.alarm}`)
    await witness.part('a', '告警封存 · ').first().waitFor()
    await witness.leaves()

    await officer.presses('a')
    await officer.sees('已签收', 'section.right .head')
    await officer.presses('d')
    await officer.answers('已电话通知企业')
    await officer.sees('处置中', 'section.right .head')

    // The man of the plant stands at the kiln, with his phone.
    await owner.part('.queue [role=option]', '23.18').first().click()
    await owner.clicks('反馈')
    await owner.dialog().locator('button[type=submit]').click()
    await owner.sees('请填写', '.fault')
    await owner.answers('布袋破损，已更换')
    await owner.sees('已反馈', 'section.right .head')
    assert.equal(await owner.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, 'nothing sticks out on his phone')

    await officer.sees('已反馈', 'section.right .head') // nobody loads the board again
    await officer.presses('c')
    await officer.answers('', '属实')
    await officer.sees('已核实', 'section.right .head')
    await officer.presses('x')
    await officer.answers('')
    await officer.sees('已关闭', 'section.right .head')

    await officer.opens(`/alarms/${day.alarm}`)
    await officer.sees('布袋破损，已更换', '.line')
    const steps = (await officer.page.locator('.line li').allInnerTexts()).map((x) => x.replace(/\s+/g, ' '))
    for (const [what, who] of [['关闭', officer], ['核实', officer], ['反馈', owner], ['开始处置', officer], ['签收', officer]]) {
      const line = steps.shift()
      assert.match(line, new RegExp(`\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2} ${what}.*${who.name}`), 'the history names the person and the time')
    }
    await owner.leaves()
    await officer.opens('/')
  })

  await chapter('three recorders have fallen silent, and the board says of each why', async () => {
    const { officer } = day
    const says = async (mn) => {
      const entry = officer.part('.queue [role=option]', mn).first()
      await entry.waitFor({ timeout: 180_000 }) // two intervals and a minute after the last word, by the post's own clock
      return (await entry.innerText()).replace(/\s+/g, ' ')
    }
    assert.match(await says(day.recorder1.mn), /没有数据：连接于 \S+ \S+ 断开（对方断开），此后未再连接/)
    assert.match(await says(day.quiet.mn), /没有数据：连接仍在，但自 \S+ \S+ 起没有数据/)
    assert.match(await says(day.barred.mn), /没有数据：报文被拒收（访问密码不符）/)
    await officer.part('.queue [role=option]', day.recorder1.mn).first().click()
    await officer.part('section.right a', day.recorder1.mn).first().click()
    await officer.sees('断开（对方断开），此后未再连接')
    assert.deepEqual(await axe(officer.page), [])
    await officer.opens('/')
  })

  await chapter('the line is mended, the whole of yesterday arrives late, one known hour otherwise: every total moves, and the trail shows it', async () => {
    const { analyst, officer } = day
    const series = async (kind) => {
      const s = await analyst.asks(`/device/${day.device1}/series?kind=${kind}&factors=a34013&fields=all&from=${encodeURIComponent(new Date(YESTERDAY).toISOString())}&to=${encodeURIComponent(new Date(TODAY).toISOString())}`)
      const at = (field) => s.columns.findIndex((c) => c.field === field) + 1
      return s.rows.map((r) => ({ avg: r[at('avg')], cou: r[at('cou')] }))
    }
    const ledger = async () => {
      await analyst.opens(`/devices/${day.device1}`)
      const today = analyst.part('.grid tbody tr', dayOf(Date.now())).first()
      await today.waitFor()
      await analyst.sees('相符', '.grid tbody tr')
      return (await today.locator('td').allInnerTexts()).filter((x) => /^[\d,]+$/.test(x)).map((x) => Number(x.replace(',', '')))
    }
    await analyst.until('nine o\'clock of yesterday is known', async () => (await series('hour')).length === 1, 180_000)
    assert.deepEqual(await series('hour'), [{ avg: 12, cou: 3 }])
    const [received, stored] = await ledger()

    const mean = (h, m) => (h === 9 ? (m === 2 ? 30 : 12) : 10 + h / 10)
    const memory = []
    for (let h = 0; h < 24; h++) for (let m = 0; m < 6; m++) memory.push([YESTERDAY + h * HOUR + m * 600e3, mean(h, m), 0.5])
    await analyst.changes('device', day.device1, { rtd_interval_s: 60 })
    const mended = new Device(HJ212)
    day.lines.push(mended)
    day.recorder1.line = mended
    await day.recorder1.pours(memory)
    await day.recorder1.now(11.9)

    // The known hour moves at once; with hours long past the post waits a minute for the rest of what a recorder kept.
    await analyst.until('the known hour moves', async () => (await series('hour')).some((x) => x.avg === 15))
    const hours = await analyst.until('all hours of yesterday', async () => { const s = await series('hour'); return s.length === 24 && s }, 180_000)
    assert.deepEqual(hours.map((x) => x.avg), hours.map((_, h) => (h === 9 ? 15 : 10 + h / 10)))
    assert.deepEqual(hours.map((x) => x.cou), hours.map(() => 3))
    const whole = (Array.from({ length: 24 }, (_, h) => (h === 9 ? 15 : 10 + h / 10)).reduce((a, b) => a + b) / 24)
    const [total] = await analyst.until('the day', async () => { const s = await series('day'); return s.length === 1 && Math.abs(s[0].avg - whole) < 1e-6 && s })
    assert.equal(total.cou, 72)
    const [receivedNow, storedNow] = await ledger()
    assert.deepEqual([receivedNow - received, storedNow - stored], [145, 145], 'the ledger counts every frame')

    await analyst.page.getByRole('link', { name: '数据修订' }).click()
    const trail = analyst.part('tbody tr', `${dayOf(YESTERDAY)} 09:00`).first()
    await trail.waitFor()
    const rows = (await analyst.page.locator('tbody tr').allInnerTexts()).map((x) => x.split('\t').map((c) => c.trim()))
    const nine = rows.find((r) => r[1] === '小时' && r[2] === `${dayOf(YESTERDAY)} 09:00` && r[4] === '均值')
    assert.deepEqual(nine.slice(5, 8), ['12', '15', '补传分钟数据'], 'before, after and why')
    assert.deepEqual(await axe(analyst.page), [])

    await analyst.opens(`/outlets/${day.kiln1.id}`)
    await analyst.clicks('日')
    await analyst.clicks('数据表')
    await analyst.sees(dayOf(YESTERDAY), '.tb tbody tr')
    await officer.part('.queue [role=option]', day.recorder1.mn).first().click()
    await officer.sees('已恢复', 'section.right .head')
  })

  await chapter('the auditor takes the package home and checks it twice, and sees what another rule would have made of these days', async () => {
    const auditor = await comes('auditor', `/alarms/${day.alarm}`)
    await auditor.part('a', '告警封存 · ').first().click()
    await auditor.page.waitForURL(/\/evidence\/\d+$/)
    await auditor.clicks('立即核验')
    await auditor.sees('核验通过')
    assert.deepEqual(await axe(auditor.page), [])
    const pack = await auditor.takes(auditor.page.getByRole('link', { name: '下载' }))
    const home = mkdtempSync(join(tmpdir(), 'lantian-auditor-'))
    try {
      const file = join(home, pack.name)
      const verify = () => [spawnSync(LANTIAN, ['verify', file]), spawnSync('python3', [new URL('../../verify_pack.py', import.meta.url).pathname, file])].map((r) => r.status)
      writeFileSync(file, pack.bytes)
      assert.deepEqual(verify(), [0, 0], 'two programs that share nothing find it whole')
      pack.bytes[pack.bytes.length >> 1] ^= 1
      writeFileSync(file, pack.bytes)
      assert.deepEqual(verify(), [1, 1], 'one bit turned: neither does')
    } finally { rmSync(home, { recursive: true }) }

    const { analyst } = day
    await analyst.opens('/admin/rule')
    await analyst.clicks('小时值超标')
    await analyst.sees('每月豁免小时数', '[role=dialog]') // numbers of a rule are called by what they mean to it
    assert.equal(await analyst.part('[role=dialog] label', '参数').count(), 0)
    await analyst.fills('#f-enter_fix', '1.2')
    await analyst.fills('#f-param1', '0')
    await analyst.clicks('保存', analyst.dialog())
    await analyst.sees('修改规则需先重演', '[role=alert]')
    await analyst.clicks('重演此更改')
    await analyst.page.waitForURL(/\/admin\/replays\/\d+$/)
    await auditor.opens(new URL(analyst.page.url()).pathname)
    const compared = auditor.page.locator('section.panel.head.ok, section.panel.head.no')
    await compared.waitFor({ timeout: 300_000 }) // the present goes before the past: a busy machine judges it late
    assert.match(await compared.innerText(), /规则不变时，结果与当时记录逐位一致/)
    const found = (change, n) => auditor.part('tbody tr', change).filter({ hasText: day.kiln2.name }).filter({ hasText: n }).first().waitFor()
    await found('新增', '97.31')
    await found('减少', '23.18')
    assert.deepEqual(await axe(auditor.page), [])
    const rule = (await analyst.asks('/rule?limit=100')).items.find((r) => r.code === 'hour_exceed')
    assert.equal(rule.enter_fix, 1, 'asked, looked at, not put in force')
    for (const p of [auditor, analyst, day.officer]) await p.leaves()
  })
  for (const line of day.lines ?? []) line.close()
})

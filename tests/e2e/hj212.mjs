// HJ 212 for the tests: frames made here, independently of the C code, and a device that speaks over a real socket.
import { connect } from 'node:net'

/** HJ 212-2017 Appendix A, as printed. */
export function crc16(bytes) {
  let crc = 0xffff
  for (const b of bytes) {
    crc = (crc >> 8) ^ b
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1
  }
  return crc
}
export function frame({ mn, qn, area, cn = 2011, st = 31, flag = 5, pw = '123456' }) {
  const segment = Buffer.from(`QN=${qn};ST=${st};CN=${cn};PW=${pw};MN=${mn};Flag=${flag};CP=&&${area}&&`)
  return `##${String(segment.length).padStart(4, '0')}${segment}${crc16(segment).toString(16).toUpperCase().padStart(4, '0')}\r\n`
}
/** Local time of the city, YYYYMMDDhhmmss[mmm]. */
export function stamp(ms, withMs = false) {
  const z = new Date(ms + 8 * 3600e3).toISOString().replace(/\D/g, '')
  return withMs ? z.slice(0, 17) : z.slice(0, 14)
}
export class Device {
  constructor(address) {
    const [host, port] = [address.slice(0, address.lastIndexOf(':')), Number(address.slice(address.lastIndexOf(':') + 1))]
    this.text = ''
    this.socket = connect(port, host)
    this.socket.on('data', (d) => { this.text += d })
    this.socket.on('error', (e) => { this.gone = e.message })
    this.socket.on('close', () => { this.gone ??= 'the post closed the line' })
  }
  /** Sends a frame and waits for its 9014. */
  async send(f, qn) {
    this.socket.write(f)
    for (let i = 0; i < 1000; i++) {
      if (this.text.includes(`QN=${qn};ST=91;CN=9014`)) return
      if (this.gone) break
      await new Promise((r) => setTimeout(r, 50))
    }
    throw new Error(`no acknowledgement of ${qn} (${this.gone ?? 'in time'}); got ${this.text.slice(0, 200)}`)
  }
  close() { this.socket.destroy() }
}

export const HOUR = 3600e3
/** A recorder at a stack: speaks in its own name, and counts what it said, so that no request number comes twice. */
export class Recorder {
  static said = 0
  constructor(mn, line) { Object.assign(this, { mn, line }) }
  /** One data frame (2011 now, 2051 minutes, 2061 an hour); returns when the post has acknowledged it. */
  async says(cn, at, area, { flag = 5, pw = '123456', heard = true } = {}) {
    const qn = stamp(Date.now() + 7 * Recorder.said++, true)
    const f = frame({ mn: this.mn, qn, area: `DataTime=${stamp(at)};${area}`, cn, flag, pw })
    if (heard) await this.line.send(f, qn)
    else this.line.socket.write(f)
  }
  /** Many frames at once, as a recorder empties its memory; returns when all are acknowledged. */
  async pours(told) { await Promise.all(told.map(([at, avg, cou]) => this.minutes(at, avg, cou))) }
  now(value) { return this.says(2011, Date.now(), `a34013-Rtd=${value},a34013-Flag=N`) }
  /** Ten minutes: mean and mass. */
  minutes(at, avg, cou) { return this.says(2051, at, `a34013-Cou=${cou},a34013-Min=${avg},a34013-Avg=${avg},a34013-Max=${avg},a34013-Flag=N`) }
  hour(at, avg) { return this.says(2061, at, `a34013-Cou=1.2,a34013-Min=${avg},a34013-Avg=${avg},a34013-Max=${avg},a34013-Flag=N`) }
}

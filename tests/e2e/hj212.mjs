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
  }
  /** Sends a frame and waits for its 9014. */
  async send(f, qn) {
    this.socket.write(f)
    for (let i = 0; i < 100; i++) {
      if (this.text.includes(`QN=${qn};ST=91;CN=9014`)) return
      await new Promise((r) => setTimeout(r, 50))
    }
    throw new Error(`no acknowledgement of ${qn}; got ${this.text.slice(0, 200)}`)
  }
  close() { this.socket.destroy() }
}

// Stations as plates with shape and number on one canvas. Where plates would lie on each other the better station keeps its
// plate and the other its shape; micro stations are hollow dots without the categories' colours.
import Layer from 'ol/layer/Layer'
import type { FrameState } from 'ol/Map'
import { apply } from 'ol/transform'
import type { StationNow } from '@/api/air'
import { token } from '@/composables/useTheme'
import { LEVEL_SHAPE } from '@/lib/air'

export interface Placed { station: StationNow; x: number; y: number }
const rank = (s: StationNow) => (s.national ? 0 : s.micro ? 2 : 1)

export class AirLayer extends Layer {
  private placed: Placed[] = []
  private drawn: { station: StationNow; x: number; y: number; w: number; h: number }[] = []
  private readonly canvas = document.createElement('canvas')
  private readonly shapes = LEVEL_SHAPE.map((d) => new Path2D(d))
  selected: number | null = null
  hovered: number | null = null
  micro = true

  constructor() {
    super({ zIndex: 10 })
    Object.assign(this.canvas.style, { position: 'absolute', left: '0', top: '0', pointerEvents: 'none' })
  }
  setStations(placed: Placed[]) {
    this.placed = [...placed].sort((a, b) => rank(a.station) - rank(b.station) || (b.station.aqi ?? -1) - (a.station.aqi ?? -1) || a.station.id - b.station.id)
    this.changed()
  }
  override render(frame: FrameState): HTMLElement {
    const [width = 0, height = 0] = frame.size
    const ratio = frame.pixelRatio
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)]
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w
      this.canvas.height = h
      Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` })
    }
    const ctx = this.canvas.getContext('2d')
    if (!ctx) return this.canvas
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0)
    ctx.clearRect(0, 0, width, height)
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize)
    const size = Math.round(rem * 0.85)
    const colours = { panel: token('--panel'), text: token('--text'), muted: token('--muted'), edge: token('--edge'), light: token('--aqi-edge'), dark: token('--aqi-edge-dark'), fills: [1, 2, 3, 4, 5, 6].map((i) => token(`--aqi-${i}`)) }
    ctx.font = `700 ${size}px ${token('--font')}`
    ctx.textBaseline = 'middle'
    this.drawn = []
    for (const { station, x: mx, y: my } of this.placed) {
      if (station.micro && !this.micro) continue
      const [x = 0, y = 0] = apply(frame.coordinateToPixelTransform, [mx, my])
      if (x < -40 || y < -20 || x > width + 40 || y > height + 20) continue
      const on = station.id === this.selected || station.id === this.hovered
      if (station.micro) this.dot(ctx, station, x, y, on, colours)
      else this.plate(ctx, station, x, y, size, on, colours)
    }
    return this.canvas
  }
  private free(x: number, y: number, w: number, h: number) { return !this.drawn.some((d) => Math.abs(d.x - x) < (d.w + w) / 2 && Math.abs(d.y - y) < (d.h + h) / 2) }
  private dot(ctx: CanvasRenderingContext2D, station: StationNow, x: number, y: number, on: boolean, c: { panel: string; muted: string; text: string }) {
    if (!on && !this.free(x, y, 10, 10)) return
    this.drawn.push({ station, x, y, w: 12, h: 12 })
    ctx.beginPath()
    ctx.arc(x, y, 4, 0, 7)
    ctx.fillStyle = c.panel
    ctx.fill()
    ctx.lineWidth = on ? 2.4 : 1.4
    ctx.setLineDash(on ? [] : [2, 1.6])
    ctx.strokeStyle = on ? c.text : c.muted
    ctx.stroke()
    ctx.setLineDash([])
  }
  private plate(ctx: CanvasRenderingContext2D, station: StationNow, x: number, y: number, size: number, on: boolean, c: { panel: string; text: string; edge: string; muted: string; light: string; dark: string; fills: string[] }) {
    const level = station.level
    const text = station.aqi === null ? '—' : String(station.aqi)
    const icon = size
    const w = icon + ctx.measureText(text).width + 14
    const h = size + 9
    const whole = on || this.free(x, y, w, h)
    const [pw, ph] = whole ? [w, h] : [icon + 4, icon + 4]
    if (!whole && !this.free(x, y, icon * 0.7, icon * 0.7)) { this.drawn.push({ station, x, y, w: 0, h: 0 }); return }
    this.drawn.push({ station, x, y, w: pw, h: ph })
    const left = x - pw / 2
    ctx.globalAlpha = (station.age_h ?? 0) > 2 ? 0.55 : 1
    if (whole) {
      ctx.beginPath()
      ctx.rect(left, y - ph / 2, pw, ph)
      ctx.fillStyle = c.panel
      ctx.fill()
      ctx.lineWidth = on ? 2.6 : station.national ? 1.8 : 1
      ctx.strokeStyle = on ? c.text : station.national ? c.muted : c.edge
      ctx.stroke()
      ctx.fillStyle = c.text
      ctx.fillText(text, left + icon + 9, y + 1)
    }
    ctx.save()
    ctx.translate(whole ? left + 5 : x - icon / 2, y - icon / 2)
    ctx.scale(icon / 16, icon / 16)
    const path = this.shapes[level]!
    if (level > 0) { ctx.fillStyle = c.fills[level - 1]!; ctx.fill(path) }
    ctx.lineWidth = 1.3
    ctx.strokeStyle = level === 0 ? c.muted : level >= 5 ? c.dark : c.light
    ctx.stroke(path)
    ctx.restore()
    ctx.globalAlpha = 1
  }
  /** The station within reach of a pointer, in page pixels. */
  at(x: number, y: number, reach = 10): StationNow | null {
    let best: StationNow | null = null
    let nearest = Infinity
    for (const d of this.drawn) {
      const dx = Math.max(0, Math.abs(d.x - x) - d.w / 2)
      const dy = Math.max(0, Math.abs(d.y - y) - d.h / 2)
      const far = Math.hypot(dx, dy) * 1000 + Math.hypot(d.x - x, d.y - y)
      if (Math.hypot(dx, dy) <= reach && far < nearest) { nearest = far; best = d.station }
    }
    return best
  }
}

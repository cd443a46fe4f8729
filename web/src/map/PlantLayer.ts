// Plants as marks on one canvas of their own: no style object per point, hit tests by a small grid.
import Layer from 'ol/layer/Layer'
import type { FrameState } from 'ol/Map'
import { apply } from 'ol/transform'
import { token } from '@/composables/useTheme'
import { asPlantState, DRAW_ORDER, MARKS } from '@/lib/plantMarks'
import type { Plant, PlantState } from '@/api/types'

export interface PlacedPlant { plant: Plant; x: number; y: number }
const CELL_PX = 24

export class PlantLayer extends Layer {
  private placed: PlacedPlant[] = []
  private readonly canvas = document.createElement('canvas')
  private grid = new Map<string, PlacedPlant[]>()
  private paths = new Map<PlantState, Path2D>()
  scale = 1
  selected: number | null = null
  hovered: number | null = null

  constructor() {
    super({ zIndex: 10 })
    for (const state of DRAW_ORDER) this.paths.set(state, new Path2D(MARKS[state].path))
    this.canvas.style.position = 'absolute'
    this.canvas.style.left = '0'
    this.canvas.style.top = '0'
    this.canvas.style.pointerEvents = 'none'
  }
  setPlants(placed: PlacedPlant[]) {
    this.placed = [...placed].sort((a, b) => DRAW_ORDER.indexOf(asPlantState(a.plant.state)) - DRAW_ORDER.indexOf(asPlantState(b.plant.state)))
    this.changed()
  }
  override render(frame: FrameState): HTMLElement {
    const [width = 0, height = 0] = frame.size
    const ratio = frame.pixelRatio
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio)
      this.canvas.height = Math.round(height * ratio)
      this.canvas.style.width = `${width}px`
      this.canvas.style.height = `${height}px`
    }
    const ctx = this.canvas.getContext('2d')
    if (!ctx) return this.canvas
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0)
    ctx.clearRect(0, 0, width, height)
    this.grid = new Map()
    const halo = token('--panel')
    for (const item of this.placed) {
      const [x = 0, y = 0] = apply(frame.coordinateToPixelTransform, [item.x, item.y])
      if (x < -16 || y < -16 || x > width + 16 || y > height + 16) continue
      this.remember(item, x, y)
      this.mark(ctx, asPlantState(item.plant.state), x, y, item.plant.id, halo)
    }
    return this.canvas
  }
  private mark(ctx: CanvasRenderingContext2D, state: PlantState, x: number, y: number, id: number, halo: string) {
    const mark = MARKS[state]
    const path = this.paths.get(state)!
    const colour = token(mark.token)
    ctx.save()
    ctx.translate(x - 8 * this.scale, y - 8 * this.scale)
    ctx.scale(this.scale, this.scale)
    ctx.lineWidth = 4
    ctx.strokeStyle = halo
    ctx.stroke(path)
    ctx.lineWidth = 1.8
    ctx.strokeStyle = colour
    if (mark.filled) {
      ctx.fillStyle = colour
      ctx.fill(path)
    }
    ctx.stroke(path)
    if (id === this.selected || id === this.hovered) {
      ctx.beginPath()
      ctx.arc(8, 8, 11, 0, 7)
      ctx.lineWidth = 2.2
      ctx.strokeStyle = token('--text')
      ctx.stroke()
    }
    ctx.restore()
  }
  private remember(item: PlacedPlant, x: number, y: number) {
    const key = `${Math.floor(x / CELL_PX)},${Math.floor(y / CELL_PX)}`
    const cell = this.grid.get(key)
    const entry = item as PlacedPlant & { px?: number; py?: number }
    entry.px = x
    entry.py = y
    if (cell) cell.push(entry)
    else this.grid.set(key, [entry])
  }
  /** The topmost plant within reach of a pointer, in page pixels. */
  at(x: number, y: number, reach = 14): Plant | null {
    let best: Plant | null = null
    let nearest = reach * reach
    for (let i = -1; i <= 1; i++) for (let j = -1; j <= 1; j++) {
      for (const item of this.grid.get(`${Math.floor(x / CELL_PX) + i},${Math.floor(y / CELL_PX) + j}`) ?? []) {
        const { px = 0, py = 0 } = item as PlacedPlant & { px?: number; py?: number }
        const d = (px - x) ** 2 + (py - y) ** 2
        if (d <= nearest) { nearest = d; best = item.plant }
      }
    }
    return best
  }
}

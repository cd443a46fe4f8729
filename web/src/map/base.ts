// What every map of the city shares: how it is moved, where it starts, and its county shapes.
import Feature from 'ol/Feature'
import GeoJSON from 'ol/format/GeoJSON'
import type Geometry from 'ol/geom/Geometry'
import DoubleClickZoom from 'ol/interaction/DoubleClickZoom'
import DragPan from 'ol/interaction/DragPan'
import KeyboardPan from 'ol/interaction/KeyboardPan'
import KeyboardZoom from 'ol/interaction/KeyboardZoom'
import MouseWheelZoom from 'ol/interaction/MouseWheelZoom'
import PinchZoom from 'ol/interaction/PinchZoom'
import Kinetic from 'ol/Kinetic'
import { fromLonLat } from 'ol/proj'
import View from 'ol/View'
import type { GeoJson } from '@/api'

/** Named one by one: the library's default set would bring rotation and box zoom along. */
export const cityInteractions = () => [new DragPan({ kinetic: new Kinetic(-0.005, 0.05, 100) }), new PinchZoom(), new MouseWheelZoom(), new DoubleClickZoom(), new KeyboardPan(), new KeyboardZoom()]
export const cityView = () => new View({ center: fromLonLat([112.45, 34.62]), zoom: 8, minZoom: 5, maxZoom: 17, enableRotation: false, constrainResolution: false })
export const readShapes = (shapes: GeoJson) => new GeoJSON({ featureProjection: 'EPSG:3857' }).readFeatures(shapes) as Feature<Geometry>[]
export const codeOf = (f: Feature<Geometry>) => String(f.getId() ?? f.get('adcode') ?? '')
/** Where the county's name stands: its given centre, else the middle of its box. */
export function nameAt(f: Feature<Geometry>): number[] | null {
  const centre = f.get('center') as [number, number] | undefined
  if (centre) return fromLonLat(centre)
  const e = f.getGeometry()?.getExtent()
  return e ? [(e[0]! + e[2]!) / 2, (e[1]! + e[3]!) / 2] : null
}

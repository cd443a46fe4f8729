// What every map of the city shares: how it is moved, where it starts, and its county shapes.
import { createEmpty, isEmpty, type Extent } from 'ol/extent'
import Feature from 'ol/Feature'
import GeoJSON from 'ol/format/GeoJSON'
import type Geometry from 'ol/geom/Geometry'
import Point from 'ol/geom/Point'
import DoubleClickZoom from 'ol/interaction/DoubleClickZoom'
import DragPan from 'ol/interaction/DragPan'
import KeyboardPan from 'ol/interaction/KeyboardPan'
import KeyboardZoom from 'ol/interaction/KeyboardZoom'
import MouseWheelZoom from 'ol/interaction/MouseWheelZoom'
import PinchZoom from 'ol/interaction/PinchZoom'
import Kinetic from 'ol/Kinetic'
import type OlMap from 'ol/Map'
import { fromLonLat } from 'ol/proj'
import VectorSource from 'ol/source/Vector'
import View from 'ol/View'
import type { GeoJson } from '@/api'

/** Named one by one: the library's default set would bring rotation and box zoom along. */
export const cityInteractions = () => [new DragPan({ kinetic: new Kinetic(-0.005, 0.05, 100) }), new PinchZoom(), new MouseWheelZoom(), new DoubleClickZoom(), new KeyboardPan(), new KeyboardZoom()]
export const cityView = () => new View({ center: fromLonLat([112.45, 34.62]), zoom: 8, minZoom: 5, maxZoom: 17, enableRotation: false, constrainResolution: false })
const readShapes = (shapes: GeoJson) => new GeoJSON({ featureProjection: 'EPSG:3857' }).readFeatures(shapes) as Feature<Geometry>[]
export const codeOf = (f: Feature<Geometry>) => String(f.getId() ?? f.get('adcode') ?? '')
/** Where the county's name stands: its given centre, else the middle of its box. */
function nameAt(f: Feature<Geometry>): number[] | null {
  const centre = f.get('center') as [number, number] | undefined
  if (centre) return fromLonLat(centre)
  const e = f.getGeometry()?.getExtent()
  return e ? [(e[0]! + e[2]!) / 2, (e[1]! + e[3]!) / 2] : null
}

/** The counties of a map and their names, and the two ways it is moved by buttons. map() is null until it is mounted. */
export function useCounties(map: () => OlMap | null) {
  const source = new VectorSource<Feature<Geometry>>()
  const names = new VectorSource<Feature<Point>>()
  let whole: Extent = createEmpty()
  function fit(animate = false) {
    const still = !animate || window.matchMedia('(prefers-reduced-motion: reduce)').matches
    if (!isEmpty(whole)) map()?.getView().fit(whole, { padding: [18, 18, 18, 18], duration: still ? 0 : 250 })
  }
  function fill(shapes: GeoJson | null): Feature<Geometry>[] {
    source.clear()
    names.clear()
    if (!shapes) return []
    const features = readShapes(shapes)
    source.addFeatures(features)
    whole = source.getExtent() ?? createEmpty()
    for (const f of features) {
      const at = nameAt(f)
      if (at) names.addFeature(new Feature({ geometry: new Point(at), code: codeOf(f), name: f.get('name') as string, name_en: f.get('name_en') as string }))
    }
    fit()
    return features
  }
  function zoom(by: number) {
    const view = map()?.getView()
    const level = view?.getZoom()
    if (view && level !== undefined) view.animate({ zoom: level + by, duration: 150 })
  }
  return { source, names, fit, fill, zoom }
}

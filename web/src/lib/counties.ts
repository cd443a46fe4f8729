import type { MapData } from '@/api/types'

/** The territories a person compares: those with plants, without the city that contains them all. */
export function countiesOf(data: MapData | null): MapData['territories'] {
  const withPlants = (data?.territories ?? []).filter((c) => c.plants > 0)
  const below = withPlants.filter((c) => c.level !== 'city' && c.level !== 'province')
  return below.length > 0 ? below : withPlants
}

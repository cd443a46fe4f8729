// Place and period of an air page, kept in the address: ?scope=territory:3&p=month&from=2026-11-01&to=2026-11-30
import { computed } from 'vue'
import { useNow } from '@/composables/useNow'
import { useQuery } from '@/composables/useQuery'
import { addDays, periodOf, type Period, type PeriodKind } from '@/lib/air'
import { dayText } from '@/lib/format'

const DAY = /^\d{4}-\d{2}-\d{2}$/
export function usePeriod(standard: PeriodKind) {
  const { text, set } = useQuery()
  const now = useNow()
  const today = computed(() => dayText(now.value))
  const yesterday = computed(() => addDays(today.value, -1))
  const scope = text('scope')
  const [kind, from, to] = [text('p'), text('from'), text('to')]
  const period = computed<Period>({
    get: () => (DAY.test(from.value) && DAY.test(to.value) && from.value <= to.value ? { kind: (kind.value || 'free') as PeriodKind, from: from.value, to: to.value } : periodOf(standard, yesterday.value)),
    set: (p) => set({ p: p.kind, from: p.from, to: p.to }),
  })
  /** The part of the period that has passed: what figures can be of. */
  const known = computed(() => ({ from: period.value.from, to: period.value.to > yesterday.value && period.value.from <= yesterday.value ? yesterday.value : period.value.to }))
  const ready = computed(() => !scope.value || /:\d+$/.test(scope.value))
  return { scope, period, known, today, yesterday, ready, text, set }
}

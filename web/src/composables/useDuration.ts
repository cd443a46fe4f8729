import { useT } from '@/i18n'
import { durationText } from '@/lib/format'

/** Seconds as words in the reader's language: "3 小时 12 分钟". */
export function useDuration() {
  const { t } = useT()
  return (seconds: number) => durationText(seconds, { day: t('unit.day'), hour: t('unit.hour'), minute: t('unit.minute'), second: t('unit.second'), space: ' ' })
}

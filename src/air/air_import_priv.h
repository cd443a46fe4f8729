/* Inside the import: what columns mean, and how cells are read. */
#ifndef LT_AIR_IMPORT_PRIV_H
#define LT_AIR_IMPORT_PRIV_H
#include "air/air_import.h"

enum { /* meanings of columns: the items, then these */
       AIR_M_IGNORE = AIR_ITEMS,
       AIR_M_TIME,
       AIR_M_DATE,
       AIR_M_HOUR,
       AIR_M_STATION, /* code */
       AIR_M_NAME,    /* of the station */
       AIR_M_POLLUTANT,
       AIR_M_VALUE,
       AIR_M_FLAG,
       AIR_M_COUNT
};
/* AIR_M_IGNORE when nothing is known. *ret_co_ug (may be NULL) is set when the title of CO names its unit. */
int air_title_means(struct lt_slice title, int *ret_co_ug);
const char *air_means_name(int means);
bool air_means_find(struct lt_slice s, int *ret);

/* "2026-11-25 08:00", "2026/11/25 8:00", "2026年11月25日8时", "2026112508", ISO 8601 with an offset, hour 24,
 * "/Date(ms)/". *ret_has_hour: false for a mere date. */
bool air_time_parse(struct lt_slice text, int tz_min, bool *ret_has_hour, int64_t *ret_at_ms);
bool air_cell_missing(struct lt_slice s); /* "", "—", "NA", "-999" … */
bool air_flag_valid(struct lt_slice s);
bool air_compass_parse(struct lt_slice s, int64_t *ret_fix); /* "NNE", "东北" to degrees */
/* A value as the device sent it, in the units of its station; false when it is no item or cannot be. */
bool air_feed_value(const char *factor, const char *units, int64_t fix, enum air_item *ret_item, int32_t *ret_value);
#endif

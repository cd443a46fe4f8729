/* What the files of alarm share. */
#ifndef LT_ALARM_PRIV_H
#define LT_ALARM_PRIV_H
#include "alarm/alarm.h"
#include "base/clock.h"

enum alarm_state {
    ALARM_S_NEW,
    ALARM_S_SIGNED,
    ALARM_S_HANDLING,
    ALARM_S_REPORTED,
    ALARM_S_CONFIRMED,
    ALARM_S_CLOSED,
    ALARM_S_SUPPRESSED,
    ALARM_S_COUNT
};

const char *alarm_object_name(enum alarm_object o);
/* Outcome for the event stream, read from the row as it stands. */
enum lt_err alarm_outcome_of(struct sql_db *db, int64_t id, enum alarm_change change, struct alarm_outcome *ret,
                             struct lt_error *err) LT_MUST_CHECK;
/* 0 urgent, 1 important, 2 normal. */
int alarm_severity_rank(struct lt_slice severity);
#endif

/* The rules of the post, once: name in C, code, English, Chinese. From here come enum alarm_rule (alarm/alarm.h) and
 * the choices of every field that names a rule. A new one stands last: results of replays keep the number. */
#ifndef LT_RECORD_RULE_LIST_H
#define LT_RECORD_RULE_LIST_H
#define RULE_LIST(X)                                                                                                   \
    X(HOUR_EXCEED, "hour_exceed", "Hourly exceedance", "小时值超标")                                                   \
    X(DAY_EXCEED, "day_exceed", "Daily exceedance", "日均值超标")                                                      \
    X(SILENCE, "silence", "Device silent", "设备失联")                                                                 \
    X(NO_DATA, "no_data", "No valid data", "无有效数据")                                                               \
    X(CONSTANT, "constant", "Constant value", "数据恒值")                                                              \
    X(OUT_OF_RANGE, "out_of_range", "Out of range", "超量程")                                                          \
    X(IMPOSSIBLE, "impossible", "Impossible value", "数据逻辑异常")                                                    \
    X(FLAG_ABUSE, "flag_abuse", "Flag misuse", "标记异常")                                                             \
    X(CLOCK_DRIFT, "clock_drift", "Clock drift", "时钟偏差")                                                           \
    X(DOUBLE_CONNECTION, "double_connection", "Double connection", "重复连接")                                         \
    X(DISK_FAULT, "disk_fault", "Disk fault", "磁盘故障")                                                              \
    X(ENGINE_BEHIND, "engine_behind", "Evaluation behind", "计算滞后")
#endif

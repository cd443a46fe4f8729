/* /metrics: the counters of all units as Prometheus text. One row of the table is one metric. */
#include "api/api_priv.h"

#include <inttypes.h>

enum type { COUNTER, GAUGE };
struct metric {
    const char *name, *help;
    enum type type;
    uint64_t value;
};

static void write(struct lt_buf *out, const struct metric *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lt_buf_addf(out, "# HELP lantian_%s %s\n# TYPE lantian_%s %s\nlantian_%s %" PRIu64 "\n", m[i].name, m[i].help,
                    m[i].name, m[i].type == COUNTER ? "counter" : "gauge", m[i].name, m[i].value);
}

static void write_taking(struct api *a, struct lt_buf *out)
{
    struct recorder_stats r = {0};
    struct gateway_stats g = {0};
    if (a->deps.recorder)
        recorder_stats(a->deps.recorder, &r);
    if (a->deps.gateway)
        gateway_stats(a->deps.gateway, &g);
    const struct metric m[] = {
        {"gateway_connections", "Device connections open.", GAUGE, g.open},
        {"gateway_accepted_total", "Device connections accepted.", COUNTER, g.accepted},
        {"gateway_refused_total", "Device connections refused by a limit.", COUNTER, g.refused_limit},
        {"gateway_accept_pauses_total", "Times accepting had to rest for want of descriptors or memory.", COUNTER,
         g.accept_pauses},
        {"gateway_frames_total", "Frames received.", COUNTER, g.frames},
        {"gateway_rejected_total", "Frames refused.", COUNTER, g.rejected},
        {"gateway_acks_total", "Acknowledgements sent.", COUNTER, g.acks},
        {"gateway_bytes_in_total", "Bytes received from devices.", COUNTER, g.bytes_in},
        {"gateway_bytes_out_total", "Bytes sent to devices.", COUNTER, g.bytes_out},
        {"recorder_commits_total", "Commits of the journal.", COUNTER, r.commits},
        {"recorder_records_total", "Records committed.", COUNTER, r.records},
        {"recorder_stored_total", "Frames stored.", COUNTER, r.stored},
        {"recorder_duplicates_total", "Frames that were stored before.", COUNTER, r.duplicates},
        {"recorder_rejected_total", "Refused frames kept or counted.", COUNTER, r.rejected},
        {"recorder_commit_microseconds_total", "Time spent in commits.", COUNTER, r.commit_us_total},
        {"recorder_commit_microseconds_max", "Longest commit.", GAUGE, r.commit_us_max},
        {"recorder_failures_total", "Commits that failed.", COUNTER, r.failures},
        {"recorder_queue_blocks", "Blocks waiting for a commit.", GAUGE, r.queue_blocks},
        {"recorder_faulty", "1 while the journal cannot be written.", GAUGE, r.faulty},
    };
    write(out, m, sizeof m / sizeof m[0]);
}

static void write_judging(struct api *a, struct lt_buf *out)
{
    struct engine_stats s = {0};
    if (a->deps.engine)
        engine_stats(a->deps.engine, &s);
    const struct metric m[] = {
        {"engine_seq", "Last journal record applied.", GAUGE, s.seq},
        {"engine_committed_seq", "Effects committed up to here.", GAUGE, s.committed_seq},
        {"engine_lag_milliseconds", "Engine behind the clock.", GAUGE, s.lag_ms > 0 ? (uint64_t)s.lag_ms : 0},
        {"engine_records_total", "Records applied.", COUNTER, s.records},
        {"engine_frames_total", "Frames applied.", COUNTER, s.frames},
        {"engine_bad_items_total", "Items that could not be read.", COUNTER, s.bad_items},
        {"engine_quarantined_total", "Rows too old, too far ahead or more than are kept of a moment.", COUNTER,
         s.quarantined},
        {"engine_hours_closed_total", "Hour values closed.", COUNTER, s.hours_closed},
        {"engine_hours_changed_total", "Hour values changed after they were closed.", COUNTER, s.hours_changed},
        {"engine_alarms_raised_total", "Alarms raised.", COUNTER, s.alarms_raised},
        {"engine_alarms_ended_total", "Alarms ended.", COUNTER, s.alarms_ended},
        {"engine_failures_total", "Commits that failed.", COUNTER, s.failures},
        {"engine_records_per_second", "Records applied in the last second.", GAUGE, s.records_per_s},
        {"devices", "Devices known to the engine.", GAUGE, s.devices},
        {"devices_silent", "Devices that are silent.", GAUGE, s.devices_silent},
        {"devices_pending", "Devices not enrolled.", GAUGE, s.devices_pending},
        {"series_cache_bytes", "Memory of open chunks.", GAUGE,
         a->deps.series ? series_cache_bytes(a->deps.series) : 0},
    };
    write(out, m, sizeof m / sizeof m[0]);
}

void api_metrics(struct api *a, struct lt_buf *out)
{
    struct http_stats h = {0};
    struct bus_stats b = {0};
    http_stats(a->http, &h);
    if (a->deps.bus)
        bus_stats(a->deps.bus, &b);
    const struct metric m[] = {
        {"http_requests_total", "Requests.", COUNTER, h.requests},
        {"http_refused_busy_total", "Requests refused because a queue was full.", COUNTER, h.refused_busy},
        {"http_refused_body_total", "Bodies over the limit of their route.", COUNTER, h.refused_body},
        {"http_cut_slow_total", "Connections cut because they were too slow.", COUNTER, h.cut_slow},
        {"http_connections", "HTTP connections open.", GAUGE, h.conns},
        {"http_work_microseconds_total", "Time spent in handlers.", COUNTER, h.work_us_total},
        {"http_work_microseconds_max", "Longest handler.", GAUGE, h.work_us_max},
        {"http_queue", "Requests waiting for a worker.", GAUGE, h.queued},
        {"http_queue_slow", "Slow requests waiting for a worker.", GAUGE, h.queued_slow},
        {"http_answers_ok_total", "Answers 2xx.", COUNTER, h.by_class[2]},
        {"http_answers_client_error_total", "Answers 4xx.", COUNTER, h.by_class[4]},
        {"http_answers_server_error_total", "Answers 5xx.", COUNTER, h.by_class[5]},
        {"event_streams", "Event streams open.", GAUGE, h.streams},
        {"event_streams_slow_total", "Streams ended because the client was too slow.", COUNTER, h.streams_slow},
        {"events_published_total", "Events published.", COUNTER, b.published},
        {"events_sent_total", "Events sent to clients.", COUNTER, h.events_sent},
    };
    write_taking(a, out);
    write_judging(a, out);
    write(out, m, sizeof m / sizeof m[0]);
}

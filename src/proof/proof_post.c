/* The two threads of the running post: one seals packages as alarms come, one seals days and checks everything on
 * demand. */
#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "engine/engine.h"
#include "proof/proof_gather.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_MS     200   /* for new alarms: a tenth of what a package may take */
#define DAY_LOOK_MS 15000 /* for a day that is over */
#define RETRY_MS    5000  /* after a failure (disk) */
#define TRIES       5     /* then the alarm is passed over and counted: one bad record must not stop the others */

struct finding {
    char code[32], text[2][256];
    uint64_t first, last;
    int day;
};
#define SHOWN 100 /* findings kept for the page */

struct proof {
    struct proof_config cfg;
    char dir[512], city_zh[256], city_en[256];
    struct proof_keys *keys;
    pthread_mutex_t lock;
    pthread_cond_t wake, seal_free; /* one seal at a time */
    pthread_t evidence, days;
    bool evidence_runs, days_runs, stop;
    /* guarded by lock */
    bool check_due, check_runs, checked, is_sealing;
    int check_from, check_to, check_day;
    uint64_t check_records;
    int64_t check_begun_ms, check_ended_ms;
    enum lt_err check_result;
    struct proof_checked check_sum;
    struct finding finding[SHOWN];
    size_t n_findings;
    uint64_t sealed, failures;
    int64_t last_delay_ms;
    char fault[256];
};

struct proof_keys *proof_keys_of(struct proof *p)
{
    return p->keys;
}

const char *proof_dir(const struct proof *p)
{
    return p->dir;
}

static bool stopping(struct proof *p)
{
    pthread_mutex_lock(&p->lock);
    bool s = p->stop;
    pthread_mutex_unlock(&p->lock);
    return s;
}

/* for_check: a check that is due ends it. (The packer must not ask: it would turn round and round while the sealer, who
 * runs checks, is busy with a day.) */
static void rest(struct proof *p, int64_t ms, bool for_check)
{
    const int64_t until_ms = lt_mono_ms() + ms;
    pthread_mutex_lock(&p->lock);
    if (!p->stop && !(for_check && p->check_due))
        lt_cond_wait_until(&p->wake, &p->lock, until_ms);
    pthread_mutex_unlock(&p->lock);
}

static void note_fault(struct proof *p, const char *what, const struct lt_error *err)
{
    char text[512];
    lt_error_text(err, LT_EN, text, sizeof text);
    lt_log(LT_WARN, "proof.failed", "what=%s error=\"%s\"", what, text);
    pthread_mutex_lock(&p->lock);
    p->failures++;
    snprintf(p->fault, sizeof p->fault, "%s: %.200s", what, text);
    pthread_mutex_unlock(&p->lock);
}

static enum lt_err open_db(const struct proof *p, struct sql_db **ret, struct lt_error *err)
{
    char path[PROOF_PATH];
    snprintf(path, sizeof path, "%.900s/state.db", p->dir);
    return sql_open(path, false, ret, err);
}

/* ---- packages ---- */

static struct proof_sources sources(struct proof *p, struct sql_db *db)
{
    return (struct proof_sources){.dir = p->dir,
                                  .tz_min = p->cfg.tz_min,
                                  .db = db,
                                  .series = p->cfg.series,
                                  .engine = p->cfg.engine,
                                  .keys = p->keys,
                                  .city_zh = p->city_zh,
                                  .city_en = p->city_en,
                                  .on_event = p->cfg.on_event,
                                  .user = p->cfg.user};
}

static void pass_over(struct proof *p, struct sql_db *db)
{
    struct lt_error err;
    if (sql_exec(db,
                 "UPDATE proof_cursor SET alarm = coalesce((SELECT min(id) FROM alarm WHERE id > proof_cursor.alarm),"
                 " alarm) WHERE id = 1",
                 &err) != LT_OK)
        note_fault(p, "pass over", &err);
}

static void *evidence_thread(void *arg)
{
    struct proof *p = arg;
    struct sql_db *db = NULL;
    struct lt_error err;
    unsigned fails = 0;
    gather_warm_up();
    while (!stopping(p)) {
        unsigned n = 0;
        enum lt_err e = db ? LT_OK : open_db(p, &db, &err);
        if (e == LT_OK) {
            const struct proof_sources s = sources(p, db);
            e = proof_seal_alarms(&s, lt_wall_ms(), &n, &err);
        }
        pthread_mutex_lock(&p->lock);
        p->sealed += n;
        pthread_mutex_unlock(&p->lock);
        /* a full disk or a busy database is no fault of the alarm: it waits, however long that takes */
        bool elsewhere = e == LT_E_DISK_FULL || e == LT_E_BUSY || e == LT_E_NOMEM;
        fails = e == LT_OK || n ? 0 : elsewhere ? fails : fails + 1;
        if (e != LT_OK)
            note_fault(p, "seal evidence", &err);
        if (fails >= TRIES && db) {
            pass_over(p, db);
            fails = 0;
        }
        if (n < PROOF_BATCH)
            rest(p, e == LT_OK ? LOOK_MS : RETRY_MS, false);
    }
    sql_close(&db);
    return NULL;
}

/* ---- days ---- */

static bool go_on(void *user, uint64_t records)
{
    return !stopping(user);
}

/* One at a time writes in DIR/proof: the sealer or a worker of the API. */
static enum lt_err seal_begin(struct proof *p, struct lt_error *err)
{
    const int64_t until_ms = lt_mono_ms() + PROOF_WAIT_S * INT64_C(1000);
    pthread_mutex_lock(&p->lock);
    while (p->is_sealing && lt_cond_wait_until(&p->seal_free, &p->lock, until_ms)) {
    }
    const bool busy = p->is_sealing; /* who asks stands in a queue of workers with others behind */
    p->is_sealing = true;
    pthread_mutex_unlock(&p->lock);
    return busy ? lt_fail(err, LT_E_BUSY, NULL, "seal", NULL, NULL) : LT_OK;
}

static void seal_end(struct proof *p)
{
    pthread_mutex_lock(&p->lock);
    p->is_sealing = false;
    pthread_cond_broadcast(&p->seal_free);
    pthread_mutex_unlock(&p->lock);
}

static enum lt_err seal(struct proof *p, struct sql_db *db, int64_t now_ms, bool part_now, struct chain_day *ret,
                        struct lt_error *err)
{
    struct engine_stats st = {.committed_seq = UINT64_MAX};
    if (p->cfg.engine)
        engine_stats(p->cfg.engine, &st);
    const struct proof_sealer s = {.dir = p->dir,
                                   .tz_min = p->cfg.tz_min,
                                   .db = db,
                                   .keys = p->keys,
                                   .threads = p->cfg.threads ? p->cfg.threads : 1,
                                   .engine_seq = st.committed_seq,
                                   .go_on = go_on,
                                   .user = p};
    enum lt_err e = seal_begin(p, err);
    if (e == LT_OK) {
        e = proof_seal(&s, now_ms, part_now, ret, err);
        seal_end(p);
    }
    return e;
}

enum lt_err proof_seal_now(struct proof *p, struct sql_db *db, int64_t now_ms, struct chain_day *ret,
                           struct lt_error *err)
{
    for (int i = 0; i < 4000; i++) { /* more days than that are not waited for */
        enum lt_err e = seal(p, db, now_ms, true, ret, err);
        if (e != LT_OK || !ret->final)
            return e;
    }
    return LT_OK;
}

static void seal_due(struct proof *p, struct sql_db *db)
{
    struct chain_day d;
    struct lt_error err;
    enum lt_err e = LT_OK;
    while (e == LT_OK && !stopping(p)) {
        e = seal(p, db, lt_wall_ms(), false, &d, &err);
        if (e == LT_OK)
            lt_log(LT_INFO, "proof.sealed", "n=%llu day=%d records=%llu", (unsigned long long)d.n, d.day,
                   (unsigned long long)d.stream[CHAIN_JOURNAL].count);
    }
    if (e != LT_OK && e != LT_E_NOT_FOUND && e != LT_E_BUSY && e != LT_E_TIMEOUT)
        note_fault(p, "seal day", &err);
}

static void on_found(void *user, const struct proof_finding *f)
{
    struct proof *p = user;
    pthread_mutex_lock(&p->lock);
    if (p->n_findings < SHOWN) {
        struct finding *x = &p->finding[p->n_findings++];
        *x = (struct finding){.first = f->first, .last = f->last, .day = f->day};
        snprintf(x->code, sizeof x->code, "%s", f->code);
        memcpy(x->text, f->text, sizeof x->text);
    }
    pthread_mutex_unlock(&p->lock);
}

static bool on_progress(void *user, int day, uint64_t records)
{
    struct proof *p = user;
    pthread_mutex_lock(&p->lock);
    p->check_day = day;
    p->check_records = records;
    bool stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return !stop;
}

static void run_check(struct proof *p)
{
    struct proof_checked sum;
    struct lt_error err;
    pthread_mutex_lock(&p->lock);
    bool run = p->check_due;
    const struct proof_check c = {.dir = p->dir,
                                  .from_day = p->check_from,
                                  .to_day = p->check_to,
                                  .threads = p->cfg.threads ? p->cfg.threads : 1,
                                  .key = proof_keys_public(p->keys),
                                  .ts_ca = p->cfg.ts_ca,
                                  .found = on_found,
                                  .progress = on_progress,
                                  .user = p};
    p->check_due = false;
    if (run) {
        p->check_runs = true;
        p->n_findings = 0;
        p->check_begun_ms = lt_wall_ms();
        p->check_ended_ms = 0;
    }
    pthread_mutex_unlock(&p->lock);
    if (!run)
        return;
    enum lt_err e = proof_check_data(&c, &sum, &err);
    if (e != LT_OK)
        note_fault(p, "check", &err);
    pthread_mutex_lock(&p->lock);
    p->check_runs = false;
    p->checked = true;
    p->check_result = e;
    p->check_sum = sum;
    p->check_ended_ms = lt_wall_ms();
    pthread_mutex_unlock(&p->lock);
}

static bool on_wait(void *user)
{
    return !stopping(user);
}

/* At most once a minute after a failure: an office that is closed is no reason to hurry. */
static void stamp_due(struct proof *p, int64_t *next_ms)
{
    unsigned n = 0;
    struct lt_error err;
    if (!p->cfg.ts_url || !p->cfg.ts_url[0] || lt_mono_ms() < *next_ms)
        return;
    if (proof_stamp_due(p->dir, p->cfg.ts_url, p->cfg.ts_ca, on_wait, p, &n, &err) != LT_OK) {
        if (!stopping(p))
            note_fault(p, "time stamp", &err);
        *next_ms = lt_mono_ms() + LT_MIN_MS;
    }
}

static void *days_thread(void *arg)
{
    int64_t stamp_ms = 0;
    struct proof *p = arg;
    struct sql_db *db = NULL;
    struct lt_error err;
    /* Receiving comes first: this thread gives way (Linux: niceness is per thread). */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
    if (seal_begin(p, &err) == LT_OK) {
        if (proof_complete(p->dir, &err) != LT_OK)
            note_fault(p, "complete sealed days", &err);
        seal_end(p);
    }
    while (!stopping(p)) {
        if (db || open_db(p, &db, &err) == LT_OK)
            seal_due(p, db);
        stamp_due(p, &stamp_ms);
        run_check(p);
        rest(p, DAY_LOOK_MS, true);
    }
    sql_close(&db);
    return NULL;
}

enum lt_err proof_check_start(struct proof *p, int from_day, int to_day, struct lt_error *err)
{
    pthread_mutex_lock(&p->lock);
    bool busy = p->check_due || p->check_runs;
    if (!busy) {
        p->check_due = true;
        p->check_from = from_day;
        p->check_to = to_day;
        p->check_day = 0;
        p->check_records = 0;
        pthread_cond_broadcast(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return busy ? lt_fail(err, LT_E_BUSY, NULL, "verify", NULL, NULL) : LT_OK;
}

/* ---- start, stop ---- */

enum lt_err proof_start(const struct proof_config *cfg, struct proof **ret, struct lt_error *err)
{
    struct proof *p = calloc(1, sizeof *p);
    if (!p)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    p->cfg = *cfg;
    snprintf(p->dir, sizeof p->dir, "%s", cfg->dir);
    snprintf(p->city_zh, sizeof p->city_zh, "%s", cfg->city_zh ? cfg->city_zh : "");
    snprintf(p->city_en, sizeof p->city_en, "%s", cfg->city_en ? cfg->city_en : "");
    pthread_mutex_init(&p->lock, NULL);
    lt_cond_init(&p->wake);
    lt_cond_init(&p->seal_free);
    enum lt_err e = proof_keys_open(p->dir, cfg->provider, true, &p->keys, err);
    if (e == LT_OK) {
        p->evidence_runs = pthread_create(&p->evidence, NULL, evidence_thread, p) == 0;
        p->days_runs = pthread_create(&p->days, NULL, days_thread, p) == 0;
        if (!p->evidence_runs || !p->days_runs)
            e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    }
    if (e == LT_OK)
        *ret = p;
    else
        proof_stop(&p);
    return e;
}

void proof_stop(struct proof **pp)
{
    struct proof *p = *pp;
    *pp = NULL;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (p->evidence_runs)
        pthread_join(p->evidence, NULL);
    if (p->days_runs)
        pthread_join(p->days, NULL);
    proof_keys_close(&p->keys);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->seal_free);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- words for pages ---- */

static void day_text(struct jsonw *w, const char *key, int day)
{
    char text[16];
    snprintf(text, sizeof text, "%04d-%02d-%02d", day / 10000, day / 100 % 100, day % 100);
    jsonw_kstr(w, key, day ? text : NULL);
}

void proof_check_write(struct proof *p, enum lt_lang lang, int tz_min, struct jsonw *w)
{
    pthread_mutex_lock(&p->lock);
    bool running = p->check_due || p->check_runs, done = p->checked && !running;
    jsonw_object(w);
    jsonw_kbool(w, "running", running);
    day_text(w, "from", p->check_from);
    day_text(w, "to", p->check_to);
    day_text(w, "day", p->check_day);
    jsonw_ku64(w, "records", done ? p->check_sum.records : p->check_records);
    jsonw_ku64(w, "batches", done ? p->check_sum.batches : 0);
    jsonw_ku64(w, "statements", done ? p->check_sum.statements : 0);
    jsonw_ku64(w, "rows", done ? p->check_sum.rows : 0);
    jsonw_ku64(w, "unsealed", done ? p->check_sum.unsealed : 0);
    jsonw_ku64(w, "removed_days", done ? p->check_sum.removed_days : 0);
    jsonw_ktime(w, "started_at", p->check_begun_ms, tz_min);
    jsonw_ktime(w, "ended_at", p->check_ended_ms, tz_min);
    jsonw_kfix(w, "seconds", done ? (p->check_ended_ms - p->check_begun_ms) * 1000 : LT_FIX_NONE);
    if (done)
        jsonw_kbool(w, "ok", p->check_result == LT_OK && p->check_sum.findings == 0);
    else
        jsonw_knull(w, "ok");
    jsonw_ku64(w, "n_findings", done ? p->check_sum.findings : p->n_findings);
    jsonw_key(w, "findings");
    jsonw_array(w);
    for (size_t i = 0; i < p->n_findings; i++) {
        const struct finding *f = &p->finding[i];
        jsonw_object(w);
        jsonw_kstr(w, "what", f->code);
        day_text(w, "where", f->day);
        jsonw_ku64(w, "first", f->first);
        jsonw_ku64(w, "last", f->last);
        jsonw_kstr(w, "text", f->text[lang]);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_object_end(w);
    pthread_mutex_unlock(&p->lock);
}

static int64_t number(struct sql_db *db, const char *text)
{
    int64_t v = 0;
    return sql_get_i64(db, text, NULL, &v, NULL) == LT_OK ? v : 0;
}

static size_t unsealed_days(const char *dir, const struct chain_day *last)
{
    int *days = malloc(JOURNAL_DAYS_MAX * sizeof *days);
    size_t n = days ? journal_days(dir, days, JOURNAL_DAYS_MAX) : 0, unsealed = 0;
    for (size_t i = 0; i < n; i++)
        unsealed += !last || days[i] > last->day || (days[i] == last->day && !last->final);
    free(days);
    return unsealed;
}

void proof_state_write(struct proof *p, struct sql_db *db, int tz_min, struct jsonw *w)
{
    struct proof_day last;
    bool known = proof_day_last(p->dir, &last, NULL) == LT_OK;
    size_t unsealed = unsealed_days(p->dir, known ? &last.d : NULL);
    jsonw_object(w);
    jsonw_kstr(w, "key", proof_keys_public(p->keys)->id);
    if (known)
        jsonw_ku64(w, "last_n", last.n);
    else
        jsonw_knull(w, "last_n");
    day_text(w, "last_day", known ? last.d.day : 0);
    jsonw_ktime(w, "last_sealed_at", known ? last.d.sealed_at_ms : 0, tz_min);
    jsonw_ku64(w, "unsealed_days", unsealed);
    pthread_mutex_lock(&p->lock);
    jsonw_kbool(w, "sealing", p->is_sealing);
    jsonw_kstr(w, "fault", p->fault[0] ? p->fault : NULL);
    uint64_t failures = p->failures;
    pthread_mutex_unlock(&p->lock);
    jsonw_key(w, "evidence");
    jsonw_object(w);
    jsonw_ki64(w, "count", number(db, "SELECT count(*) FROM evidence WHERE deleted = 0"));
    jsonw_ki64(w, "bytes",
               number(db, "SELECT coalesce(sum(size), 0) FROM evidence WHERE state = 'sealed' AND deleted = 0"));
    jsonw_ki64(w, "waiting",
               number(db,
                      "SELECT count(*) FROM alarm WHERE object_kind <> 'post' AND deleted = 0 AND id > coalesce((SELECT"
                      " alarm FROM proof_cursor WHERE id = 1), 9223372036854775807)"));
    jsonw_ki64(
        w, "last_delay_ms",
        number(db, "SELECT sealed_at_ms - alarm_at_ms FROM evidence WHERE type = 'alarm' ORDER BY id DESC LIMIT 1"));
    jsonw_ku64(w, "failures", failures);
    jsonw_object_end(w);
    jsonw_ki64(w, "holds", number(db, "SELECT count(*) FROM legal_hold WHERE deleted = 0"));
    jsonw_object_end(w);
}

void proof_verdict_write(const struct proof_verdict *v, enum lt_lang lang, struct jsonw *w)
{
    jsonw_kbool(w, "ok", v->ok);
    jsonw_key(w, "checks");
    jsonw_array(w);
    for (size_t i = 0; i < v->n; i++) {
        jsonw_object(w);
        jsonw_kstr(w, "check", v->check[i].code);
        if (v->check[i].done)
            jsonw_kbool(w, "ok", v->check[i].ok);
        else
            jsonw_knull(w, "ok");
        jsonw_kstr(w, "text", v->check[i].text[lang]);
        jsonw_object_end(w);
    }
    jsonw_array_end(w);
    jsonw_key(w, "first_bad");
    if (!v->placed) {
        jsonw_null(w);
        return;
    }
    jsonw_object(w);
    jsonw_ku64(w, "offset", v->at);
    jsonw_kstr(w, "entry", v->entry[0] ? v->entry : NULL);
    jsonw_ku64(w, "entry_offset", v->entry_at);
    jsonw_key(w, "is");
    if (v->is >= 0)
        jsonw_i64(w, v->is);
    else
        jsonw_null(w);
    jsonw_key(w, "was");
    if (v->was >= 0)
        jsonw_i64(w, v->was);
    else
        jsonw_null(w);
    jsonw_kbool(w, "exact", v->exact);
    jsonw_object_end(w);
}

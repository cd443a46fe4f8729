/* Replays of a small city: identical under the same rules whatever happened (late data, restarts, changes of rules on
 * the way), exact about what a change gains and loses, and not blind: what is altered in the record is found. */
#include "engine/engine_test_util.h"

#include "base/text.h"
#include "replay/replay_job.h"

#define DEVICES 5
#define DAYS    3

struct town {
    struct world w;
    int64_t outlet[DEVICES], device[DEVICES], limit[DEVICES];
    char mn[DEVICES][24];
    char scratch[140];
};

static void change_at(struct world *w, const char *kind, int64_t id, int64_t at_ms, const struct record_set *set,
                      size_t n)
{
    struct auth_ctx who = auth_system("test");
    struct record_ctx x = {.db = w->db, .who = &who, .now_ms = at_ms, .tz_min = LT_TZ_CHINA};
    assert_int_equal(record_change(&x, record_kind_find(lt_slice_of(kind)), id, 0, "update", set, n, NULL), LT_OK);
}

static void town_make(struct town *t)
{
    *t = (struct town){.w = {.checkpoint_s = 600}};
    world_make(&t->w);
    for (unsigned d = 0; d < DEVICES; d++) {
        char code[16];
        snprintf(code, sizeof code, "DA1%02u", d);
        snprintf(t->mn[d], sizeof t->mn[d], "77778880%06u", d);
        t->outlet[d] = ADD(&t->w, "outlet", RECORD_SET_Z("code", code), RECORD_SET_Z("name", code),
                           RECORD_SET_I("enterprise", t->w.enterprise), RECORD_SET_I("convert", 0),
                           RECORD_SET_I("substitution", d == 1));
        t->device[d] = ADD(&t->w, "device", RECORD_SET_Z("mn", t->mn[d]), RECORD_SET_I("outlet", t->outlet[d]),
                           RECORD_SET_Z("status", "active"), RECORD_SET_I("rtd_interval_s", 600),
                           RECORD_SET_I("min_interval_min", 10));
        t->limit[d] =
            ADD(&t->w, "factor_limit", RECORD_SET_I("outlet", t->outlet[d]), RECORD_SET_Z("factor", "a21026"),
                RECORD_SET_Z("period", "hour"), RECORD_SET_Z("basis", "measured"),
                RECORD_SET_I("limit_value", 35 * LT_FIX_ONE), RECORD_SET_I("valid_from", T0 - 365 * LT_DAY_MS));
    }
    snprintf(t->scratch, sizeof t->scratch, "%s/scratch", t->w.dir);
    world_engine(&t->w);
}

static struct replay *replay(struct town *t, int day_from, int day_to, const struct replay_change *change)
{
    struct replay_config rc = {.dir = t->w.dir,
                               .scratch = t->scratch,
                               .tz_min = LT_TZ_CHINA,
                               .day_from = day_from,
                               .day_to = day_to,
                               .change = change,
                               .cache_bytes = (size_t)64 << 20};
    struct replay *r = NULL;
    struct lt_error err = {0};
    if (replay_run(&rc, &r, &err) != LT_OK) {
        char text[400];
        lt_error_text(&err, LT_EN, text, sizeof text);
        fail_msg("replay_run: %s", text);
    }
    assert_int_equal(access(t->scratch, F_OK), -1);
    return r;
}

static void tell_first(struct town *t, const struct replay *r)
{
    struct lt_buf out = LT_BUF_INIT(1 << 20);
    struct jsonw w;
    for (size_t i = 0; i < replay_diffs(r) && i < 5; i++) {
        lt_buf_clear(&out);
        jsonw_init(&w, &out);
        jsonw_object(&w);
        replay_diff_json(replay_diff_at(r, i), t->w.db, LT_TZ_CHINA, LT_EN, &w);
        jsonw_object_end(&w);
        print_message("%.*s\n", (int)out.n, out.p);
    }
    lt_buf_fini(&out);
}

static void minute_row(struct town *t, unsigned d, int64_t at_ms, int64_t data_ms, unsigned value, char mark)
{
    char items[200];
    snprintf(items, sizeof items, "a21026-Avg=%u.%u,a21026-Flag=%c;a00000-Avg=%u,a00000-Flag=N", value / 10, value % 10,
             mark, 90 + value % 7);
    frame(&t->w, at_ms, t->mn[d], 2051, data_ms, items);
}

/* What the engine has not yet seen; sometimes it dies first, without a checkpoint, and starts anew. */
static void catch_up(struct town *t, struct lt_rand *r)
{
    if (lt_rand_below(r, 3) == 0) {
        engine_close(&t->w.e);
        series_forget(t->w.s, INT64_MAX); /* what was not flushed is gone */
        series_close(&t->w.s);
        world_engine(&t->w);
    }
    run(&t->w, UINT32_MAX);
}

struct held {
    int64_t at_ms, data_ms;
    unsigned d, value;
};

/* A device's ten minutes: in time, or held back for hours or a day, or lost. */
static void ten_minutes(struct town *t, struct lt_rand *r, unsigned d, int64_t at, struct held *held, size_t *n_held)
{
    unsigned hour = (unsigned)((at - T0) / LT_HOUR_MS), value = 200 + (hour * 37 + d * 53) % 260;
    uint64_t luck = lt_rand_below(r, 40);
    if (d == 2 && hour >= 20 && hour < 26)
        return; /* silent */
    if (d == 3 && hour >= 30 && hour < 40)
        value = 333; /* frozen */
    else
        value += (unsigned)lt_rand_below(r, 10);
    if (luck < 3 && *n_held < 400)
        held[(*n_held)++] = (struct held){at + (luck ? 3 : 27) * LT_HOUR_MS, at - 10 * LT_MIN_MS, d, value + 300};
    else if (luck > 3)
        minute_row(t, d, at + 500 + d, at - 10 * LT_MIN_MS, value, luck == 20 ? 'M' : luck == 21 ? 'D' : 'N');
    if (luck == 30)
        put(&t->w, JOURNAL_REJECT, at + 700, t->mn[d], "##", 2, HJ212_E_CRC);
    if (luck == 31)
        put(&t->w, JOURNAL_DUPLICATE, at + 700, t->mn[d], "", 0, 0);
}

/* The engine of a running post is milliseconds behind: it has judged all before the change, and takes it at once. */
static bool change_rules_on_the_way(struct town *t, int64_t at)
{
    unsigned minute = (unsigned)((at - T0) / LT_MIN_MS);
    struct record_set more[] = {RECORD_SET_I("enter_fix", 1200000)},
                      lower[] = {RECORD_SET_I("limit_value", 25 * LT_FIX_ONE)},
                      back[] = {RECORD_SET_NULL("enter_fix"), RECORD_SET_Z("severity", "urgent")};
    if (minute != 1500 && minute != 2200 && minute != 3000)
        return false;
    run(&t->w, UINT32_MAX);
    if (minute == 1500) /* the second day, 01:00 */
        change_at(&t->w, "rule", rule_id(&t->w, "hour_exceed"), at - 10, more, 1);
    else if (minute == 2200)
        change_at(&t->w, "factor_limit", t->limit[0], at - 10, lower, 1);
    else
        change_at(&t->w, "rule", rule_id(&t->w, "hour_exceed"), at - 10, back, 2);
    put(&t->w, JOURNAL_CONFIG, at, "", "", 0, 0);
    return true;
}

static void live_three_days(struct town *t, uint64_t seed, bool changes)
{
    struct lt_rand r;
    struct held held[400];
    size_t n_held = 0;
    lt_rand_init(&r, seed);
    for (int64_t at = T0; at < T0 + DAYS * LT_DAY_MS + 2 * LT_HOUR_MS; at += LT_MIN_MS) {
        unsigned minute = (unsigned)((at - T0) / LT_MIN_MS);
        if (minute >= 2000 && minute < 2100)
            continue; /* the post is down */
        tick(&t->w, at);
        tick(&t->w, at + 30000);
        bool changed = changes && change_rules_on_the_way(t, at);
        for (unsigned d = 0; minute % 10 == 1 && d < DEVICES; d++)
            ten_minutes(t, &r, d, at - LT_MIN_MS, held, &n_held);
        for (size_t i = 0; i < n_held;) {
            if (held[i].at_ms <= at) {
                minute_row(t, held[i].d, at + 800, held[i].data_ms, held[i].value, 'N');
                held[i] = held[--n_held];
            } else {
                i++;
            }
        }
        if (minute == 900)
            frame(&t->w, at + 900, "STRANGER01", 2011, at, "a21026-Rtd=1");
        commit(&t->w, at + 40000);
        if (changed)
            run(&t->w, UINT32_MAX);
        else if (minute % 97 == 0)
            catch_up(t, &r);
    }
    run(&t->w, UINT32_MAX);
    assert_int_equal(engine_checkpoint(t->w.e, NULL), LT_OK);
}

/* The limit of the first outlet was lowered on the second day, for hours long closed too. They stay as they were
 * judged, by what was known; a replay by the limits of today says which of them are above it. */
static void a_late_limit_is_shown(struct town *t)
{
    const struct replay_change today = {.item = {{.limit_id = ENGINE_LIMITS_TODAY, .given = ENGINE_C_TODAY}}, .n = 1};
    struct replay *r = replay(t, 20261129, 20261201, &today);
    const struct replay_result *s = replay_result(r);
    assert_int_equal(s->differences, 0);
    assert_true(s->gained > 5);
    for (size_t i = 0; i < replay_diffs(r); i++) {
        const struct replay_diff *d = replay_diff_at(r, i);
        assert_true(d->outlet == t->outlet[0]);
        if (d->what == REPLAY_ALARM && d->how == REPLAY_GAINED)
            assert_true(d->period_ms < T0 + 2200 * LT_MIN_MS && d->after.limit == 25 * LT_FIX_ONE);
    }
    replay_free(&r);
}

static void same_rules_same_result(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct town t;
        town_make(&t);
        live_three_days(&t, seed, seed > 1);
        struct replay *r = replay(&t, 20261129, 20261201, NULL);
        const struct replay_result *s = replay_result(r);
        if (s->differences) {
            tell_first(&t, r);
            fail_msg("seed %u: %u differences", (unsigned)seed, (unsigned)s->differences);
        }
        assert_true(s->exact);
        assert_true(s->alarms > 20 && s->verdicts >= s->alarms);
        assert_true(s->hours > 300 && s->days >= 2 * DEVICES);
        assert_true(ask(&t.w, "SELECT count(*) FROM value_version") > 0);
        assert_true(ask(&t.w, "SELECT count(DISTINCT rule) FROM alarm") >= 4);
        if (seed > 1)
            assert_int_equal(ask(&t.w, "SELECT count(DISTINCT rule_version) FROM alarm WHERE rule = 'hour_exceed'"), 3);
        uint64_t hours = s->hours;
        replay_free(&r);
        if (seed == 2)
            a_late_limit_is_shown(&t);
        /* a day in the middle: warmed up by what went before */
        r = replay(&t, 20261130, 20261130, NULL);
        assert_int_equal(replay_result(r)->differences, 0);
        assert_true(replay_result(r)->alarms > 5 && replay_result(r)->hours < hours);
        replay_free(&r);
        world_end(&t.w);
    }
}

static unsigned count_diffs(const struct replay *r, enum replay_what what, enum replay_how how)
{
    unsigned n = 0;
    for (size_t i = 0; i < replay_diffs(r); i++)
        n += replay_diff_at(r, i)->what == what && replay_diff_at(r, i)->how == how;
    return n;
}

static void what_was_altered_is_found(void **state)
{
    struct town t;
    town_make(&t);
    live_three_days(&t, 7, false);
    assert_int_equal(sql_exec(t.w.db,
                              "UPDATE verdict SET inputs = replace(inputs, '{', '{ ') WHERE id = (SELECT min(id) FROM "
                              "verdict WHERE rule = 'hour_exceed');"
                              "UPDATE alarm SET deleted = 1 WHERE id = (SELECT max(id) FROM alarm WHERE rule = "
                              "'hour_exceed' AND created_at_ms < 1796050000000);"
                              "UPDATE alarm SET limit_value = limit_value + 1 WHERE id = (SELECT min(id) FROM alarm "
                              "WHERE rule = 'hour_exceed');",
                              NULL),
                     LT_OK);
    struct series_cell cell = {series_column(t.w.s, LT_LIT("a21026"), HJ212_F_AVG), 12345678};
    struct series_row row = {.at_ms = T0 + 5 * LT_HOUR_MS, .n = 1, .cells = &cell};
    assert_int_equal(series_replace(t.w.s, (uint32_t)t.device[4], SERIES_HOUR, &row, NULL, NULL), LT_OK);
    series_committed(t.w.s);
    assert_int_equal(series_flush(t.w.s, NULL), LT_OK);
    struct replay *r = replay(&t, 20261129, 20261201, NULL);
    assert_int_equal(count_diffs(r, REPLAY_VERDICT, REPLAY_DIFFERS), 1);
    assert_int_equal(count_diffs(r, REPLAY_ALARM, REPLAY_GAINED), 1); /* found by the replay, not on record */
    assert_int_equal(count_diffs(r, REPLAY_ALARM, REPLAY_DIFFERS), 1);
    assert_true(count_diffs(r, REPLAY_HOUR, REPLAY_DIFFERS) == 1 && count_diffs(r, REPLAY_HOUR, REPLAY_GAINED) > 3);
    assert_true(replay_result(r)->differences == replay_result(r)->n_diff);
    replay_free(&r);
    world_end(&t.w);
}

/* ---- a changed threshold ---- */

#define HOURS 20

/* Hour h of device 0 is 30 + h mg/m3 all through, the limit 35: above from h = 6 on. */
static void stairs(struct town *t)
{
    for (int64_t at = T0; at < T0 + (HOURS + 1) * LT_HOUR_MS; at += LT_MIN_MS) {
        unsigned minute = (unsigned)((at - T0) / LT_MIN_MS), hour = minute / 60;
        tick(&t->w, at);
        if (minute % 10 == 0 && hour < HOURS)
            minute_row(t, 0, at + 500, at, (30 + hour) * 10, 'N');
        commit(&t->w, at + 1000);
    }
    run(&t->w, UINT32_MAX);
    assert_int_equal(engine_checkpoint(t->w.e, NULL), LT_OK);
}

static void parse(struct town *t, const char *json, struct replay_change *ret)
{
    json_t *root = NULL;
    struct lt_error err = {0};
    assert_int_equal(jsonr_parse(lt_slice_of(json), 100000, &root, NULL), LT_OK);
    if (replay_change_parse(t->w.db, root, LT_TZ_CHINA, ret, &err) != LT_OK)
        fail_msg("%s: %s", json, lt_err_name(err.code));
    json_decref(root);
}

static void a_threshold_gains_and_loses_exactly(void **state)
{
    static struct replay_change c;
    struct town t;
    town_make(&t);
    stairs(&t);
    assert_int_equal(ask(&t.w, "SELECT count(*) FROM alarm WHERE rule = 'hour_exceed'"), HOURS - 6);
    parse(&t, "[{\"code\":\"hour_exceed\",\"enter_fix\":\"1.2\"}]", &c); /* above 42: from h = 13 on */
    struct replay *r = replay(&t, 20261129, 20261129, &c);
    const struct replay_result *s = replay_result(r);
    assert_int_equal(s->differences, 0);
    assert_true(s->changed && s->gained == 0 && s->lost == 7);
    assert_int_equal(s->diff_hours, 7);
    assert_true(s->diff_plants == 1 && s->diff_counties == 1);
    assert_int_equal(count_diffs(r, REPLAY_ALARM, REPLAY_LOST), 7);
    for (size_t i = 0; i < replay_diffs(r); i++) {
        const struct replay_diff *d = replay_diff_at(r, i);
        int64_t h = (d->period_ms - T0) / LT_HOUR_MS;
        if (d->how == REPLAY_LOST)
            assert_true(h >= 6 && h <= 12 && d->before.value == (30 + h) * LT_FIX_ONE && !d->after.there);
    }
    replay_free(&r);
    parse(&t, "[{\"code\":\"hour_exceed\",\"enter_fix\":0.9}]", &c); /* above 31.5: from h = 2 on */
    r = replay(&t, 20261129, 20261129, &c);
    assert_true(replay_result(r)->gained == 4 && replay_result(r)->lost == 0);
    replay_free(&r);
    char limit[100];
    snprintf(limit, sizeof limit, "[{\"limit\":%lld,\"limit_value\":45}]", (long long)t.limit[0]);
    parse(&t, limit, &c); /* from h = 16 on; and those that stay show another limit */
    r = replay(&t, 20261129, 20261129, &c);
    assert_true(replay_result(r)->lost == 10 && replay_result(r)->gained == 0 && replay_result(r)->moved == 4);
    replay_free(&r);
    parse(&t, "[{\"code\":\"hour_exceed\",\"enabled\":false}]", &c);
    r = replay(&t, 20261129, 20261129, &c);
    assert_int_equal(replay_result(r)->lost, HOURS - 6);
    replay_free(&r);
    world_end(&t.w);
}

/* ---- changes as data ---- */

static void text_of(const struct replay_change *c, char ret[600])
{
    struct lt_buf b = LT_BUF_INIT(10000);
    struct jsonw w;
    jsonw_init(&w, &b);
    replay_change_json(c, LT_TZ_CHINA, &w);
    assert_true(jsonw_ok(&w) && b.n < 600);
    lt_text_copy_slice(ret, 600, lt_buf_slice(&b));
    lt_buf_fini(&b);
}

static enum lt_err parse_fails(struct town *t, const char *json)
{
    static struct replay_change c;
    json_t *root = NULL;
    struct lt_error err;
    assert_int_equal(jsonr_parse(lt_slice_of(json), 100000, &root, NULL), LT_OK);
    enum lt_err e = replay_change_parse(t->w.db, root, LT_TZ_CHINA, &c, &err);
    json_decref(root);
    return e;
}

static void equal_changes_have_equal_texts(void **state)
{
    static struct replay_change a, b;
    struct town t;
    char x[600], y[600];
    town_make(&t);
    parse(&t,
          "[{\"code\":\"silence\",\"enter_fix\":3},{\"code\":\"hour_exceed\",\"leave_fix\":\"0.90\",\"enabled\":true}]",
          &a);
    parse(&t,
          "[{\"leave_fix\":0.9,\"code\":\"hour_exceed\"},{\"param2\":null,\"enter_fix\":\"3.0\",\"code\":\"silence\"}]",
          &b);
    text_of(&a, x);
    text_of(&b, y);
    assert_string_equal(x, y);
    assert_string_equal(x, "[{\"code\":\"hour_exceed\",\"leave_fix\":0.9},{\"code\":\"silence\",\"enter_fix\":3}]");
    struct lt_error err;
    assert_int_equal(replay_change_csv(t.w.db, LT_LIT("code,leave_fix,enter_fix\nsilence,,3\nhour_exceed,0.9,\n"),
                                       LT_TZ_CHINA, &b, &err),
                     LT_OK);
    text_of(&b, y);
    assert_string_equal(x, y);
    assert_int_equal(parse_fails(&t, "[{\"code\":\"nonsense\"}]"), LT_E_FIELD_CHOICE);
    assert_int_equal(parse_fails(&t, "[{\"code\":\"silence\",\"severity\":\"urgent\"}]"), LT_E_FIELD_UNKNOWN);
    assert_int_equal(parse_fails(&t, "[{\"code\":\"silence\",\"enter_fix\":\"many\"}]"), LT_E_FIELD_TYPE);
    assert_int_equal(parse_fails(&t, "[{\"code\":\"silence\",\"min_valid_share\":2}]"), LT_E_FIELD_RANGE);
    assert_int_equal(parse_fails(&t, "[{\"limit\":99999,\"limit_value\":2}]"), LT_E_REF_MISSING);
    assert_int_equal(parse_fails(&t, "[{\"code\":\"silence\",\"enter_fix\":3},{\"code\":\"silence\",\"leave_fix\":1}]"),
                     LT_E_DUPLICATE);
    assert_int_equal(parse_fails(&t, "{\"code\":\"silence\"}"), LT_E_FIELD_TYPE);
    assert_int_equal(parse_fails(&t, "[{\"limits\":\"tomorrow\"}]"), LT_E_FIELD_TYPE);
    assert_int_equal(parse_fails(&t, "[{\"limits\":\"today\"},{\"limits\":\"today\"}]"), LT_E_DUPLICATE);
    parse(&t, "[{\"code\":\"silence\",\"enter_fix\":3},{\"limits\":\"today\"}]", &b);
    text_of(&b, y);
    assert_string_equal(y, "[{\"limits\":\"today\"},{\"code\":\"silence\",\"enter_fix\":3}]");
    /* a change made to the records is read back as the same change */
    struct replay_rules before, after;
    assert_int_equal(replay_rules_now(t.w.db, &before, NULL), LT_OK);
    struct record_set s[] = {RECORD_SET_I("enter_fix", 3 * LT_FIX_ONE)}, h[] = {RECORD_SET_I("leave_fix", 900000)};
    change_at(&t.w, "rule", rule_id(&t.w, "silence"), T0, s, 1);
    change_at(&t.w, "rule", rule_id(&t.w, "hour_exceed"), T0, h, 1);
    assert_int_equal(replay_rules_now(t.w.db, &after, NULL), LT_OK);
    replay_rules_change(&before, &after, &b);
    text_of(&b, y);
    assert_string_equal(x, y);
    world_end(&t.w);
}

/* ---- end of a run ---- */

static bool no_further(void *user, const struct replay_progress *p)
{
    (void)p;
    return ++*(unsigned *)user < 1;
}

static void a_run_can_be_ended(void **state)
{
    struct town t;
    struct lt_error err;
    struct replay *r = NULL;
    unsigned told = 0;
    town_make(&t);
    stairs(&t);
    struct replay_config rc = {.dir = t.w.dir,
                               .scratch = t.scratch,
                               .tz_min = LT_TZ_CHINA,
                               .day_from = 20261129,
                               .day_to = 20261129,
                               .progress = no_further,
                               .user = &told};
    assert_int_equal(replay_run(&rc, &r, &err), LT_E_TIMEOUT);
    assert_null(r);
    assert_int_equal(told, 1);
    assert_int_equal(access(t.scratch, F_OK), -1);
    rc.day_from = rc.day_to = 20251129; /* long before the journal begins */
    assert_int_equal(replay_run(&rc, &r, &err), LT_E_NOT_FOUND);
    rc.day_to = 20251101;
    assert_int_equal(replay_run(&rc, &r, &err), LT_E_FIELD_RANGE);
    world_end(&t.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_rules_same_result),
        cmocka_unit_test(what_was_altered_is_found),
        cmocka_unit_test(a_threshold_gains_and_loses_exactly),
        cmocka_unit_test(equal_changes_have_equal_texts),
        cmocka_unit_test(a_run_can_be_ended),
    };
    const char *only = getenv("REPLAY_TEST"); /* one test by name */
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The store: the rule between deliveries, versions, undo, review by two. */
#include "air/air_priv.h"
#include "base/rand.h"
#include "flow/flow.h"
#include "record/record_testing.h"

#define HOUR0 (T0 - 8 * LT_HOUR_MS) /* 2026-11-25 00:00 +08:00 */

struct world {
    struct city *c;
    int64_t station[2], user[2];
};

static struct world world_make(void)
{
    struct world w = {.c = city_make(":memory:")};
    struct lt_error err;
    assert_int_equal(air_setup(w.c->db, &err), LT_OK);
    assert_int_equal(air_setup(w.c->db, &err), LT_OK); /* again is nothing */
    int64_t role = INSERT(w.c, "role", RECORD_SET_Z("code", "r"), RECORD_SET_Z("name", "r"));
    for (int i = 0; i < 2; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d", i);
        w.station[i] = INSERT(w.c, "station", RECORD_SET_Z("code", name), RECORD_SET_Z("name", name),
                              RECORD_SET_Z("type", "county"), RECORD_SET_I("territory", w.c->county[i]));
        snprintf(name, sizeof name, "user%d", i);
        w.user[i] = INSERT(w.c, "user", RECORD_SET_Z("login", name), RECORD_SET_Z("name", name),
                           RECORD_SET_I("role", role), RECORD_SET_I("territory", w.c->root));
    }
    return w;
}

static struct air_row row_at(int64_t station, int64_t at_ms)
{
    struct air_row r = {.station = station, .at_ms = at_ms};
    for (int i = 0; i < AIR_ITEMS; i++)
        r.value[i] = AIR_NONE;
    return r;
}

static struct air_batch_info info_of(enum air_source s)
{
    return (struct air_batch_info){.source = s, .author = "t", .reason = "test", .now_ms = T0, .tz_min = 480};
}

static struct air_put_result put(struct world *w, enum air_source s, const struct air_row *rows, size_t n)
{
    struct air_batch_info info = info_of(s);
    struct air_put_result res;
    struct lt_error err;
    assert_int_equal(air_put(w->c->db, &info, rows, n, &res, &err), LT_OK);
    return res;
}

static struct air_put_result put_one(struct world *w, enum air_source s, int hour, enum air_item item, int32_t v)
{
    struct air_row r = row_at(w->station[0], HOUR0 + hour * LT_HOUR_MS);
    r.value[item] = v;
    return put(w, s, &r, 1);
}

static bool keep(void *user, int32_t day, const struct air_block *b)
{
    *(struct air_block *)user = *b;
    return true;
}

static struct air_block block(struct world *w, int64_t version)
{
    struct air_block b;
    struct lt_error err;
    int32_t day = air_day_of(HOUR0, 480);
    air_block_init(&b);
    assert_int_equal(air_blocks(w->c->db, w->station[0], day, day, version, keep, &b, &err), LT_OK);
    return b;
}

static int64_t version_of(struct world *w)
{
    int64_t v;
    struct lt_error err;
    assert_int_equal(air_version(w->c->db, &v, &err), LT_OK);
    return v;
}

static bool same_figures(const struct air_block *a, const struct air_block *b)
{
    return memcmp(a->value, b->value, sizeof a->value) == 0 && memcmp(a->state, b->state, sizeof a->state) == 0;
}

/* ---- blobs ---- */

static void a_block_keeps_everything(void **state)
{
    struct lt_rand r;
    uint8_t blob[AIR_BLOB_MAX];
    size_t most = 0;
    lt_rand_init(&r, 7);
    for (int n = 0; n < 3000; n++) {
        struct air_block b, c;
        air_block_init(&b);
        int64_t step = n % 3 == 0 ? 1 : n % 3 == 1 ? 100 : 10000;
        for (int h = 0; h < 24; h++) {
            b.arrived[h] = (uint32_t)lt_rand_below(&r, n % 5 ? 3 : UINT32_MAX);
            for (int i = 0; i < AIR_ITEMS; i++) {
                enum air_item item = (enum air_item)i;
                if (lt_rand_below(&r, 5) == 0)
                    continue;
                uint64_t range = (uint64_t)(air_item_most(item) - air_item_least(item)) + 1;
                b.value[h][i] = (int32_t)((air_item_least(item) + (int64_t)lt_rand_below(&r, range)) / step * step);
                b.state[h][i] = (uint8_t)lt_rand_below(&r, n % 4 ? 2 : 8);
                b.source[h][i] = (uint8_t)lt_rand_below(&r, n % 7 ? 2 : AIR_SOURCES);
            }
        }
        size_t size = air_block_encode(&b, blob);
        most = size > most ? size : most;
        assert_true(air_block_decode((struct lt_slice){(const char *)blob, size}, &c));
        assert_memory_equal(&b, &c, sizeof b);
        for (size_t cut = 0; cut < size; cut += 1 + size / 9) /* a cut blob is never taken for a whole one */
            assert_false(air_block_decode((struct lt_slice){(const char *)blob, cut}, &c));
        blob[lt_rand_below(&r, size)] ^= (uint8_t)(1 + lt_rand_below(&r, 255));
        air_block_decode((struct lt_slice){(const char *)blob, size}, &c); /* must only not crash */
    }
    assert_true(most < AIR_BLOB_MAX);
}

/* ---- the rule ---- */

static void deliveries_follow_the_rule(void **state)
{
    struct world w = world_make();
    struct air_put_result r = put_one(&w, AIR_SRC_PUSH, 3, AIR_PM25, 350000);
    assert_int_equal(r.first, 1);
    assert_int_equal(r.version, 1);
    r = put_one(&w, AIR_SRC_PUSH, 3, AIR_PM25, 350000); /* again: nothing */
    assert_int_equal(r.version, 0);
    assert_int_equal(r.equal, 1);
    r = put_one(&w, AIR_SRC_PUSH, 3, AIR_PM10, 500000); /* an item that was missing */
    assert_int_equal(r.filled, 1);
    r = put_one(&w, AIR_SRC_PUSH, 3, AIR_PM25, 360000); /* the later of equal rank */
    assert_int_equal(r.replaced, 1);
    assert_int_equal(block(&w, 0).value[3][AIR_PM25], 360000);
    r = put_one(&w, AIR_SRC_DEVICE, 3, AIR_PM25, 990000); /* lesser rank */
    assert_int_equal(r.refused_rank, 1);
    int64_t v = version_of(&w);
    r = put_one(&w, AIR_SRC_DEVICE, 3, AIR_PM25, 990000); /* the same refusal is kept once */
    assert_int_equal(r.refused_rank, 1);
    assert_int_equal(version_of(&w), v);
    r = put_one(&w, AIR_SRC_NATIONAL, 3, AIR_PM25, 340000);
    assert_int_equal(r.replaced, 1);
    struct air_block b = block(&w, 0);
    assert_int_equal(b.value[3][AIR_PM25], 340000);
    assert_int_equal(b.source[3][AIR_PM25], AIR_SRC_NATIONAL);
    assert_int_equal(b.value[3][AIR_PM10], 500000);
    assert_int_equal(b.value[3][AIR_O3], AIR_NONE);
    /* as of each version */
    assert_int_equal(block(&w, 1).value[3][AIR_PM25], 350000);
    assert_int_equal(block(&w, 1).value[3][AIR_PM10], AIR_NONE);
    assert_int_equal(block(&w, 2).value[3][AIR_PM10], 500000);
    assert_int_equal(block(&w, 3).value[3][AIR_PM25], 360000);
    city_free(w.c);
}

/* Sources of different rank: any order, with repetitions, gives the same values. */
static void order_and_duplication_change_nothing(void **state)
{
    static const enum air_source sources[] = {AIR_SRC_DEVICE, AIR_SRC_PUSH, AIR_SRC_FILE, AIR_SRC_NATIONAL};
    struct lt_rand r;
    lt_rand_init(&r, 11);
    for (int round = 0; round < 12; round++) {
        struct air_row rows[4][24];
        for (int s = 0; s < 4; s++)
            for (int h = 0; h < 24; h++) {
                rows[s][h] = row_at(0, HOUR0 + h * LT_HOUR_MS);
                for (int i = 0; i < AIR_ITEMS; i++)
                    if (lt_rand_below(&r, 3))
                        rows[s][h].value[i] = (int32_t)(10000 * lt_rand_below(&r, 4) % 6000); /* often equal */
                rows[s][h].invalid = lt_rand_below(&r, 6) ? 0 : (uint16_t)lt_rand_below(&r, 4096);
            }
        struct air_block first = {0};
        for (int way = 0; way < 4; way++) {
            struct world w = world_make();
            for (int n = 0; n < 200; n++) { /* all single rows in some order, many twice, then what is left */
                int s = (int)lt_rand_below(&r, 4), h = (int)lt_rand_below(&r, 24);
                struct air_row one = rows[s][h];
                one.station = w.station[0];
                put(&w, sources[s], &one, 1);
            }
            for (int k = 0; k < 4; k++) {
                int s = (k + way) % 4;
                for (int h = 0; h < 24; h++)
                    rows[s][h].station = w.station[0];
                put(&w, sources[s], rows[s], 24);
            }
            struct air_block b = block(&w, 0);
            if (way == 0)
                first = b;
            else
                assert_true(same_figures(&b, &first));
            city_free(w.c);
        }
    }
}

static void a_wrong_minute_is_refused_whole(void **state)
{
    struct world w = world_make();
    struct air_row rows[2] = {row_at(w.station[0], HOUR0), row_at(w.station[0], HOUR0 + LT_HOUR_MS + 1)};
    struct air_batch_info info = info_of(AIR_SRC_FILE);
    struct air_put_result res;
    struct lt_error err;
    rows[0].value[AIR_O3] = rows[1].value[AIR_O3] = 10000;
    assert_int_equal(air_put(w.c->db, &info, rows, 2, &res, &err), LT_E_BAD_INPUT);
    assert_int_equal(version_of(&w), 0);
    assert_int_equal(block(&w, 0).arrived[0], 0);
    city_free(w.c);
}

static void undo_brings_back_an_older_version(void **state)
{
    struct world w = world_make();
    struct lt_rand r;
    struct lt_error err;
    struct air_put_result res;
    struct air_block at[41];
    lt_rand_init(&r, 3);
    air_block_init(&at[0]);
    for (int n = 1; n <= 40; n++) {
        int64_t before = version_of(&w);
        do
            put_one(&w, AIR_SRC_PUSH, (int)lt_rand_below(&r, 6), (enum air_item)lt_rand_below(&r, 3),
                    (int32_t)lt_rand_below(&r, 5) * 10000);
        while (version_of(&w) == before);
        at[n] = block(&w, 0);
    }
    for (int n = 1; n <= 40; n++) {
        struct air_block b = block(&w, n);
        assert_true(same_figures(&b, &at[n]));
    }
    static const int to[] = {17, 3, 40, 0, 25};
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        assert_int_equal(air_undo(&w.c->x, 0, to[i], "wrong file", &res, &err), LT_OK);
        struct air_block b = block(&w, 0);
        assert_true(same_figures(&b, &at[to[i]]));
        for (int n = 1; n <= 40; n++) { /* history stays what it was */
            b = block(&w, n);
            assert_true(same_figures(&b, &at[n]));
        }
    }
    int64_t undone = 0; /* each changed something and says so in the audit with its reason */
    assert_int_equal(sql_get_i64(w.c->db,
                                 "SELECT count(*) FROM audit WHERE action = 'undo' AND detail LIKE '%wrong file%'",
                                 NULL, &undone, &err),
                     LT_OK);
    assert_int_equal(undone, 5);
    city_free(w.c);
}

/* ---- telling ---- */

struct heard {
    int64_t last;
    int n;
    bool order;
    int32_t from, to;
    size_t stations;
};

static void on_change(void *user, const struct air_changed *c)
{
    struct heard *h = user;
    h->order = h->order && c->version > h->last;
    h->last = c->version;
    h->from = c->from;
    h->to = c->to;
    h->stations = c->n;
    h->n++;
}

static void every_version_is_told_once(void **state)
{
    struct world w = world_make();
    struct lt_error err;
    struct air *a = NULL;
    struct heard h = {.order = true};
    put_one(&w, AIR_SRC_PUSH, 1, AIR_SO2, 10000); /* before opening: not told */
    assert_int_equal(air_open(w.c->db, 480, &a, &err), LT_OK);
    for (int i = 0; i < AIR_LISTENERS; i++)
        assert_true(air_listen(a, on_change, &h) == (i < AIR_LISTENERS));
    assert_false(air_listen(a, on_change, &h));
    air_close(&a);
    assert_int_equal(air_open(w.c->db, 480, &a, &err), LT_OK);
    assert_true(air_listen(a, on_change, &h));
    struct air_row rows[2] = {row_at(w.station[0], HOUR0), row_at(w.station[1], HOUR0 - 3 * LT_DAY_MS)};
    rows[0].value[AIR_CO] = rows[1].value[AIR_CO] = 900000;
    put(&w, AIR_SRC_FILE, rows, 2);
    put(&w, AIR_SRC_FILE, rows, 2); /* equal: no version */
    put_one(&w, AIR_SRC_PUSH, 2, AIR_SO2, 10000);
    assert_int_equal(air_poll(a, w.c->db, &err), LT_OK);
    assert_int_equal(air_poll(a, w.c->db, &err), LT_OK);
    assert_int_equal(h.n, 2);
    assert_true(h.order);
    assert_int_equal(h.stations, 1);
    rows[0].value[AIR_CO] = rows[1].value[AIR_CO] = 800000;
    put(&w, AIR_SRC_FILE, rows, 2);
    assert_int_equal(air_poll(a, w.c->db, &err), LT_OK);
    assert_int_equal(h.stations, 2);
    assert_int_equal(h.to - h.from, 3);
    air_close(&a);
    city_free(w.c);
}

/* ---- cells ---- */

static void invalid_and_dust_are_masked(void **state)
{
    struct air_block b;
    struct airq_cell c;
    unsigned reviewed, taken;
    air_block_init(&b);
    for (int h = 0; h < 24; h++) {
        b.arrived[h] = 1;
        b.value[h][AIR_PM10] = 1000000;
        b.value[h][AIR_SO2] = 50000;
    }
    b.state[4][AIR_PM10] = AIR_INVALID;
    b.state[5][AIR_SO2] = AIR_REVIEWED | AIR_CORRECTED;
    air_block_cell(&b, &c, &reviewed, &taken);
    assert_int_equal(c.n[AIRQ_PM10], 23);
    assert_int_equal(c.n[AIRQ_SO2], 24);
    assert_int_equal(taken, 47);
    assert_int_equal(reviewed, 1);
    air_block_cell_dust(&b, 0x3f, &c, &reviewed, &taken);
    assert_int_equal(c.n[AIRQ_PM10], 18);
    assert_int_equal(c.n[AIRQ_SO2], 24);
}

/* ---- review ---- */

static struct auth_ctx user(struct world *w, int i)
{
    struct auth_ctx who = person(i ? "user1" : "user0",
                                 "air_review:read,air_review:propose,air_review:approve,station:read", w->c->root, 0);
    who.user_id = w->user[i];
    return who;
}

static enum lt_err propose(struct world *w, int i, const char *action, const char *value, int64_t *id,
                           struct lt_error *err)
{
    char text[400];
    struct auth_ctx who = user(w, i);
    struct record_ctx x = as(w->c, &who);
    snprintf(text, sizeof text,
             "{\"station\":%lld,\"items\":[\"PM25\",\"O3\"],\"from\":\"2026-11-25T02:00:00+08:00\","
             "\"to\":\"2026-11-25T05:00:00+08:00\",\"action\":\"%s\"%s%s,\"reason\":\"calibration gas\"}",
             (long long)w->station[0], action, value[0] ? ",\"value\":" : "", value);
    json_t *body = NULL;
    assert_int_equal(jsonr_object(lt_slice_of(text), 4096, &body, err), LT_OK);
    enum lt_err e = air_review_propose(&x, body, id, err);
    json_decref(body);
    return e;
}

static enum lt_err move(struct world *w, int i, int64_t id, const char *name, struct lt_error *err)
{
    struct auth_ctx who = user(w, i);
    struct record_ctx x = as(w->c, &who);
    json_t *body = json_pack("{s:s}", "note", "n");
    int64_t version;
    enum lt_err e = air_review_move(&x, id, lt_slice_of(name), body, &version, err);
    json_decref(body);
    return e;
}

static void put_day(struct world *w)
{
    struct air_row rows[24];
    for (int h = 0; h < 24; h++) {
        rows[h] = row_at(w->station[0], HOUR0 + h * LT_HOUR_MS);
        rows[h].value[AIR_PM25] = (20 + h) * 10000;
        rows[h].value[AIR_O3] = (60 + h) * 10000;
        rows[h].invalid = h == 3 ? 1u << AIR_O3 : 0;
    }
    put(w, AIR_SRC_DEVICE, rows, 24);
}

static void offers(struct world *w, int i, int64_t id, const char *want)
{
    struct auth_ctx who = user(w, i);
    struct record_ctx x = as(w->c, &who);
    struct record_row row;
    struct lt_error err;
    struct lt_buf b = LT_BUF_INIT(4096);
    struct jsonw jw;
    assert_int_equal(record_load(&x, record_kind_find(LT_LIT("air_review")), id, &row, &err), LT_OK);
    jsonw_init(&jw, &b);
    jsonw_object(&jw);
    air_review_extra(&x, &row, &jw);
    jsonw_object_end(&jw);
    assert_true(jsonw_ok(&jw));
    record_row_fini(&row);
    lt_buf_addc(&b, '\0');
    assert_string_equal(b.p, want);
    lt_buf_fini(&b);
}

static void two_persons_review(void **state)
{
    struct world w = world_make();
    struct lt_error err;
    int64_t id, other;
    assert_null(flow_check(&air_review_flow));
    put_day(&w);
    struct air_block before = block(&w, 0);
    assert_int_equal(propose(&w, 0, "correct", "", &id, &err), LT_E_FIELD_REQUIRED);
    assert_int_equal(propose(&w, 0, "correct", "20000", &id, &err), LT_E_FIELD_RANGE);
    assert_int_equal(propose(&w, 0, "improve", "", &id, &err), LT_E_FIELD_CHOICE);
    assert_int_equal(propose(&w, 0, "correct", "12.5", &id, &err), LT_OK);
    struct air_block b = block(&w, 0);
    assert_true(same_figures(&before, &b));          /* a proposal changes nothing */
    offers(&w, 0, id, "{\"moves\":[\"withdraw\"]}"); /* nobody is offered what he may not do */
    offers(&w, 1, id, "{\"moves\":[\"approve\",\"reject\"]}");
    assert_int_equal(move(&w, 0, id, "approve", &err), LT_E_DENIED);
    assert_int_equal(move(&w, 1, id, "withdraw", &err), LT_E_DENIED);
    assert_int_equal(move(&w, 1, id, "approve", &err), LT_OK);
    assert_int_equal(move(&w, 1, id, "approve", &err), LT_E_FLOW_MOVE);
    b = block(&w, 0);
    assert_int_equal(b.value[2][AIR_PM25], 125000);
    assert_int_equal(b.state[4][AIR_O3], AIR_REVIEWED | AIR_CORRECTED);
    assert_int_equal(b.value[5][AIR_PM25], before.value[5][AIR_PM25]);
    /* what arrives now is not taken, whoever brings it; what was there when people looked is no news */
    struct air_put_result r = put_one(&w, AIR_SRC_NATIONAL, 2, AIR_PM25, 770000);
    assert_int_equal(r.refused_reviewed, 1);
    r = put_one(&w, AIR_SRC_DEVICE, 2, AIR_PM25, before.value[2][AIR_PM25]);
    assert_int_equal(r.equal, 1);
    assert_int_equal(r.version, 0);
    assert_int_equal(block(&w, 0).value[2][AIR_PM25], 125000);
    /* nor does one person undo it */
    assert_int_equal(air_undo(&w.c->x, 0, 1, "", &r, &err), LT_OK);
    assert_int_equal(r.replaced, 0);
    assert_int_equal(block(&w, 0).value[2][AIR_PM25], 125000);
    /* reversal restores every figure */
    assert_int_equal(move(&w, 0, id, "reverse", &err), LT_E_DENIED);
    assert_int_equal(propose(&w, 0, "invalidate", "", &other, &err), LT_OK);
    assert_int_equal(move(&w, 1, other, "approve", &err), LT_OK);
    assert_int_equal(move(&w, 1, id, "reverse", &err), LT_E_STALE); /* the later one first */
    assert_int_equal(move(&w, 1, other, "reverse", &err), LT_OK);
    assert_int_equal(move(&w, 1, id, "reverse", &err), LT_OK);
    b = block(&w, 0);
    assert_memory_equal(b.value, before.value, sizeof b.value);
    assert_memory_equal(b.state, before.state, sizeof b.state);
    assert_memory_equal(b.source, before.source, sizeof b.source);
    city_free(w.c);
}

static void each_action_does_what_it_says(void **state)
{
    struct world w = world_make();
    struct lt_error err;
    int64_t id;
    put_day(&w);
    struct air_block before = block(&w, 0);
    assert_int_equal(propose(&w, 0, "confirm", "", &id, &err), LT_OK);
    assert_int_equal(move(&w, 1, id, "approve", &err), LT_OK);
    struct air_block b = block(&w, 0);
    assert_int_equal(b.state[2][AIR_PM25], AIR_REVIEWED);
    assert_int_equal(b.state[3][AIR_O3], AIR_REVIEWED | AIR_INVALID); /* confirmed as it is */
    assert_memory_equal(b.value, before.value, sizeof b.value);
    assert_int_equal(propose(&w, 0, "confirm", "", &id, &err), LT_OK);
    assert_int_equal(move(&w, 1, id, "approve", &err), LT_E_BAD_INPUT); /* nothing left to confirm */
    assert_int_equal(move(&w, 0, id, "withdraw", &err), LT_OK);
    assert_int_equal(propose(&w, 0, "correct", "33", &id, &err), LT_OK);
    assert_int_equal(move(&w, 1, id, "approve", &err), LT_OK);
    assert_int_equal(propose(&w, 1, "restore", "", &id, &err), LT_OK);
    assert_int_equal(move(&w, 0, id, "approve", &err), LT_OK);
    b = block(&w, 0);
    assert_memory_equal(b.value, before.value, sizeof b.value);
    assert_int_equal(b.state[2][AIR_PM25], AIR_REVIEWED);
    assert_int_equal(b.state[3][AIR_O3], AIR_REVIEWED | AIR_INVALID);
    assert_int_equal(propose(&w, 1, "correct", "9", &id, &err), LT_OK);
    assert_int_equal(move(&w, 0, id, "reject", &err), LT_OK);
    assert_int_equal(move(&w, 0, id, "approve", &err), LT_E_FLOW_MOVE);
    city_free(w.c);
}

/* Blocks count slots from 1970 local time; an offset ahead of ours names hours before that. */
static void hours_before_the_first_day_are_refused(void **state)
{
    struct world w = world_make();
    struct lt_error err;
    struct auth_ctx who = user(&w, 0);
    struct record_ctx x = as(w.c, &who);
    int64_t id;
    json_t *body = json_pack("{s:I, s:[s], s:s, s:s, s:s, s:f, s:s}", "station", (json_int_t)w.station[0], "items",
                             "PM25", "from", "1970-01-01T00:00:00+14:00", "to", "1970-01-01T01:00:00+14:00", "action",
                             "correct", "value", 12.5, "reason", "r");
    assert_int_equal(air_review_propose(&x, body, &id, &err), LT_E_FIELD_RANGE);
    json_object_set_new(body, "from", json_string("1970-01-01T00:00:00+08:00"));
    json_object_set_new(body, "to", json_string("1970-01-01T01:00:00+08:00"));
    assert_int_equal(air_review_propose(&x, body, &id, &err), LT_OK);
    json_t *items = json_array();
    for (int i = 0; i < AIR_ITEMS; i++)
        json_array_append_new(items, json_string("PM25"));
    json_array_append_new(items, json_string("nonsense")); /* the thirteenth is not left out unseen */
    json_object_set_new(body, "items", items);
    assert_int_equal(air_review_propose(&x, body, &id, &err), LT_E_FIELD_RANGE);
    json_decref(body);
    city_free(w.c);
}

struct seen {
    unsigned n, refused;
    struct air_change last;
};

static bool on_trail(void *user, const struct air_change *c)
{
    struct seen *s = user;
    s->n++;
    s->refused += c->refused != AIR_TAKEN;
    if (s->n == 1)
        s->last = *c;
    return true;
}

static void the_trail_tells_both_values(void **state)
{
    struct world w = world_make();
    struct lt_error err;
    int64_t id;
    put_day(&w);
    assert_int_equal(propose(&w, 0, "correct", "12.5", &id, &err), LT_OK);
    assert_int_equal(move(&w, 1, id, "approve", &err), LT_OK);
    put_one(&w, AIR_SRC_FILE, 3, AIR_PM25, 440000);
    struct air_trail q = {.tz_min = 480,
                          .station = w.station[0],
                          .from_ms = HOUR0 + 3 * LT_HOUR_MS,
                          .to_ms = HOUR0 + 4 * LT_HOUR_MS,
                          .refused = -1,
                          .most = 100};
    struct seen s = {0};
    assert_int_equal(air_trail(w.c->db, &q, on_trail, &s, &err), LT_OK);
    assert_int_equal(s.n, 3); /* two corrected values and the refusal */
    assert_int_equal(s.refused, 1);
    assert_int_equal(s.last.refused, AIR_REFUSED_REVIEWED);
    assert_int_equal(s.last.new_value, 440000);
    q.refused = 0;
    s = (struct seen){0};
    assert_int_equal(air_trail(w.c->db, &q, on_trail, &s, &err), LT_OK);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.last.author, "user1");
    assert_string_equal(s.last.reason, "calibration gas");
    assert_int_equal(s.last.review, id);
    assert_int_equal(s.last.at_ms, HOUR0 + 3 * LT_HOUR_MS);
    q.station = 0;
    q.refused = 1;
    s = (struct seen){0};
    assert_int_equal(air_trail(w.c->db, &q, on_trail, &s, &err), LT_OK);
    assert_int_equal(s.n, 1);
    city_free(w.c);
}

static void events_name_hours(void **state)
{
    struct world w = world_make();
    struct lt_error err;
    struct air_event *ev;
    size_t n;
    INSERT(w.c, "air_event", RECORD_SET_I("territory", w.c->root), RECORD_SET_I("day_from", HOUR0),
           RECORD_SET_I("day_to", HOUR0 + LT_DAY_MS), RECORD_SET_Z("hours", "6-8, 20"),
           RECORD_SET_Z("decided_by", "x"));
    INSERT(w.c, "air_event", RECORD_SET_I("territory", w.c->county[0]), RECORD_SET_I("day_from", HOUR0 - LT_DAY_MS),
           RECORD_SET_I("day_to", HOUR0 - LT_DAY_MS), RECORD_SET_Z("decided_by", "x"), RECORD_SET_I("strip_pm", 0));
    int32_t day = air_day_of(HOUR0, 480);
    assert_int_equal(air_events(w.c->db, 480, day, day, &ev, &n, &err), LT_OK);
    assert_int_equal(n, 1);
    assert_int_equal(ev[0].hours, 7u << 6 | 1u << 20);
    assert_true(ev[0].strip_pm);
    assert_int_equal(ev[0].to, day + 1);
    free(ev);
    assert_int_equal(air_events(w.c->db, 480, day - 5, day + 5, &ev, &n, &err), LT_OK);
    assert_int_equal(n, 2);
    assert_int_equal(ev[0].hours, 0xffffff);
    assert_string_equal(ev[0].type, "sand_dust");
    free(ev);
    city_free(w.c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_keeps_everything),
        cmocka_unit_test(deliveries_follow_the_rule),
        cmocka_unit_test(order_and_duplication_change_nothing),
        cmocka_unit_test(a_wrong_minute_is_refused_whole),
        cmocka_unit_test(undo_brings_back_an_older_version),
        cmocka_unit_test(every_version_is_told_once),
        cmocka_unit_test(invalid_and_dust_are_masked),
        cmocka_unit_test(two_persons_review),
        cmocka_unit_test(each_action_does_what_it_says),
        cmocka_unit_test(hours_before_the_first_day_are_refused),
        cmocka_unit_test(the_trail_tells_both_values),
        cmocka_unit_test(events_name_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

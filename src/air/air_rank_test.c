/* Ranks, ties and what it takes to pass, by hand; the table out of the store and of figures of other cities. */
#include "air/air_rank.h"
#include "air/air_testing.h"

#define F(x) ((int64_t)((x)*1000000 + 0.5))

static struct air_rank_scheme scheme(const char *keys, bool dense)
{
    struct lt_error err = {0};
    struct air_rank_scheme s;
    struct record_row row = {.kind = kind_of("rank_scheme")};
    for (size_t i = 0; i < row.kind->n; i++)
        row.v[i].null = true;
    for (size_t i = 0; i < row.kind->n; i++) {
        const char *text = strcmp(row.kind->fields[i].name, "keys") == 0     ? keys
                           : strcmp(row.kind->fields[i].name, "tie") == 0    ? (dense ? "dense" : "same")
                           : strcmp(row.kind->fields[i].name, "member") == 0 ? "county"
                                                                             : "";
        row.v[i] = (struct record_value){.s = lt_slice_of(text), .null = !text[0]};
    }
    assert_int_equal(air_rank_scheme_of_row(&row, &s, &err), LT_OK);
    return s;
}

static void fill(const struct air_rank_scheme *s, struct air_rank_item *x, const char *name, double composite,
                 double pm25, int good, int valid)
{
    memset(x, 0, sizeof *x);
    snprintf(x->name, sizeof x->name, "%s", name);
    x->now.composite = F(composite);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        x->now.value[p] = LT_FIX_NONE;
    x->now.value[AIRQ_PM25] = F(pm25);
    x->now.days_good = good;
    x->now.days_valid = valid;
    x->now.good_share = airq_share_pct(good, valid);
    for (size_t k = 0; k < s->n_keys; k++)
        x->key[k] = air_rank_key(s->key[k].by, &x->now, &x->now);
}

static void equal_shares_the_rank(void **state)
{
    for (int dense = 0; dense < 2; dense++) {
        struct air_rank_scheme s = scheme("composite", dense);
        struct air_rank_item x[4];
        fill(&s, &x[0], "a", 4.10, 40, 20, 30);
        fill(&s, &x[1], "b", 3.90, 41, 21, 30);
        fill(&s, &x[2], "c", 3.50, 38, 25, 30);
        fill(&s, &x[3], "d", 3.90, 39, 22, 30);
        air_rank_order(&s, airq_standard_find(LT_LIT("2026t")), x, 4);
        assert_string_equal(x[0].name, "c");
        assert_int_equal(x[0].rank, 1);
        assert_int_equal(x[1].rank, 2);
        assert_int_equal(x[2].rank, 2);
        assert_true(x[1].tied && x[2].tied && !x[0].tied && !x[3].tied);
        assert_int_equal(x[3].rank, dense ? 3 : 4);
        assert_int_equal(x[0].next, -1);
        assert_int_equal(x[2].next, 0); /* the tied one looks to the better group */
        assert_int_equal(x[3].gap, F(0.20));
        assert_int_equal(x[3].pm25_lower, F(6.3)); /* (0.20 + 0.01) x 30 */
    }
}

/* One city's rule: share of good days, then PM2.5, then the rank is shared. */
static void good_days_then_pm25(void **state)
{
    struct air_rank_scheme s = scheme("-good_share,pm25", false);
    struct air_rank_item x[4];
    fill(&s, &x[0], "a", 4, 40, 20, 30);
    fill(&s, &x[1], "b", 4, 38, 20, 30);
    fill(&s, &x[2], "c", 4, 50, 25, 30);
    fill(&s, &x[3], "d", 4, 38, 20, 30);
    air_rank_order(&s, airq_standard_find(LT_LIT("2026t")), x, 4);
    assert_string_equal(x[0].name, "c");
    assert_int_equal(x[1].rank, 2);
    assert_int_equal(x[2].rank, 2);
    assert_string_equal(x[3].name, "a");
    assert_int_equal(x[3].rank, 4);
    assert_int_equal(x[3].next_key, 1);
    assert_int_equal(x[3].pm25_lower, F(2.1));
    assert_int_equal(x[1].good_days_more, 6); /* 26 of 30 are more than 25 of 30 */
}

/* A gap that is more than all one's PM2.5. */
static void no_more_pm25_than_there_is(void **state)
{
    struct air_rank_scheme s = scheme("composite", false);
    struct air_rank_item x[2];
    fill(&s, &x[0], "a", 3, 20, 20, 30);
    fill(&s, &x[1], "b", 4, 20, 20, 30);
    air_rank_order(&s, airq_standard_find(LT_LIT("2026t")), x, 2);
    assert_int_equal(x[1].gap, F(1));
    assert_int_equal(x[1].pm25_lower, LT_FIX_NONE); /* 1.01 x 30 */
}

static void unknown_is_not_ranked(void **state)
{
    struct air_rank_scheme s = scheme("composite", false);
    struct air_rank_item x[2];
    fill(&s, &x[0], "a", 4, 40, 20, 30);
    fill(&s, &x[1], "b", 3, 40, 20, 30);
    x[0].key[0] = LT_FIX_NONE;
    air_rank_order(&s, airq_standard_find(LT_LIT("2026t")), x, 2);
    assert_string_equal(x[1].name, "a");
    assert_int_equal(x[1].rank, 0);
    assert_int_equal(x[0].rank, 1);
}

static int64_t peer(struct made *m, const char *city, int32_t from, int32_t to, double composite)
{
    return INSERT(m->c, "peer_figure", RECORD_SET_Z("peer_group", "fenwei"), RECORD_SET_Z("city", city),
                  RECORD_SET_I("from_day", air_day_start(from, LT_TZ_CHINA)),
                  RECORD_SET_I("to_day", air_day_start(to, LT_TZ_CHINA)), RECORD_SET_I("composite", F(composite)),
                  RECORD_SET_I("invented", 1));
}

static void own_city_among_its_peers(void **state)
{
    const int32_t a = air_day(2025, 2, 1), b = air_day(2025, 2, 28), c = air_day(2025, 1, 1), d = air_day(2025, 1, 31);
    struct made *m = made_open(3, c, b);
    struct air_rank_scheme s = scheme("composite", false);
    struct air_look l;
    struct air_rank r;
    struct lt_error err = {0};
    snprintf(s.member, sizeof s.member, "peer");
    snprintf(s.group, sizeof s.group, "fenwei");
    peer(m, "甲市", a, b, 0.5);
    peer(m, "乙市", a, b, 90);
    peer(m, "甲市", c, d, 90);
    peer(m, "乙市", c, d, 0.5);
    peer(m, "甲市", air_day(2024, 2, 1), air_day(2024, 2, 29), 1); /* the end of a month stays one */
    assert_int_equal(air_look_open(m->f, m->a, m->c->db, 0, &l, &err), LT_OK);
    assert_int_equal(air_rank_make(&l, &s, m->c->root, AIR_MONTH, a, b, LT_ZH, &r, &err), LT_OK);
    assert_int_equal(r.n, 3);
    assert_true(r.invented && r.has_before);
    assert_string_equal(r.item[0].name, "甲市");
    assert_int_equal(r.item[0].rank_before, 3);
    assert_int_equal(airq_change_pct(r.item[0].year.composite, r.item[0].now.composite), -INT64_C(50000000));
    assert_int_equal(r.item[0].improve_rank, 1);
    assert_true(r.item[1].own && r.item[1].rank == 2 && r.item[1].now.composite > 0);
    assert_string_equal(r.item[2].name, "乙市");
    assert_int_equal(r.item[2].rank_before, 1);
    air_rank_fini(&r);
    /* the same table of the counties */
    s = scheme("pm25", false);
    assert_int_equal(air_rank_make(&l, &s, m->c->root, AIR_MONTH, a, b, LT_EN, &r, &err), LT_OK);
    assert_int_equal(r.n, 2);
    assert_true(r.item[0].rank == 1 && r.item[1].key[0] >= r.item[0].key[0]);
    air_rank_fini(&r);
    air_look_close(&l);
    made_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equal_shares_the_rank), cmocka_unit_test(good_days_then_pm25),
                                       cmocka_unit_test(no_more_pm25_than_there_is),
                                       cmocka_unit_test(unknown_is_not_ranked),
                                       cmocka_unit_test(own_city_among_its_peers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

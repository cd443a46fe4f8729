/* Papers: what is published is printed again bit for bit, whatever became of the data since. */
#include "air/air_brief.h"
#include "air/air_testing.h"

static void add_target(struct made *m, const char *name, const char *indicator, const char *period, int32_t a,
                       int32_t b, int64_t value)
{
    INSERT(m->c, "air_target", RECORD_SET_Z("name", name), RECORD_SET_I("territory", m->c->root),
           RECORD_SET_Z("indicator", indicator), RECORD_SET_Z("period", period),
           RECORD_SET_I("start_day", air_day_start(a, LT_TZ_CHINA)),
           RECORD_SET_I("end_day", air_day_start(b, LT_TZ_CHINA)), RECORD_SET_Z("how", "absolute"),
           RECORD_SET_I("value", value));
}

static struct made *city_with_targets(void)
{
    struct made *m = made_open(3, air_day(2024, 6, 1), air_day(2025, 8, 20));
    struct lt_error err = {0};
    assert_int_equal(air_paper_setup(m->c->db, &err), LT_OK);
    add_target(m, "2025年 PM2.5", "pm25", "year", air_day(2025, 1, 1), air_day(2025, 12, 31), 48000000);
    add_target(m, "2025年优良天数", "good_days", "year", air_day(2025, 1, 1), air_day(2025, 12, 31), 270000000);
    add_target(m, "2025年重污染天数", "heavy_days", "year", air_day(2025, 1, 1), air_day(2025, 12, 31), 40000000);
    return m;
}

static struct air_paper_ask ask(struct made *m, enum air_paper_kind kind, enum lt_lang lang)
{
    return (struct air_paper_ask){
        .kind = kind, .territory = m->c->root, .day = air_day(2025, 8, 20), .lang = lang, .org = "示范市大气办"};
}

static void draft(struct made *m, const struct air_paper_ask *a, int64_t version, struct lt_buf *ret)
{
    struct air_look l;
    struct paper p;
    struct lt_error err = {0};
    char title[257];
    assert_int_equal(air_look_open(m->f, m->a, m->c->db, version, &l, &err), LT_OK);
    assert_int_equal(air_paper_make(&l, a, &p, title, sizeof title, &err), LT_OK);
    air_look_close(&l);
    lt_buf_add(ret, p.json.p, p.json.n);
    paper_fini(&p);
}

static bool has(const struct lt_buf *b, const char *z)
{
    return memmem(b->p, b->n, z, strlen(z)) != NULL;
}

static void every_paper_in_both_languages_is_a_sound_model(void **state)
{
    struct made *m = city_with_targets();
    for (unsigned k = 0; k < AIR_PAPER_KINDS; k++)
        for (int lang = 0; lang < 2; lang++) {
            struct lt_error err = {0};
            struct lt_buf b = LT_BUF_INIT(PAPER_BYTES_MAX), out = LT_BUF_INIT(8u << 20);
            const struct air_paper_ask a = ask(m, (enum air_paper_kind)k, lang ? LT_EN : LT_ZH);
            draft(m, &a, 0, &b);
            assert_int_equal(paper_check(lt_buf_slice(&b), &err), LT_OK);
            assert_int_equal(paper_html(lt_buf_slice(&b), &out, &err), LT_OK);
            assert_true(has(&b, lang ? "Draft" : "草稿"));
            assert_true(has(&b, lang ? "Data version" : "数据版本"));
            assert_true(has(&b, "2025年 PM2.5"));
            assert_true(has(&b, lang ? "mean allowed for the days left of the year" : "年剩余日控制值"));
            lt_buf_fini(&b);
            lt_buf_fini(&out);
        }
    made_close(&m);
}

static void dirty(int32_t day, int h, int32_t v[AIR_ITEMS])
{
    v[AIR_PM25] = 9000000;
}

static void a_published_paper_is_printed_again_bit_for_bit(void **state)
{
    struct made *m = city_with_targets();
    struct lt_error err = {0};
    struct air_paper p, q, loaded;
    struct lt_buf model = LT_BUF_INIT(PAPER_BYTES_MAX), again = LT_BUF_INIT(PAPER_BYTES_MAX);
    struct lt_buf as_of = LT_BUF_INIT(PAPER_BYTES_MAX), fresh = LT_BUF_INIT(PAPER_BYTES_MAX);
    struct air_paper_ask a = ask(m, AIR_PAPER_MORNING, LT_ZH);
    assert_int_equal(air_paper_publish(m->f, m->a, m->c->db, a, &m->c->system, T0, &p, &err), LT_OK);
    assert_int_equal(p.number, 1);
    assert_int_equal(p.year, 2025);
    assert_int_equal(p.version, made_version(m));
    assert_int_equal(air_paper_load(m->c->db, p.id, &loaded, &model, &err), LT_OK);
    assert_string_equal(loaded.sha256, p.sha256);
    assert_true(has(&model, "（2025）第1期"));
    struct lt_buf pdf[2] = {LT_BUF_INIT(16u << 20), LT_BUF_INIT(16u << 20)};
    struct lt_buf xlsx[2] = {LT_BUF_INIT(16u << 20), LT_BUF_INIT(16u << 20)};
    assert_int_equal(paper_pdf(lt_buf_slice(&model), &pdf[0], &err), LT_OK);
    assert_int_equal(paper_xlsx(lt_buf_slice(&model), &xlsx[0], &err), LT_OK);
    made_put(m, 0, air_day(2025, 8, 19), air_day(2025, 8, 20), dirty); /* the data move on */
    assert_int_equal(air_paper_load(m->c->db, p.id, &loaded, &again, &err), LT_OK);
    assert_int_equal(again.n, model.n);
    assert_memory_equal(again.p, model.p, model.n);
    assert_int_equal(paper_pdf(lt_buf_slice(&again), &pdf[1], &err), LT_OK);
    assert_int_equal(paper_xlsx(lt_buf_slice(&again), &xlsx[1], &err), LT_OK);
    assert_int_equal(pdf[0].n, pdf[1].n);
    assert_memory_equal(pdf[0].p, pdf[1].p, pdf[0].n);
    assert_int_equal(xlsx[0].n, xlsx[1].n);
    assert_memory_equal(xlsx[0].p, xlsx[1].p, xlsx[0].n);
    /* computed anew as of the printed version, it is what was printed; of the newest data it is another */
    a.number = 1;
    draft(m, &a, p.version, &as_of);
    assert_int_equal(as_of.n, model.n);
    assert_memory_equal(as_of.p, model.p, model.n);
    draft(m, &a, 0, &fresh);
    assert_true(fresh.n != model.n || memcmp(fresh.p, model.p, model.n) != 0);
    assert_int_equal(air_paper_publish(m->f, m->a, m->c->db, a, &m->c->system, T0, &q, &err), LT_OK);
    assert_int_equal(q.number, 2);
    /* another kind counts by itself */
    a.kind = AIR_PAPER_ONEPAGE;
    assert_int_equal(air_paper_publish(m->f, m->a, m->c->db, a, &m->c->system, T0, &q, &err), LT_OK);
    assert_int_equal(q.number, 1);
    /* a byte changed in the database is found */
    assert_int_equal(
        sql_exec(m->c->db, "UPDATE air_paper SET model = replace(model, '示范市', '示范县') WHERE id = 1", &err),
        LT_OK);
    lt_buf_clear(&again);
    assert_int_equal(air_paper_load(m->c->db, p.id, &loaded, &again, &err), LT_E_CORRUPT);
    lt_buf_fini(&model);
    lt_buf_fini(&again);
    lt_buf_fini(&as_of);
    lt_buf_fini(&fresh);
    for (int i = 0; i < 2; i++) {
        lt_buf_fini(&pdf[i]);
        lt_buf_fini(&xlsx[i]);
    }
    made_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_paper_in_both_languages_is_a_sound_model),
                                       cmocka_unit_test(a_published_paper_is_printed_again_bit_for_bit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

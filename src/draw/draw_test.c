/* The draw: canonical lines, commitments, random numbers, weights, quotas against brute force, teams, faults. */
#include "base/rand.h"
#include "base/text.h"
#include "draw/draw_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(z) LT_LIT(z)
#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct lt_slice VALUE = {"03 09 14 22 28 31 07", 20};

static void seed_of(uint64_t n, uint8_t ret[DRAW_SEED])
{
    struct lt_rand r;
    lt_rand_init(&r, n);
    for (size_t i = 0; i < DRAW_SEED; i++)
        ret[i] = (uint8_t)lt_rand_u64(&r);
}

/* ---- a list made of a seed ---- */
struct made {
    struct draw_list l;
    struct draw_weight w[8];
    struct draw_quota q[8];
    struct draw_inspector p[64];
    struct draw_target t[256];
    struct draw_conflict c[64];
    char ids[256][8], pids[64][8];
};
static const char *const county[] = {"410302", "410303", "410304", "410305"};
static const char *const industry[] = {"steel", "cement", "glass"};
static const char *const risk[] = {"high", "medium", "low"};
static const char *const credit[] = {"A", "C"};

static void make(struct made *m, uint64_t seed, size_t targets, size_t inspectors)
{
    struct lt_rand r;
    lt_rand_init(&r, seed);
    *m = (struct made){.l = {.name = S("test"),
                             .public_source = S("lottery of 2026-12-01"),
                             .pick = 10,
                             .team = 2,
                             .avoid_own_county = true,
                             .n_weight = 5,
                             .n_target = targets,
                             .n_inspector = inspectors}};
    m->l.weight = m->w, m->l.quota = m->q, m->l.inspector = m->p, m->l.target = m->t, m->l.conflict = m->c;
    for (int i = 0; i < 3; i++)
        m->w[i] = (struct draw_weight){DRAW_RISK, lt_slice_of(risk[i]), 4 >> i};
    m->w[3] = (struct draw_weight){DRAW_CREDIT, S("A"), 1};
    m->w[4] = (struct draw_weight){DRAW_CREDIT, S("C"), 3};
    for (size_t i = 0; i < targets; i++) {
        snprintf(m->ids[i], sizeof m->ids[i], "E%zu", i * 7 % targets);
        m->t[i] = (struct draw_target){.id = lt_slice_of(m->ids[i]),
                                       .name = S("\"恒\\川\""),
                                       .county = lt_slice_of(county[lt_rand_below(&r, 4)]),
                                       .industry = lt_slice_of(industry[lt_rand_below(&r, 3)]),
                                       .risk = lt_slice_of(risk[lt_rand_below(&r, 3)]),
                                       .credit = lt_slice_of(credit[lt_rand_below(&r, 2)])};
    }
    for (size_t i = 0; i < inspectors; i++) {
        snprintf(m->pids[i], sizeof m->pids[i], "P%zu", i);
        m->p[i] = (struct draw_inspector){.id = lt_slice_of(m->pids[i]), .name = S("检查员"), .unit = S("一队")};
        m->p[i].county = i % 4 == 0 ? lt_slice_of(county[lt_rand_below(&r, 4)]) : S("");
    }
}

static void conflict(struct made *m, const char *inspector, const char *target)
{
    m->c[m->l.n_conflict++] = (struct draw_conflict){lt_slice_of(inspector), lt_slice_of(target), S("former_employer")};
}

static void quota(struct made *m, enum draw_group by, const char *value, int64_t min, int64_t max)
{
    m->q[m->l.n_quota++] = (struct draw_quota){by, lt_slice_of(value), min, max};
}

/* ---- tests ---- */

static void test_lines(void **state)
{
    struct draw_weight w[] = {{DRAW_RISK, S("low"), 1}, {DRAW_CREDIT, S("B"), 2}, {DRAW_RISK, S("high"), 4}};
    struct draw_quota q[] = {{DRAW_INDUSTRY, S("steel"), 0, 2}, {DRAW_COUNTY, S("410305"), 1, 1}};
    struct draw_inspector p[] = {{S("P2"), S("乙"), S("二队"), S("")}, {S("P10"), S("甲"), S("一队"), S("410302")}};
    struct draw_target t[] = {{.id = S("E2"),
                               .name = S("say \"x\" \\"),
                               .county = S("410305"),
                               .industry = S("steel"),
                               .risk = S("high"),
                               .credit = S("B")},
                              {.id = S("E10"),
                               .name = S("n"),
                               .county = S("410302"),
                               .industry = S("glass"),
                               .risk = S("low"),
                               .credit = S("B")}};
    struct draw_conflict c[] = {{S("P2"), S("E2"), S("relative")}};
    struct draw_list l = {S("十二月"), S("lottery"), 1, 1, false, w, q, p, t, c, N(w), N(q), N(p), N(t), N(c)};
    static const char want[] = "[\"lantian-draw\",1,\"十二月\",1,1,0,\"lottery\"]\n"
                               "[\"weight\",\"credit\",\"B\",2]\n"
                               "[\"weight\",\"risk\",\"high\",4]\n"
                               "[\"weight\",\"risk\",\"low\",1]\n"
                               "[\"quota\",\"county\",\"410305\",1,1]\n"
                               "[\"quota\",\"industry\",\"steel\",0,2]\n"
                               "[\"inspector\",\"P10\",\"甲\",\"一队\",\"410302\"]\n"
                               "[\"inspector\",\"P2\",\"乙\",\"二队\",\"\"]\n"
                               "[\"target\",\"E10\",\"n\",\"410302\",\"glass\",\"low\",\"B\"]\n"
                               "[\"target\",\"E2\",\"say \\\"x\\\" \\\\\",\"410305\",\"steel\",\"high\",\"B\"]\n"
                               "[\"conflict\",\"P2\",\"E2\",\"relative\"]\n";
    struct draw_fault f;
    assert_int_equal(draw_check(&l, &f), DRAW_OK);
    struct lt_buf b = LT_BUF_INIT(DRAW_LINES_MAX);
    draw_lines(&l, &b);
    assert_int_equal(b.n, sizeof want - 1);
    assert_memory_equal(b.p, want, b.n);
    uint8_t direct[DRAW_HASH], hash[DRAW_HASH];
    crypto_hash_sha256(direct, (const uint8_t *)want, sizeof want - 1);
    assert_true(draw_list_hash(&l, hash));
    assert_memory_equal(hash, direct, DRAW_HASH);
    lt_buf_fini(&b);
    assert_int_equal(t[0].weight, 2); /* E10: low 1 x B 2 */
    assert_int_equal(t[1].weight, 8);
}

/* Numbers computed with Python's hashlib from section 2 and 3 of the page. */
static void test_numbers(void **state)
{
    uint8_t seed[DRAW_SEED], list[DRAW_HASH], hash[DRAW_HASH];
    char hex[2 * DRAW_HASH + 1];
    for (size_t i = 0; i < DRAW_SEED; i++) {
        seed[i] = (uint8_t)i;
        list[i] = (uint8_t)(255 - i);
    }
    draw_seed_hash(seed, hash);
    lt_text_hex(hash, DRAW_HASH, hex);
    assert_string_equal(hex, "56109bcc4b14336a958272e52d6e250eba3e953c5e5383dbaa4e0c5ce83d40ad");
    struct draw_rand r;
    draw_rand_init(&r, list, seed, VALUE);
    lt_text_hex(r.key, DRAW_HASH, hex);
    assert_string_equal(hex, "3442bcfbadb7ae415ef4d3a91aff48275e1a3f8bca8e6cab3664d7a3e751b682");
    static const uint64_t want[] = {100297, 289344, 399145, 267782, 775673, 193765};
    for (size_t i = 0; i < N(want); i++)
        assert_int_equal(draw_below(&r, 1000003), want[i]);
    /* with n just above half of 2^64 nearly every second number is refused */
    for (size_t i = 0; i < 8; i++)
        assert_true(draw_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    assert_int_equal(r.next, 16);
    uint8_t back[DRAW_HASH];
    assert_true(lt_text_unhex(S("3442bcfbadb7ae415ef4d3a91aff48275e1a3f8bca8e6cab3664d7a3e751b682"), back, DRAW_HASH));
    assert_memory_equal(back, r.key, DRAW_HASH);
    assert_false(lt_text_unhex(S("0g"), back, 1));
    assert_false(lt_text_unhex(S("0A"), back, 1));
    assert_false(lt_text_unhex(S("00"), back, 2));
}

static void test_same_again(void **state)
{
    static struct made a, b;
    static struct draw_result x, y;
    uint8_t seed[DRAW_SEED], other[DRAW_SEED], h[4][DRAW_HASH];
    seed_of(1, seed);
    seed_of(2, other);
    make(&a, 5, 100, 12);
    make(&b, 5, 100, 12);
    for (size_t i = 0; i < 50; i++) { /* the same list in another order */
        struct draw_target t = b.t[i];
        b.t[i] = b.t[99 - i];
        b.t[99 - i] = t;
    }
    assert_int_equal(draw_check(&a.l, NULL), DRAW_OK);
    assert_int_equal(draw_check(&b.l, NULL), DRAW_OK);
    assert_int_equal(draw_run(&a.l, seed, VALUE, &x, NULL), DRAW_OK);
    assert_int_equal(draw_run(&b.l, seed, VALUE, &y, NULL), DRAW_OK);
    assert_true(draw_result_hash(&a.l, &x, h[0]) && draw_result_hash(&b.l, &y, h[1]));
    assert_memory_equal(h[0], h[1], DRAW_HASH);
    assert_int_equal(draw_run(&a.l, other, VALUE, &y, NULL), DRAW_OK);
    assert_true(draw_result_hash(&a.l, &y, h[2]));
    assert_int_equal(draw_run(&a.l, seed, S("03 09 14 22 28 31 08"), &y, NULL), DRAW_OK);
    assert_true(draw_result_hash(&a.l, &y, h[3]));
    for (int i = 1; i < 4; i++)
        assert_true(i == 1 || memcmp(h[0], h[i], DRAW_HASH) != 0);
    assert_int_equal(draw_run(&a.l, seed, S(""), &y, NULL), DRAW_E_VALUE);
}

/* A weight of 12 is drawn first three times as often as one of 4, and so on: chi-square with 5 degrees of freedom of
 * 6,000 draws stays below 20.5 (one chance in a thousand; the seeds are fixed). Without replacement too: the second. */
static void test_weights(void **state)
{
    static struct made m;
    static struct draw_result r;
    make(&m, 3, 6, 4);
    for (size_t i = 0; i < 6; i++) { /* weights 4, 2, 1, 12, 6, 3 */
        m.t[i].risk = lt_slice_of(risk[i % 3]);
        m.t[i].credit = i < 3 ? S("A") : S("C");
        m.t[i].id = lt_slice_of(m.ids[i]);
    }
    m.l.pick = 2;
    m.l.avoid_own_county = false;
    assert_int_equal(draw_check(&m.l, NULL), DRAW_OK);
    enum { ROUNDS = 6000 };
    double first[6] = {0}, second[6] = {0}, sum = 0, p2[6] = {0};
    for (uint64_t n = 0; n < ROUNDS; n++) {
        uint8_t seed[DRAW_SEED];
        seed_of(n + 77, seed);
        assert_int_equal(draw_run(&m.l, seed, VALUE, &r, NULL), DRAW_OK);
        assert_true(r.pick[0].target != r.pick[1].target);
        first[r.pick[0].target]++;
        second[r.pick[1].target]++;
    }
    for (size_t i = 0; i < 6; i++)
        sum += m.t[i].weight;
    assert_true(sum == 28);
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 6; k++)
            if (k != i)
                p2[i] += m.t[k].weight / sum * m.t[i].weight / (sum - m.t[k].weight);
    double chi1 = 0, chi2 = 0;
    for (size_t i = 0; i < 6; i++) {
        double want1 = ROUNDS * m.t[i].weight / sum, want2 = ROUNDS * p2[i];
        chi1 += (first[i] - want1) * (first[i] - want1) / want1;
        chi2 += (second[i] - want2) * (second[i] - want2) / want2;
    }
    assert_true(chi1 < 20.5);
    assert_true(chi2 < 20.5);
}

/* Brute force: is there a choice per cell that keeps every bound? */
static bool brute(const struct draw_cells *c, size_t cell, const int32_t row[], const int32_t col[], int32_t rest)
{
    if (cell == c->rows * c->cols) {
        bool ok = rest == 0;
        for (size_t r = 0; r < c->rows; r++)
            ok = ok && row[r] >= c->row_min[r] && row[r] <= c->row_max[r];
        for (size_t k = 0; k < c->cols; k++)
            ok = ok && col[k] >= c->col_min[k] && col[k] <= c->col_max[k];
        return ok;
    }
    size_t r = cell / c->cols, k = cell % c->cols;
    for (int32_t x = 0; x <= c->left[r][k] && x <= rest; x++) {
        int32_t row2[3], col2[3];
        memcpy(row2, row, sizeof row2);
        memcpy(col2, col, sizeof col2);
        row2[r] += x;
        col2[k] += x;
        if (brute(c, cell + 1, row2, col2, rest - x))
            return true;
    }
    return false;
}

static void test_possible(void **state)
{
    static struct draw_cells c;
    struct lt_rand r;
    unsigned yes = 0, no = 0;
    lt_rand_init(&r, 11);
    for (unsigned round = 0; round < 4000; round++) {
        memset(&c, 0, sizeof c);
        c.rows = 1 + lt_rand_below(&r, 3);
        c.cols = 1 + lt_rand_below(&r, 3);
        c.rest = (int32_t)lt_rand_below(&r, 8);
        for (size_t i = 0; i < 3; i++) {
            c.row_min[i] = (int32_t)lt_rand_below(&r, 3);
            c.row_max[i] = c.row_min[i] + (int32_t)lt_rand_below(&r, 3);
            c.col_min[i] = (int32_t)lt_rand_below(&r, 3);
            c.col_max[i] = c.col_min[i] + (int32_t)lt_rand_below(&r, 3);
            c.row_n[i] = (int32_t)lt_rand_below(&r, 2);
            c.col_n[i] = (int32_t)lt_rand_below(&r, 2);
            for (size_t k = 0; k < 3; k++)
                c.left[i][k] = (int32_t)lt_rand_below(&r, 3);
        }
        bool want = brute(&c, 0, c.row_n, c.col_n, c.rest);
        assert_int_equal(draw_cells_possible(&c), want);
        yes += want;
        no += !want;
    }
    assert_true(yes > 100 && no > 100);
}

static void test_quotas(void **state)
{
    static struct made m;
    static struct draw_result r;
    uint32_t struck = 0;
    for (uint64_t n = 0; n < 300; n++) {
        uint8_t seed[DRAW_SEED];
        struct draw_flaw_place place;
        make(&m, n, 60, 9);
        quota(&m, DRAW_COUNTY, "410302", 3, 4);
        quota(&m, DRAW_COUNTY, "410303", 0, 1);
        quota(&m, DRAW_COUNTY, "410304", 2, 10);
        quota(&m, DRAW_INDUSTRY, "glass", 6, 6);
        quota(&m, DRAW_INDUSTRY, "steel", 1, 2);
        quota(&m, DRAW_INDUSTRY, "nowhere", 0, 5);
        seed_of(n, seed);
        assert_int_equal(draw_check(&m.l, NULL), DRAW_OK);
        assert_int_equal(draw_run(&m.l, seed, VALUE, &r, NULL), DRAW_OK);
        struck += r.struck;
        for (int which = DRAW_FLAW_WEIGHT; which <= DRAW_FLAW_CONFLICT; which++)
            assert_true(draw_keeps(&m.l, &r, (enum draw_flaw)which, &place));
    }
    assert_true(struck > 300); /* the quotas did bind */
}

static void test_teams(void **state)
{
    static struct made m;
    static struct draw_result r;
    for (uint64_t n = 0; n < 200; n++) {
        uint32_t load[64] = {0}, least = UINT32_MAX, most = 0;
        uint8_t seed[DRAW_SEED];
        size_t people = 4 + n % 20;
        make(&m, n, 80, people);
        m.l.pick = 30;
        m.l.avoid_own_county = n % 2;
        if (n % 2)
            for (size_t i = 0; i < 40; i++)
                conflict(&m, m.pids[i % 2 + 1], m.ids[i]);
        seed_of(n, seed);
        enum draw_err e = draw_check(&m.l, NULL);
        if (people < 6 && n % 2 && e == DRAW_E_TEAM)
            continue;
        assert_int_equal(e, DRAW_OK);
        assert_int_equal(draw_run(&m.l, seed, VALUE, &r, NULL), DRAW_OK);
        assert_true(draw_keeps(&m.l, &r, DRAW_FLAW_CONFLICT, NULL));
        for (size_t i = 0; i < r.n; i++)
            for (int s = 0; s < 2; s++)
                load[r.pick[i].team[s]]++;
        for (size_t i = 0; i < people; i++) {
            least = load[i] < least ? load[i] : least;
            most = load[i] > most ? load[i] : most;
        }
        assert_true(n % 2 || most - least <= 1); /* even when nothing stands against it */
    }
}

static void test_faults(void **state)
{
    static struct made m;
    struct draw_fault f;
#define REFUSED(code_, part_, ...)                                                                                     \
    make(&m, 1, 40, 8);                                                                                                \
    __VA_ARGS__;                                                                                                       \
    assert_int_equal(draw_check(&m.l, &f), code_);                                                                     \
    assert_int_equal(f.code, code_);                                                                                   \
    assert_string_equal(f.part, part_)
    REFUSED(DRAW_E_QUOTA_MIN, "county", quota(&m, DRAW_COUNTY, "410399", 1, 5));
    REFUSED(DRAW_E_QUOTA_SUM, "county", quota(&m, DRAW_COUNTY, "410302", 6, 9), quota(&m, DRAW_COUNTY, "410303", 5, 9));
    REFUSED(DRAW_E_QUOTA_MAX, "industry", quota(&m, DRAW_INDUSTRY, "steel", 0, 3),
            quota(&m, DRAW_INDUSTRY, "glass", 0, 3), quota(&m, DRAW_INDUSTRY, "cement", 0, 3));
    /* either alone is possible, both are not: at least 8 of a county, at most 1 of each industry but one it lacks */
    REFUSED(DRAW_E_QUOTA, "quotas", quota(&m, DRAW_COUNTY, "410302", 5, 9), quota(&m, DRAW_INDUSTRY, "steel", 0, 1),
            quota(&m, DRAW_INDUSTRY, "glass", 0, 1);
            for (size_t i = 0; i < 40; i++) if (lt_slice_is(m.t[i].county, "410302")) m.t[i].industry = S("steel"));
    REFUSED(DRAW_E_TEAM, "targets", for (size_t i = 0; i < 7; i++) conflict(&m, m.pids[i], "E3"));
    assert_true(lt_slice_is(f.value, "E3"));
    REFUSED(DRAW_E_UNKNOWN, "conflicts", conflict(&m, "P1", "E99"));
    assert_true(lt_slice_is(f.value, "E99"));
    REFUSED(DRAW_E_UNKNOWN, "conflicts", conflict(&m, "P99", "E1"));
    REFUSED(DRAW_E_TWICE, "conflicts", conflict(&m, "P1", "E1"), conflict(&m, "P1", "E1"));
    REFUSED(DRAW_E_TWICE, "targets", m.t[4].id = m.t[9].id);
    REFUSED(DRAW_E_TWICE, "inspectors", m.p[4].id = m.p[5].id);
    REFUSED(DRAW_E_TWICE, "weights", m.w[4].value = S("A"));
    REFUSED(DRAW_E_TWICE, "quotas", quota(&m, DRAW_COUNTY, "410302", 0, 9), quota(&m, DRAW_COUNTY, "410302", 1, 9));
    REFUSED(DRAW_E_WEIGHT, "risk", m.t[7].risk = S("none"));
    REFUSED(DRAW_E_WEIGHT, "credit", m.t[7].credit = S("Z"));
    REFUSED(DRAW_E_NUMBER, "weights", m.w[0].weight = 0);
    REFUSED(DRAW_E_NUMBER, "weights", m.w[0].weight = DRAW_WEIGHT_MAX + 1);
    REFUSED(DRAW_E_NUMBER, "quotas", quota(&m, DRAW_COUNTY, "410302", 3, 2));
    REFUSED(DRAW_E_NUMBER, "pick", m.l.pick = 0);
    REFUSED(DRAW_E_NUMBER, "team", m.l.team = 5);
    REFUSED(DRAW_E_PICK, "pick", m.l.pick = 41);
    REFUSED(DRAW_E_TEXT, "targets", m.t[0].id = S("E 1"));
    REFUSED(DRAW_E_TEXT, "targets", m.t[0].name = S("a\nb"));
    REFUSED(DRAW_E_TEXT, "targets", m.t[0].name = S("\xff"));
    REFUSED(DRAW_E_TEXT, "inspectors", m.p[0].id = S(""));
    REFUSED(DRAW_E_TEXT, "public", m.l.public_source = S(""));
    REFUSED(DRAW_E_MANY, "quotas", m.l.n_quota = DRAW_QUOTAS_MAX + 1);
#undef REFUSED
}

/* Every entry of a list is in the hash: each text and number changed by itself gives another. */
static void test_every_entry(void **state)
{
    static struct made m;
    uint8_t was[DRAW_HASH], is[DRAW_HASH];
    size_t n = 0;
    make(&m, 9, 20, 6);
    quota(&m, DRAW_COUNTY, "410302", 0, 9);
    conflict(&m, "P1", "E1");
    assert_int_equal(draw_check(&m.l, NULL), DRAW_OK);
    assert_true(draw_list_hash(&m.l, was));
    struct lt_slice *text[256] = {&m.l.name,         &m.l.public_source, &m.q[0].value,
                                  &m.c[0].inspector, &m.c[0].target,     &m.c[0].why};
    for (n = 6; n < 6 + 20 * 6; n++) {
        struct draw_target *t = &m.t[(n - 6) / 6];
        struct lt_slice *const of[] = {&t->id, &t->name, &t->county, &t->industry, &t->risk, &t->credit};
        text[n] = of[(n - 6) % 6];
    }
    for (size_t i = 0; i < 6; i++) {
        struct lt_slice *const of[] = {&m.p[i].id, &m.p[i].name, &m.p[i].unit, &m.p[i].county};
        for (size_t k = 0; k < 4; k++)
            text[n++] = of[k];
    }
    for (size_t i = 0; i < n; i++) {
        struct lt_slice old = *text[i];
        *text[i] = S("else");
        assert_true(draw_list_hash(&m.l, is));
        assert_memory_not_equal(was, is, DRAW_HASH);
        *text[i] = old;
    }
    int64_t *const number[] = {&m.l.pick, &m.l.team, &m.q[0].min, &m.q[0].max, &m.w[0].weight, &m.w[4].weight};
    for (size_t i = 0; i < N(number); i++) {
        ++*number[i];
        assert_true(draw_list_hash(&m.l, is));
        assert_memory_not_equal(was, is, DRAW_HASH);
        --*number[i];
    }
    m.l.avoid_own_county = false;
    assert_true(draw_list_hash(&m.l, is));
    assert_memory_not_equal(was, is, DRAW_HASH);
}

/* A result that was not drawn: each kind of flaw has its own name. */
static void test_flaws(void **state)
{
    static struct made m;
    static struct draw_result r, bad;
    struct draw_flaw_place at;
    uint8_t seed[DRAW_SEED];
    make(&m, 21, 50, 9);
    quota(&m, DRAW_COUNTY, "410302", 2, 2);
    conflict(&m, "P1", "E7");
    seed_of(4, seed);
    assert_int_equal(draw_check(&m.l, NULL), DRAW_OK);
    assert_int_equal(draw_run(&m.l, seed, VALUE, &r, NULL), DRAW_OK);
    bad = r;
    bad.pick[3].weight++;
    assert_false(draw_keeps(&m.l, &bad, DRAW_FLAW_WEIGHT, &at));
    assert_int_equal(at.n, 4);
    bad = r;
    bad.n--;
    assert_false(draw_keeps(&m.l, &bad, DRAW_FLAW_COUNT, &at));
    assert_int_equal(at.have, 9);
    bad = r;
    bad.pick[5] = bad.pick[2];
    assert_false(draw_keeps(&m.l, &bad, DRAW_FLAW_COUNT, &at));
    assert_int_equal(at.n, 6);
    bad = r;
    bad.pick[0].team[1] = bad.pick[0].team[0];
    assert_false(draw_keeps(&m.l, &bad, DRAW_FLAW_CONFLICT, &at));
    assert_int_equal(at.n, 1);
    bad = r;
    bad.pick[1].target = (uint32_t)draw_find_target(&m.l, S("E7"));
    bad.pick[1].team[0] = (uint32_t)draw_find_inspector(&m.l, S("P1"));
    assert_false(draw_keeps(&m.l, &bad, DRAW_FLAW_CONFLICT, &at));
    bad = r;
    for (size_t i = 0; i < bad.n; i++)
        if (lt_slice_is(m.t[bad.pick[i].target].county, "410302"))
            for (uint32_t t = 0; t < 50; t++)
                if (!lt_slice_is(m.t[t].county, "410302"))
                    bad.pick[i].target = t;
    assert_false(draw_keeps(&m.l, &bad, DRAW_FLAW_QUOTA, &at));
    assert_string_equal(at.part, "county");
    assert_int_equal(at.have, 0);
    assert_int_equal(draw_find_target(&m.l, S("E")), SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_numbers),  cmocka_unit_test(test_same_again),
        cmocka_unit_test(test_weights), cmocka_unit_test(test_possible), cmocka_unit_test(test_quotas),
        cmocka_unit_test(test_teams),   cmocka_unit_test(test_faults),   cmocka_unit_test(test_every_entry),
        cmocka_unit_test(test_flaws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

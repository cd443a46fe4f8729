/* What looks wrong about an import; see airq_doubt.h. Shapes (courses of the day, correlations) are reckoned in
 * floating point: they are compared with wide thresholds and never become a value. Thresholds were set on three years
 * of twelve stations of Beijing, each month alone, and on nation-wide hours of summer; the test holds them to it. */
#include "airq/airq_doubt.h"
#include "airq/airq_priv.h"
#include "airq/airq_rules.h"

#include <math.h>

enum {
    ROWS_MIN = 100,
    SHAPE_ROWS_MIN = 24 * 20, /* twenty days: fewer have too much weather in them */
    KNOWN_ROWS_MIN = 24 * 60  /* against what is known: two months, since two Aprils differ more than one expects */
};

/* ---- collecting ---- */

static unsigned bin_of(int32_t ticks)
{
    if (ticks < 1)
        return 0;
    const unsigned top = 31 - (unsigned)__builtin_clz((unsigned)ticks); /* 0..30 */
    const unsigned part = top >= 3 ? (unsigned)ticks >> (top - 3) & 7 : (unsigned)ticks << (3 - top) & 7;
    return 1 + top * 8 + part;
}

static int64_t bin_from(unsigned bin)
{
    if (bin == 0)
        return 0;
    const unsigned top = (bin - 1) / 8, part = (bin - 1) % 8;
    return ((INT64_C(8) + part) << top) / 8;
}

/* A gas above 5 units with decimals: does it become whole µg/m3 when it is taken for ppb? */
static void add_fraction(struct airq_doubt_stats *s, enum airq_pollutant p, int32_t ticks)
{
    enum { UNIT = 10000 };
    if (ticks <= 5 * UNIT || ticks % UNIT == 0)
        return;
    s->fraction[p]++;
    for (int state = 0; state < 2; state++) {
        int64_t v = airq_from_ppb(p, (int64_t)ticks * 100);
        if (state == 1)
            v = airq_gas_convert(v, AIRQ_STATE_298, AIRQ_STATE_273);
        const int64_t rest = v % LT_FIX_ONE;
        s->as_ppb[p][state] += rest <= 110000 || rest >= LT_FIX_ONE - 110000; /* ppb rounded to 0.1 still fit */
    }
}

static void add_pairs(struct airq_doubt_stats *s, const int32_t ticks[AIRQ_POLLUTANTS])
{
    int64_t v[AIRQ_POLLUTANTS];
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        v[p] = ticks[p] < 0 ? -1 : ticks[p] / (p == AIRQ_CO ? 10000 : 1000);
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        for (int q = p + 1; q < AIRQ_POLLUTANTS && v[p] >= 0; q++) {
            if (v[q] < 0)
                continue;
            s->pair[p][q].n++;
            s->pair[p][q].x += v[p];
            s->pair[p][q].y += v[q];
            s->pair[p][q].xx += v[p] * v[p];
            s->pair[p][q].yy += v[q] * v[q];
            s->pair[p][q].xy += v[p] * v[q];
        }
}

void airq_doubt_add(struct airq_doubt_stats *s, int month, int hour, const int32_t ticks[AIRQ_POLLUTANTS])
{
    s->rows++;
    s->month_n[month - 1]++;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        if (ticks[p] < 0)
            continue;
        s->n[p]++;
        s->bin[p][bin_of(ticks[p])]++;
        s->sum[p][hour] += ticks[p];
        s->hours[p][hour]++;
        if (p == AIRQ_SO2 || p == AIRQ_NO2 || p == AIRQ_O3)
            add_fraction(s, (enum airq_pollutant)p, ticks[p]);
    }
    if (ticks[AIRQ_PM10] >= 0 && ticks[AIRQ_PM25] >= 0) {
        s->pm_over += ticks[AIRQ_PM25] > ticks[AIRQ_PM10] + 10000;
        s->pm_under += ticks[AIRQ_PM25] + 10000 < ticks[AIRQ_PM10];
    }
    add_pairs(s, ticks);
}

void airq_doubt_impossible(struct airq_doubt_stats *s, enum airq_pollutant p, bool negative)
{
    if (negative)
        s->negative[p]++;
    else
        s->beyond[p]++;
}

void airq_doubt_repeated(struct airq_doubt_stats *s, bool other)
{
    s->repeated++;
    s->repeated_other += other;
}

/* ---- shapes ---- */

/* The value at so many per mille of the sorted values, ticks; those refused as too high count as highest. */
static int64_t at_share(const struct airq_doubt_stats *s, enum airq_pollutant p, unsigned per_mille)
{
    const uint64_t all = (uint64_t)s->n[p] + s->beyond[p], at = all * per_mille / 1000;
    uint64_t seen = 0;
    for (unsigned i = 0; i < AIRQ_DOUBT_BINS; i++) {
        seen += s->bin[p][i];
        if (seen > at)
            return bin_from(i);
    }
    return all ? INT64_C(1) << 31 : -1;
}

int64_t airq_doubt_median(const struct airq_doubt_stats *s, enum airq_pollutant p)
{
    const int64_t v = at_share(s, p, 500);
    return v < 0 ? AIRQ_NONE : v * airq_tick(p);
}

struct course { /* first harmonic of the day's course */
    bool known;
    double hour; /* of its top, 0..24, at the middle of hours */
    double size; /* half of top minus trough, as a part of the mean */
};

static struct course course_of(const struct airq_doubt_stats *s, enum airq_pollutant p)
{
    struct course c = {false, 0, 0};
    double mean = 0, x = 0, y = 0;
    if (s->n[p] < SHAPE_ROWS_MIN)
        return c;
    for (int h = 0; h < 24; h++) {
        if (s->hours[p][h] < 10)
            return c;
        const double v = (double)s->sum[p][h] / s->hours[p][h], at = (h + 0.5) * (2 * M_PI / 24);
        mean += v / 24;
        x += v * cos(at) / 12;
        y += v * sin(at) / 12;
    }
    if (mean <= 0)
        return c;
    c.known = true;
    c.hour = fmod(atan2(y, x) * (24 / (2 * M_PI)) + 24, 24);
    c.size = sqrt(x * x + y * y) / mean;
    return c;
}

static double correlation(const struct airq_doubt_stats *s, enum airq_pollutant p, enum airq_pollutant q)
{
    const enum airq_pollutant a = p < q ? p : q, b = p < q ? q : p;
    const double n = (double)s->pair[a][b].n;
    if (n < SHAPE_ROWS_MIN)
        return 0;
    const double x = (double)s->pair[a][b].x / n, y = (double)s->pair[a][b].y / n;
    const double xx = (double)s->pair[a][b].xx / n - x * x, yy = (double)s->pair[a][b].yy / n - y * y;
    return xx > 0 && yy > 0 ? ((double)s->pair[a][b].xy / n - x * y) / sqrt(xx * yy) : 0;
}

/* b - a on the clock, -12..12 */
static double later(double a, double b)
{
    return fmod(b - a + 36, 24) - 12;
}

/* ---- findings ---- */

struct findings {
    struct airq_doubt_finding *ret;
    size_t n;
    unsigned doubted; /* bit per pollutant whose column or unit is in doubt already: not judged by its values again */
};

struct finding {
    struct airq_doubt_finding *f;
    struct say zh, en;
};

/* The room of a finding beyond the last is that of the last: it cannot happen, see AIRQ_DOUBT_MAX. */
static struct finding found(struct findings *g, enum airq_doubt_kind kind, enum airq_doubt_confidence confidence,
                            enum airq_pollutant p, enum airq_pollutant q)
{
    struct airq_doubt_finding *f = &g->ret[g->n < AIRQ_DOUBT_MAX ? g->n++ : AIRQ_DOUBT_MAX - 1];
    *f = (struct airq_doubt_finding){.kind = kind, .confidence = confidence, .p = p, .q = q};
    return (struct finding){f, {f->zh, sizeof f->zh, 0}, {f->en, sizeof f->en, 0}};
}

static void both(struct finding *t, const char *zh, const char *en)
{
    say(&t->zh, zh);
    say(&t->en, en);
}

static void number(struct finding *t, int64_t v, unsigned decimals)
{
    say_fix(&t->zh, v, decimals);
    say_fix(&t->en, v, decimals);
}

static void count(struct finding *t, uint32_t n)
{
    number(t, (int64_t)n * LT_FIX_ONE, 0);
}

static void name(struct finding *t, enum airq_pollutant p)
{
    static const char *const plain[] = {"SO2", "NO2", "CO", "PM10", "PM2.5", "O3"};
    both(t, plain[p], plain[p]);
}

static void advise(struct finding *t, const char *zh, const char *en)
{
    lt_text_copy(t->f->do_zh, sizeof t->f->do_zh, zh);
    lt_text_copy(t->f->do_en, sizeof t->f->do_en, en);
}

static const char *unit_of(enum airq_pollutant p)
{
    return p == AIRQ_CO ? " mg/m³" : " µg/m³";
}

/* ---- impossible, repeated ---- */

static void judge_impossible(struct findings *g, const struct airq_doubt_stats *s)
{
    for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
        const enum airq_pollutant p = (enum airq_pollutant)i;
        if (s->negative[p] + s->beyond[p] == 0)
            continue;
        struct finding t = found(g, AIRQ_DOUBT_IMPOSSIBLE, AIRQ_DOUBT_CERTAIN, p, p);
        name(&t, p);
        both(&t, " 有 ", ": ");
        count(&t, s->negative[p]);
        both(&t, " 个负值、", " values below zero, ");
        count(&t, s->beyond[p]);
        both(&t, " 个值超过 ", " above ");
        number(&t, airq_most(p) * airq_tick(p), 0);
        both(&t, unit_of(p), unit_of(p));
        both(&t, "，超出仪器可能的范围。", ", more than an instrument can tell.");
        advise(&t, "逐行查看；缺测应留空，勿用 -999 等代码。",
               "Look at the rows; a missing value is left empty, not written as -999.");
    }
}

static void judge_repeated(struct findings *g, const struct airq_doubt_stats *s)
{
    if (s->repeated == 0)
        return;
    struct finding t =
        found(g, AIRQ_DOUBT_REPEATED, s->repeated_other ? AIRQ_DOUBT_CERTAIN : AIRQ_DOUBT_LIKELY, AIRQ_PM25, AIRQ_PM25);
    both(&t, "有 ", "");
    count(&t, s->repeated);
    both(&t, " 个站点小时出现两次以上，其中 ", " station-hours are told twice or more, ");
    count(&t, s->repeated_other);
    both(&t, " 个前后数值不同。", " of them with other values than the first time.");
    advise(&t, "查明哪一份是正确的；夏令时、时区或重复导出会造成重复。",
           "Find out which one is right; summer time, time zones or a file exported twice cause this.");
}

/* ---- exchanged columns ---- */

static void tell_swapped(struct findings *g, enum airq_doubt_confidence confidence, enum airq_pollutant p,
                         enum airq_pollutant q, const char *zh, const char *en)
{
    struct finding t = found(g, AIRQ_DOUBT_SWAPPED, confidence, p, q);
    name(&t, p);
    both(&t, " 与 ", " and ");
    name(&t, q);
    both(&t, " 两列疑似互换：", " look exchanged: ");
    both(&t, zh, en);
    advise(&t, "核对表头与列的对应关系后重新导入。", "Check which column is which, then import again.");
    g->doubted |= 1u << p | 1u << q;
}

static void judge_pm(struct findings *g, const struct airq_doubt_stats *s)
{
    const uint64_t over = s->pm_over, under = s->pm_under;
    if (g->doubted & (1u << AIRQ_PM10 | 1u << AIRQ_PM25) || over < ROWS_MIN || over < under * 3 ||
        at_share(s, AIRQ_PM25, 500) * 10 < at_share(s, AIRQ_PM10, 500) * 11)
        return;
    tell_swapped(g, over >= under * 8 ? AIRQ_DOUBT_CERTAIN : AIRQ_DOUBT_LIKELY, AIRQ_PM10, AIRQ_PM25,
                 "多数小时 PM2.5 高于 PM10，而 PM2.5 是 PM10 的一部分。",
                 "in most hours PM2.5 is above PM10, of which it is a part.");
}

/* Ozone is made by the sun: high in the afternoon, low before sunrise; the others lie low when the air mixes. */
static bool like_ozone(const struct course *c)
{
    return c->known && c->size > 0.35 && c->hour > 12 && c->hour < 19;
}

static void judge_ozone(struct findings *g, const struct airq_doubt_stats *s)
{
    const struct course o3 = course_of(s, AIRQ_O3);
    if (!o3.known)
        return;
    /* SO2 can have ozone's course in winter: then only what goes with NO2 tells them apart */
    const double margin = o3.size > 0.3 && o3.hour > 11 && o3.hour < 20 ? 0.4 : 0.2;
    for (int i = 0; i < AIRQ_O3; i++) {
        const enum airq_pollutant p = (enum airq_pollutant)i;
        const struct course c = course_of(s, p);
        /* ozone eats what comes from exhausts: it falls where NO2 (CO) rises */
        const enum airq_pollutant exhaust = p == AIRQ_NO2 ? AIRQ_CO : AIRQ_NO2;
        if (!like_ozone(&c) || correlation(s, p, AIRQ_O3) > 0.3 ||
            correlation(s, p, exhaust) > correlation(s, AIRQ_O3, exhaust) - margin)
            continue;
        tell_swapped(
            g, AIRQ_DOUBT_CERTAIN, p, AIRQ_O3, "前者午后高、清晨低，是臭氧的日变化；O3 列没有。",
            "the first is high in the afternoon and low at dawn, the day's course of ozone; the O3 column is not.");
        return;
    }
}

/* SO2 and NO2: traffic's NO2 is high at night and eaten by ozone by day; SO2 comes down from stacks before noon. */
static void judge_so2_no2(struct findings *g, const struct airq_doubt_stats *s)
{
    const struct course so2 = course_of(s, AIRQ_SO2), no2 = course_of(s, AIRQ_NO2);
    if (g->doubted & (1u << AIRQ_SO2 | 1u << AIRQ_NO2) || !so2.known || !no2.known)
        return;
    if (at_share(s, AIRQ_SO2, 500) <= at_share(s, AIRQ_NO2, 500) * 5 / 4 ||
        correlation(s, AIRQ_SO2, AIRQ_O3) > correlation(s, AIRQ_NO2, AIRQ_O3) - 0.15 || so2.size < 0.08 ||
        !(so2.hour > 18 || so2.hour < 7) || !(no2.hour > 7 && no2.hour < 17))
        return;
    tell_swapped(
        g, AIRQ_DOUBT_LIKELY, AIRQ_SO2, AIRQ_NO2, "SO2 列夜间高、与 O3 此消彼长且水平较高，像 NO2；NO2 列相反。",
        "the SO2 column is high at night, falls as O3 rises and is the larger one, like NO2; the NO2 column is not.");
}

/* PM10 goes with PM2.5 more than with anything else. */
static void judge_pm_partner(struct findings *g, const struct airq_doubt_stats *s, enum airq_pollutant pm,
                             enum airq_pollutant other)
{
    const double own = correlation(s, AIRQ_PM10, AIRQ_PM25);
    if (g->doubted & (1u << pm) || own == 0)
        return;
    for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
        const enum airq_pollutant q = (enum airq_pollutant)i;
        const double with = correlation(s, q, other);
        /* dust parts the two particles, too, but then the other gases do not change places with them */
        if ((q != AIRQ_SO2 && q != AIRQ_NO2) || (g->doubted >> q & 1) || with < 0.8 || with < own + 0.15 ||
            correlation(s, pm, AIRQ_O3) > correlation(s, q, AIRQ_O3) - 0.1)
            continue;
        tell_swapped(g, AIRQ_DOUBT_LIKELY, pm, q, "后者与另一种颗粒物同升同降，前者反而不是。",
                     "the second goes up and down with the other particles, the first does not.");
        return;
    }
}

/* ---- clock ---- */

static void tell_clock(struct findings *g, enum airq_doubt_confidence confidence, int hours, double top, bool known)
{
    struct finding t = found(g, AIRQ_DOUBT_CLOCK, confidence, AIRQ_O3, AIRQ_O3);
    t.f->hours = hours;
    both(&t, "臭氧日变化的峰值在 ", "The day's course of ozone has its top near ");
    number(&t, (int64_t)(top * 10) * 100000, 1);
    both(&t, known ? " 时，与这些站点以往相比" : " 时，而应在 14 至 17 时：文件的时钟",
         known ? " h; against what is known of these stations the file is "
               : " h, where 14 to 17 h is usual: the file's clock is ");
    both(&t, hours < 0 ? "慢约 " : "快约 ", "about ");
    number(&t, (int64_t)(hours < 0 ? -hours : hours) * LT_FIX_ONE, 0);
    both(&t, " 小时", hours < 0 ? " h behind" : " h ahead");
    both(&t, hours == -8 || hours == -7 || hours == -9 ? "，像是世界时（UTC）。" : "。",
         hours == -8 || hours == -7 || hours == -9 ? ", as if it were UTC." : ".");
    if (hours == 1 || hours == -1)
        advise(&t, "核对时间标记是小时的开始还是结束。",
               "Check whether a time labels the beginning or the end of its hour.");
    else
        advise(&t, "核对时区（北京时间 UTC+8）后重新导入。", "Check the time zone (China: UTC+8), then import again.");
}

static void judge_clock(struct findings *g, const struct airq_doubt_stats *s, const struct airq_doubt_stats *known)
{
    const struct course o3 = course_of(s, AIRQ_O3);
    if (!o3.known || o3.size < 0.2 || (g->doubted >> AIRQ_O3 & 1))
        return;
    /* usual tops lie from 13 h (north-east) to 19 h (Xinjiang by Beijing time) */
    if (o3.hour < 12.3 || o3.hour > 20.5) {
        const bool sure = o3.size > 0.35 && (o3.hour < 11 || o3.hour > 22);
        tell_clock(g, sure ? AIRQ_DOUBT_CERTAIN : AIRQ_DOUBT_LIKELY, (int)lround(later(16, o3.hour)), o3.hour, false);
        return;
    }
    if (!known)
        return;
    const struct course before = course_of(known, AIRQ_O3);
    const struct course no2 = course_of(s, AIRQ_NO2), no2_before = course_of(known, AIRQ_NO2);
    if (!before.known || !no2.known || !no2_before.known || no2.size < 0.1 || no2_before.size < 0.1 ||
        s->n[AIRQ_O3] < KNOWN_ROWS_MIN || known->n[AIRQ_O3] < KNOWN_ROWS_MIN)
        return;
    const double a = later(before.hour, o3.hour), b = later(no2_before.hour, no2.hour);
    /* both must be moved alike: weather and season move one of them */
    if (fabs(a) < 0.75 || fabs(b) < 0.75 || fabs(a - b) > 0.5)
        return;
    const int hours = (int)lround((a + b) / 2);
    tell_clock(g, fabs(a) < 1.5 ? AIRQ_DOUBT_HINT : AIRQ_DOUBT_LIKELY, hours, o3.hour, true);
}

/* ---- units ---- */

static void tell_unit(struct findings *g, enum airq_doubt_kind kind, enum airq_doubt_confidence confidence,
                      enum airq_pollutant p, int64_t median, const char *zh, const char *en)
{
    struct finding t = found(g, kind, confidence, p, p);
    name(&t, p);
    both(&t, " 的中位数为 ", " has a median of ");
    number(&t, median, median < LT_FIX_ONE ? 3 : 1);
    both(&t, unit_of(p), unit_of(p));
    both(&t, zh, en);
    advise(&t, "核对单位（SO2、NO2、O3、颗粒物为 µg/m³，CO 为 mg/m³），选对单位后重新导入。",
           "Check the unit (SO2, NO2, O3 and particles in µg/m³, CO in mg/m³), choose it and import again.");
    g->doubted |= 1u << p;
}

static void judge_thousandth(struct findings *g, const struct airq_doubt_stats *s, enum airq_pollutant p)
{
    const uint64_t n = (uint64_t)s->n[p] + s->beyond[p];
    const int64_t median = at_share(s, p, 500) * airq_tick(p), high = at_share(s, p, 950) * airq_tick(p);
    if (n < 24 || (g->doubted >> p & 1))
        return;
    const enum airq_doubt_confidence sure = n >= ROWS_MIN ? AIRQ_DOUBT_CERTAIN : AIRQ_DOUBT_LIKELY;
    /* background air holds 0.1 mg/m3 of CO and a few µg/m3 of everything else; only zeros are no unit's fault */
    if (high > 0 && (p == AIRQ_CO ? median < 20000 : median < 400000 && high < 3 * LT_FIX_ONE))
        tell_unit(g, AIRQ_DOUBT_UNIT_MG, sure, p, median,
                  p == AIRQ_CO ? "，约为正常值的千分之一：像是把 mg/m³ 当成了 µg/m³。"
                               : "，约为正常值的千分之一：像是 mg/m³。",
                  p == AIRQ_CO ? ", about a thousandth of what is usual: as if mg/m³ had been taken for µg/m³."
                               : ", about a thousandth of what is usual: as if it were mg/m³.");
    else if (p == AIRQ_CO ? median > 20 * LT_FIX_ONE : median > 3000 * INT64_C(1000000))
        tell_unit(g, AIRQ_DOUBT_UNIT_UG, sure, p, median, "，约为正常值的千倍：像是小一千倍的单位。",
                  ", about a thousandfold of what is usual: as if the unit were a thousand times smaller.");
}

/* Ratio of the medians of what is known and of now, per cent; 0 when it cannot be told. */
static int64_t ratio_pct(const struct airq_doubt_stats *s, const struct airq_doubt_stats *known, enum airq_pollutant p)
{
    if (s->n[p] < KNOWN_ROWS_MIN || known->n[p] < KNOWN_ROWS_MIN)
        return 0;
    const int64_t now = airq_doubt_median(s, p);
    return now <= 0 ? 0 : airq_doubt_median(known, p) * 100 / now;
}

/* SO2, NO2 and O3 together stand to what is known as ppb to µg/m3, while CO and particles have not changed as much. */
static unsigned ppb_by_known(const struct airq_doubt_stats *s, const struct airq_doubt_stats *known)
{
    static const struct {
        enum airq_pollutant p;
        int from, to; /* per cent */
    } expect[] = {
        {AIRQ_PM10, 70, 140}, {AIRQ_CO, 70, 140}, {AIRQ_NO2, 145, 250}, {AIRQ_O3, 150, 260}, {AIRQ_SO2, 120, 600}};
    for (size_t i = 0; known && i < sizeof expect / sizeof expect[0]; i++) {
        const int64_t r = ratio_pct(s, known, expect[i].p);
        if (r < expect[i].from || r > expect[i].to)
            return 0;
    }
    return known ? 1u << AIRQ_SO2 | 1u << AIRQ_NO2 | 1u << AIRQ_O3 : 0;
}

static void judge_ppb(struct findings *g, const struct airq_doubt_stats *s, const struct airq_doubt_stats *known)
{
    static const enum airq_pollutant gases[] = {AIRQ_SO2, AIRQ_NO2, AIRQ_O3};
    const unsigned by_known = ppb_by_known(s, known);
    unsigned by_fraction = 0;
    for (size_t i = 0; i < 3; i++) {
        const enum airq_pollutant p = gases[i];
        const uint32_t whole = s->as_ppb[p][0] > s->as_ppb[p][1] ? s->as_ppb[p][0] : s->as_ppb[p][1];
        /* by chance 22 % would fit */
        if (s->fraction[p] >= ROWS_MIN && s->fraction[p] >= s->n[p] / 8 &&
            (uint64_t)whole * 100 >= (uint64_t)s->fraction[p] * 75)
            by_fraction |= 1u << p;
    }
    const bool several = by_fraction & (by_fraction - 1);
    for (size_t i = 0; i < 3; i++) {
        const enum airq_pollutant p = gases[i];
        if (g->doubted >> p & 1)
            continue;
        if (by_fraction >> p & 1)
            tell_unit(
                g, AIRQ_DOUBT_UNIT_PPB, several || (by_known >> p & 1) ? AIRQ_DOUBT_CERTAIN : AIRQ_DOUBT_LIKELY, p,
                airq_doubt_median(s, p), "，其小数乘以 ppb 换算系数后几乎都是整数：像是由 µg/m³ 换算成的 ppb。",
                ", and its decimals become whole numbers when multiplied as ppb: as if converted from µg/m³ to ppb.");
        else if (by_known >> p & 1)
            tell_unit(
                g, AIRQ_DOUBT_UNIT_PPB, AIRQ_DOUBT_LIKELY, p, airq_doubt_median(s, p),
                "，与这些站点以往之比正是 ppb 与 µg/m³ 之比，而颗粒物并未变化：像是 ppb。",
                ", which stands to what is known of these stations as ppb to µg/m³, while particles are unchanged.");
    }
    if (by_fraction || by_known || s->n[AIRQ_O3] < SHAPE_ROWS_MIN || s->n[AIRQ_NO2] < SHAPE_ROWS_MIN ||
        (g->doubted & (1u << AIRQ_O3 | 1u << AIRQ_NO2)))
        return;
    /* O3 + NO2 of the afternoon: the northern hemisphere's background is above 30 ppb, 60 µg/m3 */
    int64_t ox = 0, hours = 0;
    for (int h = 13; h < 18; h++)
        if (s->hours[AIRQ_O3][h] && s->hours[AIRQ_NO2][h]) {
            ox += s->sum[AIRQ_O3][h] / s->hours[AIRQ_O3][h] + s->sum[AIRQ_NO2][h] / s->hours[AIRQ_NO2][h];
            hours++;
        }
    if (hours == 5 && ox / 5 > 15 * 10000 && ox / 5 < 52 * 10000)
        tell_unit(
            g, AIRQ_DOUBT_UNIT_PPB, AIRQ_DOUBT_HINT, AIRQ_O3, airq_doubt_median(s, AIRQ_O3),
            "，午后 O3 与 NO2 之和低于大气本底（约 60 µg/m³）：可能是 ppb。",
            ", and O3 with NO2 in the afternoon is below the background of the air (about 60 µg/m³): perhaps ppb.");
}

size_t airq_doubt(const struct airq_doubt_stats *s, const struct airq_doubt_stats *known,
                  struct airq_doubt_finding ret[AIRQ_DOUBT_MAX])
{
    struct findings g = {ret, 0, 0};
    judge_impossible(&g, s);
    judge_repeated(&g, s);
    judge_ozone(&g, s); /* by shape, whatever the units are */
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        judge_thousandth(&g, s, (enum airq_pollutant)p);
    judge_pm(&g, s);
    judge_so2_no2(&g, s);
    judge_pm_partner(&g, s, AIRQ_PM25, AIRQ_PM10);
    judge_pm_partner(&g, s, AIRQ_PM10, AIRQ_PM25);
    judge_clock(&g, s, known);
    judge_ppb(&g, s, known);
    for (size_t i = 1; i < g.n; i++) /* surest first, else as found; at most 24 */
        for (size_t k = i; k > 0 && ret[k].confidence > ret[k - 1].confidence; k--) {
            const struct airq_doubt_finding f = ret[k];
            ret[k] = ret[k - 1];
            ret[k - 1] = f;
        }
    return g.n;
}

const char *airq_doubt_kind_name(enum airq_doubt_kind k)
{
    static const char *const names[AIRQ_DOUBT_KINDS] = {"unit_mg",    "unit_ug",  "unit_ppb", "swapped",
                                                        "impossible", "repeated", "clock"};
    return names[k];
}

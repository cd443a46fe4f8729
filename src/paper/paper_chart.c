/* A chart as strokes: axes, limit, bars or lines, labels at the lines' ends. Floating point only places ink; figures
 * are printed from the exact values. */
#include "base/fix.h"
#include "base/text.h"
#include "paper/paper_priv.h"

#include <math.h>
#include <stdio.h>

#define LEFT   44.0
#define RIGHT  84.0 /* for the names at the ends of lines */
#define TOP    16.0
#define BOTTOM 20.0
#define LABELS 10 /* labels of the x axis that fit */
#define GRID   0xD5DBE3u
#define INK    0x333333u

static const uint32_t colours[PAPER_SERIES_MAX] = {0x1F5FA8, 0xB3541E, 0x3F7D3A, 0x6B4FA0,
                                                   0x7A6A00, 0x9C2F5E, 0x2A7F86, 0x777777};

struct draw {
    const json_t *chart, *labels, *series;
    size_t n, n_series;
    bool bars;
    double low, high, step; /* of the y axis, in units */
    double right;           /* x of the plot's right edge */
    void (*each)(void *user, const struct paper_stroke *s);
    void *user;
};

static double unit(const json_t *v)
{
    return (double)json_integer_value(v) / LT_FIX_ONE;
}

static double y_of(const struct draw *d, double v)
{
    return PAPER_CHART_H - BOTTOM - (v - d->low) / (d->high - d->low) * (PAPER_CHART_H - TOP - BOTTOM);
}

static double x_of(const struct draw *d, double place) /* 0..n */
{
    return LEFT + place / (double)d->n * (d->right - LEFT);
}

static void line(const struct draw *d, double x, double y, double x2, double y2, uint32_t rgb, double width,
                 bool dashed)
{
    struct paper_stroke s = {
        .kind = PAPER_LINE, .x = x, .y = y, .x2 = x2, .y2 = y2, .rgb = rgb, .width = width, .dashed = dashed};
    d->each(d->user, &s);
}

static void label(const struct draw *d, double x, double y, enum paper_align align, uint32_t rgb, const char *text)
{
    struct paper_stroke s = {.kind = PAPER_LABEL, .x = x, .y = y, .rgb = rgb, .align = align, .text = text};
    d->each(d->user, &s);
}

static double nice(double raw)
{
    double power = pow(10, floor(log10(raw))), part = raw / power;
    return (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10) * power;
}

static void range(struct draw *d)
{
    double low = 0, high = 0;
    const json_t *limit = json_object_get(d->chart, "limit");
    if (limit) {
        low = fmin(low, unit(limit));
        high = fmax(high, unit(limit));
    }
    for (size_t s = 0; s < d->n_series; s++) {
        const json_t *v = json_object_get(json_array_get(d->series, s), "values");
        for (size_t i = 0; i < d->n; i++) {
            if (json_is_null(json_array_get(v, i)))
                continue;
            low = fmin(low, unit(json_array_get(v, i)));
            high = fmax(high, unit(json_array_get(v, i)));
        }
    }
    d->step = nice(fmax(high - low, 1e-6) / 4);
    d->low = floor(low / d->step) * d->step;
    d->high = fmax(ceil(high / d->step), d->low / d->step + 1) * d->step;
}

static void axes(const struct draw *d)
{
    unsigned decimals = (unsigned)json_integer_value(json_object_get(d->chart, "decimals"));
    if (d->step >= 1)
        decimals = 0;
    for (double v = d->low; v <= d->high + d->step / 2; v += d->step) {
        char z[32];
        lt_fix_format((int64_t)llround(v * LT_FIX_ONE), decimals, z);
        line(d, LEFT, y_of(d, v), d->right, y_of(d, v), fabs(v) < d->step / 2 ? INK : GRID, 0.5, false);
        label(d, LEFT - 4, y_of(d, v) + 3, PAPER_RIGHT, INK, z);
    }
    size_t every = (d->n + LABELS - 1) / LABELS;
    for (size_t i = 0; i < d->n; i += every)
        label(d, x_of(d, (double)i + 0.5), PAPER_CHART_H - 6, PAPER_CENTRE, INK,
              json_string_value(json_array_get(d->labels, i)));
    label(d, 2, 10, PAPER_LEFT, INK, paper_str(d->chart, "unit"));
}

static void bars(const struct draw *d)
{
    double slot = 1.0 / ((double)d->n_series + 0.6);
    double zero = fmin(fmax(0, d->low), d->high), at = LEFT + 60;
    for (size_t s = 0; s < d->n_series; s++) {
        const json_t *o = json_array_get(d->series, s), *v = json_object_get(o, "values");
        for (size_t i = 0; i < d->n; i++) {
            if (json_is_null(json_array_get(v, i)))
                continue;
            double x = (double)i + slot * (0.3 + (double)s);
            struct paper_stroke r = {.kind = PAPER_RECT,
                                     .x = x_of(d, x),
                                     .x2 = x_of(d, x + slot * 0.92),
                                     .y = y_of(d, unit(json_array_get(v, i))),
                                     .y2 = y_of(d, zero),
                                     .rgb = colours[s]};
            d->each(d->user, &r);
        }
        if (d->n_series > 1 || paper_str(o, "name")[0]) {
            struct paper_stroke r = {.kind = PAPER_RECT, .x = at, .y = 3, .x2 = at + 7, .y2 = 10, .rgb = colours[s]};
            d->each(d->user, &r);
            label(d, at + 10, 10, PAPER_LEFT, INK, paper_str(o, "name"));
            at += 24 + 8 * (double)lt_text_chars(lt_slice_of(paper_str(o, "name")));
        }
    }
}

static void lines(const struct draw *d)
{
    double end[PAPER_SERIES_MAX];
    for (size_t s = 0; s < d->n_series; s++) {
        const json_t *v = json_object_get(json_array_get(d->series, s), "values");
        double last_x = 0, last_y = 0;
        bool has = false;
        end[s] = -1;
        for (size_t i = 0; i < d->n; i++) {
            if (json_is_null(json_array_get(v, i))) {
                has = false; /* a gap stays a gap */
                continue;
            }
            double x = x_of(d, (double)i + 0.5), y = y_of(d, unit(json_array_get(v, i)));
            if (has)
                line(d, last_x, last_y, x, y, colours[s], 1.2, false);
            else if (i + 1 == d->n || json_is_null(json_array_get(v, i + 1)))
                line(d, x - 1, y, x + 1, y, colours[s], 1.2, false);
            last_x = x;
            last_y = y;
            has = true;
            end[s] = y;
        }
    }
    for (unsigned round = 0; round < PAPER_SERIES_MAX; round++) /* names that lie on each other move apart */
        for (size_t a = 0; a < d->n_series; a++)
            for (size_t b = 0; b < d->n_series; b++)
                if (a != b && end[a] >= 0 && end[b] >= 0 && (end[a] < end[b] || (end[a] <= end[b] && a < b)) &&
                    end[b] - end[a] < 10)
                    end[b] = end[a] + 10;
    for (size_t s = 0; s < d->n_series; s++)
        if (end[s] >= 0)
            label(d, d->right + 4, end[s] + 3, PAPER_LEFT, colours[s], paper_str(json_array_get(d->series, s), "name"));
}

void paper_chart_strokes(const json_t *chart, void (*each)(void *user, const struct paper_stroke *s), void *user)
{
    struct draw d = {.chart = chart,
                     .labels = json_object_get(chart, "labels"),
                     .series = json_object_get(chart, "series"),
                     .bars = paper_flag(chart, "bars"),
                     .each = each,
                     .user = user};
    d.n = json_array_size(d.labels);
    d.n_series = json_array_size(d.series);
    d.right = PAPER_CHART_W - (d.bars ? 10 : RIGHT);
    range(&d);
    axes(&d);
    if (d.bars)
        bars(&d);
    else
        lines(&d);
    const json_t *limit = json_object_get(chart, "limit");
    if (limit) {
        line(&d, LEFT, y_of(&d, unit(limit)), d.right, y_of(&d, unit(limit)), 0xB00020, 1, true);
        label(&d, d.right, y_of(&d, unit(limit)) - 3, PAPER_RIGHT, 0xB00020, paper_str(chart, "limit_label"));
    }
}

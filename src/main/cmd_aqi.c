/* lantian aqi: CSV in, CSV out, with the index of each row added. */
#include "airq/airq.h"
#include "base/text.h"
#include "main/cmd.h"
#include "main/opt.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 256 };

/* Columns added, in the order of the input's names, not of the primary pollutant's. */
static const enum airq_pollutant order[AIRQ_POLLUTANTS] = {AIRQ_SO2, AIRQ_NO2, AIRQ_CO, AIRQ_O3, AIRQ_PM10, AIRQ_PM25};

struct table {
    const struct airq_scale *scale;
    enum airq_average avg;
    bool english;
    int at[AIRQ_POLLUTANTS], at_so2_24h, at_o3_1h; /* column numbers, -1 absent */
    unsigned long line, bad;
};

/* Splits one CSV line (RFC 4180, no line breaks inside cells); cells keep no quotes around them. */
static int split(char *line, char *cell[COLUMNS_MAX])
{
    int n = 0;
    char *p = line;
    for (;;) {
        if (n == COLUMNS_MAX)
            return -1;
        if (*p == '"') {
            char *to = ++p;
            cell[n++] = to;
            while (*p && !(p[0] == '"' && p[1] != '"')) {
                p += p[0] == '"';
                *to++ = *p++;
            }
            p += *p == '"';
            char next = *p;
            *to = '\0';
            if (next != ',')
                return next ? -1 : n;
            p++;
            continue;
        }
        cell[n++] = p;
        p += strcspn(p, ",");
        if (!*p)
            return n;
        *p++ = '\0';
    }
}

static int64_t value_of(struct table *t, char *cell[], int n, int column, const char *name)
{
    int64_t v;
    if (column < 0)
        return AIRQ_NOT_MONITORED; /* no such column: this place does not measure it */
    if (column >= n || !cell[column][0])
        return AIRQ_NONE;
    if (strcmp(cell[column], "/") == 0)
        return AIRQ_NOT_MONITORED;
    if (lt_fix_parse(lt_slice_of(cell[column]), &v) && v >= 0)
        return v;
    fprintf(stderr, "lantian aqi: line %lu: %s '%s' is not a concentration (a number >= 0, empty, or /)\n", t->line,
            name, cell[column]);
    t->bad++;
    return AIRQ_NONE;
}

static void index_text(int v, char ret[16])
{
    snprintf(ret, 16, v == AIRQ_NA ? "NA" : "%d", v);
}

static void row(struct table *t, const char *text, char *cell[], int n)
{
    struct airq_input in;
    struct airq_result r;
    char primary[32], z[16];
    for (int p = 0; p < AIRQ_POLLUTANTS; p++)
        in.conc[p] = value_of(t, cell, n, t->at[p], airq_pollutant_name((enum airq_pollutant)p));
    in.so2_24h = t->at_so2_24h < 0 ? AIRQ_NONE : value_of(t, cell, n, t->at_so2_24h, "SO2_24h");
    in.o3_1h = t->at_o3_1h < 0 ? AIRQ_NONE : value_of(t, cell, n, t->at_o3_1h, "O3_1h");
    airq_index(t->scale, t->avg, &in, &r);
    fputs(text, stdout);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++) {
        index_text(r.iaqi[order[i]], z);
        printf(",%s", z);
    }
    index_text(r.aqi, z);
    airq_primary_text(r.primary, primary);
    printf(",%s,%s,%s\n", z, airq_level_name(t->scale, r.level, t->english), primary);
}

static int column_of(char *cell[], int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(cell[i], name) == 0)
            return i;
    return -1;
}

static bool header(struct table *t, const char *text, char *cell[], int n)
{
    int found = 0;
    for (int p = 0; p < AIRQ_POLLUTANTS; p++) {
        t->at[p] = column_of(cell, n, airq_pollutant_name((enum airq_pollutant)p));
        found += t->at[p] >= 0;
    }
    t->at_so2_24h = column_of(cell, n, "SO2_24h");
    t->at_o3_1h = column_of(cell, n, "O3_1h");
    if (!found) {
        fprintf(stderr, "lantian aqi: line 1: the header names none of SO2,NO2,CO,O3,PM10,PM25\n");
        return false;
    }
    fputs(text, stdout);
    for (int i = 0; i < AIRQ_POLLUTANTS; i++)
        printf(",IAQI_%s", airq_pollutant_name(order[i]));
    puts(",AQI,category,primary");
    return true;
}

static int each_line(struct table *t)
{
    char *line = NULL, *copy = NULL, *cell[COLUMNS_MAX];
    size_t cap = 0, copy_cap = 0;
    ssize_t len;
    int status = 0;
    while (status == 0 && (len = getline(&line, &cap, stdin)) >= 0) {
        t->line++;
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            line[--len] = '\0';
        char *text = t->line == 1 && strncmp(line, "\xEF\xBB\xBF", 3) == 0 ? line + 3 : line; /* a spreadsheet's mark */
        if (copy_cap < cap) {
            char *more = realloc(copy, cap);
            if (!more) {
                status = 2;
                break;
            }
            copy = more;
            copy_cap = cap;
        }
        memcpy(copy, text, strlen(text) + 1);
        int n = split(copy, cell);
        if (n < 0) {
            fprintf(stderr, "lantian aqi: line %lu: not CSV, or more than %d columns\n", t->line, COLUMNS_MAX);
            status = 2;
        } else if (t->line == 1) {
            status = header(t, text, cell, n) ? 0 : 2;
        } else if (*text) {
            row(t, text, cell, n);
        }
    }
    free(line);
    free(copy);
    if (status == 0 && t->line == 0) {
        fprintf(stderr, "lantian aqi: standard input is empty; a header line and rows are needed\n");
        status = 2;
    }
    return status ? status : t->bad ? 2 : 0;
}

int cmd_aqi(int argc, char **argv)
{
    const char *standard = "2026", *mode = "daily", *lang = "zh";
    const struct opt opts[] = {
        {"--standard", OPT_TEXT, &standard, "2012|2026|epa",
         "HJ 633-2012, HJ 633-2026 (default), or US EPA (O3 8-h and CO 8-h in ppm, SO2 and NO2 1-h in ppb)"},
        {"--mode", OPT_TEXT, &mode, "daily|realtime",
         "daily: daily means, O3 daily maximum 8-h mean; realtime: all 1-h"},
        {"--lang", OPT_TEXT, &lang, "zh|en", "language of category (default zh)"}};
    int r =
        opt_parse("aqi [--standard 2012|2026|epa] [--mode daily|realtime]      CSV on standard input: a header with "
                  "SO2,NO2,CO,O3,PM10,PM25 (CO in mg/m3, else µg/m3; empty missing, / not monitored)",
                  opts, 3, argc, argv, NULL, 0, NULL);
    if (r)
        return r == 1 ? 0 : 2;
    struct table t = {.scale = airq_scale_find(lt_slice_of(standard)), .english = strcmp(lang, "en") == 0};
    if (!t.scale || (strcmp(mode, "daily") && strcmp(mode, "realtime"))) {
        fprintf(stderr, "lantian aqi: --standard is 2012, 2026 or epa, --mode is daily or realtime\n");
        return 2;
    }
    t.avg = strcmp(mode, "daily") == 0 ? AIRQ_DAY : AIRQ_HOUR;
    return each_line(&t);
}

/* Reading for `lantian assess`; see assess_read.h. One pass, any order of rows. */
#include "main/assess_read.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { FAULTS_MAX = 20, CHUNK = 1 << 20 /* also the longest line: rows have about 100 bytes */ };

struct source {
    struct assess_table *t;
    const char *path;
    unsigned long line;
};

/* Foreign bytes for a terminal: at most cap - 1, none that steers it, UTF-8 or question marks. */
static void readable(struct lt_slice cell, char *ret, size_t cap)
{
    const size_t n = lt_text_copy_slice(ret, cap, cell);
    const bool utf8 = lt_text_is_utf8((struct lt_slice){ret, n});
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)ret[i] < ' ' || ret[i] == 0x7F || (!utf8 && (unsigned char)ret[i] >= 0x80))
            ret[i] = '?';
}

static void tell(struct source *s, const char *column, struct lt_slice cell, const char *text)
{
    char shown[64];
    readable(cell, shown, sizeof shown);
    s->t->faults++;
    fprintf(stderr, "lantian assess: %s: line %lu: %s%s'%s' %s\n", s->path, s->line, column, *column ? " " : "", shown,
            text);
}

/* ---- stations ---- */

static struct assess_station *new_station(struct source *s, struct lt_slice name, uint16_t *slot)
{
    struct assess_table *t = s->t;
    if (!lt_text_is_utf8(name)) {
        tell(s, "station", name, "is not UTF-8; convert the file first");
        return NULL;
    }
    if (t->stations == ASSESS_STATIONS_MAX) {
        tell(s, "station", name, "is one too many; at most 4096 are assessed at once");
        return NULL;
    }
    struct assess_station *n = &t->station[t->stations];
    n->name = strndup(name.p, name.n);
    n->cells = calloc((size_t)(t->hourly.to - t->hourly.from + 1), sizeof *n->cells);
    if (!n->name || !n->cells) {
        free(n->name);
        free(n->cells);
        *n = (struct assess_station){0};
        tell(s, "station", name, "finds no memory; assess a shorter period");
        return NULL;
    }
    t->stations++;
    *slot = (uint16_t)t->stations;
    return n;
}

static struct assess_station *station_of(struct source *s, struct lt_slice name)
{
    struct assess_table *t = s->t;
    /* the same again, or the one that came after it the last time */
    for (size_t i = t->last; t->stations && i < t->last + 2; i++) {
        struct assess_station *near = &t->station[i % t->stations];
        if (lt_slice_is(name, near->name)) {
            t->last = i % t->stations;
            return near;
        }
    }
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 16777619u;
    const size_t mask = 2 * ASSESS_STATIONS_MAX - 1;
    size_t at = h & mask;
    for (; t->slot[at]; at = (at + 1) & mask) {
        struct assess_station *old = &t->station[t->slot[at] - 1];
        if (lt_slice_is(name, old->name)) {
            t->last = t->slot[at] - 1u;
            return old;
        }
    }
    struct assess_station *made = new_station(s, name, &t->slot[at]);
    if (made)
        t->last = t->stations - 1;
    return made;
}

/* ---- lines ---- */

static void take_row(struct source *s, const struct airq_row *row)
{
    struct assess_station *station = station_of(s, row->station);
    if (!station)
        return;
    s->t->rows++;
    if (!airq_cell_add(&station->cells[row->day - s->t->hourly.from], row->hour, row->ticks)) {
        char text[96];
        snprintf(text, sizeof text, "has this hour twice (day %d of the period, the hour from %02d:00)",
                 row->day - s->t->hourly.from + 1, row->hour);
        tell(s, "station", row->station, text);
    }
}

static void take_line(struct source *s, struct lt_slice line)
{
    struct assess_table *t = s->t;
    struct airq_row row;
    struct airq_fault f;
    s->line++;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (s->line == 1) {
        if (!airq_hourly_header(&t->hourly, line, &f))
            tell(s, f.column, f.cell, f.text);
        return;
    }
    const enum airq_row_kind kind = airq_hourly_row(&t->hourly, line, &row, &f);
    if (kind == AIRQ_ROW_BAD)
        tell(s, f.column, f.cell, f.text);
    if (kind == AIRQ_ROW_CO && !t->co_line) {
        t->co_line = s->line;
        lt_text_copy(t->co_file, sizeof t->co_file, s->path);
        readable(f.cell, t->co_cell, sizeof t->co_cell);
    }
    if (kind == AIRQ_ROW_IN || kind == AIRQ_ROW_CO)
        take_row(s, &row);
}

static bool may_go_on(struct source *s)
{
    if (s->line == 1 && s->t->faults)
        return false; /* without a header every row would be a fault */
    if (s->t->faults >= FAULTS_MAX)
        fprintf(stderr, "lantian assess: %s: read no further after %d faults\n", s->path, FAULTS_MAX);
    return s->t->faults < FAULTS_MAX;
}

/* Takes the whole lines of buf[0..n), at the end of the file also the last without line end; returns the bytes used. */
static size_t take_lines(struct source *s, const char *buf, size_t n, bool end)
{
    size_t used = 0;
    while (used < n) {
        const char *nl = memchr(buf + used, '\n', n - used);
        if (!nl && !end)
            break;
        const size_t len = nl ? (size_t)(nl - buf) - used : n - used;
        take_line(s, (struct lt_slice){buf + used, len});
        used += len + (nl != NULL);
        if (!may_go_on(s))
            return n;
        if (s->line % 5000000 == 0 && isatty(STDERR_FILENO))
            fprintf(stderr, "%s: %lu million lines\n", s->path, s->line / 1000000);
    }
    return used;
}

static bool read_all(struct source *s, gzFile in, char *buf)
{
    size_t have = 0;
    for (;;) {
        if (have == CHUNK) {
            s->line++;
            tell(s, "", (struct lt_slice){buf, 40}, "begins a line longer than 1 MiB: this is no CSV of hourly values");
            return false;
        }
        const int got = gzread(in, buf + have, (unsigned)(CHUNK - have));
        int code = Z_OK;
        const char *why = gzerror(in, &code);
        if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
            fprintf(stderr, "lantian assess: %s: cannot be read after line %lu: %s\n", s->path, s->line,
                    code == Z_BUF_ERROR ? "the compressed file is cut off" : why);
            s->t->faults++;
            return false;
        }
        have += (size_t)got;
        const size_t used = take_lines(s, buf, have, got == 0);
        have -= used;
        memmove(buf, buf + used, have);
        if (s->t->faults && !may_go_on(s))
            return false;
        if (got == 0)
            return s->t->faults == 0;
    }
}

bool assess_read(struct assess_table *t, const char *path)
{
    struct source s = {t, strcmp(path, "-") == 0 ? "standard input" : path, 0};
    gzFile in = strcmp(path, "-") == 0 ? gzdopen(dup(STDIN_FILENO), "rb") : gzopen(path, "rb");
    char *buf = malloc(CHUNK);
    bool ok = false;
    if (!in || !buf) {
        fprintf(stderr, "lantian assess: %s: cannot be opened; is the name right and may it be read?\n", s.path);
        t->faults++;
        goto out;
    }
    gzbuffer(in, 1 << 18);
    ok = read_all(&s, in, buf);
    if (ok && s.line == 0) {
        fprintf(stderr, "lantian assess: %s: is empty; a header line and rows are needed\n", s.path);
        t->faults++;
        ok = false;
    }
out:
    if (in)
        gzclose(in);
    free(buf);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct assess_station *)a)->name, ((const struct assess_station *)b)->name);
}

bool assess_table_end(struct assess_table *t)
{
    const enum airq_co_verdict co = airq_hourly_co(&t->hourly);
    if (t->rows == 0) {
        fprintf(stderr, "lantian assess: no row lies in the period; are --from and --to right?\n");
        return false;
    }
    if (co == AIRQ_CO_IS_UG) {
        fprintf(stderr,
                "lantian assess: CO: more than half of the %lu values are above 50, so they can hardly be mg/m3; "
                "if they are ug/m3 say --co-unit ug\n",
                (unsigned long)t->hourly.co_n);
        return false;
    }
    if (co == AIRQ_CO_IS_MG) {
        fprintf(stderr,
                "lantian assess: CO: more than half of the %lu values are below 20, so they can hardly be ug/m3; "
                "if they are mg/m3 say --co-unit mg\n",
                (unsigned long)t->hourly.co_n);
        return false;
    }
    if (t->co_line) {
        fprintf(stderr, "lantian assess: %s: line %lu: CO '%s' is more than can be (150 mg/m3); %lu such in all\n",
                t->co_file, t->co_line, t->co_cell, (unsigned long)t->hourly.co_beyond);
        return false;
    }
    qsort(t->station, t->stations, sizeof t->station[0], by_name);
    return true;
}

void assess_table_free(struct assess_table *t)
{
    for (size_t i = 0; i < t->stations; i++) {
        free(t->station[i].name);
        free(t->station[i].cells);
    }
    free(t);
}

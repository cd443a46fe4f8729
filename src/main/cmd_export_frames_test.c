/* Tests of lantian export frames: each stored frame once, in order; filters; refused ones; beside an open journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "journal/journal_test_util.h"
#include "main/cmd_export_frames.h"

#define FRAMES 500

static char frames[FRAMES][1200];
static size_t lengths[FRAMES];

/* Frame i of device i % 5, received a minute after the other, over several days; between them other records. */
static struct journal *fill(const char *dir)
{
    struct journal *j = NULL;
    assert_int_equal(journal_open(dir, LT_TZ_CHINA, &j, NULL), LT_OK);
    for (unsigned i = 0; i < FRAMES; i++) {
        const int64_t at = TEST_T0 + i * 10 * LT_MIN_MS;
        struct journal_record r = {.kind = JOURNAL_FRAME, .at_ms = at};
        lengths[i] = frame_make(frames[i], i % 5, at, 0, &r.mn);
        r.bytes = (struct lt_slice){frames[i], lengths[i]};
        assert_true(journal_add(j, &r) > 0);
        const struct journal_record other = {.kind = i % 2 ? JOURNAL_TICK : JOURNAL_DUPLICATE, .at_ms = at, .ref = 1};
        assert_true(journal_add(j, &other) > 0);
        if (i % 50 == 7) {
            const struct journal_record bad = {.kind = i == 7 ? JOURNAL_DROPPED : JOURNAL_REJECT,
                                               .reason = 5,
                                               .at_ms = at,
                                               .mn = LT_LIT("M1"),
                                               .bytes = i == 7 ? LT_LIT("") : LT_LIT("##\xff\"x")};
            assert_true(journal_add(j, &bad) > 0);
        }
        if (i % 3 == 0 || i == FRAMES - 1)
            assert_int_equal(journal_commit(j, at, NULL), LT_OK);
    }
    return j;
}

static char *run(const char *dir, const char *const *more, int *ret_status)
{
    char *argv[16] = {0}, *text = NULL, *copy[16] = {0};
    size_t n = 0;
    int argc = 0;
    argv[argc++] = copy[0] = strdup("frames");
    argv[argc++] = copy[1] = strdup("--data");
    argv[argc++] = copy[2] = strdup(dir);
    for (; *more; more++, argc++)
        argv[argc] = copy[argc] = strdup(*more);
    FILE *out = open_memstream(&text, &n);
    *ret_status = cmd_export_frames_on(argc, argv, out);
    fclose(out);
    for (int i = 0; i < argc; i++)
        free(copy[i]);
    return text;
}

/* The lines are exactly the frames from..to (exclusive) with a step. */
static void assert_frames(const char *text, unsigned from, unsigned to, unsigned step)
{
    for (unsigned i = from; i < to; i += step) {
        assert_memory_equal(text, frames[i], lengths[i]);
        text += lengths[i];
        assert_int_equal(*text++, '\n');
    }
    assert_int_equal(*text, '\0');
}

static void frames_once_in_order(void **state)
{
    char dir[64];
    int status;
    scratch_make(dir);
    struct journal *j = fill(dir); /* stays open: as beside a running post */
    static const char *const none[] = {NULL}, *const mn[] = {"--mn", "35010000000003", NULL},
                             *const date[] = {"--from", "2026-11-30", "--to", "2026-11-30", NULL},
                             *const iso[] = {"--from", "2026-11-29T01:00:00+08:00", "--to", "20261129020000", NULL},
                             *const late[] = {"--from", "2027-01-01", NULL};
    const struct {
        const char *const *args;
        unsigned from, to, step;
    } cases[] = {{none, 0, FRAMES, 1}, {mn, 3, FRAMES, 5}, {date, 144, 288, 1}, {iso, 6, 12, 1}, {late, 0, 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = run(dir, cases[i].args, &status);
        assert_int_equal(status, 0);
        assert_frames(text, cases[i].from, cases[i].to, cases[i].step);
        free(text);
    }
    journal_close(&j);
    char *text = run(dir, none, &status);
    assert_frames(text, 0, FRAMES, 1);
    free(text);
    scratch_remove(dir);
}

static void rejected_as_json_lines(void **state)
{
    char dir[64];
    int status;
    scratch_make(dir);
    struct journal *j = fill(dir);
    static const char *const args[] = {"--rejected", NULL};
    char *text = run(dir, args, &status);
    assert_int_equal(status, 0);
    static const char first[] =
        "{\"seq\":17,\"at\":\"2026-11-29T01:10:00+08:00\",\"mn\":\"M1\",\"reason\":\"crc\",\"kept\":false}\n";
    assert_memory_equal(text, first, sizeof first - 1);
    assert_non_null(strstr(text, "\"kept\":true,\"raw\":\"##\xef\xbf\xbd\\\"x\",\"hex\":\"2323ff2278\"}\n"));
    unsigned lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, FRAMES / 50);
    free(text);
    journal_close(&j);
    scratch_remove(dir);
}

static void wrong_use(void **state)
{
    char dir[64];
    int status;
    scratch_make(dir);
    static const char *const none[] = {NULL}, *const time[] = {"--from", "yesterday", NULL},
                             *const opt[] = {"--what", NULL};
    free(run(dir, none, &status)); /* no journal there */
    assert_int_equal(status, 2);
    struct journal *j = fill(dir);
    journal_close(&j);
    free(run(dir, time, &status));
    assert_int_equal(status, 2);
    free(run(dir, opt, &status));
    assert_int_equal(status, 2);
    char *alone[] = {dir};
    assert_int_equal(cmd_export_frames_on(1, alone, stdout), 2); /* --data is needed */
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_once_in_order),
        cmocka_unit_test(rejected_as_json_lines),
        cmocka_unit_test(wrong_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

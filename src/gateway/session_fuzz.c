/* Fuzz target: bytes reach a session in random pieces, with time passing, room for records coming and going, answers
 * and commands between. Whatever comes, nothing is answered that was not recorded, input is bounded and the end is
 * clean.
 *
 * Input: pairs of one control byte and a piece of the stream. Control: low 5 bits length, high 3 bits what happens. */
#include "gateway/session_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONG_PIECE = 31, LEFT_MOST = 70000 };

static const struct registry_device devices[] = {
    {.id = 1,
     .mn = "010000A8900016F000169DC0",
     .pw = "123456",
     .status = REGISTRY_ACTIVE,
     .tolerate = HJ212_TOLERATE_DEFAULT,
     .rtd_interval_s = 30,
     .min_interval_min = 10},
    {.id = 2,
     .mn = "88888880000001",
     .status = REGISTRY_ACTIVE,
     .tolerate = UINT32_MAX,
     .has_key = true,
     .sm4_key = "0123456789abcde"},
    {.id = 3, .mn = "M1", .status = REGISTRY_PENDING, .tolerate = 0},
};

static void command(struct script *x, const uint8_t *p, size_t n)
{
    struct gateway_command c = {.id = 1, .cn = n > 0 ? (uint16_t)(1000 + p[0] * 8) : 2012};
    lt_text_copy(c.mn, sizeof c.mn, x->entries ? x->entry[0].mn : devices[0].mn);
    session_command(&x->s, &x->e, &c);
}

static void piece(struct script *x, unsigned what, const uint8_t *p, size_t n)
{
    if (what == 1)
        script_wait(x, (int64_t)(n ? p[0] * 300 : 1000));
    else if (what == 2)
        x->room = n ? p[0] % 8 : 0;
    else if (what == 3)
        command(x, p, n);
    else if (what == 4)
        x->room = SIZE_MAX;
    if (x->s.stop != SESSION_GO && !session_resume(&x->s, &x->e)) {
        if (x->s.stop == SESSION_RATE)
            x->e.mono_ms += 200;
        x->room = SIZE_MAX;
        session_resume(&x->s, &x->e);
    }
    if (x->s.stop == SESSION_GO && !x->s.cause)
        script_in(x, (const char *)p, n);
    if (x->s.rest_n > LEFT_MOST || x->s.rest_n > x->s.rest_cap)
        abort();
    if (x->s.stop == SESSION_GO && !x->s.cause && x->s.rest_n > HJ212_FRAME_MAX)
        abort(); /* an unfinished frame is never longer than a frame */
}

static void check_answers(const struct script *x)
{
    size_t answered = 0, frames = 0;
    for (size_t i = 0; i < x->n; i++) {
        frames += x->rec[i].r.kind == JOURNAL_FRAME;
        answered += x->rec[i].has_reply;
        if (x->rec[i].has_reply && x->rec[i].r.kind != JOURNAL_FRAME)
            abort();
    }
    if (answered > frames)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script *x = malloc(sizeof *x);
    if (!x)
        abort();
    script_start(x, devices, sizeof devices / sizeof devices[0]);
    x->e.enroll_open = size & 1;
    for (size_t i = 0; i < size && !x->s.cause && x->n < SCRIPT_RECORDS;) {
        unsigned what = data[i] >> 5;
        size_t n = data[i] & 31, left = size - i - 1;
        n = n == LONG_PIECE ? 1500 : n;
        n = n < left ? n : left;
        piece(x, what, data + i + 1, n);
        if (what == 5)
            script_durable(x);
        i += 1 + n;
    }
    x->room = SIZE_MAX;
    if (!x->s.cause && x->n < SCRIPT_RECORDS) {
        session_resume(&x->s, &x->e);
        session_end(&x->s, &x->e);
    }
    script_durable(x);
    check_answers(x);
    script_stop(x);
    for (size_t i = 0; i < x->entries; i++)
        if (x->entry[i].conns != 0)
            abort();
    free(x);
    return 0;
}

/* Scripts for one session: what is recorded, answered, refused, sent down and closed, in virtual time. */
#include "gateway/session_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum op {
    IN,    /* text: a segment; length, CRC and CR LF are added. {N} QN n ms from now, {C} QN of the last command sent */
    RAW,   /* text: bytes as they are */
    REC,   /* text: the next record: "FRAME M1", "REJECT crc M1", "SENT M1" */
    NOREC, /* nothing more was recorded */
    OUT,   /* text: stands in the next frame sent */
    SILENT,  /* nothing more was sent */
    DURABLE, /* all records are on disk */
    WAIT,    /* n ms pass, with ticks */
    JUMP,    /* n ms pass, without */
    CMD,     /* text: data area; n: CN; sends a command for M1 */
    STATE,   /* text: the last command's "step code sends frames" */
    ANSWER,  /* text: the last command's answer */
    OPEN,    /* the connection stays open */
    CLOSED,  /* text: it is closed for this cause */
    ROOM,    /* n more records may be taken */
    STOP,    /* n: enum session_stop */
    RESUME,  /* goes on; n: what it returns */
    END,     /* the device closes; n: what it returns */
    DRIFT,   /* text: MN; n: its drift in ms */
    PENDING, /* text: MN; n: whether it is pending */
    CONNS,   /* text: MN; n: its connections */
};
struct step {
    enum op op;
    const char *text;
    int64_t n;
};
struct row {
    const char *name;
    const struct step *steps;
    size_t n;
};

static void put_qn(const struct script *x, int64_t off, char ret[18])
{
    lt_time_format_compact(x->e.at_ms + off, LT_TZ_CHINA, true, ret);
}

/* {…} in a segment. */
static size_t expand(const struct script *x, const char *text, char *ret)
{
    size_t n = 0;
    for (; *text; text++) {
        if (*text != '{') {
            ret[n++] = *text;
            continue;
        }
        char qn[18];
        if (text[1] == 'C')
            memcpy(qn, x->cmd.qn, sizeof qn);
        else
            put_qn(x, strtol(text + 1, NULL, 10), qn);
        memcpy(ret + n, qn, 17);
        n += 17;
        text = strchr(text, '}');
    }
    return n;
}

static size_t frame(const struct script *x, const char *text, char *ret)
{
    char seg[5000];
    size_t n = expand(x, text, seg);
    int k = snprintf(ret, 6000, "##%04zu%.*s%04X\r\n", n, (int)n, seg, hj212_crc(seg, n));
    return (size_t)k;
}

static void describe(const struct journal_record *r, char *ret, size_t cap)
{
    static const char *const kinds[] = {"?", "FRAME", "REJECT", "DUPLICATE", "DROPPED", "SENT", "CONN"};
    const char *reason = r->kind == JOURNAL_REJECT ? journal_reason_name(r->reason) : "";
    snprintf(ret, cap, "%s%s%s%s%.*s%s", kinds[r->kind], *reason ? " " : "", reason, r->mn.n ? " " : "", (int)r->mn.n,
             r->mn.p, r->flags & JOURNAL_F_PENDING ? " pending" : "");
}

static void next_record(struct script *x, const char *want)
{
    char has[200];
    if (x->seen == x->n)
        fail_msg("no record, expected \"%s\"", want);
    describe(&x->rec[x->seen++].r, has, sizeof has);
    assert_string_equal(has, want);
}

static void next_out(struct script *x, const char *want)
{
    char has[5000], part[5000];
    const char *p = x->out + x->out_seen, *end = memmem(p, x->out_n - x->out_seen, "\r\n", 2);
    if (!end)
        fail_msg("nothing sent, expected \"%s\"", want);
    snprintf(has, sizeof has, "%.*s", (int)(end - p), p);
    x->out_seen += (size_t)(end - p) + 2;
    struct hj212_frame f;
    assert_int_equal(hj212_parse((struct lt_slice){p, (size_t)(end - p)}, 0, &f), HJ212_E_OK);
    size_t n = expand(x, want, part);
    part[n] = '\0';
    if (!strstr(has, part))
        fail_msg("sent \"%s\", expected \"%s\"", has, part);
    if (f.cn < 9000) /* a command: its QN is {C} */
        lt_text_copy_slice(x->cmd.qn, sizeof x->cmd.qn, f.qn);
}

static const struct script_entry *entry(const struct script *x, const char *mn)
{
    for (size_t i = 0; i < x->entries; i++)
        if (strcmp(x->entry[i].mn, mn) == 0)
            return &x->entry[i];
    fail_msg("no device %s", mn);
    return NULL;
}

static void send_command(struct script *x, const struct step *st)
{
    struct gateway_command c = {.id = 100 + x->told, .mn = "M1", .cn = (uint16_t)st->n};
    lt_text_copy(c.area, sizeof c.area, st->text);
    assert_true(session_command(&x->s, &x->e, &c));
}

static void check_state(const struct script *x, const char *want)
{
    static const char *const steps[] = {"SENT", "ACCEPTED", "DONE", "REFUSED", "FAILED", "TIMEOUT"};
    char has[80];
    snprintf(has, sizeof has, "%s %d %u %u", steps[x->cmd.step], x->cmd.code, x->cmd.sends, x->cmd.frames);
    assert_string_equal(has, want);
}

static void input_step(struct script *x, const struct step *st)
{
    char raw[6000];
    if (st->op == IN) {
        size_t n = frame(x, st->text, raw);
        script_in(x, raw, n);
    } else {
        script_in(x, st->text, strlen(st->text));
    }
}

static void time_step(struct script *x, const struct step *st)
{
    if (st->op == WAIT) {
        script_wait(x, st->n);
        return;
    }
    x->e.at_ms += st->n;
    x->e.mono_ms += st->n;
}

static void check_close(const struct script *x, const struct step *st)
{
    if (st->op == OPEN) {
        assert_null(x->s.cause);
        return;
    }
    assert_non_null(x->s.cause);
    assert_string_equal(x->s.cause, st->text);
}

static void run_step(struct script *x, const struct step *st)
{
    switch (st->op) {
    case IN:
    case RAW:
        input_step(x, st);
        break;
    case REC:
        next_record(x, st->text);
        break;
    case NOREC:
        assert_int_equal(x->seen, x->n);
        break;
    case OUT:
        next_out(x, st->text);
        break;
    case SILENT:
        assert_int_equal(x->out_seen, x->out_n);
        break;
    case DURABLE:
        script_durable(x);
        break;
    case WAIT:
    case JUMP:
        time_step(x, st);
        break;
    case CMD:
        send_command(x, st);
        break;
    case STATE:
        check_state(x, st->text);
        break;
    case ANSWER:
        assert_string_equal(x->cmd.answer, st->text);
        break;
    case OPEN:
    case CLOSED:
        check_close(x, st);
        break;
    case ROOM:
        x->room = (size_t)st->n;
        break;
    case STOP:
        assert_int_equal(x->s.stop, st->n);
        break;
    case RESUME:
        assert_int_equal(session_resume(&x->s, &x->e), st->n);
        break;
    case END:
        assert_int_equal(session_end(&x->s, &x->e), st->n);
        break;
    case DRIFT:
        assert_int_equal(entry(x, st->text)->drift_ms, st->n);
        break;
    case PENDING:
        assert_int_equal(entry(x, st->text)->pending, st->n);
        break;
    case CONNS:
        assert_int_equal(entry(x, st->text)->conns, st->n);
        break;
    }
}

/* The register of all scripts. M1 is in order; the others each have something. */
static const struct registry_device devices[] = {
    {.id = 1, .mn = "M1", .pw = "123456", .status = REGISTRY_ACTIVE, .tolerate = HJ212_TOLERATE_DEFAULT},
    {.id = 2, .mn = "M2", .pw = "123456", .status = REGISTRY_ACTIVE, .tolerate = HJ212_TOLERATE_DEFAULT},
    {.id = 3, .mn = "OFF", .pw = "123456", .status = REGISTRY_DISABLED, .tolerate = HJ212_TOLERATE_DEFAULT},
    {.id = 4, .mn = "WAITS", .pw = "123456", .status = REGISTRY_PENDING, .tolerate = HJ212_TOLERATE_DEFAULT},
    {.id = 5,
     .mn = "FAR",
     .status = REGISTRY_ACTIVE,
     .tolerate = HJ212_TOLERATE_DEFAULT,
     .n_allow = 1,
     .allow = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 9, 0, 0}, 112}}},
    {.id = 6,
     .mn = "NEAR",
     .status = REGISTRY_ACTIVE,
     .tolerate = HJ212_TOLERATE_DEFAULT,
     .n_allow = 1,
     .allow = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 1, 0, 0}, 112}}},
    {.id = 7,
     .mn = "BUS",
     .status = REGISTRY_ACTIVE,
     .tolerate = HJ212_TOLERATE_DEFAULT | HJ212_TOL(CRC_MODBUS) | HJ212_TOL(LENGTH_WRONG)},
    {.id = 8, .mn = "STRICT", .status = REGISTRY_ACTIVE, .tolerate = 0},
    {.id = 9,
     .mn = "SET",
     .pw = "123456",
     .status = REGISTRY_ACTIVE,
     .tolerate = HJ212_TOLERATE_DEFAULT,
     .rtd_interval_s = 30,
     .min_interval_min = 10},
    {.id = 10,
     .mn = "KEY",
     .status = REGISTRY_ACTIVE,
     .tolerate = HJ212_TOLERATE_DEFAULT,
     .has_key = true,
     .sm4_key = "0123456789abcde"},
};

static void run_script(void **state)
{
    const struct row *t = *state;
    struct script *x = malloc(sizeof *x);
    assert_non_null(x);
    script_start(x, devices, sizeof devices / sizeof devices[0]);
    for (size_t i = 0; i < t->n; i++) {
        print_message("# %s step %zu\n", t->name, i);
        run_step(x, &t->steps[i]);
    }
    script_stop(x);
    for (size_t i = 0; i < x->entries; i++)
        assert_int_equal(x->entry[i].conns, 0);
    free(x);
}

#define M(mn, cn, flag, cp) "QN={0};ST=31;CN=" cn ";PW=123456;MN=" mn ";Flag=" flag ";CP=&&" cp "&&"
#define DATA                "DataTime=20260301080000;a21026-Rtd=1.1,a21026-Flag=N"
#define UP(cn, cp)          "QN={C};ST=91;CN=" cn ";PW=123456;MN=M1;Flag=4;CP=&&" cp "&&"

static const struct step answered_when_durable[] = {
    {IN, M("M1", "2011", "5", DATA), 0},
    {REC, "FRAME M1", 0},
    {SILENT, 0, 0},
    {DURABLE, 0, 0},
    {OUT, "##0065QN={0};ST=91;CN=9014;PW=123456;MN=M1;Flag=4;CP=&&&&", 0},
    {SILENT, 0, 0},
    {NOREC, 0, 0},
    {OPEN, 0, 0}};
static const struct step no_answer_without_the_bit[] = {
    {IN, M("M1", "2011", "4", DATA), 0}, {REC, "FRAME M1", 0}, {DURABLE, 0, 0}, {SILENT, 0, 0}};
static const struct step answers_by_edition[] = {{IN, M("M1", "2011", "9", DATA), 0},
                                                 {DURABLE, 0, 0},
                                                 {OUT, "CN=9014;PW=123456;MN=M1;Flag=8;CP=&&&&", 0},
                                                 {IN, M("M1", "2051", "1", DATA), 0},
                                                 {DURABLE, 0, 0},
                                                 {OUT, "##0065ST=91;CN=9014;PW=123456;MN=M1;CP=&&QN={0};CN=2051&&", 0},
                                                 {IN, "ST=31;CN=2011;PW=123456;MN=M1;CP=&&" DATA "&&", 0},
                                                 {DURABLE, 0, 0},
                                                 {SILENT, 0, 0}};
static const struct step each_packet_is_answered[] = {
    {IN, "QN={0};ST=31;CN=2011;PW=123456;MN=M1;Flag=7;PNUM=2;PNO=1;CP=&&" DATA "&&", 0},
    {IN, "QN={1};ST=31;CN=2011;PW=123456;MN=M1;Flag=7;PNUM=2;PNO=2;CP=&&" DATA "&&", 0},
    {DURABLE, 0, 0},
    {OUT, "QN={0};ST=91;CN=9014", 0},
    {OUT, "QN={1};ST=91;CN=9014", 0},
    {SILENT, 0, 0}};
static const struct step uploads_of_all_kinds[] = {
    {IN, M("M1", "2021", "5", "DataTime=20260301080000;SB1-RS=1"), 0},
    {IN, M("M1", "2061", "5", DATA), 0},
    {IN, M("M1", "2031", "5", DATA), 0},
    {IN, M("M1", "2041", "5", "DataTime=20260301080000;SB1-RT=1.1"), 0},
    {IN, M("M1", "2081", "5", "DataTime=20260301080000;RestartTime=20260301075900"), 0},
    {IN, M("M1", "3019", "5", "PolId=a01011;a01011-SN=1"), 0},
    {IN, M("M1", "3020", "5", "DataTime=20260301080000"), 0},
    {IN, M("M1", "2999", "5", "x=1"), 0},
    {DURABLE, 0, 0},
    {OUT, "CN=9014", 0},
    {OUT, "CN=9014", 0},
    {OUT, "CN=9014", 0},
    {OUT, "CN=9014", 0},
    {OUT, "CN=9014", 0},
    {OUT, "CN=9014", 0},
    {OUT, "CN=9014", 0},
    {OUT, "CN=9014", 0},
    {SILENT, 0, 0}};
static const struct step notices_get_9013[] = {
    {IN, M("M1", "9015", "9", ""), 0},
    {DURABLE, 0, 0},
    {OUT, "CN=9013;PW=123456;MN=M1;Flag=8;CP=&&&&", 0},
    {IN, M("M1", "9015", "8", ""), 0},
    {DURABLE, 0, 0},
    {SILENT, 0, 0},
    {IN, M("M1", "1001", "9", "i23005-Info=//x//"), 0},
    {DURABLE, 0, 0},
    {OUT, "CN=9013", 0},
    {IN, M("M1", "1014", "9", "SKCreateTime=20260301080000"), 0},
    {DURABLE, 0, 0},
    {OUT, "CN=9013", 0},
    {IN, "QN={0};ST=31;CN=2072;PW=123456;MN=M1;Flag=0;CP=&&AlarmTime=20260301080000;101-Ala=1.1&&", 0},
    {DURABLE, 0, 0},
    {OUT, "##0064ST=91;CN=9013;PW=123456;MN=M1;Flag=0;CP=&&QN={0}&&", 0},
    {SILENT, 0, 0}};
static const struct step answers_coming_up_are_not_answered[] = {{IN, M("M1", "9011", "5", "QnRtn=1"), 0},
                                                                 {IN, M("M1", "9012", "5", "ExeRtn=1"), 0},
                                                                 {IN, M("M1", "9013", "5", ""), 0},
                                                                 {IN, M("M1", "9014", "5", ""), 0},
                                                                 {REC, "FRAME M1", 0},
                                                                 {REC, "FRAME M1", 0},
                                                                 {REC, "FRAME M1", 0},
                                                                 {REC, "FRAME M1", 0},
                                                                 {DURABLE, 0, 0},
                                                                 {SILENT, 0, 0}};
static const struct step question_for_the_time[] = {
    {IN, M("M1", "1013", "5", "PolId="), 0},
    {REC, "FRAME M1", 0},
    {NOREC, 0, 0},
    {DURABLE, 0, 0},
    {OUT, "CN=9013", 0},
    {OUT, "ST=31;CN=1012;PW=123456;MN=M1;Flag=5;CP=&&PolId=;SystemTime=20260301080000&&", 0},
    {REC, "SENT M1", 0},
    {IN, UP("9011", "QnRtn=1"), 0},
    {IN, UP("9012", "ExeRtn=1"), 0},
    {WAIT, 0, 90000},
    {SILENT, 0, 0}};

static const struct step wrong_password[] = {{IN, "QN={0};ST=31;CN=2011;PW=654321;MN=M1;Flag=5;CP=&&" DATA "&&", 0},
                                             {REC, "REJECT password M1", 0},
                                             {DURABLE, 0, 0},
                                             {SILENT, 0, 0},
                                             {OPEN, 0, 0},
                                             {IN, M("M1", "2011", "5", DATA), 0},
                                             {REC, "FRAME M1", 0}};
static const struct step disabled_device[] = {
    {IN, M("OFF", "2011", "5", DATA), 0}, {REC, "REJECT disabled OFF", 0}, {DURABLE, 0, 0}, {SILENT, 0, 0}};
static const struct step address_list[] = {{IN, M("FAR", "2011", "5", DATA), 0},
                                           {REC, "REJECT address FAR", 0},
                                           {IN, M("NEAR", "2011", "5", DATA), 0},
                                           {REC, "FRAME NEAR", 0},
                                           {DURABLE, 0, 0},
                                           {OUT, "MN=NEAR", 0},
                                           {SILENT, 0, 0}};
static const struct step strangers_are_kept_but_not_answered[] = {{IN, M("NEW1", "2011", "5", DATA), 0},
                                                                  {REC, "FRAME NEW1 pending", 0},
                                                                  {DURABLE, 0, 0},
                                                                  {SILENT, 0, 0},
                                                                  {PENDING, "NEW1", 1},
                                                                  {IN, M("WAITS", "2011", "5", DATA), 0},
                                                                  {REC, "FRAME WAITS pending", 0},
                                                                  {DURABLE, 0, 0},
                                                                  {SILENT, 0, 0},
                                                                  {IN, M("NEW2", "2011", "5", DATA), 0},
                                                                  {IN, M("NEW3", "2011", "5", DATA), 0},
                                                                  {IN, M("NEW4", "2011", "5", DATA), 0},
                                                                  {REC, "FRAME NEW2 pending", 0},
                                                                  {REC, "FRAME NEW3 pending", 0},
                                                                  {REC, "REJECT pending_limit", 0}};
static const struct step several_devices_on_a_connection[] = {{IN, M("M1", "2011", "5", DATA), 0},
                                                              {IN, M("M2", "2011", "5", DATA), 0},
                                                              {IN, M("M1", "2011", "5", DATA), 0},
                                                              {REC, "FRAME M1", 0},
                                                              {REC, "FRAME M2", 0},
                                                              {REC, "FRAME M1", 0},
                                                              {DURABLE, 0, 0},
                                                              {OUT, "MN=M1", 0},
                                                              {OUT, "MN=M2", 0},
                                                              {OUT, "MN=M1", 0},
                                                              {CONNS, "M1", 1},
                                                              {CONNS, "M2", 1}};
static const struct step bad_frames_are_filed[] = {
    {RAW, "##00x9rubbish\r\n", 0},
    {REC, "REJECT length", 0},
    {IN, M("M1", "2011", "5", DATA), 0},
    {REC, "FRAME M1", 0},
    {RAW, "hello\r\n", 0},
    {REC, "REJECT garbage M1", 0},
    {RAW, "##0068QN=20260301080000123;ST=31;CN=2011;PW=123456;MN=M2;Flag=5;CP=&&a=1&&0000\r\n", 0},
    {REC, "REJECT crc M2", 0},
    {RAW, "##0074QN=20260301080000123;ST=31;CN=2011;PW=123456;MN=INVENTED;Flag=5;CP=&&a=1&&0000\r\n", 0},
    {REC, "REJECT crc M1", 0},
    {DURABLE, 0, 0},
    {OUT, "CN=9014", 0},
    {SILENT, 0, 0},
    {OPEN, 0, 0}};
static const struct step empty_segment_belongs_to_nobody[] = {
    {RAW, "##0000FFFF\r\n", 0}, {REC, "REJECT mn", 0},      {IN, M("M1", "2011", "5", DATA), 0},
    {REC, "FRAME M1", 0},       {RAW, "##0000FFFF\r\n", 0}, {REC, "REJECT mn M1", 0}};

/* The device's own tolerances: known from the first frame, even when they are needed to cut it. */
static const struct step strict_device[] = {
    {RAW, "##0066QN=20260301080000123;ST=31;CN=2011;PW=;MN=STRICT;Flag=5;CP=&&a=1&&1141\r\n", 0},
    {REC, "REJECT crc STRICT", 0},
    {IN, "qn={0};ST=31;CN=2011;PW=;MN=STRICT;Flag=5;CP=&&a=1&&", 0},
    {REC, "REJECT syntax STRICT", 0},
    {IN, "QN={0};ST=31;CN=2011;PW=;MN=STRICT;Flag=5;CP=&&a=1&&", 0},
    {REC, "FRAME STRICT", 0}};

static const struct step one_byte_late_is_given_up[] = {{IN, M("M1", "2011", "5", DATA), 0},
                                                        {REC, "FRAME M1", 0},
                                                        {RAW, "##0123QN=2026", 0},
                                                        {WAIT, 0, 29000},
                                                        {NOREC, 0, 0},
                                                        {WAIT, 0, 2000},
                                                        {REC, "REJECT incomplete M1", 0},
                                                        {IN, M("M1", "2011", "5", DATA), 0},
                                                        {REC, "FRAME M1", 0},
                                                        {OPEN, 0, 0}};
static const struct step closing_in_a_frame[] = {{IN, M("M1", "2011", "5", DATA), 0},
                                                 {REC, "FRAME M1", 0},
                                                 {RAW, "##0123QN=2026", 0},
                                                 {END, 0, 1},
                                                 {REC, "REJECT truncated M1", 0}};
static const struct step no_room_loses_nothing[] = {{ROOM, 0, 1},
                                                    {IN, M("M1", "2011", "5", DATA), 0},
                                                    {STOP, 0, SESSION_GO},
                                                    {IN, M("M1", "2051", "5", DATA), 0},
                                                    {STOP, 0, SESSION_NO_ROOM},
                                                    {REC, "FRAME M1", 0},
                                                    {NOREC, 0, 0},
                                                    {RESUME, 0, 0},
                                                    {WAIT, 0, 60000},
                                                    {NOREC, 0, 0},
                                                    {ROOM, 0, 5},
                                                    {RESUME, 0, 1},
                                                    {REC, "FRAME M1", 0},
                                                    {NOREC, 0, 0},
                                                    {OPEN, 0, 0}};

/* ---- silence ---- */
static const struct step unknown_interval[] = {{IN, M("M1", "2011", "4", DATA), 0},
                                               {WAIT, 0, 600000},
                                               {OPEN, 0, 0},
                                               {WAIT, 0, 2000},
                                               {CLOSED, "no data for 601 s", 0}};
static const struct step registered_interval[] = {{IN, M("SET", "2011", "4", DATA), 0},
                                                  {WAIT, 0, 60000},
                                                  {OPEN, 0, 0},
                                                  {WAIT, 0, 1000},
                                                  {CLOSED, "no data for 61 s", 0}};
static const struct step observed_interval[] = {{IN, M("M1", "2011", "4", DATA), 0},
                                                {WAIT, 0, 100000},
                                                {IN, M("M1", "2011", "4", DATA), 0},
                                                {WAIT, 0, 100000},
                                                {IN, M("M1", "2011", "4", DATA), 0},
                                                {WAIT, 0, 100000},
                                                {IN, M("M1", "2011", "4", DATA), 0},
                                                {WAIT, 0, 100000},
                                                {IN, M("M1", "2011", "4", DATA), 0},
                                                {WAIT, 0, 200000},
                                                {OPEN, 0, 0},
                                                {WAIT, 0, 1000},
                                                {CLOSED, "no data for 201 s", 0}};
static const struct step quick_devices_are_not_cut_off[] = {{IN, M("M1", "2011", "4", DATA), 0},
                                                            {WAIT, 0, 5000},
                                                            {IN, M("M1", "2011", "4", DATA), 0},
                                                            {WAIT, 0, 5000},
                                                            {IN, M("M1", "2011", "4", DATA), 0},
                                                            {WAIT, 0, 5000},
                                                            {IN, M("M1", "2011", "4", DATA), 0},
                                                            {WAIT, 0, 5000},
                                                            {IN, M("M1", "2011", "4", DATA), 0},
                                                            {WAIT, 0, 60000},
                                                            {OPEN, 0, 0},
                                                            {WAIT, 0, 1000},
                                                            {CLOSED, "no data for 61 s", 0}};

/* ---- clock ---- */
#define AT(off) "QN={" off "};ST=31;CN=2011;PW=123456;MN=M1;Flag=4;CP=&&" DATA "&&"
static const struct step drift_is_a_median[] = {{IN, AT("5000"), 0}, {DRIFT, "M1", 5000}, {IN, AT("-7200000"), 0},
                                                {IN, AT("5000"), 0}, {IN, AT("6000"), 0}, {IN, AT("-7200000"), 0},
                                                {IN, AT("4000"), 0}, {IN, AT("5000"), 0}, {DRIFT, "M1", 5000}};
static const struct step resent_frames_do_not_tell_the_clock[] = {
    {IN, "QN={-7200000};ST=31;CN=2011;PW=123456;MN=M1;Flag=8;RF=1;CP=&&" DATA "&&", 0},
    {DRIFT, "M1", INT64_MIN},
    {IN, AT("1000"), 0},
    {DRIFT, "M1", 1000},
    {SILENT, 0, 0}};

/* ---- commands ---- */
#define CONNECT                                                                                                        \
    {IN, M("M1", "2011", "4", DATA), 0}, {REC, "FRAME M1", 0},                                                         \
    {                                                                                                                  \
        SILENT, 0, 0                                                                                                   \
    }
static const struct step request_done[] = {
    CONNECT,
    {CMD, "RtdInterval=30", 1062},
    {REC, "SENT M1", 0},
    {OUT, "QN={0};ST=31;CN=1062;PW=123456;MN=M1;Flag=5;CP=&&RtdInterval=30&&", 0},
    {STATE, "SENT 0 1 0", 0},
    {JUMP, 0, 800},
    {IN, UP("9011", "QnRtn=1"), 0},
    {STATE, "ACCEPTED 1 1 0", 0},
    {IN, UP("9012", "ExeRtn=1"), 0},
    {STATE, "DONE 1 1 0", 0},
    {WAIT, 0, 60000},
    {SILENT, 0, 0}};
static const struct step request_with_single_answer[] = {
    CONNECT,
    {CMD, "", 1061},
    {OUT, "CN=1061;PW=123456;MN=M1;Flag=5;CP=&&&&", 0},
    {IN, UP("9011", "QnRtn=1"), 0},
    {IN, "QN={C};ST=31;CN=1061;PW=123456;MN=M1;Flag=4;CP=&&RtdInterval=60&&", 0},
    {STATE, "ACCEPTED 1 1 1", 0},
    {ANSWER, "RtdInterval=60", 0},
    {IN, UP("9012", "ExeRtn=1"), 0},
    {STATE, "DONE 1 1 1", 0}};
static const struct step history_comes_under_its_own_qn[] = {
    CONNECT,
    {CMD, "BeginTime=20260301000000;EndTime=20260301020000", 2061},
    {OUT, "CN=2061", 0},
    {IN, UP("9011", "QnRtn=1"), 0},
    {IN, "QN={3};ST=31;CN=2061;PW=123456;MN=M1;Flag=5;CP=&&DataTime=20260301000000;a21026-Avg=1&&", 0},
    {STATE, "ACCEPTED 1 1 1", 0},
    {DURABLE, 0, 0},
    {OUT, "QN={3};ST=91;CN=9014", 0},
    {IN, "QN={4};ST=31;CN=2061;PW=123456;MN=M1;Flag=4;CP=&&DataTime=20260301020000;a21026-Avg=1&&", 0},
    {STATE, "ACCEPTED 1 1 2", 0},
    {IN, "QN={5};ST=31;CN=2061;PW=123456;MN=M1;Flag=4;CP=&&DataTime=20260301070000;a21026-Avg=1&&", 0},
    {IN, "QN={6};ST=32;CN=2061;PW=123456;MN=M1;Flag=4;CP=&&DataTime=20260301010000;a21026-Avg=1&&", 0},
    {IN, "QN={7};ST=31;CN=2051;PW=123456;MN=M1;Flag=4;CP=&&DataTime=20260301010000;a21026-Avg=1&&", 0},
    {STATE, "ACCEPTED 1 1 2", 0},
    {IN, UP("9012", "ExeRtn=1"), 0},
    {STATE, "DONE 1 1 2", 0}};
static const struct step resends_then_gives_up[] = {CONNECT,
                                                    {CMD, "", 1061},
                                                    {OUT, "CN=1061", 0},
                                                    {WAIT, 0, 9000},
                                                    {SILENT, 0, 0},
                                                    {WAIT, 0, 1000},
                                                    {OUT, "QN={C};ST=31;CN=1061", 0},
                                                    {WAIT, 0, 10000},
                                                    {OUT, "QN={C};ST=31;CN=1061", 0},
                                                    {WAIT, 0, 10000},
                                                    {OUT, "QN={C};ST=31;CN=1061", 0},
                                                    {STATE, "SENT 0 4 0", 0},
                                                    {WAIT, 0, 10000},
                                                    {SILENT, 0, 0},
                                                    {STATE, "TIMEOUT 0 4 0", 0},
                                                    {REC, "SENT M1", 0},
                                                    {REC, "SENT M1", 0},
                                                    {REC, "SENT M1", 0},
                                                    {REC, "SENT M1", 0},
                                                    {NOREC, 0, 0}};
static const struct step answer_after_a_resend[] = {CONNECT,
                                                    {CMD, "", 1061},
                                                    {OUT, "CN=1061", 0},
                                                    {WAIT, 0, 10000},
                                                    {OUT, "CN=1061", 0},
                                                    {IN, UP("9011", "QnRtn=1"), 0},
                                                    {STATE, "ACCEPTED 1 2 0", 0},
                                                    {IN, UP("9011", "QnRtn=1"), 0},
                                                    {IN, UP("9012", "ExeRtn=1"), 0},
                                                    {STATE, "DONE 1 2 0", 0}};
static const struct step lost_9011[] = {
    CONNECT, {CMD, "", 1062}, {OUT, "CN=1062", 0}, {IN, UP("9012", "ExeRtn=1"), 0}, {STATE, "DONE 1 1 0", 0}};
static const struct step lost_9012_then_late[] = {CONNECT,
                                                  {CMD, "", 3011},
                                                  {OUT, "CN=3011", 0},
                                                  {IN, UP("9011", "QnRtn=1"), 0},
                                                  {WAIT, 0, 60000},
                                                  {STATE, "TIMEOUT 1 1 0", 0},
                                                  {SILENT, 0, 0},
                                                  {WAIT, 0, 120000},
                                                  {IN, UP("9012", "ExeRtn=1"), 0},
                                                  {STATE, "DONE 1 1 0", 0}};
static const struct step form_of_2005[] = {{IN, "QN={0};ST=31;CN=2011;PW=123456;MN=M1;Flag=0;CP=&&" DATA "&&", 0},
                                           {CMD, "", 1061},
                                           {OUT, "QN={0};ST=31;CN=1061;PW=123456;MN=M1;Flag=3;CP=&&&&", 0},
                                           {IN, "ST=91;CN=9011;PW=123456;MN=M1;Flag=0;CP=&&QN={C};QnRtn=1&&", 0},
                                           {STATE, "ACCEPTED 1 1 0", 0},
                                           {IN, "ST=31;CN=1061;PW=123456;MN=M1;CP=&&QN={C};RtdInterval=30&&", 0},
                                           {STATE, "ACCEPTED 1 1 1", 0},
                                           {IN, "ST=91;CN=9012;PW=123456;MN=M1;CP=&&QN={C};ExeRtn=1&&", 0},
                                           {STATE, "DONE 1 1 1", 0}};
static const struct step notice_done[] = {
    CONNECT, {CMD, "", 2012}, {OUT, "CN=2012", 0}, {IN, UP("9013", ""), 0}, {STATE, "DONE 1 1 0", 0}};
static const struct step wrong_qn_is_not_taken[] = {
    CONNECT,
    {CMD, "", 1062},
    {OUT, "CN=1062", 0},
    {IN, "QN=20200101000000000;ST=91;CN=9011;PW=123456;MN=M1;Flag=4;CP=&&QnRtn=1&&", 0},
    {IN, "QN={C};ST=91;CN=9011;PW=123456;MN=M2;Flag=4;CP=&&QnRtn=1&&", 0},
    {STATE, "SENT 0 1 0", 0}};
static const struct step command_waits_for_room[] = {
    CONNECT,      {ROOM, 0, 0},    {CMD, "", 1062},     {SILENT, 0, 0},      {WAIT, 0, 2000},         {SILENT, 0, 0},
    {ROOM, 0, 9}, {WAIT, 0, 1000}, {OUT, "CN=1062", 0}, {REC, "SENT M1", 0}, {STATE, "SENT 0 1 0", 0}};

/* ---- first connect ---- */
#define S(cn, cp)  "QN={C};ST=91;CN=" cn ";PW=123456;MN=SET;Flag=4;CP=&&" cp "&&"
#define SD(cn, cp) "QN={C};ST=31;CN=" cn ";PW=123456;MN=SET;Flag=4;CP=&&" cp "&&"
static const struct step sets_clock_and_intervals[] = {
    {IN, "QN={90000};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0},
    {DRIFT, "SET", 90000},
    {OUT, "ST=31;CN=1012;PW=123456;MN=SET;Flag=5;CP=&&PolId=;SystemTime=20260301080000&&", 0},
    {SILENT, 0, 0},
    {IN, S("9011", "QnRtn=1"), 0},
    {SILENT, 0, 0},
    {IN, S("9012", "ExeRtn=1"), 0},
    {OUT, "CN=1061", 0},
    {IN, S("9011", "QnRtn=1"), 0},
    {IN, SD("1061", "RtdInterval=60"), 0},
    {IN, S("9012", "ExeRtn=1"), 0},
    {OUT, "CN=1062;PW=123456;MN=SET;Flag=5;CP=&&RtdInterval=30&&", 0},
    {IN, S("9011", "QnRtn=1"), 0},
    {IN, S("9012", "ExeRtn=1"), 0},
    {OUT, "CN=1063", 0},
    {IN, S("9011", "QnRtn=1"), 0},
    {IN, SD("1063", "MinInterval=10"), 0},
    {IN, S("9012", "ExeRtn=1"), 0},
    {SILENT, 0, 0},
    {WAIT, 0, 50000},
    {SILENT, 0, 0},
    {IN, "QN={0};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0},
    {SILENT, 0, 0}};
static const struct step a_deaf_device_is_left_alone[] = {
    {IN, "QN={0};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0},
    {OUT, "CN=1061", 0},
    {WAIT, 0, 10000},
    {OUT, "CN=1061", 0},
    {WAIT, 0, 10000},
    {OUT, "CN=1061", 0},
    {WAIT, 0, 10000},
    {OUT, "CN=1061", 0},
    {IN, "QN={0};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0},
    {WAIT, 0, 30000},
    {SILENT, 0, 0}};
static const struct step a_refusing_device_gets_the_next_step[] = {
    {IN, "QN={0};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0},
    {OUT, "CN=1061", 0},
    {IN, S("9011", "QnRtn=8"), 0},
    {OUT, "CN=1063", 0},
    {IN, S("9011", "QnRtn=8"), 0},
    {SILENT, 0, 0}};

#define ROW(x)                                                                                                         \
    {                                                                                                                  \
#x, x, sizeof x / sizeof x[0]                                                                                  \
    }
static const struct row scripts[] = {ROW(answered_when_durable),
                                     ROW(no_answer_without_the_bit),
                                     ROW(answers_by_edition),
                                     ROW(each_packet_is_answered),
                                     ROW(uploads_of_all_kinds),
                                     ROW(notices_get_9013),
                                     ROW(answers_coming_up_are_not_answered),
                                     ROW(question_for_the_time),
                                     ROW(wrong_password),
                                     ROW(disabled_device),
                                     ROW(address_list),
                                     ROW(strangers_are_kept_but_not_answered),
                                     ROW(several_devices_on_a_connection),
                                     ROW(bad_frames_are_filed),
                                     ROW(empty_segment_belongs_to_nobody),
                                     ROW(strict_device),
                                     ROW(one_byte_late_is_given_up),
                                     ROW(closing_in_a_frame),
                                     ROW(no_room_loses_nothing),
                                     ROW(unknown_interval),
                                     ROW(registered_interval),
                                     ROW(observed_interval),
                                     ROW(quick_devices_are_not_cut_off),
                                     ROW(drift_is_a_median),
                                     ROW(resent_frames_do_not_tell_the_clock),
                                     ROW(request_done),
                                     ROW(request_with_single_answer),
                                     ROW(history_comes_under_its_own_qn),
                                     ROW(resends_then_gives_up),
                                     ROW(answer_after_a_resend),
                                     ROW(lost_9011),
                                     ROW(lost_9012_then_late),
                                     ROW(form_of_2005),
                                     ROW(notice_done),
                                     ROW(wrong_qn_is_not_taken),
                                     ROW(command_waits_for_room),
                                     ROW(sets_clock_and_intervals),
                                     ROW(a_deaf_device_is_left_alone),
                                     ROW(a_refusing_device_gets_the_next_step)};
enum { SCRIPTS = sizeof scripts / sizeof scripts[0] };

/* ---- beyond scripts ---- */
static struct script *fresh(void)
{
    struct script *x = malloc(sizeof *x);
    assert_non_null(x);
    script_start(x, devices, sizeof devices / sizeof devices[0]);
    return x;
}

static void end(struct script *x)
{
    script_stop(x);
    free(x);
}

static void step(struct script *x, enum op op, const char *text, int64_t n)
{
    run_step(x, &(struct step){op, text, n});
}

/* Every result code of HJ 212-2017 Tables 6 and 7. */
static void result_codes(void **state)
{
    static const int refusals[] = {2, 3, 4, 5, 6, 7, 8, 9, 100}, failures[] = {2, 3, 4, 5, 6, 100};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0] + sizeof failures / sizeof failures[0]; i++) {
        bool refusal = i < sizeof refusals / sizeof refusals[0];
        int code = refusal ? refusals[i] : failures[i - sizeof refusals / sizeof refusals[0]];
        char text[200], want[40];
        struct script *x = fresh();
        step(x, IN, M("M1", "2011", "4", DATA), 0);
        step(x, CMD, "", 1061);
        step(x, OUT, "CN=1061", 0);
        if (!refusal)
            step(x, IN, UP("9011", "QnRtn=1"), 0);
        snprintf(text, sizeof text, "QN={C};ST=91;CN=%d;PW=123456;MN=M1;Flag=4;CP=&&%s=%d&&", refusal ? 9011 : 9012,
                 refusal ? "QnRtn" : "ExeRtn", code);
        step(x, IN, text, 0);
        snprintf(want, sizeof want, "%s %d 1 0", refusal ? "REFUSED" : "FAILED", code);
        step(x, STATE, want, 0);
        step(x, WAIT, NULL, 20000);
        step(x, SILENT, NULL, 0); /* one send only: neither out again after the refusal */
        end(x);
    }
}

static void a_second_command_follows_the_first(void **state)
{
    struct script *x = fresh();
    step(x, IN, M("M1", "2011", "4", DATA), 0);
    step(x, CMD, "", 1061);
    step(x, OUT, "CN=1061", 0);
    step(x, CMD, "", 1063);
    step(x, SILENT, NULL, 0);
    step(x, IN, UP("9012", "ExeRtn=1"), 0);
    step(x, OUT, "CN=1063", 0);
    end(x);
}

static void commands_end_with_the_connection(void **state)
{
    struct script *x = fresh();
    step(x, IN, M("M1", "2011", "4", DATA), 0);
    step(x, CMD, "", 1061);
    session_fini(&x->s, &x->e, "no data for 61 s");
    step(x, STATE, "FAILED -1 1 0", 0);
    assert_string_equal(entry(x, "M1")->cause, "no data for 61 s");
    end(x);
}

static void no_command_for_a_device_elsewhere(void **state)
{
    struct script *x = fresh();
    struct gateway_command c = {.id = 1, .mn = "M2", .cn = 1061};
    step(x, IN, M("M1", "2011", "4", DATA), 0);
    assert_false(session_command(&x->s, &x->e, &c));
    end(x);
}

static void strangers_are_answered_when_enrolment_is_open(void **state)
{
    struct script *x = fresh();
    x->e.enroll_open = true;
    step(x, IN, M("NEW1", "2011", "5", DATA), 0);
    step(x, REC, "FRAME NEW1 pending", 0);
    step(x, DURABLE, NULL, 0);
    step(x, OUT, "CN=9014;PW=123456;MN=NEW1", 0);
    end(x);
}

static void first_connect_can_be_switched_off(void **state)
{
    struct script *x = fresh();
    x->e.setup = GATEWAY_SETUP_OFF;
    step(x, IN, "QN={90000};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0);
    step(x, SILENT, NULL, 0);
    end(x);
}

/* Plain CRC-16/MODBUS and a wrong length: taken only from the device that may. */
static void own_tolerances(void **state)
{
    char seg[300], raw[400], wrong[400];
    struct script *x = fresh();
    int n = snprintf(seg, sizeof seg, "QN=20260301080000123;ST=31;CN=2011;PW=;MN=BUS;Flag=5;CP=&&%s&&", DATA);
    snprintf(raw, sizeof raw, "##%04d%s%04X\r\n", n, seg, hj212_crc_modbus(seg, (size_t)n));
    snprintf(wrong, sizeof wrong, "##%04d%s%04X\r\n", n + 7, seg, hj212_crc(seg, (size_t)n));
    script_in(x, wrong, strlen(wrong)); /* the first frame already */
    step(x, REC, "FRAME BUS", 0);
    script_in(x, raw, strlen(raw));
    step(x, REC, "FRAME BUS", 0);
    n = snprintf(seg, sizeof seg, "QN=20260301080000123;ST=31;CN=2011;PW=123456;MN=M1;Flag=5;CP=&&%s&&", DATA);
    snprintf(raw, sizeof raw, "##%04d%s%04X\r\n", n, seg, hj212_crc_modbus(seg, (size_t)n));
    script_in(x, raw, strlen(raw));
    step(x, REC, "REJECT crc_algorithm M1", 0);
    end(x);
}

static void enciphered_frames(void **state)
{
    char raw[600];
    struct script *x = fresh();
    struct hj212_head h = {.qn = LT_LIT("20260301080000123"),
                           .mn = LT_LIT("KEY"),
                           .pw = LT_LIT("123456"),
                           .st = 31,
                           .cn = 2011,
                           .edition = HJ212_2025,
                           .answer = true};
    /* The CRC of this cipher text is by chance that of its plain text: one of 256 is so. */
    size_t n = hj212_encrypt_build(&h, LT_LIT(DATA), devices[9].sm4_key, raw, sizeof raw);
    assert_true(n > 0);
    script_in(x, raw, n);
    step(x, REC, "FRAME KEY", 0);
    assert_memory_equal(x->rec[0].r.bytes.p, raw, n - 2); /* as received */
    step(x, DURABLE, NULL, 0);
    step(x, OUT, "QN={0};ST=91;CN=9014;PW=123456;MN=KEY;Flag=8;CP=&&&&", 0);
    h.mn = LT_LIT("M1"); /* which has no key */
    n = hj212_encrypt_build(&h, LT_LIT(DATA ";a34013-Rtd=5"), devices[9].sm4_key, raw, sizeof raw);
    script_in(x, raw, n);
    step(x, REC, "REJECT cipher M1", 0);
    end(x);
}

static void too_many_refusals_close(void **state)
{
    struct script *x = fresh();
    for (int i = 0; i < SESSION_REFUSED_MOST; i++) {
        step(x, OPEN, NULL, 0);
        step(x, IN, "QN={0};ST=31;CN=2011;PW=654321;MN=M1;Flag=5;CP=&&" DATA "&&", 0);
    }
    step(x, CLOSED, "refused 30 times: password", 0);
    end(x);
}

/* Above the rate reading pauses; nothing is lost. */
static void rate_limit_pauses(void **state)
{
    char all[60000], one[400];
    size_t n = 0, frames = 0;
    struct script *x = fresh();
    x->e.max_rate = 20;
    x->s.tokens = 20000;
    for (; frames < 50; frames++) {
        size_t k = frame(x, M("M1", "2011", "5", DATA), one);
        memcpy(all + n, one, k);
        n += k;
    }
    script_in(x, all, n);
    step(x, STOP, NULL, SESSION_RATE);
    assert_int_equal(x->n, 20);
    int64_t until = session_rate_until(&x->s, &x->e);
    assert_in_range(until, x->e.mono_ms + 50, x->e.mono_ms + 200);
    int64_t began = x->e.mono_ms;
    while (!session_resume(&x->s, &x->e)) {
        assert_true(x->e.mono_ms - began < 3000);
        step(x, JUMP, NULL, 100);
    }
    assert_int_equal(x->n, 50);
    assert_in_range(x->e.mono_ms - began, 1400, 1700); /* 30 frames at 20 a second */
    assert_null(x->s.rest);
    end(x);
}

/* ---- many devices on one connection ---- */
enum { MANY = SESSION_DEVICES + 4 };

static struct script *with_many(void)
{
    static struct registry_device many[MANY];
    struct script *x = malloc(sizeof *x);
    assert_non_null(x);
    for (uint32_t i = 0; i < MANY; i++) {
        many[i] = (struct registry_device){.id = i + 1, .status = REGISTRY_ACTIVE, .tolerate = HJ212_TOLERATE_DEFAULT};
        snprintf(many[i].mn, sizeof many[i].mn, "C%u", i);
    }
    script_start(x, many, MANY);
    return x;
}

static void speaks(struct script *x, const char *prefix, unsigned i)
{
    char text[200];
    snprintf(text, sizeof text, "QN={0};ST=31;CN=2011;PW=1;MN=%s%u;Flag=4;CP=&&a=1&&", prefix, i);
    step(x, IN, text, 0);
}

static void command_to(struct script *x, unsigned i)
{
    struct gateway_command c = {.id = i + 1, .cn = 1061};
    snprintf(c.mn, sizeof c.mn, "C%u", i);
    assert_true(session_command(&x->s, &x->e, &c));
}

/* A concentrator of two hundred devices: each is known, and the command of the first survives all others. */
static void a_concentrator_loses_no_command(void **state)
{
    struct script *x = with_many();
    speaks(x, "C", 0);
    command_to(x, 0);
    step(x, OUT, "CN=1061;PW=1;MN=C0", 0);
    for (unsigned i = 1; i < 200; i++)
        speaks(x, "C", i);
    assert_int_equal(x->s.dev_n, 200);
    step(x, IN, "QN={C};ST=91;CN=9011;PW=1;MN=C0;Flag=4;CP=&&QnRtn=1&&", 0);
    step(x, IN, "QN={C};ST=91;CN=9012;PW=1;MN=C0;Flag=4;CP=&&ExeRtn=1&&", 0);
    step(x, STATE, "DONE 1 1 0", 0);
    for (unsigned i = 0; i < 100; i++)
        command_to(x, i);
    for (unsigned i = 0; i < 100; i++)
        step(x, OUT, "CN=1061", 0);
    end(x);
}

static void a_full_table_drops_the_oldest_without_a_command(void **state)
{
    struct script *x = with_many();
    for (unsigned i = 0; i < SESSION_DEVICES; i++)
        speaks(x, "C", i);
    command_to(x, 0);
    step(x, OUT, "CN=1061;PW=1;MN=C0", 0);
    for (unsigned i = SESSION_DEVICES; i < MANY; i++)
        speaks(x, "C", i);
    unsigned conns = 0;
    for (size_t i = 0; i < x->entries; i++)
        conns += x->entry[i].conns;
    assert_int_equal(conns, SESSION_DEVICES);
    assert_int_equal(x->n, MANY + 1);
    assert_int_equal(x->s.mn_changes, MANY - 1);
    step(x, CONNS, "C0", 1);
    step(x, CONNS, "C1", 0);
    step(x, CONNS, "C4", 0);
    step(x, CONNS, "C5", 1);
    step(x, STATE, "SENT 0 1 0", 0);
    end(x);
}

static void strangers_get_few_places(void **state)
{
    struct script *x = with_many();
    x->strangers_most = 100;
    speaks(x, "C", 0);
    for (unsigned i = 0; i < 50; i++)
        speaks(x, "X", i);
    assert_int_equal(x->s.dev_n, 1 + SESSION_STRANGERS);
    step(x, CONNS, "C0", 1);
    step(x, CONNS, "X41", 0);
    step(x, CONNS, "X42", 1);
    end(x);
}

/* Hundreds of devices behind one line are not set up all at once. */
static void first_connect_of_many_takes_turns(void **state)
{
    struct script *x = with_many();
    x->e.setup = GATEWAY_SETUP_STANDARD;
    for (unsigned i = 0; i < 20; i++)
        speaks(x, "C", i);
    for (unsigned i = 0; i < SESSION_AUTO; i++)
        step(x, OUT, "CN=1012", 0);
    step(x, SILENT, NULL, 0);
    for (int i = 0; i < 5; i++) /* all deaf: four sends each, then the next ones have their turn */
        step(x, WAIT, NULL, 10000);
    x->out_seen = x->out_n;
    for (unsigned i = 0; i < 20; i++)
        speaks(x, "C", i);
    for (unsigned i = 0; i < SESSION_AUTO; i++)
        step(x, OUT, "CN=1012", 0);
    step(x, SILENT, NULL, 0);
    assert_int_equal(x->firsts, 2 * SESSION_AUTO);
    end(x);
}

/* ---- first connect as the standard has it ---- */
static struct script *standard(void)
{
    static const struct registry_device full = {.id = 1,
                                                .mn = "SET",
                                                .pw = "123456",
                                                .status = REGISTRY_ACTIVE,
                                                .tolerate = HJ212_TOLERATE_DEFAULT,
                                                .rtd_interval_s = 30,
                                                .min_interval_min = 10,
                                                .over_time_s = 20,
                                                .resends = 1,
                                                .rtd_upload = REGISTRY_UPLOAD_ON,
                                                .state_upload = REGISTRY_UPLOAD_OFF};
    struct script *x = malloc(sizeof *x);
    assert_non_null(x);
    script_start(x, &full, 1);
    x->e.setup = GATEWAY_SETUP_STANDARD;
    return x;
}

static const char set_data[] = "QN={0};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&";

/* "6.7: time, time-out and resends, real-time interval, minute interval, real-time data, state" */
static void the_whole_first_connect(void **state)
{
    static const char *const sent[] = {"CN=1012;PW=123456;MN=SET;Flag=5;CP=&&PolId=;SystemTime=20260301080000&&",
                                       "CN=1000;PW=123456;MN=SET;Flag=5;CP=&&OverTime=20;ReCount=1&&",
                                       "CN=1062;PW=123456;MN=SET;Flag=5;CP=&&RtdInterval=30&&",
                                       "CN=1064;PW=123456;MN=SET;Flag=5;CP=&&MinInterval=10&&",
                                       "CN=2011;PW=123456;MN=SET;Flag=5;CP=&&&&"};
    struct script *x = standard();
    step(x, IN, set_data, 0);
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        step(x, OUT, sent[i], 0);
        step(x, SILENT, NULL, 0);
        step(x, IN, S("9011", "QnRtn=1"), 0);
        step(x, IN, S("9012", "ExeRtn=1"), 0);
    }
    step(x, OUT, "CN=2022;PW=123456;MN=SET;Flag=5;CP=&&&&", 0);
    step(x, IN, S("9013", ""), 0);
    step(x, IN, set_data, 0);
    step(x, SILENT, NULL, 0);
    assert_int_equal(x->firsts, 1);
    end(x);
}

static void registered_time_out_and_resends(void **state)
{
    struct script *x = standard();
    step(x, IN, set_data, 0);
    step(x, OUT, "CN=1012", 0);
    step(x, WAIT, NULL, 19000);
    step(x, SILENT, NULL, 0);
    step(x, WAIT, NULL, 1000);
    step(x, OUT, "CN=1012", 0);
    step(x, IN, set_data, 0);
    step(x, WAIT, NULL, 50000);
    step(x, SILENT, NULL, 0); /* once again, then it is left alone */
    end(x);
}

static void limits_of_first_connect(void **state)
{
    struct script *x = standard();
    x->first = SESSION_FIRST_NONE;
    step(x, IN, "QN={90000};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0);
    step(x, SILENT, NULL, 0);
    end(x);
    x = standard();
    x->first = SESSION_FIRST_CLOCK;
    step(x, IN, "QN={90000};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0);
    step(x, OUT, "CN=1012", 0);
    step(x, IN, S("9012", "ExeRtn=1"), 0);
    step(x, SILENT, NULL, 0);
    end(x);
    x = standard();
    x->first = SESSION_FIRST_CLOCK; /* and its clock is right */
    step(x, IN, set_data, 0);
    step(x, SILENT, NULL, 0);
    end(x);
    x = standard();
    x->first = SESSION_FIRST_LATER; /* others come first: its next frame asks again */
    step(x, IN, set_data, 0);
    step(x, SILENT, NULL, 0);
    x->first = SESSION_FIRST_ALL;
    step(x, IN, "QN={1000};ST=31;CN=2011;PW=123456;MN=SET;Flag=4;CP=&&" DATA "&&", 0);
    step(x, OUT, "CN=1012", 0);
    assert_int_equal(x->firsts, 2);
    end(x);
}

static void asking_for_the_time_again_and_again(void **state)
{
    struct script *x = fresh();
    for (int i = 0; i < 20; i++) {
        step(x, IN, M("M1", "1013", "5", "PolId="), 0);
        step(x, DURABLE, NULL, 0);
        step(x, OUT, "CN=9013", 0);
        if (i == 0) {
            step(x, OUT, "CN=1012", 0);
            step(x, IN, UP("9012", "ExeRtn=1"), 0);
        }
    }
    step(x, SILENT, NULL, 0);
    step(x, JUMP, NULL, 60000);
    step(x, IN, M("M1", "1013", "5", "PolId="), 0);
    step(x, DURABLE, NULL, 0);
    step(x, OUT, "CN=9013", 0);
    step(x, OUT, "CN=1012", 0);
    end(x);
}

/* A register change reaches open connections. */
static void a_new_register_is_obeyed(void **state)
{
    struct script *x = fresh();
    struct registry_device row = devices[0];
    step(x, IN, M("M1", "2011", "5", DATA), 0);
    step(x, REC, "FRAME M1", 0);
    row.status = REGISTRY_DISABLED;
    assert_int_equal(registry_load_rows(x->reg, &row, 1, NULL), LT_OK);
    const struct registry_snapshot *old = x->e.registry;
    x->e.registry = registry_acquire(x->reg);
    registry_release(x->reg, old);
    step(x, IN, M("M1", "2011", "5", DATA), 0);
    step(x, REC, "REJECT disabled M1", 0);
    end(x);
}

/* The same records whatever the cuts of the stream, one byte at a time too. */
static void cuts_do_not_matter(void **state)
{
    char all[4000], one[600];
    size_t n = 0;
    static const char *const parts[] = {M("M1", "2011", "5", DATA), M("M2", "2051", "5", DATA),
                                        M("NEW1", "2061", "4", DATA)};
    struct script *x = fresh();
    for (size_t i = 0; i < 3; i++) {
        size_t k = frame(x, parts[i], one);
        memcpy(all + n, one, k);
        n += k;
        memcpy(all + n, "noise\r\n", 7);
        n += 7;
    }
    end(x);
    for (size_t size = 1; size <= n; size = size < 40 ? size + 1 : size * 2) {
        x = fresh();
        for (size_t i = 0; i < n; i += size) {
            script_in(x, all + i, n - i < size ? n - i : size);
            if (size == 1)
                step(x, JUMP, NULL, 50);
        }
        step(x, REC, "FRAME M1", 0);
        step(x, REC, "REJECT garbage M1", 0);
        step(x, REC, "FRAME M2", 0);
        step(x, REC, "REJECT garbage M2", 0);
        step(x, REC, "FRAME NEW1 pending", 0);
        step(x, REC, "REJECT garbage NEW1", 0);
        step(x, NOREC, NULL, 0);
        end(x);
    }
}

/* Every line of the collection of bad frames, each followed by a good frame: the good one is found and answered, and no
 * byte of the bad one is lost without a record. */
static void bad_lines_do_no_harm(void **state)
{
    static char line[8192], good[600], raw[9000];
    FILE *f = fopen(getenv("HJ212_INVALID"), "rb");
    assert_non_null(f);
    size_t lines = 0;
    while (fgets(line, sizeof line, f)) {
        size_t n = strlen(line);
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        if (n == 0 || (n > 1 && line[0] == '#' && line[1] == ' '))
            continue;
        lines++;
        struct script *x = fresh();
        size_t k = frame(x, M("M1", "2061", "5", DATA), good);
        memcpy(raw, line, n);
        memcpy(raw + n, "\r\n", 2);
        memcpy(raw + n + 2, good, k);
        script_in(x, raw, n + 2 + k);
        script_wait(x, 40000); /* a length of 9999 may hold the good frame until the time is up */
        script_durable(x);
        assert_true(x->n >= 2);
        const struct journal_record *last = &x->rec[x->n - 1].r;
        assert_int_equal(last->kind, JOURNAL_FRAME);
        assert_true(lt_slice_is(last->mn, "M1"));
        assert_int_equal(last->bytes.n, k - 2);
        x->out[x->out_n] = '\0';
        assert_non_null(strstr(x->out, "CN=9014;PW=123456;MN=M1"));
        size_t bytes = 0;
        for (size_t i = 0; i < x->n; i++)
            bytes += x->rec[i].r.bytes.n;
        assert_in_range(bytes, n + k - 2 - 2, n + k); /* all but line ends */
        end(x);
    }
    fclose(f);
    assert_true(lines >= 50);
}

static void memory_of_a_session(void **state)
{
    assert_true(sizeof(struct session) <= 2048);
}

int main(void)
{
    static struct CMUnitTest tests[SCRIPTS + 30];
    const struct CMUnitTest more[] = {
        cmocka_unit_test(result_codes),
        cmocka_unit_test(a_second_command_follows_the_first),
        cmocka_unit_test(commands_end_with_the_connection),
        cmocka_unit_test(no_command_for_a_device_elsewhere),
        cmocka_unit_test(strangers_are_answered_when_enrolment_is_open),
        cmocka_unit_test(first_connect_can_be_switched_off),
        cmocka_unit_test(own_tolerances),
        cmocka_unit_test(enciphered_frames),
        cmocka_unit_test(too_many_refusals_close),
        cmocka_unit_test(rate_limit_pauses),
        cmocka_unit_test(a_concentrator_loses_no_command),
        cmocka_unit_test(a_full_table_drops_the_oldest_without_a_command),
        cmocka_unit_test(strangers_get_few_places),
        cmocka_unit_test(first_connect_of_many_takes_turns),
        cmocka_unit_test(the_whole_first_connect),
        cmocka_unit_test(registered_time_out_and_resends),
        cmocka_unit_test(limits_of_first_connect),
        cmocka_unit_test(asking_for_the_time_again_and_again),
        cmocka_unit_test(a_new_register_is_obeyed),
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(bad_lines_do_no_harm),
        cmocka_unit_test(memory_of_a_session),
    };
    enum { MORE = sizeof more / sizeof more[0] };
    for (size_t i = 0; i < SCRIPTS; i++) {
        union {
            const struct row *c;
            void *m;
        } u = {&scripts[i]};
        tests[i] = (struct CMUnitTest){.name = scripts[i].name, .test_func = run_script, .initial_state = u.m};
    }
    memcpy(tests + SCRIPTS, more, sizeof more);
    return _cmocka_run_group_tests("session", tests, SCRIPTS + MORE, NULL, NULL);
}

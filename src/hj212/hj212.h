/* hj212: the data transmission standard of Chinese pollution monitors, all three editions
 * (HJ/T 212-2005, HJ 212-2017, HJ 212-2025). Pure and sans-I/O: bytes in, values out; no files, sockets,
 * clock, threads, globals or logging; it allocates nothing. Used by the gateway (cut, parse, answer), the
 * engine (items), the simulator (build) and the command line.
 *
 * Frame on the wire:  ##  LLLL  <data segment, LLLL bytes>  CCCC  CR LF
 * Data segment:       QN=..;ST=..;CN=..;PW=..;MN=..;Flag=..;[PNUM=..;PNO=..;][RF=1;]CP=&&<data area>&&
 *
 * All slices borrow from the caller's bytes. On failure outputs are as stated at each function. */
#ifndef HJ212_H
#define HJ212_H
#include "base/slice.h"

#define HJ212_SEGMENT_STD 1024 /* HJ 212-2017 Table 2: a data segment holds 0..1024 bytes */
#define HJ212_SEGMENT_MAX                                                                                              \
    4096 /* the most this library takes (option LONG_SEGMENT); derivation: field logs reach 1623 */
#define HJ212_FRAME_MAX (HJ212_SEGMENT_MAX + 12)
#define HJ212_MN_MAX    24   /* HJ 212-2017 Table 3: 24 characters (EPC-96); 2005: 14 */
#define HJ212_PNUM_MAX  256  /* most packets of a set; derivation: 256 x 950 bytes is 240 kB, ten times any seen */
#define HJ212_ITEMS_MAX 1024 /* pairs in one data area; derivation: the shortest pair "a=1," is 4 bytes of 4096 */

enum hj212_edition { HJ212_2005, HJ212_2017, HJ212_2025, HJ212_EDITIONS };

/* Why bytes were refused. Names (lower case) are stable: they are the ledger's reasons and `hj212 decode`'s "error". */
#define HJ212_ERRORS(X)                                                                                                \
    X(OK, "ok")                                                                                                        \
    X(GARBAGE, "garbage")     /* bytes that belong to no frame */                                                      \
    X(TRUNCATED, "truncated") /* a frame began and never ended */                                                      \
    X(LENGTH, "length")       /* length digits wrong, or the length does not lead to a CRC */                          \
    X(TOO_LONG, "too_long")   /* segment above the limit in force */                                                   \
    X(CRC, "crc")             /* CRC digits wrong or CRC differs */                                                    \
    X(CRC_ALGORITHM,                                                                                                   \
      "crc_algorithm")  /* differs, but equals CRC-16/MODBUS or the bytes are swapped: device is misbuilt */           \
    X(SYNTAX, "syntax") /* header is not name=value;... or CP is not &&...&& */                                        \
    X(HEADER_TWICE, "header_twice") /* a header field stands twice */                                                  \
    X(MN, "mn")                     /* missing, empty, longer than 24, or a character outside 0-9 A-Z a-z _ - */       \
    X(QN, "qn")                                                                                                        \
    X(ST, "st")                                                                                                        \
    X(CN, "cn") X(PW, "pw") X(FLAG, "flag") X(EDITION, "edition") /* version bits of Flag name no known edition */     \
        X(PACKET, "packet")             /* PNUM/PNO missing, zero, or PNO > PNUM or PNUM above the limit */            \
        X(CONTROL_BYTE, "control_byte") /* a byte below 0x20 or 0x7F in the segment of a plain frame */                \
        X(ITEM, "item")                 /* a pair in the data area is not name=value */                                \
        X(TIME, "time")                 /* a time field is no valid time */                                            \
        X(NUMBER, "number")             /* a measured value is no number */                                            \
        X(MARK, "mark")                 /* a data mark is not one character */                                         \
        X(TOO_MANY, "too_many")         /* more than HJ212_ITEMS_MAX pairs */                                          \
        X(CIPHER, "cipher")             /* encrypted data area without a key, or it does not decrypt to text */
enum hj212_err {
#define X(n, s) HJ212_E_##n,
    HJ212_ERRORS(X)
#undef X
        HJ212_E_COUNT
};
const char *hj212_err_name(enum hj212_err e); /* "crc" … */

/* Deviations of real devices that may be tolerated, each by name and each counted
 * (bit set in hj212_frame.tolerated). None is on unless asked for, but see HJ212_TOLERATE_DEFAULT. */
#define HJ212_TOLERANCES(X)                                                                                            \
    X(LOWER_CRC, "lower_crc")       /* CRC in lower-case hex */                                                        \
    X(NO_CRLF, "no_crlf")           /* tail missing or LF only, frames glued together */                               \
    X(CRC_MODBUS, "crc_modbus")     /* plain CRC-16/MODBUS */                                                          \
    X(CRC_SWAPPED, "crc_swapped")   /* low byte first */                                                               \
    X(CRC_SHORT, "crc_short")       /* leading zeros missing */                                                        \
    X(CRC_IGNORED, "crc_ignored")   /* any CRC taken: only for a device that cannot be mended */                       \
    X(LENGTH_WRONG, "length_wrong") /* length off, but a CRC that fits stands before CR LF */                          \
    X(LONG_SEGMENT, "long_segment") /* 1025..4096 bytes */                                                             \
    X(HEADER_COMMA, "header_comma") /* comma for semicolon between header fields, or doubled separators */             \
    X(HEADER_GLUED, "header_glued") /* "Flag=5CP=&&": separator missing before CP */                                   \
    X(HEADER_CASE, "header_case")   /* qn, st, FLAG … */                                                             \
    X(HEADER_BLANK, "header_blank") /* blanks around header names and in the data area, as printed in the standard */  \
    X(LONG_MN, "long_mn")           /* 25..64 characters */                                                            \
    X(LONG_ST, "long_st")           /* ST of three digits */                                                           \
    X(PACKET_NO_BIT, "packet_no_bit") /* PNUM/PNO though Flag bit D is 0 */                                            \
    X(TIME_MS, "time_ms")             /* 17-digit DataTime */                                                          \
    X(TRAILING_SEP, "trailing_sep")   /* ";&&" or ",;" */                                                              \
    X(ANY_MARK, "any_mark")           /* data mark of up to four characters */                                         \
    X(NOT_NUMBER, "not_number")       /* words where a number is due: kept as text, no value */                        \
    X(BARE_FIELD, "bare_field")       /* ",Flag=N" or "-Rtd=1" without a factor: kept, belongs to no factor */
enum hj212_tolerance {
#define X(n, s) HJ212_TOL_BIT_##n,
    HJ212_TOLERANCES(X)
#undef X
        HJ212_TOL_COUNT
};
#define HJ212_TOL(n) (UINT32_C(1) << HJ212_TOL_BIT_##n)
/* What nearly every device in the field needs and what cannot hide damage. */
#define HJ212_TOLERATE_DEFAULT                                                                                         \
    (HJ212_TOL(LOWER_CRC) | HJ212_TOL(NO_CRLF) | HJ212_TOL(HEADER_BLANK) | HJ212_TOL(PACKET_NO_BIT) |                  \
     HJ212_TOL(TIME_MS) | HJ212_TOL(TRAILING_SEP) | HJ212_TOL(LONG_ST) | HJ212_TOL(HEADER_CASE))
const char *hj212_tolerance_name(enum hj212_tolerance t);
bool hj212_tolerance_from_name(struct lt_slice name, enum hj212_tolerance *ret);

/* ---- CRC (Appendix A; not CRC-16/MODBUS) ---- */
uint16_t hj212_crc(const char *p, size_t n);        /* by XOR folding, about memory speed */
uint16_t hj212_crc_plain(const char *p, size_t n);  /* bit by bit, as printed in the standard: the reference */
uint16_t hj212_crc_modbus(const char *p, size_t n); /* to tell devices that use the wrong one */

/* ---- Cutting a byte stream ---- */
enum hj212_cut_kind {
    HJ212_CUT_MORE,  /* nothing complete: drop `used` bytes (line ends), keep the rest, read more */
    HJ212_CUT_FRAME, /* a frame: `raw` is ## … CRC without the tail; `err` is OK, or TRUNCATED when the CR LF is
                      * missing and NO_CRLF is not allowed. CRC and content are judged by hj212_parse(). */
    HJ212_CUT_SKIP,  /* `raw` belongs to no frame: err GARBAGE, TRUNCATED, LENGTH or TOO_LONG; never empty */
};
struct hj212_cut {
    enum hj212_cut_kind kind;
    enum hj212_err err;
    struct lt_slice raw;
    size_t used;        /* bytes to drop from the front before the next call (includes the tail) */
    uint32_t tolerated; /* HJ212_TOL() bits that were needed for cutting: NO_CRLF, LENGTH_WRONG */
};
/* Bytes that belong to no frame are given in pieces of at most this many; derivation: no longer than a frame, so
 * that a buffer of HJ212_FRAME_MAX + 1 bytes is always enough. */
#define HJ212_JUNK_MAX HJ212_FRAME_MAX
/* Cuts the first thing off p[0..n). `end`: no more bytes will come (closed, or the frame timed out), so an
 * unfinished frame is given as SKIP/TRUNCATED and resynchronisation starts inside it. Cutting is by the length
 * field; a frame whose length does not lead to a CRC is given up at its ## and the next ## is tried; the bytes given
 * up reach to the next ##, to the end of the line or to HJ212_JUNK_MAX, whichever comes first, so a bad line is one
 * refusal. Line ends in front are dropped silently. Frames, refusals and their errors depend on the bytes only,
 * never on how they were split over calls; with NO_CRLF allowed a frame whose CRC is right is given at once, without
 * waiting for its tail (a device that sends none would wait for its answer in vain), so the bit NO_CRLF is set only
 * when the byte after the CRC, or `end`, was there to see. `tolerate`: HJ212_TOL() bits. */
struct hj212_cut hj212_cut(const char *p, size_t n, bool end, uint32_t tolerate);

/* ---- Header ---- */
struct hj212_frame {
    struct lt_slice raw;            /* ## … CRC */
    struct lt_slice segment;        /* data segment */
    struct lt_slice qn, pw, mn, cp; /* cp: between && and && ; qn may be empty */
    enum hj212_err err;
    uint32_t err_at;    /* offset in raw of what is wrong */
    uint32_t tolerated; /* HJ212_TOL() bits that were needed */
    uint16_t st, cn;    /* 0 when absent in a tolerant reading */
    uint16_t pnum, pno; /* 0, 0 when not split */
    uint16_t crc;
    uint8_t flag;          /* 0 when absent */
    uint8_t edition;       /* enum hj212_edition; without Flag: 2005 */
    bool has_flag, answer; /* answer: bit A, the sender wants 9014 / 9013 */
    bool resent;           /* RF=1 (2025) */
    bool encrypted;        /* data area is SM4 cipher text (2025) */
    int64_t qn_at_ms;      /* QN as local time taken as UTC milliseconds (offset 0); INT64_MIN when absent */
    uint32_t tolerate;     /* what the caller allowed (hj212_decrypt() goes on with it) */
};
/* Checks CRC and reads the header of one raw frame (## … CRC, tail allowed). Returns ret->err; on failure every
 * field that could be read is still filled, the others are zero, so that a refused frame can be filed under its
 * device. Also takes the raw of a SKIP (LENGTH, TRUNCATED, TOO_LONG), for the same reason.
 *
 * What is accepted without an option, because the standards or their own examples do it:
 *  - an empty segment (##0000FFFF, Table 2 allows 0 bytes): OK with mn.n == 0, so look at mn.n before you file it;
 *  - an empty MN in the answers 9011..9014 (a device that was not yet given its MN, HJ 212-2025);
 *  - no QN in any edition; no Flag (2005); PNUM/PNO without Flag; bit D without PNUM in 2005;
 *  - unknown header names (ignored), unknown commands and systems;
 *  - PW of 0..24 letters and digits.
 * ST "A0".."Z9" (extension range of 2017) is kept as 1100..1359: HJ212_ST_LETTER + (letter - 'A') * 10 + digit. */
#define HJ212_ST_LETTER 1100
#define HJ212_PW_MAX    24 /* standard: 6; seen in the field: 24 */
enum hj212_err hj212_parse(struct lt_slice raw, uint32_t tolerate, struct hj212_frame *ret);

/* Encrypted data areas (HJ 212-2025 6.4). The CRC is made over the plain segment, so a frame of edition 2025 with CN
 * 2000..2999, 1014 or 3020 whose CRC does not fit the received bytes and whose area is no text is reported as
 * HJ212_E_CIPHER with `encrypted` set and the header filled. hj212_decrypt() deciphers its area, puts the plain frame
 * (same length) into ret[0..f->raw.n), checks its CRC and reads it; the slices of *ret_plain point into ret. Returns
 * ret_plain->err; HJ212_E_CIPHER when the CRC does not fit afterwards (wrong key, or damaged), HJ212_E_TOO_LONG when
 * cap < f->raw.n (then *ret_plain is a frame with that error and nothing else). */
enum hj212_err hj212_decrypt(const struct hj212_frame *f, const uint8_t key[16], char *ret, size_t cap,
                             struct hj212_frame *ret_plain);

/* ---- Data area ---- */
#define HJ212_FIELDS(X)                                                                                                \
    X(NONE, "") /* a plain key such as DataTime, PolId: name holds the key */                                          \
    X(RTD, "Rtd")                                                                                                      \
    X(ZSRTD, "ZsRtd")                                                                                                  \
    X(MIN, "Min") X(AVG, "Avg") X(MAX, "Max") X(COU, "Cou") X(ZSMIN, "ZsMin") X(ZSAVG, "ZsAvg") X(ZSMAX, "ZsMax")      \
        X(ZSCOU, "ZsCou") X(FLAG, "Flag") X(EFLAG, "EFlag") X(SAMPLE_TIME, "SampleTime")                               \
            X(COMPLETE_TIME, "CompleteTime") X(SAMPLE_TYPE, "SampleType") X(SAMPLE_RD, "SampleRd")                     \
                X(STANDARD_VALUE, "StandardValue") X(RESULT_TYPE, "ResultType") X(DATA, "Data") X(DAY_DATA, "DayData") \
                    X(NIGHT_DATA, "NightData") X(RS, "RS") X(RT, "RT") X(INFO, "Info") X(SN, "SN") X(ALA, "Ala")       \
                        X(LOW_VALUE, "LowValue") X(UP_VALUE, "UpValue")                                                \
                            X(OTHER, "?") /* a suffix the standards do not know: kept */
enum hj212_field {
#define X(n, s) HJ212_F_##n,
    HJ212_FIELDS(X)
#undef X
        HJ212_F_COUNT
};
const char *hj212_field_name(enum hj212_field f);
enum hj212_field hj212_field_find(struct lt_slice name); /* OTHER when unknown */

enum hj212_value { HJ212_V_TEXT, HJ212_V_NUMBER, HJ212_V_TIME, HJ212_V_EMPTY };

struct hj212_item { /* one name=value; offsets are into the area given to hj212_items() */
    int64_t number; /* NUMBER: mantissa; TIME: local time taken as UTC milliseconds */
    uint16_t name_at, field_at, value_at, value_len;
    uint8_t name_len, field_len; /* field_len 0 for plain keys */
    uint8_t field;               /* enum hj212_field */
    uint8_t kind;                /* enum hj212_value */
    uint8_t decimals;            /* NUMBER: digits after the point, so 12.350 is 12350 and 3 */
    uint8_t pad;
    uint16_t group; /* pairs joined by comma share a group: 0, 1, 2 … */
};

/* Splits a data area into items; text between // and // is one value. Returns OK or the first error (ITEM, TIME,
 * NUMBER, MARK, TOO_MANY) with *ret_at its offset; *ret_n items before it are valid (ret_at may be NULL). `items` has
 * room for cap entries; *tolerated (may be NULL) collects bits.
 *
 * A name is split at its first '-': "a24088-i13013-Info" is factor a24088 with the unknown field "i13013-Info".
 * The value of //text// includes its slashes; hj212_log_text() takes them off.
 * A number is [+-]digits[.digits], also ".5" and "5."; more than 18 significant digits are NUMBER, but zeros at the
 * end of a fraction are dropped first (18 digits are kept, so 1.000…0 with 30 zeros is 1).
 * Numbers are due in Rtd … Max, Cou and their Zs forms, Data, DayData, NightData, RS, RT, Ala, LowValue, UpValue,
 * SampleRd and StandardValue; a factor starting with 'p' (work
 * conditions of ST=45, e.g. p99101-Rtd=St) may hold text. Empty measured values and sample times are EMPTY. Plain keys
 * that name things (PolId, QN, NewPW …) are TEXT, the others are NUMBER when they look like one.
 * An area longer than HJ212_SEGMENT_MAX is HJ212_E_TOO_LONG. */
enum hj212_err hj212_items(struct lt_slice area, uint32_t tolerate, struct hj212_item *items, size_t cap, size_t *ret_n,
                           uint32_t *ret_at, uint32_t *tolerated);

static inline struct lt_slice hj212_name(struct lt_slice area, const struct hj212_item *it)
{
    return (struct lt_slice){area.p + it->name_at, it->name_len};
}
static inline struct lt_slice hj212_value_text(struct lt_slice area, const struct hj212_item *it)
{
    return (struct lt_slice){area.p + it->value_at, it->value_len};
}
/* The text of a log between // and //; any other value unchanged. */
static inline struct lt_slice hj212_log_text(struct lt_slice v)
{
    bool log = v.n >= 4 && v.p[0] == '/' && v.p[1] == '/' && v.p[v.n - 1] == '/' && v.p[v.n - 2] == '/';
    return log ? (struct lt_slice){v.p + 2, v.n - 4} : v;
}
/* The plain key `name` (e.g. "DataTime") among items, or NULL. */
const struct hj212_item *hj212_find(struct lt_slice area, const struct hj212_item *items, size_t n, const char *name);

/* ---- Building ---- */
struct hj212_head {
    struct lt_slice qn, pw, mn; /* qn may be empty (2005) */
    uint16_t st, cn;
    uint16_t pnum, pno; /* 0 when not split */
    enum hj212_edition edition;
    bool answer, resent;
    bool no_flag;    /* 2005 style without Flag */
    bool flag_given; /* write `flag` as it stands instead of the one made of edition, answer and pnum */
    uint8_t flag;
};
/* Writes ## … CRC CR LF into ret (cap bytes); returns its length, or 0 when it does not fit or the area is longer than
 * HJ212_SEGMENT_MAX allows. */
size_t hj212_build(const struct hj212_head *h, struct lt_slice area, char *ret, size_t cap);

/* As hj212_build() with the area enciphered (HJ 212-2025 6.4; the CRC is that of the plain segment). */
size_t hj212_encrypt_build(const struct hj212_head *h, struct lt_slice area, const uint8_t key[16], char *ret,
                           size_t cap);

/* The answers, in the edition of the question (2005: QN inside CP). cn: 9011 (code = QnRtn), 9012 (ExeRtn), 9013, 9014.
 */
size_t hj212_build_answer(const struct hj212_frame *question, uint16_t cn, int code, char *ret, size_t cap);

/* Splits an area at ';' boundaries (outside //text//) into packets of at most `most` bytes each; returns the number of
 * packets, or 0 when one group alone is longer or more than cap are needed. The ';' between packets is in none of
 * them. Every packet must repeat DataTime (HJ 212-2017 C.47): take it off before and put it in front of each. */
size_t hj212_split(struct lt_slice area, size_t most, struct lt_slice *ret, size_t cap);

/* ---- SM4-ECB of HJ 212-2025 section 6.4: full 16-byte groups are encrypted, the rest stays plain ---- */
void hj212_sm4_encrypt(const uint8_t key[16], const uint8_t *in, size_t n, uint8_t *ret);
void hj212_sm4_decrypt(const uint8_t key[16], const uint8_t *in, size_t n, uint8_t *ret);

/* ---- Tables ---- */
struct hj212_factor {
    const char *code;     /* "a34013" */
    const char *code2005; /* "01" or "" */
    const char *name_zh, *name_en;
    const char *unit;        /* as printed in HJ 212-2017 Appendix B */
    uint8_t whole, decimals; /* N5.2 is 5, 2; whole 0: format not known, decimals is then what is usual */
};
/* By code of any edition; the last two digits of process codes are the equipment's number, so "g10203" finds "g102xx";
 * NULL when unknown (unknown factors are kept, never refused). */
const struct hj212_factor *hj212_factor_find(struct lt_slice code);
/* The 2017 code of a 2005 code, or the code itself. Air codes for st 22, 31, 39, 51; water codes for 21, 32, 52. */
struct lt_slice hj212_factor_2017(struct lt_slice code, uint16_t st);
size_t hj212_factor_count(void);
const struct hj212_factor *hj212_factor_at(size_t i);

enum hj212_flow { HJ212_FLOW_REQUEST = 1, HJ212_FLOW_UPLOAD = 2, HJ212_FLOW_NOTICE = 4, HJ212_FLOW_ANSWER = 8 };
struct hj212_command {
    uint16_t cn;
    uint8_t down;     /* enum hj212_flow bits, platform to field */
    uint8_t up;       /* field to platform */
    uint8_t editions; /* bit per enum hj212_edition */
    const char *name_zh, *name_en;
    const char *cp; /* fields of the data area, e.g. "PolId;SystemTime" */
};
const struct hj212_command *hj212_command_find(uint16_t cn);
size_t hj212_command_count(void);
const struct hj212_command *hj212_command_at(size_t i);
const char *hj212_system_name(uint16_t st, bool english);           /* NULL when unknown */
const char *hj212_mark_name(char mark, bool english);               /* NULL when unknown */
const char *hj212_result_name(uint16_t cn, int code, bool english); /* 9011 QnRtn, 9012 ExeRtn */
#endif

/* The package's ZIP: one canonical form, written, read from either end, compared; and CRC-32 as a means to find one
 * altered byte. */
#include "chain/chain.h"
#include "base/varint.h"

#define LOCAL   30
#define CENTRAL 46
#define END     22

static uint32_t get(const char *p, unsigned n) /* no number of a ZIP has more than four bytes */
{
    return (uint32_t)lt_le_get(p, n);
}

/* ---- CRC-32 (ISO 3309, reflected, as in ZIP) ---- */

#include "chain/chain_crc_table.inc"

static uint32_t crc_back(uint32_t v) /* one byte of zeros backward */
{
    for (int i = 0; i < 8; i++)
        v = (v & UINT32_C(0x80000000)) ? ((v ^ UINT32_C(0xEDB88320)) << 1) | 1 : v << 1;
    return v;
}

uint32_t chain_crc32(struct lt_slice s)
{
    uint32_t c = UINT32_MAX;
    const uint8_t *p = (const uint8_t *)s.p, *end = p + s.n;
    for (; end - p >= 8; p += 8) {
        uint32_t a = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        c = crc_table[7][a & 255] ^ crc_table[6][(a >> 8) & 255] ^ crc_table[5][(a >> 16) & 255] ^
            crc_table[4][a >> 24] ^ crc_table[3][p[4]] ^ crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
    }
    for (; p < end; p++)
        c = crc_table[0][(c ^ *p) & 255] ^ (c >> 8);
    return ~c;
}

/* An altered byte changes the register by `x` in its low byte just before the byte is taken in; from there the
 * difference moves on through the bytes behind it. So the difference at the end is taken back byte by byte, and where
 * it fits into one byte, that byte may be the one. */
bool chain_crc_places(struct lt_slice s, uint32_t right, bool (*each)(void *user, size_t at, uint8_t was), void *user)
{
    uint32_t d = chain_crc32(s) ^ right;
    if (d == 0)
        return false;
    for (size_t at = s.n; at-- > 0;) {
        d = crc_back(d);
        if (d <= 255 && each(user, at, (uint8_t)((uint8_t)s.p[at] ^ d)))
            return true;
    }
    return false;
}

/* ---- writing ---- */

bool chain_zip_name_ok(struct lt_slice s)
{
    if (s.n == 0 || s.n > CHAIN_ZIP_NAME)
        return false;
    size_t part = 0, dots = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i == s.n || s.p[i] == '/') {
            if (part == 0 || (part == dots && dots <= 2))
                return false;
            part = dots = 0;
            continue;
        }
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
        part++;
        dots += c == '.';
    }
    return true;
}

static void local_head(const struct chain_entry *e, uint32_t crc, char ret[LOCAL])
{
    memset(ret, 0, LOCAL);
    memcpy(ret, "PK\3\4", 4);
    lt_le_put(ret + 4, 20, 2);
    lt_le_put(ret + 6, 0x0800, 2);
    lt_le_put(ret + 12, 0x0021, 2);
    lt_le_put(ret + 14, crc, 4);
    lt_le_put(ret + 18, e->data.n, 4);
    lt_le_put(ret + 22, e->data.n, 4);
    lt_le_put(ret + 26, e->name.n, 2);
}

static void central_head(const struct chain_entry *e, uint32_t crc, size_t at, char ret[CENTRAL])
{
    char l[LOCAL];
    local_head(e, crc, l);
    memset(ret, 0, CENTRAL);
    memcpy(ret, "PK\1\2", 4);
    lt_le_put(ret + 4, 20, 2);
    memcpy(ret + 6, l + 4, 24);
    lt_le_put(ret + 42, at, 4);
}

static void end_head(size_t n, size_t size, size_t at, char ret[END])
{
    memset(ret, 0, END);
    memcpy(ret, "PK\5\6", 4);
    lt_le_put(ret + 8, n, 2);
    lt_le_put(ret + 10, n, 2);
    lt_le_put(ret + 12, size, 4);
    lt_le_put(ret + 16, at, 4);
}

/* The canonical file, piece by piece. */
struct sink {
    void (*take)(struct sink *s, const char *p, size_t n);
    struct lt_buf *out;   /* writing */
    struct lt_slice file; /* comparing */
    size_t at, bad_at;
    int was;
    bool differs;
};

static void pieces(const struct chain_entry *e, size_t n, struct sink *s)
{
    uint32_t crc[CHAIN_ZIP_ENTRIES];
    size_t head_at[CHAIN_ZIP_ENTRIES];
    char m[CENTRAL];
    for (size_t i = 0; i < n; i++) {
        crc[i] = chain_crc32(e[i].data);
        head_at[i] = s->at;
        local_head(&e[i], crc[i], m);
        s->take(s, m, LOCAL);
        s->take(s, e[i].name.p, e[i].name.n);
        s->take(s, e[i].data.p, e[i].data.n);
    }
    size_t directory = s->at;
    for (size_t i = 0; i < n; i++) {
        central_head(&e[i], crc[i], head_at[i], m);
        s->take(s, m, CENTRAL);
        s->take(s, e[i].name.p, e[i].name.n);
    }
    end_head(n, s->at - directory, directory, m);
    s->take(s, m, END);
}

static void take_write(struct sink *s, const char *p, size_t n)
{
    lt_buf_add(s->out, p, n);
    s->at += n;
}

static void take_compare(struct sink *s, const char *p, size_t n)
{
    size_t have = s->at < s->file.n ? s->file.n - s->at : 0, m = n < have ? n : have;
    if (!s->differs && (m < n || memcmp(s->file.p + s->at, p, m) != 0)) {
        size_t i = 0;
        while (i < m && s->file.p[s->at + i] == p[i])
            i++;
        s->differs = true;
        s->bad_at = s->at + i;
        s->was = (uint8_t)p[i];
    }
    s->at += n;
}

bool chain_zip_write(const struct chain_entry *e, size_t n, struct lt_buf *out)
{
    size_t all = END;
    if (n > CHAIN_ZIP_ENTRIES)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!chain_zip_name_ok(e[i].name) || e[i].data.n > CHAIN_ZIP_MAX)
            return false;
        all += LOCAL + CENTRAL + 2 * e[i].name.n + e[i].data.n;
        if (all > CHAIN_ZIP_MAX)
            return false;
    }
    struct sink s = {.take = take_write, .out = out};
    pieces(e, n, &s);
    return !out->failed;
}

bool chain_zip_differs(struct lt_slice file, const struct chain_entry *e, size_t n, size_t *ret_at, int *ret_was)
{
    struct sink s = {.take = take_compare, .file = file};
    pieces(e, n, &s);
    if (!s.differs && file.n > s.at) {
        s.differs = true;
        s.bad_at = s.at;
        s.was = -1;
    }
    *ret_at = s.bad_at;
    *ret_was = s.was;
    return s.differs;
}

/* ---- reading ---- */

/* The entry whose local header stands at `at`; *at moves behind it. */
static bool read_local(struct lt_slice f, size_t *at, struct chain_entry *ret)
{
    if (f.n - *at < LOCAL)
        return false;
    const char *p = f.p + *at;
    size_t name = get(p + 26, 2), extra = get(p + 28, 2), size = get(p + 22, 4);
    if (extra || get(p + 8, 2) != 0 || f.n - *at - LOCAL < name || f.n - *at - LOCAL - name < size)
        return false;
    *ret = (struct chain_entry){{p + LOCAL, name}, {p + LOCAL + name, size}, *at};
    *at += LOCAL + name + size;
    return chain_zip_name_ok(ret->name);
}

static bool read_front(struct lt_slice f, struct chain_entry ret[CHAIN_ZIP_ENTRIES], size_t *ret_n, size_t *ret_at)
{
    size_t at = 0, n = 0;
    while (f.n - at >= 4 && memcmp(f.p + at, "PK\3\4", 4) == 0) {
        *ret_at = at;
        if (n == CHAIN_ZIP_ENTRIES || !read_local(f, &at, &ret[n]))
            return false;
        n++;
    }
    *ret_at = at;
    *ret_n = n;
    return n > 0; /* what follows is the comparison's business */
}

/* The entry of the directory at `at`; contents lie where the order of the file says, not where the (perhaps damaged)
 * offset says. */
static bool read_central(struct lt_slice f, size_t *at, size_t *data_at, struct chain_entry *ret)
{
    if (f.n - *at < CENTRAL || memcmp(f.p + *at, "PK\1\2", 4) != 0)
        return false;
    const char *p = f.p + *at;
    size_t name = get(p + 28, 2), size = get(p + 24, 4);
    if (f.n - *at - CENTRAL < name || *data_at > f.n || f.n - *data_at < LOCAL + name ||
        f.n - *data_at - LOCAL - name < size)
        return false;
    *ret = (struct chain_entry){{p + CENTRAL, name}, {f.p + *data_at + LOCAL + name, size}, *data_at};
    *at += CENTRAL + name;
    *data_at += LOCAL + name + size;
    return chain_zip_name_ok(ret->name);
}

/* Where the directory begins: as the end says, or (when the end itself is damaged) where walking it leads to the end.
 */
static bool read_directory(struct lt_slice f, size_t at, struct chain_entry ret[CHAIN_ZIP_ENTRIES], size_t *ret_n,
                           size_t *ret_at)
{
    size_t n = 0, data_at = 0, begin = at;
    *ret_at = at;
    while (at + END < f.n) {
        *ret_at = at;
        if (n == CHAIN_ZIP_ENTRIES || !read_central(f, &at, &data_at, &ret[n]))
            return false;
        n++;
    }
    *ret_at = at;
    *ret_n = n;
    return n > 0 && at + END == f.n && data_at == begin;
}

bool chain_zip_read(struct lt_slice f, bool back, struct chain_entry ret[CHAIN_ZIP_ENTRIES], size_t *ret_n,
                    size_t *ret_at)
{
    *ret_n = 0;
    *ret_at = 0;
    if (f.n > CHAIN_ZIP_MAX)
        return false;
    if (!back)
        return read_front(f, ret, ret_n, ret_at);
    if (f.n < END)
        return false;
    size_t at = get(f.p + f.n - END + 16, 4);
    return at < f.n && read_directory(f, at, ret, ret_n, ret_at);
}

void chain_zip_crc(struct lt_slice f, const struct chain_entry *e, size_t n, size_t which, uint32_t ret[2])
{
    ret[0] = get(f.p + e[which].head_at + 14, 4);
    size_t at = e[n - 1].head_at + LOCAL + e[n - 1].name.n + e[n - 1].data.n;
    for (size_t i = 0; i < which; i++)
        at += CENTRAL + e[i].name.n;
    ret[1] = at <= f.n && f.n - at >= CENTRAL ? get(f.p + at + 16, 4) : 0;
}

/* How to use the library alone: reads bytes from standard input as they come from a monitor's line, prints what they
 * say, and prints the answer a platform would send. Build it against libhj212 and libbase only:
 *
 *     printf '##0139QN=20260301080000123;...&&AB41\r\n' | hj212_example */
#include "hj212/hj212.h"

#include <stdio.h>

static void show(const struct hj212_frame *f)
{
    static struct hj212_item items[HJ212_ITEMS_MAX];
    char answer[256];
    size_t n;
    uint32_t at;
    const struct hj212_command *command = hj212_command_find(f->cn);
    printf("%.*s: %s\n", (int)f->mn.n, f->mn.p, command ? command->name_en : "unknown command");
    enum hj212_err err = hj212_items(f->cp, HJ212_TOLERATE_DEFAULT, items, HJ212_ITEMS_MAX, &n, &at, NULL);
    for (size_t i = 0; i < n; i++) {
        struct lt_slice name = hj212_name(f->cp, &items[i]), text = hj212_value_text(f->cp, &items[i]);
        const struct hj212_factor *factor = hj212_factor_find(hj212_factor_2017(name, f->st));
        printf("  %.*s %s = %.*s %s\n", (int)name.n, name.p, hj212_field_name((enum hj212_field)items[i].field),
               (int)text.n, text.p, factor ? factor->name_en : "");
    }
    if (err != HJ212_E_OK)
        printf("  stopped at byte %u of the data area: %s\n", at, hj212_err_name(err));
    else if (f->answer)
        printf("  answer: %.*s", (int)hj212_build_answer(f, 9014, 0, answer, sizeof answer), answer);
}

int main(void)
{
    static char buf[2 * HJ212_FRAME_MAX];
    size_t n = 0, used = 0;
    bool end = false;
    while (!end || used < n) {
        struct hj212_cut c = hj212_cut(buf + used, n - used, end, HJ212_TOLERATE_DEFAULT);
        struct hj212_frame f;
        used += c.used;
        if (c.kind == HJ212_CUT_MORE) { /* keep the rest in front and read on */
            memmove(buf, buf + used, n - used);
            n -= used;
            used = 0;
            size_t got = end ? 0 : fread(buf + n, 1, sizeof buf - n, stdin);
            n += got;
            end = got == 0;
        } else if (c.kind == HJ212_CUT_SKIP || c.err != HJ212_E_OK) {
            printf("%zu bytes refused: %s\n", c.raw.n, hj212_err_name(c.err));
        } else if (hj212_parse(c.raw, HJ212_TOLERATE_DEFAULT, &f) == HJ212_E_OK) {
            show(&f);
        } else {
            printf("frame of %.*s refused at byte %u: %s\n", (int)f.mn.n, f.mn.n ? f.mn.p : "", f.err_at,
                   hj212_err_name(f.err));
        }
    }
    return 0;
}

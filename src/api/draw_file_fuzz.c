/* Fuzz target of a draw's JSON: any bytes as a list, and as a verification file. A list that is taken must survive
 * being drawn, written and checked; a file that is not JSON must never be called right. */
#include "api/draw_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void draw_and_check(const struct draw_list *l)
{
    static struct draw_result result;
    static const uint8_t seed[DRAW_SEED] = {1, 2, 3};
    struct lt_buf line = LT_BUF_INIT(8192), file = LT_BUF_INIT(4 * DRAW_FILE_MAX);
    uint8_t list_hash[DRAW_HASH], seed_hash[DRAW_HASH];
    struct draw_report report;
    struct jsonw w;
    if (draw_run(l, seed, LT_LIT("5.03"), &result, NULL) || !draw_list_hash(l, list_hash))
        abort(); /* what was judged possible must be drawn */
    draw_seed_hash(seed, seed_hash);
    draw_commitment(list_hash, seed_hash, l->public_source, &line);
    jsonw_init(&w, &file);
    draw_file_write(l, lt_buf_slice(&line), seed, LT_LIT("5.03"), &result, &w);
    if (draw_file_verify(lt_buf_slice(&file), lt_buf_slice(&line), &report, NULL) || !report.ok)
        abort(); /* our own file must hold */
    lt_buf_fini(&line);
    lt_buf_fini(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lt_slice text = {(const char *)data, size};
    struct draw_owned list;
    struct draw_report report;
    if (draw_list_read(text, &list, NULL) == LT_OK) {
        draw_and_check(&list.l);
        draw_owned_fini(&list);
    }
    if (draw_file_verify(text, LT_LIT(""), &report, NULL) == LT_OK && report.ok && report.n != DRAW_CHECKS)
        abort(); /* right only when everything was looked at */
    return 0;
}

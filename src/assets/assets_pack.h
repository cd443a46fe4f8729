/* What the generated (or stub) table gives to assets.c. */
#ifndef LT_ASSETS_PACK_H
#define LT_ASSETS_PACK_H
#include "assets/assets.h"

extern const unsigned char assets_pack[];       /* all bodies, each 8-byte aligned */
extern const struct assets_file assets_table[]; /* sorted by path (byte order) */
extern const size_t assets_table_n;
extern const bool assets_table_built;
#endif

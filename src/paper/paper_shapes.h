/* A PDF whose letters are shapes, see paper_shapes.c. Inside the paper unit; every call under the lock of the fonts. */
#ifndef LT_PAPER_SHAPES_H
#define LT_PAPER_SHAPES_H
#include "base/buf.h"

struct _cairo; /* cairo_t and PangoLayoutLine, without their headers */
struct _PangoLayoutLine;

struct paper_shapes;
/* cr: any, asked for outlines of letters. NULL: no memory. */
struct paper_shapes *paper_shapes_create(struct lt_buf *out, double width, double height, struct _cairo *cr);
void paper_shapes_ink(struct paper_shapes *s, uint32_t rgb);
void paper_shapes_line(struct paper_shapes *s, double x, double y, double x2, double y2, double width, bool dashed);
void paper_shapes_rect(struct paper_shapes *s, double x, double y, double w, double h, bool filled); /* or a frame */
void paper_shapes_clip(struct paper_shapes *s, double x, double y, double w, double h);
void paper_shapes_unclip(struct paper_shapes *s);
void paper_shapes_line_of_text(struct paper_shapes *s, const struct _PangoLayoutLine *line, double x, double baseline);
void paper_shapes_page(struct paper_shapes *s); /* ends it */
/* Frees s. False: something did not fit or there was no memory. day: "2026-11-25" */
bool paper_shapes_finish(struct paper_shapes *s, const char *title, const char day[11]);
void paper_shapes_forget(void); /* kept outlines */
#endif

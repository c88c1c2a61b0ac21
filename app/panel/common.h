/* common.h - small things that several panels draw the same way: numbers, shades, parts of
 * a line.
 *
 * Pure; UI thread.
 */
#ifndef BD_APP_PANEL_COMMON_H
#define BD_APP_PANEL_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "app/tui/canvas.h"
#include "core/work/bus.h"

/* The snapshot of an event in place of an older one: returns what to keep. */
void *panel_hold(void *old, const struct event *ev);

/* A damage in five columns at most: ".0131", "1.37", "8e-06"; "-" when not known. */
const char *panel_kl(double v, char out[16]);
/* A time left: "12 s", "3 min 20 s"; "" when not known. */
const char *panel_time(double s, char out[24]);
const char *panel_mib(uint64_t bytes, char out[16]); /* "53.9 MiB" */
/* Differences: "+.0131", "-1.37"; "+53.9 MiB". */
const char *panel_signed_kl(double v, char out[20]);
const char *panel_signed_mib(int64_t bytes, char out[20]);
const char *panel_bytes5(uint64_t bytes, char out[16]); /* "53.9M", at most five columns */
const char *panel_count(uint64_t n, char out[16]);      /* "110592", "4.19 M" */

/* " ░▒▓█" by level 0 ... 7, and the ramp's role. */
const char *panel_shade(int level);
enum role panel_ramp(int level);

/* Text cut at width columns, with an ellipsis where something is missing. */
void panel_cut(struct canvas *c, int x, int y, int width, enum role r, const char *text);

/* Columns of s[0..n) on one line, with tab stops as canvas_textn has them. */
int panel_columns(const char *s, size_t n);

/* Of n things `room` are seen: the first of them, with `at` among them. */
size_t panel_scrolled(size_t n, size_t room, size_t at);

/* A line of parts two columns apart: each is drawn wholly or not at all, but the first,
 * which is cut. */
struct parts {
	struct canvas *c;
	int x, y;
	size_t n; /* drawn so far */
};
bool panel_part(struct parts *p, enum role r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Braille points on a grid of 2 x 4 dots a cell; bits zeroed, xfree. */
struct dots {
	int w, h; /* cells */
	uint8_t *bits;
};
void dots_set(struct dots *d, int x, int y);            /* dot coordinates, clipped */
uint32_t dots_char(const struct dots *d, int x, int y); /* 0: empty */
/* The same cell in ASCII: where in it the dots are. */
uint32_t dots_ascii(const struct dots *d, int x, int y);
/* All of them, the first at column x0. */
void dots_draw(const struct dots *d, struct canvas *c, int x0, enum role r, bool ascii);

/* Between two ticks of an axis that spans so much, n of them at most: 1, 2 or 5 times a power of
 * ten. */
double panel_step(double span, int n);
/* What the shades of the map are in, behind them, as long as there is room. */
void panel_unit(struct canvas *c, int x, int y, bool nats);

#endif

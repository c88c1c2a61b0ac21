/* canvas.h - a grid of cells that panels draw into and term.c, dumps and tests read.
 *
 * Styles are named by role; a theme maps roles to colours at the very end.  All text
 * passes the sanitiser inside canvas_text.  A canvas is a window on a surface: drawing
 * is clipped to its rectangle and 0,0 is its corner.  UI thread (tests: any one).
 */
#ifndef BD_APP_TUI_CANVAS_H
#define BD_APP_TUI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum role {
	ROLE_TEXT, ROLE_DIM, ROLE_STRONG, ROLE_ACCENT, ROLE_GOOD, ROLE_WARN, ROLE_BAD, ROLE_SEL,
	ROLE_CURSOR, ROLE_BORDER, ROLE_BORDER_FOCUS,
	ROLE_RAMP0, /* ... ROLE_RAMP0 + 7: sequential, low to high, as the text's colour */
	ROLE_RAMP_LAST = ROLE_RAMP0 + 7,
	ROLE_DIFF0, /* ... + 7: diverging */
	ROLE_DIFF_LAST = ROLE_DIFF0 + 7,
	ROLE_SERIES0,
	ROLE_SERIES_LAST = ROLE_SERIES0 + 6,
	ROLES
};

struct cell {
	uint32_t ch[3]; /* base and combining marks; 0: blank; ch[0] UINT32_MAX: right half of a wide one */
	uint8_t role;
};

struct surface {
	int w, h;
	struct cell *cell; /* [h][w] */
	int cursor_x, cursor_y; /* hardware cursor; -1: nowhere */
	bool cursor_on;
};

struct surface *surface_new(int w, int h);
void surface_free(struct surface *s);
void surface_clear(struct surface *s);

struct canvas {
	struct surface *s;
	int x, y, w, h;
};

struct canvas canvas_of(struct surface *s);
struct canvas canvas_sub(const struct canvas *c, int x, int y, int w, int h); /* clipped */

/* Draws up to the first line feed or the edge; returns columns used.  Outside: clipped. */
int canvas_text(struct canvas *c, int x, int y, enum role r, const char *utf8);
int canvas_textn(struct canvas *c, int x, int y, enum role r, const char *s, size_t n);
int canvas_printf(struct canvas *c, int x, int y, enum role r, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Ends at column right (exclusive), clipped on the left. */
int canvas_right(struct canvas *c, int right, int y, enum role r, const char *utf8);
void canvas_char(struct canvas *c, int x, int y, enum role r, uint32_t ch);
void canvas_fill(struct canvas *c, int x, int y, int w, int h, enum role r, uint32_t ch);
/* Box around the canvas, heavy when focus, title at the top left, note at the right. */
void canvas_box(struct canvas *c, bool focus, const char *title, const char *note);
void canvas_cursor(struct canvas *c, int x, int y, bool visible);

/* Wrap s[0..n) to width columns: calls line(arg, start, len) for each; words longer than
 * the width are cut; returns lines. */
size_t canvas_wrap(const char *s, size_t n, int width,
	void (*line)(void *arg, size_t start, size_t len), void *arg);

/* The surface as UTF-8 rows, right blanks trimmed, \n after each; xfree. */
char *surface_dump(const struct surface *s, bool ascii);
/* The same with SGR colours of the given theme (see theme.h). */
struct theme;
char *surface_dump_ansi(const struct surface *s, bool ascii, const struct theme *t);

#endif

/* lines.h - lines of text that come one after another: the newest are kept, wrapped, scrolled.
 *
 * At most LINES_MAX of them and LINES_BYTES together; what no screen would show is dropped when
 * they come in.  The view follows the end unless it was scrolled up.  UI thread.
 */
#ifndef BD_APP_PANEL_LINES_H
#define BD_APP_PANEL_LINES_H

#include <stdbool.h>

#include "app/tui/canvas.h"

enum { LINES_MAX = 2000, LINES_BYTES = 1 << 20, LINE_BYTES = 8 << 10 };

struct lines;

struct lines *lines_new(void);
void lines_free(struct lines *l);
/* Splits at line feeds; first and rest stand before the first line and the others.  A line beyond
 * LINE_BYTES is cut. */
struct line_look {
	const char *first, *rest;
	enum role role;
	bool fold; /* but for the first line, hidden until lines_unfold */
};
void lines_add(struct lines *l, const char *text, struct line_look look);
void lines_clear(struct lines *l);
bool lines_empty(const struct lines *l);
bool lines_unfold(struct lines *l); /* shows what is hidden, or hides it again; false: nothing is */
void lines_scroll(struct lines *l, long rows); /* up: negative; clamped when drawn */
void lines_page(struct lines *l, long pages);  /* of the height drawn last */
void lines_first(struct lines *l);
void lines_last(struct lines *l);
void lines_draw(struct lines *l, struct canvas *c);
/* Rows below the last one drawn. */
size_t lines_below(const struct lines *l);
/* The last lines of one look, as they came; xfree; NULL: none. */
char *lines_copy(const struct lines *l, enum role role);

#endif

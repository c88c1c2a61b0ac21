/* ab.h - two answers side by side: two transcripts, their heads, and what differs.
 *
 * Holds the snapshot it shows.  Below a width the answers stand one over the other; heads,
 * rates and the comparison give way before the text does.  UI thread.
 */
#ifndef BD_APP_PANEL_AB_H
#define BD_APP_PANEL_AB_H

#include "app/tui/canvas.h"
#include "core/work/snap.h"

struct ab_view;

struct ab_view *ab_view_new(void);
void ab_view_free(struct ab_view *v);
void ab_view_set(struct ab_view *v, const struct snap_ab *s); /* NULL: nothing to show */
bool ab_view_on(const struct ab_view *v);                     /* this is what the chat shows now */
bool ab_view_streams(const struct ab_view *v);
void ab_view_draw(struct ab_view *v, struct canvas *c);
/* The line between the answers and the input. */
void ab_view_draw_state(const struct ab_view *v, struct canvas *c, int y);
/* Both at once, as the chat's transcript scrolls: "up", "page-down", "first" ... */
void ab_view_scroll(struct ab_view *v, long lines);
void ab_view_page(struct ab_view *v, long pages);
void ab_view_first(struct ab_view *v);
void ab_view_last(struct ab_view *v);
char *ab_view_copy(const struct ab_view *v); /* both last answers; NULL: none; xfree */

#endif

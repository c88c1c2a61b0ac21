/* entry.h - how an input of several lines looks: wrapped, with a prompt and a cursor.
 *
 * What chat and console share.  UI thread.
 */
#ifndef BD_APP_PANEL_ENTRY_H
#define BD_APP_PANEL_ENTRY_H

#include <stdbool.h>

#include "app/panel/editor.h"
#include "app/tui/canvas.h"

struct entry_line {
	size_t at, len; /* bytes of the editor's text */
};
struct entry {
	struct entry_line *line;
	size_t n, cap;
};

void entry_wrap(const struct editor *e, int w, struct entry *l); /* entry_release */
void entry_release(struct entry *l);

struct entry_look {
	const char *prompt; /* one column */
	bool away, focus;   /* away: the input was left, letters are commands */
};
/* In `rows` rows from y on, the cursor's among them. */
void entry_draw(const struct editor *e, struct canvas *c, int y, int rows, const struct entry *l,
	struct entry_look look);

/* Rows of a panel with such an input at its foot: what is above it, a line that says how it
 * stands, and the input with at most one part in `parts` of the height. */
struct entry_rows {
	int above, state, input;
};
struct entry_rows entry_share(int h, size_t lines, int parts);

/* newline, back (out of the input), write and open (into it); false: nothing was done. */
bool entry_command(struct editor *e, bool *away, const char *word);

#endif

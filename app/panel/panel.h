/* panel.h - one kind of panel, one file, one line in app/panel/table.c.
 *
 * A panel hears events and draws what it last heard; its keys are bindings to
 * commands, which others carry out.  Everything runs on the UI thread and
 * returns within a frame.  A panel does not include another panel's file and
 * does not know which screen it is on.  It draws something true at any size, down to
 * 0x0; snapshots it shows it holds with snap_ref.
 */
#ifndef BD_APP_PANEL_H
#define BD_APP_PANEL_H

#include <stdbool.h>
#include <stdint.h>

#include "app/tui/canvas.h"
#include "core/work/figure.h"
#include "core/work/bus.h"
#include "core/work/snap.h"

/* keys: names separated by blanks (", ." or "Esc" "Up" "C-g" "M-Enter"); command: one for
 * each key separated by " | ", or one for all. */
struct binding {
	const char *keys, *command, *help;
};

struct panel_class {
	const char *name; /* as layouts/ and :focus call it */
	const char *title;
	int min_w, min_h;           /* below this it is left out */
	uint64_t events;            /* kinds it wants, bit 1 << kind */
	const struct binding *keys; /* dispatch, ?, the hint line, the manual; NULL-terminated */

	void *(*create)(void);
	void (*destroy)(void *self);
	bool (*on_event)(void *self, const struct event *ev); /* true: redraw */
	/* A key of a text input (code point, or a KEY_ of keys.h).  NULL unless it takes
	 * text; returns a command string to run (borrowed until the next call), "" when the
	 * key was used, NULL when not. */
	const char *(*on_text)(void *self, uint32_t key);
	/* Bracketed paste, literally; NULL: not wanted. */
	void (*on_paste)(void *self, const char *s, size_t n);
	bool (*wants_text)(const void *self); /* NULL: never; true: letters are text now */
	/* A command addressed to the focused panel ("cursor left", "view next", "scroll up");
	 * false: not mine. */
	bool (*on_command)(void *self, const char *word, const char *arg);
	/* Mouse press or wheel inside, panel coordinates: a command to run, or NULL. */
	const char *(*on_mouse)(void *self, int x, int y, int button, int w, int h);
	/* Index of the thing under the cursor (the heatmap's linear), told to all panels as
	 * EV_CURSOR after each command it takes; NULL: it has no cursor that matters to others. */
	int64_t (*cursor)(const void *self);
	/* The focused value as text for `y`; NULL: none.  xfree. */
	char *(*copy)(const void *self);
	void (*draw)(const void *self, struct canvas *c, bool focus); /* inside its box */
	/* What it shows as numbers, for `plot` and `export`: figure_free; NULL: nothing yet. */
	struct figure *(*figure)(const void *self);
	/* The right part of the box's top line ("predicted ± .0009"); NULL: none. */
	const char *(*note)(const void *self);
};

extern const struct panel_class *const panel_table[]; /* NULL-terminated */

#endif

/* term.h - the terminal: the only file that knows ncurses.
 *
 * ncurses composes into memory; the bytes are then written in one piece, so that they
 * can be counted, wrapped as one frame and held back while a slow line is busy.  Input
 * is decoded by input.h.  One terminal a process.  UI thread.
 */
#ifndef BD_APP_TUI_TERM_H
#define BD_APP_TUI_TERM_H

#include <stdbool.h>

#include "app/tui/canvas.h"
#include "app/tui/input.h"
#include "app/tui/theme.h"
#include "core/base/err.h"

struct term;

struct term_options {
	int in, out;      /* descriptors; out -1: nowhere, the bytes are only counted */
	const char *name; /* TERM; NULL: from the environment */
	int w, h;         /* 0: ask the terminal */
	bool mouse, sync;
	const char *log; /* what fd 2 is sent to while the screen is ours; NULL: leave it */
};

/* Takes the screen over and guards it: a crash restores it.  *unknown: TERM was not in the
 * database and xterm-256color is used. */
BD_MUST_USE enum st term_open(
	struct term **t, const struct term_options *o, bool *unknown, struct err *e);
void term_close(struct term *t); /* the terminal as it was; NULL is fine */

int term_colors(const struct term *t);
bool term_is_utf8(void); /* the locale says so */
void term_size(const struct term *t, int *w, int *h);
bool term_resized(struct term *t); /* asks the kernel; true: it changed */
void term_redraw(struct term *t);  /* the next frame is drawn whole */

void term_show(struct term *t, const struct surface *s, const struct theme *theme, bool ascii);
bool term_flush(struct term *t); /* false: the line is busy, poll for POLLOUT */
int term_out_fd(const struct term *t);
unsigned long term_bytes(const struct term *t); /* written so far */

/* Reads what there is; false: the terminal is gone. */
bool term_read(struct term *t);
bool term_next(struct term *t, struct input_event *ev, bool late);
bool term_waits(const struct term *t); /* part of a sequence is there */

void term_set_mouse(struct term *t, bool on);
void term_set_sync(struct term *t, bool on);
void term_show_cursor(struct term *t, bool on);        /* also where it only marks the focus */
void term_clipboard(struct term *t, const char *text); /* OSC 52 */
void term_bell(struct term *t);
/* Asks what the terminal is: INPUT_DEVICE, if it answers. */
void term_ask_device(struct term *t);
void term_pixels(const struct term *t, int *w, int *h); /* of the screen; 0: it does not say */
/* Sixels over the whole screen, and a line below them, in one piece.  term_redraw goes back. */
void term_picture(struct term *t, const char *sixel, size_t n, const char *line);
void term_suspend(struct term *t); /* stops the process; returns when it goes on */
/* A program on the terminal, until it ends: its exit status, or -1 and e.  It has the standard
 * files and the signals as the shell gave them to us. */
int term_run(struct term *t, char *const *argv, struct err *e);
void term_resume(struct term *t);  /* after a stop that was not ours */

#endif

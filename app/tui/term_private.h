/* term_private.h - the terminal as term.c and term_bytes.c share it: ncurses is term.c's. */
#ifndef BD_APP_TUI_TERM_PRIVATE_H
#define BD_APP_TUI_TERM_PRIVATE_H

#include <stdio.h>
#include <termios.h>

#include "app/tui/outq.h"
#include "app/tui/term.h"

struct term {
	int in;
	bool raw;
	struct outq out;
	FILE *mem_file, *in_file;
	int mem;
	struct screen *screen;
	int w, h, colors;
	bool mouse, sync, fixed_size, show_cursor;
	bool has_mouse; /* it can say where the mouse is */
	struct termios saved;
	int saved_err; /* fd 2 as it was; -1: not redirected */
	bool captured; /* ... to a pipe that the log reads */
	struct input input;
};

/* What the terminal is to report besides keys: pastes, and the mouse where it is wanted. */
void term_modes_on(struct term *t);
void term_modes_off(struct term *t);

#endif

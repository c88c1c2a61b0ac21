/* tour.h - the tour: stations of one sentence each, passed by the command that they name.
 *
 * Whatever else is pressed works as it always does; Esc ends the tour.  Played by itself
 * (--tour) the keys of the script are sent as if they were pressed, with pauses on a screen and
 * without any where nobody looks; a key of the person's hands it over.  UI thread.
 */
#ifndef BD_APP_TUI_TOUR_H
#define BD_APP_TUI_TOUR_H

#include <stdbool.h>

#include "app/lua/tour_file.h"
#include "app/tui/arrange.h"
#include "app/tui/canvas.h"

struct tui;

struct tour {
	struct tour_script script;
	size_t at;       /* station */
	bool plays;      /* by itself */
	bool heard;      /* the command of this station was carried out */
	bool sending;    /* the key is the tour's own */
	size_t line, ch; /* what is played next */
	size_t missed;   /* stations that were not passed by what was played */
	double next;     /* clock: when */
	double waits;    /* clock: since when for idle; 0: it does not */
	char former[ARR_NAME]; /* the Search screen's arrangement before; "": it was the default */
};

extern const char tour_builtin[]; /* equal to share/tour.lua: the program works without it */

/* From the first station on; plays: by itself. */
void tour_begin(struct tui *t, bool plays);
void tour_end(struct tui *t); /* nothing is taken any more; without one fine */

void tour_heard(struct tui *t, const char *command); /* was carried out */
bool tour_key(struct tui *t, uint32_t key);          /* true: used (Esc) */
void tour_draw(const struct tui *t, struct canvas *all);

/* Seconds until something is played; < 0: nothing. */
double tour_due(const struct tui *t);
/* Plays what is due, a key at most; more: events wait.  False: nothing was. */
bool tour_play(struct tui *t, bool more);
/* The next station, or the end, after this one was played; for --plain. */
void tour_next(struct tui *t);
/* After the screen of --tour: says what to do next, or with --json how long its frames took; the
 * exit status, which is 1 where a station was not passed (frames.c). */
int tour_ended(const struct tui *t, int status);

#endif

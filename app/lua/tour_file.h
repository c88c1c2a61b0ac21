/* tour_file.h - reads share/tour.lua: a Lua table, as data.
 *
 * Loaded as text in an empty environment with limits on instructions and memory, in a Lua state of
 * its own that is closed before the call returns.  Any thread.
 */
#ifndef BD_APP_LUA_TOUR_FILE_H
#define BD_APP_LUA_TOUR_FILE_H

#include <stddef.h>

#include "core/base/err.h"

enum { TOUR_STATIONS = 12, TOUR_PLAYS = 8, TOUR_SAY = 240, TOUR_LINE = 96, TOUR_WORD = 32 };

struct tour_station {
	char say[TOUR_SAY], plain[TOUR_SAY]; /* the sentence on a screen, and without one */
	char key[TOUR_WORD];                 /* as it is shown */
	char waits[TOUR_WORD];               /* the command that passes the station */
	char command[TOUR_LINE];             /* what to type where there is no screen */
	char play[TOUR_PLAYS][TOUR_LINE];
	size_t n_plays;
};

struct tour_script {
	struct tour_station station[TOUR_STATIONS];
	size_t n; /* at least 1 */
	char finish[TOUR_SAY];
};

/* where: the file's name for messages ("tour.lua:4: ..."). */
BD_MUST_USE enum st tour_parse(
	struct tour_script *s, const char *where, const char *text, size_t n, struct err *e);
BD_MUST_USE enum st tour_load(struct tour_script *s, const char *path, struct err *e);

#endif

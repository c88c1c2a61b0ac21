/* runs_io.h - the thread of run folders: the index kept up to date, and what is done to a run.
 *
 * It looks when inotify says that something in the folder changed, once a second while a run is
 * being written (a killed writer says nothing), and after each request; where inotify is refused,
 * every two seconds.  Each change is published as EV_RUNS (snap_runs).  What was asked for and
 * could not be done becomes a notice; what was done is one too where it cannot be seen.  Calls
 * come from one thread and return at once.
 */
#ifndef BD_WORK_RUNS_IO_H
#define BD_WORK_RUNS_IO_H

#include "core/work/bus.h"
#include "core/work/runs.h"

struct snap_runs {
	struct snap snap;
	struct runs all; /* newest first */
	char *dir;       /* where they are */
	char *trashed;   /* where the last one thrown away is now; NULL: none was, or it is back */
	struct err err;  /* why there is no index; ST_OK: there is one */
	double seconds;  /* that looking took */
};

enum runs_ask {
	RUNS_LOOK, /* again, also where nothing seems to have changed */
	RUNS_TAG,  /* text: words, "-word" or "no-word": one less */
	RUNS_NOTE, /* text: in the place of the notes there were */
	RUNS_TRASH,
	RUNS_RESTORE /* id: a path or a name in .trash; "": the last one thrown away */
};

struct runs_io;

/* Of runs_dir(), as it is now. */
struct runs_io *runs_io_new(struct bus *b);
void runs_io_free(struct runs_io *io); /* does what was asked for, then joins; NULL is fine */
void runs_io_do(struct runs_io *io, enum runs_ask what, const char *id, const char *text);
bool runs_io_busy(struct runs_io *io); /* asked for and not done yet, or no index was made yet */

#endif

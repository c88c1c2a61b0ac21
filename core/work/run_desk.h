/* run_desk.h - what a run of an open model says of itself: the session's runs and the verbs' alike.
 *
 * On the thread that owns the desk.
 */
#ifndef BD_WORK_RUN_DESK_H
#define BD_WORK_RUN_DESK_H

#include "core/work/desk.h"
#include "core/work/run.h"

/* Model, hashes and text of a run; strings are the desk's. */
struct run_info run_info_of(const struct desk *d, const char *kind);
/* A measured cell as a line of scan.tsv. */
BD_MUST_USE enum st run_cell(struct run *r, const struct desk *d, const struct scan_cell *c,
	const char *stage, struct err *e);
/* The id of the newest scan of that model and text (xfree), a finished one before others, or ""
 * where none is. */
char *run_parent(const struct desk *d);

/* The arguments of a one-shot verb on the desk's model, text, formats and tokens; bpw: NAN for a
 * verb that takes none.  Strings are owned: run_args_release. */
enum { RUN_ARGS = 24 };
struct run_args {
	char *at[RUN_ARGS];
	size_t n;
};
struct run_args run_args_of(const struct desk *d, const char *verb, double bpw);
void run_args_release(struct run_args *a);

#endif

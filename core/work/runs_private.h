/* runs_private.h - one entry of the index, for runs.c and runs_entry.c; nobody else. */
#ifndef BD_WORK_RUNS_PRIVATE_H
#define BD_WORK_RUNS_PRIVATE_H

#include "core/work/runs.h"

/* Has id and path and nothing else; the rest is read.  false: it is no run, and what was read of
 * it is released with the entry. */
bool run_entry_read(struct run_entry *r);
void run_entry_release(struct run_entry *r);
struct run_entry run_entry_copy(const struct run_entry *r);
/* Is the folder as it was read?  Of a run that was being written it is looked whether it still
 * is; *changed is set where it is not. */
bool run_entry_fresh(struct run_entry *r, bool *changed);
bool run_is_written(const struct run_entry *r);
/* A small file of the folder, without newlines at its end; "": none; xfree. */
char *run_read_small(const struct run_entry *r, const char *file);

#endif

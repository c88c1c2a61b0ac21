/* run_made.h - which run folders this account's bitdial wrote.
 *
 * A run.json may come from anybody: copied, unpacked, on a shared disk.  The SHA-256 of each one
 * that is written here stands in made.txt of the state folder, a line each, so that `rerun` can
 * tell a run of one's own from a stranger's.  Any thread.
 */
#ifndef BD_WORK_RUN_MADE_H
#define BD_WORK_RUN_MADE_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes of a run.json that was just written.  Where the list cannot be written the run is a
 * stranger's later on, which errs on the safe side. */
void run_made_note(const char *id, const char *head, size_t n);
/* Is the run.json in this folder one of them, to the byte? */
bool run_made_here(const char *path);

#endif

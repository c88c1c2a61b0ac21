/* run_checkpoint.h - where a training run's checkpoint is: what the run says is its best or its
 * last, else the newest there is.
 *
 * A folder that is called step-000150 is whole: it was written under another name.  Any thread.
 */
#ifndef BD_WORK_RUN_CHECKPOINT_H
#define BD_WORK_RUN_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

/* The digits of a name, at least. */
enum { RUN_STEP_DIGITS = 6 };
extern const char run_step_head[]; /* "step-" */

/* "step-000150"; false: it is no whole checkpoint. */
bool run_is_checkpoint(const char *name, uint64_t *step);
/* The newest folder of such a name below the step; xfree; NULL: there is none. */
char *run_newest(const char *run, uint64_t below);
/* Its best, else its last, else the newest, of those that are taken; xfree; NULL: none is. */
char *run_checkpoint(const char *run, bool (*takes)(const char *dir));

#endif

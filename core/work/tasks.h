/* tasks.h - where the files of tasks are: what the program brings and what the person has.
 *
 * A task is named by its file, or by the file's name without its ending where that lies in tasks/
 * of the data folder (first), of what comes with the program (fs_share), or of share/ here.
 */
#ifndef BD_WORK_TASKS_H
#define BD_WORK_TASKS_H

#include <stddef.h>

#include "core/base/err.h"

char *task_path(const char *name, struct err *e); /* xfree; NULL: there is none */
/* All there are, by name, each name once: paths; xfree each and the array. */
void tasks_list(char ***path, size_t *n);

#endif

/* dial_cut.h - one layout out of a run that trained every format of a dial (train_dial.h).
 *
 * On the thread that owns the desk.
 */
#ifndef BD_WORK_DIAL_CUT_H
#define BD_WORK_DIAL_CUT_H

#include "core/work/desk.h"

/* The best checkpoint of a run (else the last), or the folder itself where it is one; with the
 * formats it has, "int2g64,int4g128", the smallest first.  xfree both.  ST_INVALID: it has none. */
BD_MUST_USE enum st dial_cut_find(
	char **dir, char **formats, const char *run_path, struct err *e);
/* A folder `out` that opens as a model: each linear in the layout's format as the checkpoint has it,
 * what the layout keeps and all else as in the desk's model, which is the one that was trained.
 * ST_INVALID: a format of the layout is not in the checkpoint, or it is of another model. */
BD_MUST_USE enum st dial_cut(const char *dir, const struct desk *d, const struct layout *l,
	const char *out, const struct sink *s, struct err *e);

#endif

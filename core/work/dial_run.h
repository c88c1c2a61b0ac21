/* dial_run.h - a run that trained every format of a dial (train_dial.h): where its checkpoint is, which
 * formats that has, and of which model.
 *
 * A checkpoint has a folder a format, each a model of its own (bundle.h).  Any thread.
 */
#ifndef BD_WORK_DIAL_RUN_H
#define BD_WORK_DIAL_RUN_H

#include <stdbool.h>

#include "core/base/err.h"
#include "core/base/sink.h"
#include "core/quant/format.h"

struct dial_run {
	char *dir;     /* of the checkpoint; NULL: no run */
	char *formats; /* that it has, "int2g64,int4g128", the smallest first */
	char *model;   /* path of the model that was trained; NULL: not asked for */
	char sha[65];  /* of that model's header; "": the run does not say */
	char tag[9];   /* which run and which step, in 8 digits */
	char id[64];   /* of the run */
};
/* word: a run's folder or id (its best checkpoint, else the last), or the folder of a checkpoint.
 * ST_INVALID: it is none. */
BD_MUST_USE enum st dial_run_find(struct dial_run *out, const char *word, struct err *e);
/* The folder of a checkpoint, of the run with that id: without a search, and without its model. */
BD_MUST_USE enum st dial_run_at(
	struct dial_run *out, const char *dir, const char *id, struct err *e);
/* Is it worth asking dial_run_find?  A folder of a run that has such checkpoints, one of these, or the
 * id of such a run that is no path. */
bool dial_run_is(const char *word);
/* Of a format's folder: the SHA-256 of its model.safetensors into a file beside, as sha256sum -c
 * reads it; and whether that still holds, ST_FORMAT where not (one of an older version has none).
 * They poll: ST_CANCELLED. */
BD_MUST_USE enum st dial_run_seal(const char *dir, const struct sink *s, struct err *e);
BD_MUST_USE enum st dial_run_sound(const char *dir, const struct sink *s, struct err *e);
bool dial_run_has(const struct dial_run *r, struct format f);
struct dial_run dial_run_copy(const struct dial_run *r);
void dial_run_release(struct dial_run *r);

#endif

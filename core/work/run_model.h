/* run_model.h - a run in the place of a model: which file or folder its word stands for.
 *
 * A run of training has checkpoints that open as models (train_run.h): its best, else its last.
 * What trained a dial is the model it was trained from, whose variants a desk wears (dial_run.h).
 * Any thread.
 */
#ifndef BD_WORK_RUN_MODEL_H
#define BD_WORK_RUN_MODEL_H

#include "core/base/err.h"

/* word: a run's folder, or where it is no path an id, its beginning or its end; *path is what to
 * open in its place, or the word itself where it names no run (also where nothing of that name is
 * there); xfree. ST_INVALID: a run that holds no model, as one of adapters; or an end of several
 * ids. */
BD_MUST_USE enum st run_model(char **path, const char *word, struct err *e);
/* The same of a word that dial_run_is refused: all runs need not be read again to ask it. */
BD_MUST_USE enum st run_model_of_one(char **path, const char *word, struct err *e);

#endif

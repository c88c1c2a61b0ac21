/* verbs_train_shape.h - what train --dry-run knows of a model: shapes, from headers alone.
 *
 * Nothing is quantized and no weight is read; of a folder without weights config.json will do.
 * Main thread.
 */
#ifndef BD_APP_VERBS_TRAIN_SHAPE_H
#define BD_APP_VERBS_TRAIN_SHAPE_H

#include "core/io/checkpoint.h"
#include "core/tune/train_need.h"

struct plan {
	struct hparams hp;
	struct checkpoint *ck; /* NULL: there are no weights, only config.json */
	const char *path;
	struct train_shape *shape; /* [n], of a dial [forms][n]; owned */
	size_t n;
	uint64_t weights, other,
		file;  /* in the linears; bytes of embedding and head; of the model */
	uint64_t rest; /* of the file, beside the linears */
	size_t forms;  /* of a dial, the smallest first; 0: one layout */
	struct format format[FORMAT_MAX];
	double bpw[FORMAT_MAX];  /* stored */
	uint64_t stored;         /* bytes of the linears in the layout, or in the largest form */
	uint64_t begun, folders; /* of what it begins from in memory; of what opens as a model */
	const char *run;         /* of --resume; NULL: a new one */
	uint64_t done;           /* steps of it */
	bool guessed;            /* which linears get which format, of a budget */
	bool elsewhere;          /* the device that is named is not on this machine */
};

/* Of p->path. */
BD_MUST_USE enum st plan_open(struct plan *p, struct err *e);
/* name: as --layout has it, NULL: all as in the file; dial: as --dial, NULL: none. */
BD_MUST_USE enum st plan_layout(struct plan *p, const char *name, const char *dial, struct err *e);

#endif

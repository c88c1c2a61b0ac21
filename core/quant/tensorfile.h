/* tensorfile.h - the tensors of our folder and the safetensors file that holds them.
 *
 * A plan names every tensor in the order of the file; it borrows the model, the view and the
 * matrices.  Private to core/quant, but for plans of dense matrices alone.  Engine thread.
 */
#ifndef BD_QUANT_TENSORFILE_H
#define BD_QUANT_TENSORFILE_H

#include "core/base/sink.h"
#include "core/model/model.h"

enum part {
	PART_RAW,   /* a tensor as it is in the file it came from */
	PART_FLOAT, /* the same as float: its own type is a block type */
	PART_DENSE, /* a dense mat */
	PART_CODES, /* of a MAT_INT: each row one little-endian string of bits */
	PART_SCALE,
	PART_OFFSET
};

struct part_entry {
	char name[96];
	enum part part;
	const char *dtype;           /* as safetensors says it */
	size_t unit;                 /* bytes of an element: its alignment */
	const struct tensor *tensor; /* RAW, FLOAT */
	const struct mat *mat;       /* the rest */
	int rank;
	size_t dim[4];
	size_t bytes, begin;
};

struct tensor_plan {
	const struct model *m; /* in whose memory the matrices are; NULL: the host's */
	struct part_entry *entry;
	size_t n, cap;
	size_t bytes; /* of the data */
	struct mat *gain; /* private: other gains as matrices */
};

/* Norms, embedding, head, and each linear as view has it.  gain: of the norms, as of
 * fwd_set_gains, NULL: as in the model's file. */
BD_MUST_USE enum st tensor_plan_make(struct tensor_plan *p, const struct model *m,
	const struct mat *const *view, float *const *gain, struct err *e);
/* The same of dense matrices by any names: each into a plan that began as zeros, then `place`. */
void tensor_plan_add(struct tensor_plan *p, const char *name, const struct mat *w);
BD_MUST_USE enum st tensor_plan_place(struct tensor_plan *p, struct err *e);
void tensor_plan_release(struct tensor_plan *p);

BD_MUST_USE enum st tensor_file_write(
	const struct tensor_plan *p, const char *path, const struct sink *s, struct err *e);

#endif

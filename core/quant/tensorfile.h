/* tensorfile.h - the tensors of our folder and the safetensors file that holds them.
 *
 * Private to core/quant.  A plan names every tensor in the order of the file; it
 * borrows the model and the view.  Engine thread.
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
	char name[48];
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
	const struct model *m;
	struct part_entry *entry;
	size_t n, cap;
	size_t bytes; /* of the data */
};

/* Norms, embedding, head, and each linear as view has it. */
BD_MUST_USE enum st tensor_plan_make(
	struct tensor_plan *p, const struct model *m, const struct mat *const *view, struct err *e);
void tensor_plan_release(struct tensor_plan *p);

BD_MUST_USE enum st tensor_file_write(
	const struct tensor_plan *p, const char *path, const struct sink *s, struct err *e);

#endif

/* weights.h - tensors of a checkpoint made into mats that kernels run.
 *
 * Private to core/model.  Memory taken for a model is remembered in one list and
 * given back at once.  Engine thread (uses the pool); polls the sink.
 */
#ifndef BD_MODEL_WEIGHTS_H
#define BD_MODEL_WEIGHTS_H

#include "core/base/sink.h"
#include "core/io/checkpoint.h"
#include "kernels/backend.h"

struct model_memory {
	const struct backend *be;
	void **block; /* [n] of [cap] */
	size_t n, cap;
	uint64_t bytes;
};

/* Backend memory that lives as long as the model; `what` names it in the sentence. */
void *weights_take(struct model_memory *mem, size_t bytes, const char *what, struct err *e);
void weights_release(struct model_memory *mem);

/* A matrix as it lies in the checkpoint: a tensor of its own name, or the three of our
 * own folder. */
struct weights_source {
	const char *name;
	size_t rows, cols;
	const struct tensor *t;              /* the tensor, or the codes */
	const struct tensor *scale, *offset; /* our own folder, else NULL */
	struct stored_int as;                /* our own folder */
};

/* Finds and checks shapes; a missing or misshapen tensor is ST_FORMAT by name. */
BD_MUST_USE enum st weights_find(struct weights_source *w, const struct checkpoint *ck,
	const char *name, size_t rows, size_t cols, struct err *e);
uint64_t weights_stored(const struct weights_source *w); /* bytes in the file */
uint64_t weights_need(const struct weights_source *w);   /* bytes once it runs */

BD_MUST_USE enum st weights_load(struct model_memory *mem, struct mat *out,
	const struct weights_source *w, const struct sink *s, struct err *e);

/* A vector (norm gain) as float in backend memory. */
BD_MUST_USE enum st weights_vector(struct model_memory *mem, float **out,
	const struct checkpoint *ck, const char *name, size_t n, struct err *e);

/* Block types to our packed words (repack.c).  One block is 32 columns of one row;
 * words points at the block's first word of the row's lane, scale and offset at the
 * lane's entry of the group. */
struct repack_kind {
	int bits;
	/* false: the offset has no exact fp16, so W would change. */
	bool (*block)(const unsigned char *src, uint32_t *words, uint16_t *scale, uint16_t *offset);
};
const struct repack_kind *repack_kind(enum dtype t); /* NULL: no exact native equivalent */
/* The n <= 32 codes of one block of a row's little-endian bit string. */
void repack_bits(const unsigned char *src, int bits, size_t n, uint32_t *words);

#endif

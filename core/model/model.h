/* model.h - a checkpoint made runnable: linears, norms, embedding, head.
 *
 * Weights are kept as in the file: block types with an exact native equivalent
 * (Q4_0 and Q4_1 are int4g32, Q5_0 and Q5_1 int5g32, Q8_0 int8g32) are repacked, F32,
 * F16 and BF16 run from the map, the rest becomes float.  The model as opened is the
 * reference.  Loaded and used on the engine thread; `info` is immutable and may be
 * read by any.
 */
#ifndef BD_MODEL_MODEL_H
#define BD_MODEL_MODEL_H

#include "core/base/sink.h"
#include "core/io/checkpoint.h"
#include "kernels/backend.h"

enum linear_kind { LINEAR_Q, LINEAR_K, LINEAR_V, LINEAR_O, LINEAR_GATE, LINEAR_UP, LINEAR_DOWN,
	LINEAR_KINDS };
extern const char *const linear_kind_name[LINEAR_KINDS]; /* "q" ... "down" */

struct linear {
	size_t layer;
	enum linear_kind kind;
	size_t rows, cols;
	uint64_t file_bytes; /* as in the file: what `keep` costs */
	struct mat ref;      /* runs as the file says */
};

/* Inputs of a block: q k v share one, gate and up share one. */
enum moment_site { SITE_ATTN, SITE_O, SITE_MLP, SITE_DOWN, SITES };
enum moment_site linear_site(enum linear_kind k);
/* Rows (outputs) and columns (inputs) of a kind, the same in every layer.  Pure; any thread. */
void linear_shape(const struct hparams *hp, enum linear_kind k, size_t *rows, size_t *cols);

struct model {
	const struct checkpoint *ck; /* owned */
	const struct backend *be;
	struct hparams hp;
	size_t n_linears; /* layers * 7, index layer * 7 + kind */
	struct linear *linear;
	const struct mat **ref;  /* [n_linears]: &linear[i].ref, the reference view */
	float **attn_norm, **mlp_norm; /* [layers] of [hidden], backend memory */
	float *final_norm;
	struct mat embed, head;
	float *inv_freq;       /* [head_dim / 2], host */
	uint64_t weights;      /* in the linears */
	uint64_t resident;     /* bytes taken by loading */
	struct model_memory *memory; /* private */
	struct model_faults *faults; /* private */
};

/* Bytes the weights will take, before it is tried; what runs from the map counts, since
 * its pages must stay, or it goes to the device. */
uint64_t model_need(const struct checkpoint *ck);
/* Takes ck over, also on failure.  Refuses with the arithmetic when model_need is more
 * than be's memory has left (place.h); names a missing or misshapen tensor. */
BD_MUST_USE enum st model_load(struct model **out, struct checkpoint *ck, const struct backend *be,
	const struct sink *s, struct err *e);
void model_free(struct model *m);
/* Its weights into the memory of another backend, from the checkpoint; when that fails it is where
 * it was.  All that others took of m->be (fwd, kv, variants) is theirs to give back: `leave`
 * (may be NULL) is called when the weights are there, before m->be changes and without a poll
 * in between. */
BD_MUST_USE enum st model_move(struct model *m, const struct backend *be,
	void (*leave)(void *arg), void *arg, const struct sink *s, struct err *e);

/* What its device did wrong since it was last asked (backend.fault), for what was got from it
 * before and with no poll in between. */
BD_MUST_USE enum st model_fault(const struct model *m, struct err *e);
/* Where others have their turn in between, they may be told of a failure that was ours: so who
 * begins notes how many there were, and asks for those since. */
unsigned model_failures(const struct model *m);
BD_MUST_USE enum st model_failed_since(const struct model *m, unsigned failures, struct err *e);

const char *linear_name(size_t index, char out[32]); /* "layers.3.gate" */
/* The index of "layers.3.gate", or -1. */
long linear_index(const char *name, size_t n_linears);
static inline const struct linear *model_linear(const struct model *m, size_t layer,
	enum linear_kind k)
{
	return &m->linear[layer * LINEAR_KINDS + k];
}

/* W of a linear as float [rows][cols], host memory, big_alloc'ed. */
BD_MUST_USE enum st model_linear_f32(const struct model *m, size_t linear, float **out,
	struct err *e);

/* A tiny random llama for --demo and tests: seeded, byte tokenizer, nothing on disk
 * is read.  Writes a GGUF at path (atomically) and returns. */
BD_MUST_USE enum st model_demo_write(const char *path, uint64_t seed, struct err *e);

#endif

/* forward.h - the llama forward pass in pieces, over any choice of linears.
 *
 * A "view" is an array of n_linears pointers to mats: the reference is m->ref, a
 * layout's is built from variants; changing a layout swaps pointers.  Hidden states
 * are [rows][hidden] in backend memory.  All pieces run on the engine thread and poll
 * the sink at least every 50 ms (products are cut by rows and the head by columns);
 * at a poll other work may run, so a `fwd` belongs to one job.  A device that failed is
 * ST_DEVICE with its sentence (fwd_fault), also where another job was told of it meanwhile.
 *
 * Formulas: Touvron et al. 2023 (LLaMA): h += O attn(rope(QKV rmsnorm(h))), h += D
 * (silu(G rmsnorm(h)) * U rmsnorm(h)), logits = H rmsnorm(h).
 */
#ifndef BD_MODEL_FORWARD_H
#define BD_MODEL_FORWARD_H

#include "core/model/model.h"

struct fwd; /* scratch for at most max_rows rows at once */

size_t fwd_row_bytes(const struct hparams *hp); /* that fwd_new takes for a token */
BD_MUST_USE enum st fwd_new(struct fwd **out, const struct model *m, size_t max_rows,
	struct err *e);
void fwd_free(struct fwd *f);
const struct model *fwd_model(const struct fwd *f);
/* Where the time goes, in seconds, and what the products read.  Adds to t from now on; NULL: not
 * measured.  Waiting is what others did at polls.  On a device measuring slows it: each part is
 * waited for, and no step goes as one. */
enum fwd_part { FWD_LINEARS, FWD_ATTENTION, FWD_HEAD, FWD_WAITING, FWD_PARTS };
struct fwd_times {
	double seconds[FWD_PARTS];
	uint64_t bytes; /* of weights, each time they were read */
};
void fwd_time(struct fwd *f, struct fwd_times *t);
/* Another head in place of the model's, of its shape; NULL: the model's. */
void fwd_set_head(struct fwd *f, const struct mat *head);
/* Called for each linear of the blocks after it ran, x [rows][cols], to add to y [rows][w rows]: an
 * adapter.  NULL: nothing is added, as at first. */
typedef void fwd_add(void *arg, size_t linear, const float *x, float *y, size_t rows);
void fwd_set_add(struct fwd *f, fwd_add *fn, void *arg);
/* Other gains of the norms than the model's, [hidden] each in backend memory: 2 l and 2 l + 1 those of
 * block l, 2 * layers the final one.  Borrowed; NULL: the model's, as at first. */
void fwd_set_gains(struct fwd *f, float *const *gain);
/* How products with the linears and the head are computed from now on; MATH_F32 at first. */
void fwd_set_math(struct fwd *f, enum math math);

/* Has the device failed since f was made or renewed?  Asked after something was got from it, before
 * that is believed or kept: it covers all that was done with f until then.  ST_DEVICE ends the job. */
BD_MUST_USE enum st fwd_fault(const struct fwd *f, struct err *e);
/* What was is over: a new piece of work begins with f.  true: the device failed since the last
 * one, so that what is kept from then (a kv) is not to be believed. */
bool fwd_renew(struct fwd *f);

/* What z[rows][vocab], logits in backend memory, say; host outputs, as backend.row_stats and
 * backend.kl; pick: z[i][id[i]] of each row.  They wait for the device and ask it (fwd_fault). */
BD_MUST_USE enum st fwd_stats(const struct fwd *f, double *lse, int32_t *top, const float *z,
	size_t rows, struct err *e);
BD_MUST_USE enum st fwd_pick(const struct fwd *f, float *out, const float *z, const int32_t *id,
	size_t rows, struct err *e);
BD_MUST_USE enum st fwd_kl(const struct fwd *f, double *kl, const float *zp, const double *lse_p,
	const float *zq, const double *lse_q, size_t rows, struct err *e);

/* Keys and values of one sequence, all layers: as they are, or rounded to int8 with a scale a
 * head and position (backend.round_kv), a quarter of the bytes. */
enum kv_type { KV_F32, KV_INT8 };
struct kv {
	size_t cap, n; /* positions there is room for; positions filled */
	float *k, *v;  /* [layers][cap][kv_heads * head_dim], backend memory; NULL with KV_INT8: */
	int8_t *k8, *v8;
	float *k_scale, *v_scale; /* [layers][cap][kv_heads] */
	const struct model *m;
};
/* KV_INT8 takes heads of at most KV_INT8_DIM. */
enum { KV_INT8_DIM = 768 };
BD_MUST_USE enum st kv_new(
	struct kv **out, const struct model *m, size_t cap, enum kv_type type, struct err *e);
void kv_free(struct kv *kv);

/* One sequence of a batch: `rows` consecutive rows.  With a kv they stand at positions
 * kv->n ... and are appended (kv->n grows when the last block has run); without, at 0
 * ... and see each other only. */
struct span {
	struct kv *kv;
	size_t rows;
};

/* Called for each linear of the blocks run, after it ran: x [rows][cols], y [rows][w
 * rows].  Moments, first scores.  May be NULL. */
struct tap {
	void (*fn)(void *arg, size_t linear, const float *x, const float *y, size_t rows);
	void *arg;
};

BD_MUST_USE enum st fwd_embed(struct fwd *f, const int32_t *ids, size_t rows, float *h,
	struct err *e); /* an id outside the vocabulary is ST_INVALID */
/* h through blocks from ... to - 1, in place.  The rows of all spans add up to at most
 * max_rows. */
BD_MUST_USE enum st fwd_blocks(struct fwd *f, const struct mat *const *view, size_t from, size_t to,
	float *h, const struct span *spans, size_t n, const struct tap *tap, const struct sink *s,
	struct err *e);
/* logits[rows][vocab] of h's rows (final norm and head); h is left as it is. */
BD_MUST_USE enum st fwd_logits(struct fwd *f, const float *h, size_t rows, float *logits,
	const struct sink *s, struct err *e);

/* Whole thing for one sequence: ids to logits of the last row only (host memory,
 * [vocab]) through a kv; for generation and prompts of any length (in pieces).  When it
 * fails or is stopped, kv->n is what it was before; so it is with fwd_step. */
BD_MUST_USE enum st fwd_prompt(struct fwd *f, const struct mat *const *view, struct kv *kv,
	const int32_t *ids, size_t n, float *last_logits, const struct sink *s, struct err *e);
/* One next token for each of n sequences (n <= max_rows): logits [n][vocab], host. */
BD_MUST_USE enum st fwd_step(struct fwd *f, const struct mat *const *view, struct kv *const *kv,
	const int32_t *ids, size_t n, float *logits, const struct sink *s, struct err *e);

#endif

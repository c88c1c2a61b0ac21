/* lora.h - low-rank adapters beside linears that stay as they are.
 *
 * y += alpha / r (x A^T) B^T with A [r][cols], B [rows][r], float; A begins as a normal draw of
 * variance 1 / cols by hash(seed, linear, row, column), B as 0 (Hu et al. 2021; QLoRA: all
 * linears), so that nothing changes at first.  With c = alpha / r and t = x A^T, which is computed
 * again rather than kept: dB = c dy^T t, dt = c dy B, dA = dt^T x, dx += dt A (FORMULAS.md 7.1).
 * No dropout: runs are short, and a block that is run again on the way back must do the same again.
 * A and B are in host memory, where an optimizer writes them, and on a device once more.  The bits
 * do not depend on the number of threads.  Engine thread; uses the pool inside.
 */
#ifndef BD_TUNE_LORA_H
#define BD_TUNE_LORA_H

#include "core/model/backward.h"

struct lora;

BD_MUST_USE enum st lora_rank_fits(const struct hparams *hp, size_t rank, struct err *e);
/* max_rows: of a call; more are done in pieces (lora_add) or refused (lora_back).  ST_INVALID for a
 * rank of 0 or above the hidden size; ST_NOMEM with the arithmetic.  m is borrowed, and stays on
 * its backend. */
BD_MUST_USE enum st lora_new(struct lora **out, const struct model *m, size_t rank, double alpha,
	uint64_t seed, size_t max_rows, struct err *e);
void lora_free(struct lora *l);            /* NULL is fine */
uint64_t lora_bytes(const struct lora *l); /* all that it holds, on the host and the device */
/* What lora_new would hold; UINT64_MAX: more than there can be. */
uint64_t lora_need(const struct model *m, size_t rank, size_t max_rows);
size_t lora_rank(const struct lora *l);
double lora_alpha(const struct lora *l);
uint64_t lora_weights(const struct lora *l); /* values of A and B together */

/* How products are computed from now on, as back_set_math says it of the linears; MATH_F32 at
 * first. (Beside linears in MATH_BF16 the time of these counts, too.) */
void lora_set_math(struct lora *l, enum math math);

/* As fwd_add and back_hooks.add; arg is the lora. */
void lora_add(void *lora, size_t linear, const float *x, float *y, size_t rows);
/* On the way back by a linear: adds to dx, and leaves the gradients of A [r][cols] and B [rows][r]
 * in host memory until the next call; they may be used up. */
BD_MUST_USE enum st lora_back(struct lora *l, size_t linear, const float *x, const float *dy,
	float *dx, size_t rows, float **da, float **db, struct err *e);
/* The two matrices of a linear, host memory, MAT_F32, to be written by an optimizer ... */
struct mat *lora_a(struct lora *l, size_t linear);
struct mat *lora_b(struct lora *l, size_t linear);
/* ... and then told to the device. */
BD_MUST_USE enum st lora_changed(struct lora *l, size_t linear, struct err *e);

/* adapter_model.safetensors (float) and adapter_config.json in dir, which is made where there is
 * none, as PEFT reads them: names, and order of the rows of q and k, are Hugging Face's. */
BD_MUST_USE enum st lora_write(const struct lora *l, const char *dir, struct err *e);
/* An adapter from such a folder, also one that PEFT wrote; what lora_write wrote comes back bit for
 * bit.  Linears that the file does not name have none.  ST_FORMAT or ST_UNSUPPORTED names what does
 * not fit the model, or is not computed here (DoRA, an adapted head ...). */
BD_MUST_USE enum st lora_read(
	struct lora **out, const struct model *m, const char *dir, size_t max_rows, struct err *e);

#endif

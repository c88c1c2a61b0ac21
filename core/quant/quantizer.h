/* quantizer.h - methods that pick codes and statistics for one linear in one format.
 *
 * Adding one is a file in core/quant and a line in table.c.  A quantizer sees the
 * reference's weights and, where it asks for them, second moments of the reference's
 * activations; never another linear's variant.  Runs on the engine thread, uses the
 * pool inside, polls the sink at least every 50 ms; the same input gives the same
 * codes on any number of threads.
 */
#ifndef BD_QUANT_QUANTIZER_H
#define BD_QUANT_QUANTIZER_H

#include "core/base/sink.h"
#include "core/quant/format.h"
#include "kernels/backend.h"

/* Codes and statistics of one linear, unpacked. */
struct qcodes {
	struct format format;
	size_t rows, cols;
	uint8_t *code;            /* [rows][cols] */
	uint16_t *scale, *offset; /* [rows][groups], fp16: W = scale * code + offset */
	/* Of a mix instead of these: the high and the low part, each with cols of its own, and
	 * the inputs they hold one after the other. */
	struct qcodes *part; /* [2]; NULL: no mix */
	uint16_t *order;     /* [cols] */
};

BD_MUST_USE enum st qcodes_alloc(struct qcodes *q, struct format f, size_t rows, size_t cols,
	struct err *e);
void qcodes_release(struct qcodes *q);
/* W of the codes as float, [cols]. */
void qcodes_row(const struct qcodes *q, size_t row, float *out);

/* Factors of moments and energies of weights, shared by the linears of one input site
 * and by all formats of a linear.  Keyed by the address, the size and a sum over the
 * diagonal of the moments (a sample of the weights), so moments that were gathered
 * further are not mistaken for what they were.  Belongs to one job; holds the latest
 * four factors (cols^2 floats each).  Go linear by linear within a site, all formats of
 * a linear in turn. */
struct quant_cache;
struct quant_cache *quant_cache_new(void);
void quant_cache_free(struct quant_cache *c); /* NULL is fine */

struct quant_input {
	const float *w; /* [rows][cols], the reference's, host */
	size_t rows, cols;
	/* Second moments of the inputs, [cols][cols], symmetric, each token's activations
	 * scaled to norm 1; NULL: none gathered.  Shared by q k v and by gate up. */
	const float *moments;
	const struct backend *backend; /* for gemm; NULL or one without host memory: ref's */
	struct quant_cache *cache;     /* NULL: nothing is shared between calls */
	const struct sink *sink;       /* polled by quant_error; NULL: never stops */
};

struct quantizer {
	const char *name;    /* "minmax", "clip", "hqq", "gptq" */
	const char *summary; /* one line for help */
	bool needs_moments;
	int version; /* raised when codes change: part of cache keys */
	/* out comes from qcodes_alloc with the format wanted; its content is void unless
	 * ST_OK.  Mixes are made by mix_quantize (mix.h), which gives each part, or, to one
	 * that needs moments, both in their order.  Weights that are no number count as 0, those beyond fp16 as its largest. */
	enum st (*run)(const struct quant_input *in, struct qcodes *out, const struct sink *s,
		struct err *e);
};

extern const struct quantizer *const quantizer_table[]; /* NULL-terminated, simplest first */
const struct quantizer *quantizer_find(const char *name);
/* The best of those that need no text, and the best of those that do. */
extern const char quantizer_data_free[], quantizer_calibrated[];

/* Output error of codes under moments H: tr((W-Q) H (W-Q)^T) / tr(W H W^T); H NULL:
 * identity.  What decides between quantizers of one cell (see quality table). */
BD_MUST_USE enum st quant_error(double *out, const struct quant_input *in, const struct qcodes *q,
	struct err *e);

#endif

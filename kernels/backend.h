/* backend.h - what a backend must offer, and nothing about how.
 *
 * A backend is one `const struct backend` in one directory, named once in
 * kernels/table.c, or a shared object opened at start (CUDA).  `ref` is the
 * plain C one: slow, obvious, always there, and the answer every other backend
 * is tested against, operation by operation.
 *
 * All matrices are row-major, activations are float, "m" is rows of activations
 * (tokens).  Pointers are to memory of the backend (alloc), except where "host" is
 * said; where host_memory is true the two are the same and any host memory will
 * do.  Operations run in order on the engine thread (or its stream); none
 * allocates what outlives it, none reads or writes past the shapes, none fails
 * (arguments are checked above) but by the device itself, which `fault` tells.
 * On a device an operation may return before it has run: what it was given on the host
 * may be reused at once, what it leaves on the host is there when it returns.  Results do not depend on the number of
 * threads.  A missing operation is NULL; backend_find and backend_best fill it
 * with ref's where host_memory is true, and backend_missing names it.
 */
#ifndef BD_KERNELS_BACKEND_H
#define BD_KERNELS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "kernels/mat.h"

#define BD_BACKEND_ABI 3

enum rope_style {
	ROPE_HALVES, /* Hugging Face: element i turns with i + dim/2 */
	ROPE_PAIRS   /* llama2.c and GGUF "llama": 2i with 2i + 1 */
};

/* One sequence of an attention call: rows q0 ... q0 + m of q and out; row i stands
 * at position pos + i and sees keys 0 ... pos + i of k and v. */
struct attn_seq {
	size_t q0, m, pos;
	const float *k, *v; /* [pos + m][kv_heads * head_dim], or NULL and rounded by round_kv: */
	const int8_t *k8, *v8;
	const float *k_scale, *v_scale; /* [pos + m][kv_heads] */
};

struct attn_shape {
	size_t heads, kv_heads, head_dim;
	size_t window; /* keys seen at most (sliding window); 0: all */
	float scale;   /* 1 / sqrt(head_dim) */
};

/* How a product may be computed. */
enum math {
	MATH_F32,  /* in float, whatever the types of x and W: the exact one */
	MATH_INT8, /* x rounded to int8 as kernels/act8.h says; dense W as MATH_F32 */
	/* x and W (dequantized to float first) rounded to bfloat16, to nearest even, where what is
	 * below 2^-126 may count as 0; products summed in float, in any order.  A backend may
	 * compute it as MATH_F32 where that is not slower (few rows of x, no instructions for it),
	 * or with x rounded to more bits (halves of 11): closer to the exact result, never farther. */
	MATH_BF16,
	/* Three products of bfloat16 in place of one of float: x and W each as hi + lo, hi rounded
	 * as in MATH_BF16 and lo what that left, rounded again; y = x_lo W_hi + x_hi W_lo +
	 * x_hi W_hi, summed in float, in any order.  |lo| <= 2^-8 |v| and |v - hi - lo| <= 2^-17
	 * |v|, so that beside the rounding of the sums y is within 2^-15 of the sum of |x| |W|; on
	 * the way there errors cancel, some 2^-19 is seen.  Where x or W is not finite, or rounds
	 * to infinity (above 3.38e38), y is not finite, but may be NaN where MATH_F32 has an
	 * infinity.  A backend may compute it as MATH_F32, as above.  (Henry, Tang and Heinecke,
	 * Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
	 * Computations, 2019; BF16_BF16_F32_X3 of XLA.) */
	MATH_BF16X3,
	/* Whichever of the others is quickest here for so many rows: for answers, not for
	 * measurements.  It rounds no more than MATH_INT8 does. */
	MATH_FAST
};

/* One of the products that share x: y[m][ldy] = x * W^T; y's row has w->rows values. */
struct product {
	float *y;
	size_t ldy;
	const struct mat *w;
};

/* What a device says of itself. */
struct backend_device {
	char name[80];         /* "NVIDIA H200" */
	char kernels[80];      /* what runs: "sm_90, cuda 13.0, driver 13.0" */
	uint64_t total, free;  /* bytes of its memory */
	uint64_t ours;         /* bytes of it that this process took by alloc */
	double busy;           /* share of the time since the last call that our operations took; NaN:
	                        * not known */
	/* Since it was opened: kernels started by themselves, graphs of them that were made, and
	 * times that one made before was enough. */
	uint64_t launches, graphs_built, graphs_replayed;
};

struct backend {
	int abi;          /* BD_BACKEND_ABI it was built with */
	size_t size;      /* sizeof(struct backend) then */
	const char *name; /* "ref", "cpu", "cuda:0" */
	bool host_memory;

	/* 0: not on this machine, or failed for good.  The highest score that is not 0 is used. */
	int (*score)(void);
	/* What runs underneath, for doctor: "avx512 (of avx2, avx512)". */
	const char *(*path)(void);

	/* ---- devices with memory of their own; all NULL where host_memory is true ---- */

	/* Makes it ready and the one that operations are carried out on; any thread, one at a time,
	 * no other operation meanwhile.  ST_UNSUPPORTED with the reason in one sentence; cheap when
	 * it is ready already. */
	enum st (*open)(struct err *e);
	/* What went wrong since it was last asked: ST_OK, or ST_DEVICE with one sentence.  After a
	 * failure operations do nothing and what they leave on the host is NaN (0 for integers),
	 * so that callers ask after they got something, before they believe it.  ST_DEVICE goes
	 * away by being told, unless the device is lost to this process: then score() is 0 and
	 * `lost` true for good. */
	enum st (*fault)(struct err *e);
	bool (*lost)(void);
	/* Returns when everything asked for has been carried out. */
	void (*wait)(void);
	/* Between step(true) and step(false) lie operations that come again and again in the same
	 * shapes, with other pointers and host arrays: one token of every sequence.  A hint: they
	 * may be held back until step(false) or until a result is asked for, and go as one. */
	void (*step)(bool begin);
	/* Any thread, cheap enough for five times a second. */
	void (*info)(struct backend_device *out);

	/* memory; alloc is zeroed, 64-byte aligned, NULL when there is no more */
	void *(*alloc)(size_t bytes);
	void (*free)(void *p);
	void (*put)(void *dst, const void *host, size_t bytes);
	void (*get)(void *host, const void *src, size_t bytes);
	void (*copy)(void *dst, const void *src, size_t bytes);

	/* Bytes a second that it reads from its memory at best, measured now (a tenth of a
	 * second); 0: it cannot be told.  No result hangs on it. */
	double (*read_rate)(void);

	/* Each product of x[m][ldx], whose rows have w->cols values, the same number for all. */
	void (*products)(const struct product *p, size_t n, const float *x, size_t ldx, size_t m,
		enum math math);
	/* out[n][w->cols] = rows first ... first + n of W as float. */
	void (*dequant)(float *out, const struct mat *w, size_t first, size_t n);
	/* y[m][w->cols] = rows ids[i] of W (embedding); ids are host. */
	void (*embed)(float *y, const struct mat *w, const int32_t *ids, size_t m);
	/* C[m][n] = alpha * op(A) * op(B) + beta * C; ta, tb: transposed; BLAS's
	 * leading dimensions of row-major A, B, C; where beta is 0, what C held does not count.
	 * MATH_BF16 and MATH_BF16X3 say of A and B what they say of x and W, and alpha and beta are
	 * applied in float to the sums; of MATH_INT8 there is nothing to round, it is MATH_F32;
	 * MATH_FAST is the quickest of MATH_F32 and MATH_BF16.  (GPTQ, moments, training.) */
	void (*gemm)(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
		size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc,
		enum math math);

	/* y = x / sqrt(mean(x^2) + eps) * gain, each row of n (Zhang and Sennrich 2019) */
	void (*rmsnorm)(float *y, const float *x, const float *gain, size_t m, size_t n, float eps);
	/* In place on x[m][ld], heads * dim values a row: turn pair i of each head by
	 * angle pos[row] * inv_freq[i], i < dim / 2 (Su et al. 2021).  pos and inv_freq
	 * are host. */
	void (*rope)(float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
		const float *inv_freq, enum rope_style style);
	/* Keys or values for the cache: q = nearest of x / scale in -127 ... 127, scale = max |x|
	 * / 127 of each row's head; x and q [rows][heads * dim], scale [rows][heads].  x is
	 * finite. */
	void (*round_kv)(
		int8_t *q, float *scale, const float *x, size_t rows, size_t heads, size_t dim);
	/* Causal attention, softmax over keys, heads share kv heads in order.
	 * q, out: [rows][heads * head_dim]; seqs is host. */
	void (*attention)(float *out, const float *q, const struct attn_seq *seqs, size_t n,
		const struct attn_shape *shape);
	/* y = silu(gate) * up, count values */
	void (*swiglu)(float *y, const float *gate, const float *up, size_t count);
	/* y += x */
	void (*add)(float *y, const float *x, size_t count);

	/* Per row of z[m][n] (logits): log(sum(exp)) and the index of the largest (the
	 * lowest such); out pointers are host, either may be NULL. */
	void (*row_stats)(double *lse, int32_t *argmax, const float *z, size_t m, size_t n);
	/* kl[i] = sum_j p_j (log p_j - log q_j), p = softmax(zp row i), q = softmax(zq row
	 * i), given both lse; kl and the lse are host. */
	void (*kl)(double *kl, const float *zp, const double *lse_p, const float *zq,
		const double *lse_q, size_t m, size_t n);
	/* sums over all: num = |a - b|^2, den = |b|^2; host outputs */
	void (*sq_diff)(double *num, double *den, const float *a, const float *b, size_t count);

	/* ---- backward, of a loss L; dv is dL/dv.  All NULL on a device that cannot train.  The
	 * gradient of W itself is gemm: dW[rows][cols] = dy^T x; that of rope is rope by -inv_freq.
	 * Outputs overlap no inputs but where it is said. ---- */

	/* dx[m][ldx] = dy[m][ldy] * W, or += where add: the product the other way.  A row of dy has
	 * w->rows values, one of dx w->cols.  math is that of gemm. */
	void (*products_back)(float *dx, size_t ldx, bool add, const float *dy, size_t ldy,
		size_t m, const struct mat *w, enum math math);
	/* dx += r gain dy - x r^3 sum(gain dy x) / n with r = 1 / sqrt(mean(x^2) + eps), each row;
	 * dgain[n] += sum over the rows of dy x r, where it is not NULL. */
	void (*rmsnorm_back)(float *dx, float *dgain, const float *dy, const float *x,
		const float *gain, size_t m, size_t n, float eps);
	/* Of attention over whole sequences: k and v are float, and pos is 0 but where host_memory is
	 * true: there m rows behind the first pos of a sequence may go alone, after those.  dq, dk and
	 * dv are written, but that the first pos rows of dk and dv are added to; rows q0 - pos ...
	 * q0 + m of dk and dv, [rows][kv_heads * head_dim], are those of the sequence's k and v; rows
	 * of no sequence stay.  out is what attention gave.  P = softmax(scale q k^T)
	 * is computed again: dv = P^T dout, dS = P (dout v^T - sum(dout out)), dq = scale dS k,
	 * dk = scale dS^T q, summed over the heads that share k and v.  What is not finite stays in
	 * its sequence and its kv head. */
	void (*attention_back)(float *dq, float *dk, float *dv, const float *dout, const float *out,
		const float *q, const struct attn_seq *seqs, size_t n,
		const struct attn_shape *shape);
	/* s = 1 / (1 + exp(-gate)): dup = dy gate s, dgate = dy up s (1 + gate (1 - s)); dgate may
	 * be gate, dup may be up. */
	void (*swiglu_back)(float *dgate, float *dup, const float *dy, const float *gate,
		const float *up, size_t count);
	/* Per row of z[m][n], label[i] < n: loss[i] = log(sum(exp(z))) - z[label[i]] (host, or NULL),
	 * and z becomes scale * (softmax(z) - onehot(label[i])).  label is host. */
	void (*cross_entropy)(
		double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale);
	/* Per row: kl[i] as in kl (host, or NULL), and zq becomes scale * (q - p). */
	void (*kl_back)(double *kl, float *zq, const float *zp, size_t m, size_t n, float scale);
	/* dw[ids[i]] += dy[i], rows of cols values, i in order; ids is host. */
	void (*embed_back)(
		float *dw, const float *dy, const int32_t *ids, size_t m, size_t cols);
};

/* b->fault where there is one. */
static inline enum st backend_fault(const struct backend *b, struct err *e)
{
	return b->fault ? b->fault(e) : ST_OK;
}

/* One product, exact. */
static inline void backend_linear(const struct backend *b, float *y, size_t ldy, const float *x,
	size_t ldx, size_t m, const struct mat *w)
{
	const struct product p = { y, ldy, w };

	b->products(&p, 1, x, ldx, m, MATH_F32);
}

const struct backend *const *backends(void); /* NULL-terminated, as built */

const struct backend *backend_find(const char *name); /* NULL: no such */
const struct backend *backend_best(void);
/* The one to use from now on: "cpu", "cuda:0", "auto" (a device where there is one that works, else
 * the best of the processor); devices are looked for the first time it is needed (a second).
 * Fails with one sentence that says what there is.  Any thread, one at a time. */
BD_MUST_USE enum st backend_use(const char *name, struct err *e);
/* Why the last backend_use("auto") passed over a device ("cuda:0: there is no room ..."), "" where it
 * did not; of the thread that called it. */
const char *backend_passed_over(void);
/* The one in use; backend_best() of the processor until backend_use has been called. */
const struct backend *backend_now(void);
/* Looks for devices once; why there is none in one line ("no NVIDIA driver is loaded"), "" when
 * there is one. */
const char *backend_devices(void);
/* The i-th operation that `b` as built leaves to ref, NULL at the end. */
const char *backend_missing(const struct backend *b, size_t i);

/* Adds the backends, one a device, in a shared object that exports
 *	const struct backend *const *bd_backend_entry(void)	NULL-terminated
 * The object stays open until exit.  Any thread. */
BD_MUST_USE enum st backend_open(const char *path, struct err *e);

#endif

/* test_kernels_back_threads.c - operations backward give the same bits on any number of threads,
 * in every way this machine can compute them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_kernels.h"

enum { M = 161, ROWS = 577, COLS = 1030, HEADS = 6, KV = 2, DIM = 48 };

/* Inputs, and one array after the other of what comes of them. */
struct all {
	struct mat packed, dense, mix;
	float *dy, *x, *gain;
	struct attn_seq seqs[3];
	int32_t ids[M];
	float *out;
	size_t n;
};

static void make(struct all *a)
{
	size_t at = 0;
	struct rng r;

	rng_seed(&r, 51);
	a->packed = random_mat(&r, MAT_INT, 3, 64, ROWS, COLS);
	a->dense = random_mat(&r, MAT_BF16, 0, 0, ROWS, COLS);
	a->mix = random_mix(&r, ROWS, COLS, 512);
	a->dy = guarded_floats(&r, M * COLS, 1);
	a->x = guarded_floats(&r, M * COLS, 1);
	a->gain = guarded_floats(&r, COLS, 1);
	for (size_t i = 0; i < M; i++)
		a->ids[i] = (int32_t)(rng_u64(&r) % 7);
	for (size_t i = 0; i < 3; i++) {
		size_t m = i == 0 ? 1 : i == 1 ? 100 : M - 101;

		a->seqs[i] = (struct attn_seq){
			.q0 = at, .m = m, .k = a->x + at * KV * DIM, .v = a->gain
		};
		at += m;
	}
}

/* The next n floats of the outputs, 0. */
static float *next(struct all *a, size_t n)
{
	float *p = a->out + a->n;

	memset(p, 0, n * sizeof *p);
	a->n += n;
	return p;
}

static void losses(struct all *a, const struct backend *b)
{
	float *z = next(a, M * COLS), *zq = next(a, M * COLS);
	double loss[M];

	memcpy(z, a->x, M * COLS * sizeof *z);
	memcpy(zq, a->dy, M * COLS * sizeof *zq);
	b->cross_entropy(loss, z, a->ids, M, COLS, 0.5f);
	memcpy(next(a, 2 * M), loss, sizeof loss);
	b->kl_back(loss, zq, a->x, M, COLS, 0.5f);
	memcpy(next(a, 2 * M), loss, sizeof loss);
}

static void run(struct all *a, const struct backend *b)
{
	static const enum math maths[] = { MATH_F32, MATH_BF16, MATH_BF16X3 };
	const struct attn_shape shape = { HEADS, KV, DIM, 0, 0.1f };
	const struct mat *w[] = { &a->packed, &a->dense, &a->mix };
	float *o, *dq, *dk, *dv;

	a->n = 0;
	for (size_t k = 0; k < 9; k++)
		b->products_back(
			next(a, M * COLS), COLS, k % 2, a->dy, COLS, M, w[k / 3], maths[k % 3]);
	for (size_t k = 0; k < 3; k++)
		b->gemm(true, false, ROWS, COLS, M, 1, a->dy, COLS, a->x, COLS, 0,
			next(a, ROWS * COLS), COLS, maths[k]);
	o = next(a, M * COLS);
	b->rmsnorm_back(o, next(a, COLS), a->dy, a->x, a->gain, M, COLS, 1e-5f);
	o = next(a, M * COLS);
	b->swiglu_back(o, next(a, M * COLS), a->dy, a->x, a->dy, M * COLS);
	losses(a, b);
	b->embed_back(next(a, 7 * COLS), a->dy, a->ids, M, COLS);
	o = next(a, M * HEADS * DIM);
	for (size_t i = 0; i < 3; i++)
		a->seqs[i].v = a->dy + a->seqs[i].q0 * KV * DIM;
	b->attention(o, a->x, a->seqs, 3, &shape);
	dq = next(a, M * HEADS * DIM);
	dk = next(a, M * KV * DIM);
	dv = next(a, M * KV * DIM);
	b->attention_back(dq, dk, dv, a->dy, o, a->x, a->seqs, 3, &shape);
}

Test(kernels_back_threads, the_same_bits_on_any_number_of_threads, .timeout = 120)
{
	size_t room = 24 * M * COLS + 3 * ROWS * COLS;
	float *one = malloc(room * sizeof *one), *more = malloc(room * sizeof *more);
	const struct backend *b;
	const char *name;
	struct all a;

	make(&a);
	for (size_t i = 0; (b = way(i, &name)); i++)
		for (int threads = 1; threads <= 4; threads++) {
			a.out = threads == 1 ? one : more;
			pool_start(threads);
			run(&a, b);
			pool_stop();
			cr_assert(a.n <= room);
			cr_expect(threads == 1 || !memcmp(one, more, a.n * sizeof *one),
				"%s with %d threads", name, threads);
		}
	free(one);
	free(more);
	guarded_free_all();
}

/* test_kernels_back_ends.c - losses over logits and the embedding backward against central
 * differences, as test_kernels_back.c does it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib_diff.h"
#include "tests/lib_kernels.h"

static const struct backend *ref(void)
{
	return backend_find("ref");
}

/* ---- losses ---- */

struct logits {
	double *z;
	const float *zp;      /* KL with these, or ... */
	const int32_t *label; /* ... cross-entropy with these */
	size_t m, n;
	double scale;
};

static double log_sum(const double *z, size_t n)
{
	double sum = 0;

	for (size_t j = 0; j < n; j++)
		sum += exp(z[j]);
	return log(sum);
}

static double row_loss(const struct logits *l, size_t i)
{
	const double *z = l->z + i * l->n;
	double lse = log_sum(z, l->n), *p, lse_p, kl = 0;

	if (l->label)
		return lse - z[l->label[i]];
	p = diff_wide(l->zp + i * l->n, l->n);
	lse_p = log_sum(p, l->n);
	for (size_t j = 0; j < l->n; j++)
		kl += exp(p[j] - lse_p) * (p[j] - lse_p - (z[j] - lse));
	free(p);
	return kl;
}

static double logits_loss(const void *arg)
{
	const struct logits *l = arg;
	double all = 0;

	for (size_t i = 0; i < l->m; i++)
		all += l->scale * row_loss(l, i);
	return all;
}

Test(kernels_back_ends, losses_go_back_to_their_logits)
{
	enum { M = 4, N = 37 };
	static const int32_t label[M] = { 0, N - 1, 17, 17 };
	struct rng r;
	float *z, *zp, *dz;
	double loss[M];
	struct logits l = { NULL, NULL, label, M, N, 0.375 };

	rng_seed(&r, 28);
	z = guarded_floats(&r, M * N, 2);
	zp = guarded_floats(&r, M * N, 2);
	dz = guarded(M * N * sizeof *dz);
	l.z = diff_wide(z, M * N);
	memcpy(dz, z, M * N * sizeof *z);
	ref()->cross_entropy(loss, dz, label, M, N, 0.375f);
	cr_expect(diff_by(logits_loss, &l, l.z, M * N, dz) < diff_most);
	for (size_t i = 0; i < M; i++)
		cr_expect(fabs(loss[i] - row_loss(&l, i)) < 1e-12);
	l.label = NULL;
	l.zp = zp;
	memcpy(dz, z, M * N * sizeof *z);
	ref()->kl_back(loss, dz, zp, M, N, 0.375f);
	cr_expect(diff_by(logits_loss, &l, l.z, M * N, dz) < diff_most);
	for (size_t i = 0; i < M; i++)
		cr_expect(fabs(loss[i] - row_loss(&l, i)) < 1e-12);
	free(l.z);
	guarded_free_all();
}

/* ---- embedding ---- */

struct table {
	double *e;
	const float *r;
	const int32_t *ids;
	size_t m, cols;
};

static double table_loss(const void *arg)
{
	const struct table *l = arg;
	double all = 0;

	for (size_t i = 0; i < l->m; i++)
		for (size_t c = 0; c < l->cols; c++)
			all += (double)l->r[i * l->cols + c] *
			       l->e[(size_t)l->ids[i] * l->cols + c];
	return all;
}

Test(kernels_back_ends, an_embedding_goes_back_to_the_rows_that_were_read)
{
	enum { VOCAB = 5, COLS = 3, M = 4 };
	static const int32_t ids[M] = { 3, 0, 3, 4 };
	struct rng r;
	float *e, *dy, de[VOCAB * COLS] = { 0 };
	struct table l;

	rng_seed(&r, 29);
	e = guarded_floats(&r, VOCAB * COLS, 1);
	dy = guarded_floats(&r, M * COLS, 1);
	l = (struct table){ diff_wide(e, VOCAB * COLS), dy, ids, M, COLS };
	ref()->embed_back(de, dy, ids, M, COLS);
	cr_expect(diff_by(table_loss, &l, l.e, VOCAB * COLS, de) < diff_most);
	free(l.e);
	guarded_free_all();
}

/* test_kernels_back.c - operations of a layer backward against central differences: each forward is
 * written here once more, in double, and L = sum of out_i r_i with random r (a plain sum would be
 * blind to softmax).  The gradient of ref is to be that of L within 1e-6 in norm; every other way is
 * measured against ref (test_kernels_back_ways.c). */
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

/* ---- products ---- */

struct linear {
	const struct mat *w;
	const float *r; /* [m][rows] */
	double *x;      /* [m][cols] */
	size_t m;
};

static double linear_loss(const void *arg)
{
	const struct linear *l = arg;
	float *row = malloc(l->w->cols * sizeof *row);
	double sum = 0;

	for (size_t j = 0; j < l->w->rows; j++) {
		mat_row_f32(l->w, j, row);
		for (size_t i = 0; i < l->m; i++)
			for (size_t c = 0; c < l->w->cols; c++)
				sum += (double)l->r[i * l->w->rows + j] * (double)row[c] *
				       l->x[i * l->w->cols + c];
	}
	free(row);
	return sum;
}

Test(kernels_back, products_go_back_through_weights_of_every_type, .timeout = 60)
{
	enum { M = 3, ROWS = 19, COLS = 69 };
	struct rng r;

	rng_seed(&r, 21);
	for (int type = MAT_F32; type <= MAT_MIX; type++) {
		struct mat w = type == MAT_MIX
				       ? random_mix(&r, ROWS, COLS, 32)
				       : random_mat(&r, (enum mat_type)type, 3, 64, ROWS, COLS);
		float *x = guarded_floats(&r, M * COLS, 1), *dy = guarded_floats(&r, M * ROWS, 1);
		float *dx = guarded(M * COLS * sizeof *dx), *twice;
		struct linear l = { &w, dy, diff_wide(x, M * COLS), M };
		double e;

		ref()->products_back(dx, COLS, false, dy, ROWS, M, &w, MATH_F32);
		e = diff_by(linear_loss, &l, l.x, M * COLS, dx);
		cr_expect(e < diff_most, "type %d: %g", type, e);
		twice = guarded(M * COLS * sizeof *twice);
		memcpy(twice, dx, M * COLS * sizeof *dx);
		ref()->products_back(twice, COLS, true, dy, ROWS, M, &w, MATH_F32);
		for (size_t i = 0; i < M * COLS; i++)
			cr_expect(fabs((double)twice[i] - 2 * (double)dx[i]) <=
				  1e-6 * fabs((double)dx[i]));
		free(l.x);
		guarded_free_all();
	}
}

/* W of a plain product, for the gradient of W by gemm. */
struct weights {
	const float *x, *r;
	double *w;
	size_t m, rows, cols;
};

static double weights_loss(const void *arg)
{
	const struct weights *l = arg;
	double sum = 0;

	for (size_t i = 0; i < l->m; i++)
		for (size_t j = 0; j < l->rows; j++)
			for (size_t c = 0; c < l->cols; c++)
				sum += (double)l->r[i * l->rows + j] * l->w[j * l->cols + c] *
				       (double)l->x[i * l->cols + c];
	return sum;
}

Test(kernels_back, the_gradient_of_weights_is_a_transposed_product, .timeout = 60)
{
	enum { M = 5, ROWS = 7, COLS = 11 };
	struct rng r;
	float *x, *dy, *w, *dw;
	struct weights l;

	rng_seed(&r, 22);
	x = guarded_floats(&r, M * COLS, 1);
	dy = guarded_floats(&r, M * ROWS, 1);
	w = guarded_floats(&r, ROWS * COLS, 1);
	dw = guarded(ROWS * COLS * sizeof *dw);
	l = (struct weights){ x, dy, diff_wide(w, ROWS * COLS), M, ROWS, COLS };
	ref()->gemm(true, false, ROWS, COLS, M, 1, dy, ROWS, x, COLS, 0, dw, COLS, MATH_F32);
	cr_expect(diff_by(weights_loss, &l, l.w, ROWS * COLS, dw) < diff_most);
	free(l.w);
	guarded_free_all();
}

/* ---- norms ---- */

struct norm {
	double *x, *gain;
	const float *r;
	size_t m, n;
	double eps;
};

static double norm_loss(const void *arg)
{
	const struct norm *l = arg;
	double all = 0;

	for (size_t i = 0; i < l->m; i++) {
		const double *x = l->x + i * l->n;
		double squares = 0, inv;

		for (size_t c = 0; c < l->n; c++)
			squares += x[c] * x[c];
		inv = 1 / sqrt(squares / (double)l->n + l->eps);
		for (size_t c = 0; c < l->n; c++)
			all += (double)l->r[i * l->n + c] * x[c] * inv * l->gain[c];
	}
	return all;
}

Test(kernels_back, norms_go_back_to_their_input_and_gain, .timeout = 60)
{
	enum { M = 4 };
	static const size_t widths[] = { 1, 2, 17, 64 };
	struct rng r;

	rng_seed(&r, 23);
	for (size_t k = 0; k < COUNT(widths); k++) {
		size_t n = widths[k];
		/* small ones, so that eps counts */
		float *x = guarded_floats(&r, M * n, 0.5), *gain = guarded_floats(&r, n, 1);
		float *dy = guarded_floats(&r, M * n, 1), *dx = guarded(M * n * sizeof *dx);
		float *dgain = guarded(n * sizeof *dgain);
		const float eps = 0.125f;
		struct norm l = { diff_wide(x, M * n), diff_wide(gain, n), dy, M, n, (double)eps };
		double e;

		memset(dx, 0, M * n * sizeof *dx);
		memset(dgain, 0, n * sizeof *dgain);
		ref()->rmsnorm_back(dx, dgain, dy, x, gain, M, n, eps);
		e = diff_by(norm_loss, &l, l.x, M * n, dx);
		cr_expect(e < diff_most, "x, %zu: %g", n, e);
		e = diff_by(norm_loss, &l, l.gain, n, dgain);
		cr_expect(e < diff_most, "gain, %zu: %g", n, e);
		free(l.x);
		free(l.gain);
		guarded_free_all();
	}
}

Test(kernels_back, norms_add_to_what_was_there_and_the_gain_may_be_left_out)
{
	enum { M = 3, N = 9 };
	struct rng r;
	float *x, *gain, *dy, dx[M * N] = { 0 }, more[M * N], dgain[N] = { 0 }, twice[N];

	rng_seed(&r, 24);
	x = guarded_floats(&r, M * N, 1);
	gain = guarded_floats(&r, N, 1);
	dy = guarded_floats(&r, M * N, 1);
	ref()->rmsnorm_back(dx, dgain, dy, x, gain, M, N, 1e-5f);
	memcpy(more, dx, sizeof dx);
	memcpy(twice, dgain, sizeof dgain);
	ref()->rmsnorm_back(more, NULL, dy, x, gain, M, N, 1e-5f);
	ref()->rmsnorm_back((float[M *N]){ 0 }, twice, dy, x, gain, M, N, 1e-5f);
	for (size_t i = 0; i < M * N; i++)
		cr_expect(fabsf(more[i] - 2 * dx[i]) <= 1e-6f * fabsf(dx[i]));
	for (size_t i = 0; i < N; i++)
		cr_expect(fabsf(twice[i] - 2 * dgain[i]) <= 1e-6f * fabsf(dgain[i]));
	guarded_free_all();
}

/* ---- rotation ---- */

struct turn {
	double *x;
	const float *r, *freq;
	const int32_t *pos;
	size_t m, dim;
	enum rope_style style;
};

static double turn_loss(const void *arg)
{
	const struct turn *l = arg;
	double all = 0;

	for (size_t i = 0; i < l->m; i++)
		for (size_t k = 0; k < l->dim / 2; k++) {
			size_t at = l->style == ROPE_HALVES ? k : 2 * k;
			size_t with = l->style == ROPE_HALVES ? k + l->dim / 2 : 2 * k + 1;
			double a = (double)l->pos[i] * (double)l->freq[k];
			const double *x = l->x + i * l->dim;
			const float *r = l->r + i * l->dim;

			all += (double)r[at] * (x[at] * cos(a) - x[with] * sin(a)) +
			       (double)r[with] * (x[with] * cos(a) + x[at] * sin(a));
		}
	return all;
}

Test(kernels_back, a_rotation_goes_back_by_the_opposite_one)
{
	enum { M = 3, DIM = 10 };
	static const int32_t pos[M] = { 0, 7, 300 };
	struct rng r;
	float freq[DIM / 2], less[DIM / 2];

	rng_seed(&r, 25);
	for (int i = 0; i < DIM / 2; i++) {
		freq[i] = (float)pow(100, -i / 5.0);
		less[i] = -freq[i];
	}
	for (int style = ROPE_HALVES; style <= ROPE_PAIRS; style++) {
		float *x = guarded_floats(&r, M * DIM, 1), *dy = guarded_floats(&r, M * DIM, 1);
		struct turn l = { diff_wide(x, M * DIM), dy, freq, pos, M, DIM, (enum rope_style)style };
		float *dx = guarded(M * DIM * sizeof *dx);

		memcpy(dx, dy, M * DIM * sizeof *dx);
		ref()->rope(dx, DIM, M, 1, DIM, pos, less, (enum rope_style)style);
		cr_expect(diff_by(turn_loss, &l, l.x, M * DIM, dx) < diff_most);
		free(l.x);
		guarded_free_all();
	}
}

/* ---- attention ---- */

struct heads {
	double *q, *k, *v;
	const float *r;
	const struct attn_seq *seqs;
	size_t n;
	const struct attn_shape *shape;
};

/* Row i of sequence s and one head, times r. */
static double head_loss(const struct heads *l, const struct attn_seq *s, size_t i, size_t h)
{
	const struct attn_shape *sh = l->shape;
	size_t dim = sh->head_dim, at = (s->q0 + i) * sh->heads * dim + h * dim;
	size_t kv = s->q0 * sh->kv_heads * dim + h / (sh->heads / sh->kv_heads) * dim;
	size_t from = sh->window && i + 1 > sh->window ? i + 1 - sh->window : 0;
	double sum = 0, out = 0;

	for (size_t j = from; j <= i; j++) {
		double score = 0, value = 0, p;

		for (size_t d = 0; d < dim; d++) {
			size_t key = kv + j * sh->kv_heads * dim + d;

			score += l->q[at + d] * l->k[key];
			value += (double)l->r[at + d] * l->v[key];
		}
		p = exp(score * (double)sh->scale);
		sum += p;
		out += p * value;
	}
	return out / sum;
}

static double heads_loss(const void *arg)
{
	const struct heads *l = arg;
	double all = 0;

	for (size_t s = 0; s < l->n; s++)
		for (size_t i = 0; i < l->seqs[s].m; i++)
			for (size_t h = 0; h < l->shape->heads; h++)
				all += head_loss(l, &l->seqs[s], i, h);
	return all;
}

static void check_attention(const struct attn_shape *sh, struct rng *r)
{
	enum { ROWS = 11 };
	size_t nq = ROWS * sh->heads * sh->head_dim, nk = ROWS * sh->kv_heads * sh->head_dim;
	float *q = guarded_floats(r, nq, 1), *k = guarded_floats(r, nk, 1);
	float *v = guarded_floats(r, nk, 1), *dout = guarded_floats(r, nq, 1);
	float *out = guarded(nq * sizeof *out), *dq = guarded(nq * sizeof *dq);
	float *dk = guarded(nk * sizeof *dk), *dv = guarded(nk * sizeof *dv);
	size_t second = 4 * sh->kv_heads * sh->head_dim;
	const struct attn_seq seqs[2] = { { .q0 = 0, .m = 4, .k = k, .v = v },
		{ .q0 = 4, .m = ROWS - 4, .k = k + second, .v = v + second } };
	struct heads l = { diff_wide(q, nq), diff_wide(k, nk), diff_wide(v, nk), dout, seqs, 2, sh };
	double e;

	ref()->attention(out, q, seqs, 2, sh);
	ref()->attention_back(dq, dk, dv, dout, out, q, seqs, 2, sh);
	e = diff_by(heads_loss, &l, l.q, nq, dq);
	cr_expect(e < diff_most, "q, %zu heads of %zu: %g", sh->heads, sh->head_dim, e);
	e = diff_by(heads_loss, &l, l.k, nk, dk);
	cr_expect(e < diff_most, "k, %zu heads of %zu: %g", sh->heads, sh->head_dim, e);
	e = diff_by(heads_loss, &l, l.v, nk, dv);
	cr_expect(e < diff_most, "v, %zu heads of %zu: %g", sh->heads, sh->head_dim, e);
	free(l.q);
	free(l.k);
	free(l.v);
	guarded_free_all();
}

Test(kernels_back, attention_goes_back_to_queries_keys_and_values, .timeout = 60)
{
	static const struct attn_shape shapes[] = { { 4, 2, 6, 0, 0.4f }, { 2, 2, 4, 3, 0.5f },
		{ 3, 1, 2, 2, 0.7f }, { 1, 1, 66, 0, 0.125f } };
	struct rng r;

	rng_seed(&r, 26);
	for (size_t i = 0; i < COUNT(shapes); i++)
		check_attention(&shapes[i], &r);
}

/* ---- activations ---- */

struct gated {
	double *gate, *up;
	const float *r;
	size_t n;
};

static double gated_loss(const void *arg)
{
	const struct gated *l = arg;
	double all = 0;

	for (size_t i = 0; i < l->n; i++)
		all += (double)l->r[i] * l->gate[i] / (1 + exp(-l->gate[i])) * l->up[i];
	return all;
}

Test(kernels_back, activations_go_back_to_gate_and_up)
{
	enum { N = 50 };
	struct rng r;
	float *gate, *up, *dy, *dgate, *dup;
	struct gated l;

	rng_seed(&r, 27);
	gate = guarded_floats(&r, N, 3);
	up = guarded_floats(&r, N, 1);
	dy = guarded_floats(&r, N, 1);
	dgate = guarded(N * sizeof *dgate);
	dup = guarded(N * sizeof *dup);
	l = (struct gated){ diff_wide(gate, N), diff_wide(up, N), dy, N };
	ref()->swiglu_back(dgate, dup, dy, gate, up, N);
	cr_expect(diff_by(gated_loss, &l, l.gate, N, dgate) < diff_most);
	cr_expect(diff_by(gated_loss, &l, l.up, N, dup) < diff_most);
	free(l.gate);
	free(l.up);
	guarded_free_all();
}

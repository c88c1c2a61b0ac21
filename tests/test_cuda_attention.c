/* test_cuda_attention.c - attention of the CUDA backend on the emulated device, against ref. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"
#include "tests/lib_ops.h"

struct attn_case {
	size_t heads, kv_heads, dim, window;
	size_t m[4], pos[4];
};

/* Keys and values of a sequence on the host, and in *d on the device; rounded: in int8. */
static void keys_and_values(const struct backend *b, struct attn_seq *s, struct attn_seq *d,
	const struct attn_shape *shape, bool rounded, struct rng *r)
{
	size_t n = s->m + s->pos, count = n * shape->kv_heads * shape->head_dim;
	size_t scales = n * shape->kv_heads * sizeof(float);
	int8_t *k8, *v8;
	float *ks, *vs;

	s->k = guarded_floats(r, count, 2);
	s->v = guarded_floats(r, count, 1);
	*d = *s;
	if (!rounded) {
		d->k = there(b, s->k, count * sizeof *s->k);
		d->v = there(b, s->v, count * sizeof *s->v);
		return;
	}
	s->k8 = k8 = guarded(count);
	s->v8 = v8 = guarded(count);
	s->k_scale = ks = guarded(scales);
	s->v_scale = vs = guarded(scales);
	backend_find("ref")->round_kv(k8, ks, s->k, n, shape->kv_heads, shape->head_dim);
	backend_find("ref")->round_kv(v8, vs, s->v, n, shape->kv_heads, shape->head_dim);
	s->k = s->v = d->k = d->v = NULL;
	d->k8 = there(b, k8, count);
	d->v8 = there(b, v8, count);
	d->k_scale = there(b, ks, scales);
	d->v_scale = there(b, vs, scales);
}

static void check_attention(
	const struct backend *b, const struct attn_case *c, bool rounded, struct rng *r)
{
	struct attn_shape shape = { c->heads, c->kv_heads, c->dim, c->window,
		(float)(1 / sqrt((double)c->dim)) };
	struct attn_seq seqs[4] = { 0 }, dev[4];
	size_t n = 0, rows = 0, ld = c->heads * c->dim;
	float *q, *want, *got, *out;
	double e;

	for (; n < 4 && c->m[n]; n++) {
		seqs[n] = (struct attn_seq){ .q0 = rows, .m = c->m[n], .pos = c->pos[n] };
		keys_and_values(b, &seqs[n], &dev[n], &shape, rounded, r);
		rows += c->m[n];
	}
	q = guarded_floats(r, rows * ld, 2);
	want = guarded(rows * ld * sizeof *want);
	backend_find("ref")->attention(want, q, seqs, n, &shape);
	out = there(b, NULL, rows * ld * sizeof *out);
	b->attention(out, there(b, q, rows * ld * sizeof *q), dev, n, &shape);
	got = back(b, out, rows * ld * sizeof *got);
	e = op_relative(got, want, rows * ld, 1);
	cr_expect(e < 1e-5, "%zu/%zu heads of %zu, window %zu, first %zu rows at %zu%s: %g",
		c->heads, c->kv_heads, c->dim, c->window, c->m[0], c->pos[0],
		rounded ? ", int8" : "", e);
	free(got);
	guarded_free_all();
	there_free_all(b);
}

static void check_cases(const struct attn_case *cases, size_t n, uint64_t seed)
{
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, seed);
	for (size_t i = 0; i < n; i++)
		for (int rounded = 0; rounded < 2; rounded++)
			check_attention(b, &cases[i], rounded, &r);
}

Test(cuda_attention, attention_of_few_rows_agrees_with_ref, .timeout = 120)
{
	static const struct attn_case cases[] = {
		{ 1, 1, 16, 0, { 1 }, { 0 } },
		{ 9, 3, 64, 0, { 1 }, { 700 } },
		{ 9, 3, 64, 0, { 2, 1, 8 }, { 127, 128, 60 } },
		{ 4, 4, 24, 0, { 1, 1, 4 }, { 63, 64, 200 } },
		{ 4, 2, 80, 0, { 1, 2 }, { 300, 33 } },
		{ 2, 1, 4, 0, { 1, 3 }, { 70, 0 } },
		{ 4, 4, 8, 0, { 1, 1 }, { 65, 3 } },
		{ 16, 2, 40, 50, { 1, 1 }, { 300, 7 } },
		{ 6, 2, 128, 0, { 1, 5 }, { 260, 15 } },
		{ 2, 1, 256, 0, { 1, 1 }, { 100, 31 } },
		{ 3, 1, 132, 0, { 3 }, { 90 } },
		{ 20, 1, 16, 0, { 1, 3 }, { 64, 9 } }, /* three groups of rows that share keys */
		/* sliding windows: shorter than, as long as and longer than the keys there are */
		{ 2, 1, 64, 1, { 2, 1 }, { 0, 9 } },
		{ 2, 1, 64, 32, { 1, 8, 3 }, { 300, 40, 31 } },
		{ 2, 1, 64, 100, { 1 }, { 700 } },
		{ 2, 1, 64, 1000, { 1 }, { 600 } },
	};

	check_cases(cases, COUNT(cases), 6);
}

Test(cuda_attention, attention_of_many_rows_agrees_with_ref, .timeout = 120)
{
	static const struct attn_case cases[] = {
		{ 2, 1, 64, 0, { 9, 64, 65 }, { 0, 64, 1 } },
		{ 3, 3, 16, 0, { 63, 1, 130 }, { 5, 40, 0 } },
		{ 2, 2, 24, 0, { 40 }, { 100 } },
		{ 2, 1, 80, 0, { 17, 2 }, { 130, 33 } },
		{ 2, 1, 128, 0, { 70 }, { 61 } },
		{ 1, 1, 256, 0, { 33 }, { 50 } },
		{ 1, 1, 136, 0, { 10 }, { 60 } },
		{ 2, 1, 4, 0, { 70 }, { 3 } },
		{ 2, 1, 64, 1, { 70 }, { 0 } },
		{ 2, 1, 64, 32, { 200 }, { 31 } },
		{ 1, 1, 64, 100, { 150 }, { 400 } },
		{ 1, 1, 64, 700, { 20 }, { 600 } },
	};

	check_cases(cases, COUNT(cases), 7);
}

Test(cuda_attention, attention_takes_heads_of_any_width, .timeout = 120)
{
	static const struct attn_case cases[] = {
		{ 2, 2, 1, 0, { 7, 1 }, { 0, 1 } },
		{ 4, 2, 5, 0, { 3, 1 }, { 40, 70 } },
		{ 2, 1, 70, 9, { 12 }, { 30 } },
		{ 2, 1, 257, 0, { 2 }, { 33 } },
		{ 1, 1, 320, 0, { 9, 1 }, { 3, 40 } },
	};

	check_cases(cases, COUNT(cases), 8);
}

/* Values all of one sign, where errors of long sums would add up. */
static void check_long(const struct backend *b, size_t m, size_t keys, size_t dim, struct rng *r)
{
	struct attn_shape shape = { 1, 1, dim, 0, 0.05f };
	struct attn_seq s = { .m = m, .pos = keys - m }, d;
	float *q = guarded_floats(r, m * dim, 1), *k = guarded_floats(r, keys * dim, 1);
	float *v = guarded_floats(r, keys * dim, 1), *want = guarded(m * dim * sizeof *want);
	float *out = there(b, NULL, m * dim * sizeof *out), *got;
	double e;

	for (size_t i = 0; i < keys * dim; i++)
		v[i] = 1 + fabsf(v[i]);
	s.k = k;
	s.v = v;
	d = s;
	d.k = there(b, k, keys * dim * sizeof *k);
	d.v = there(b, v, keys * dim * sizeof *v);
	backend_find("ref")->attention(want, q, &s, 1, &shape);
	b->attention(out, there(b, q, m * dim * sizeof *q), &d, 1, &shape);
	got = back(b, out, m * dim * sizeof *got);
	e = op_relative(got, want, m * dim, 0);
	cr_expect(e < 1e-6, "%zu rows, %zu keys: %g", m, keys, e);
	free(got);
	guarded_free_all();
	there_free_all(b);
}

Test(cuda_attention, thousands_of_keys_lose_no_digits, .timeout = 120)
{
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 9);
	check_long(b, 1, 8192, 32, &r);
	check_long(b, 9, 8192, 32, &r);
	check_long(b, 1, 8192, 7, &r);
}

Test(cuda_attention, attention_survives_scores_beyond_the_range_of_exp, .timeout = 60)
{
	enum { DIM = 64, KEYS = 340 };
	const struct backend *b = cuda_backend();
	struct attn_shape shape = { 1, 1, DIM, 0, 1 };
	struct rng r;

	rng_seed(&r, 10);
	for (size_t m = 1; m < 50; m += 39) {
		struct attn_seq s = { .m = m, .pos = KEYS - m }, d;
		float *q = guarded_floats(&r, m * DIM, 20), *want, *got, *out;

		keys_and_values(b, &s, &d, &shape, false, &r);
		want = guarded(m * DIM * sizeof *want);
		backend_find("ref")->attention(want, q, &s, 1, &shape);
		out = there(b, NULL, m * DIM * sizeof *out);
		b->attention(out, there(b, q, m * DIM * sizeof *q), &d, 1, &shape);
		got = back(b, out, m * DIM * sizeof *got);
		cr_expect(op_relative(got, want, m * DIM, 1) < 1e-3, "%zu", m);
		free(got);
		guarded_free_all();
		there_free_all(b);
	}
}

/* Many sequences of one row with the same keys, and one of eight: their launches are cut. */
static void check_crowd(const struct backend *b, struct rng *r, size_t n,
	const struct attn_shape *shape, size_t keys)
{
	enum { FIRST = 8 };
	struct attn_seq *s = calloc(n, sizeof *s), *d = calloc(n, sizeof *d), whole, all;
	size_t ld = shape->heads * shape->head_dim, count = (n - 1 + FIRST) * ld;
	float *q = guarded_floats(r, count, 1), *want = guarded(count * sizeof *want);
	float *out = there(b, NULL, count * sizeof *out), *got;

	all = (struct attn_seq){ .m = FIRST, .pos = keys - FIRST };
	keys_and_values(b, &all, &whole, shape, false, r);
	s[0] = all;
	d[0] = whole;
	for (size_t i = 1; i < n; i++) {
		s[i] = all;
		d[i] = whole;
		s[i].m = d[i].m = 1;
		s[i].q0 = d[i].q0 = FIRST - 1 + i;
		s[i].pos = d[i].pos = i % keys;
	}
	backend_find("ref")->attention(want, q, s, n, shape);
	b->attention(out, there(b, q, count * sizeof *q), d, n, shape);
	got = back(b, out, count * sizeof *got);
	cr_expect(op_relative(got, want, count, 1) < 1e-5, "%zu sequences of %zu heads", n,
		shape->heads);
	free(got);
	free(s);
	free(d);
	guarded_free_all();
	there_free_all(b);
}

Test(cuda_attention, any_number_of_sequences_is_attended_to, .timeout = 120)
{
	static const struct attn_shape plain = { 1, 1, 8, 0, 0.3f },
				       tickets = { 64, 4, 4, 0, 0.3f },
				       room = { 16, 1, 60, 0, 0.1f };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 11);
	check_crowd(b, &r, 520, &plain, 70);   /* more than travel with a launch */
	check_crowd(b, &r, 300, &tickets, 20); /* more than there are tickets for */
	check_crowd(b, &r, 150, &room, 70);    /* more than there is workspace for */
}

Test(cuda_attention, a_sequence_is_attended_to_alone_as_in_company, .timeout = 60)
{
	enum { ROWS = 40, HEADS = 3, DIM = 64, LD = HEADS * DIM };
	static const size_t m[] = { 1, 4, 30, 2 }, pos[] = { 300, 20, 70, 900 };
	const struct backend *b = cuda_backend();
	struct attn_shape shape = { HEADS, 1, DIM, 0, 0.125f };
	struct attn_seq seqs[4] = { 0 }, dev[4];
	float *q, *dq, *out, *one, *all;
	size_t rows = 0, bytes;
	struct rng r;

	rng_seed(&r, 13);
	for (size_t i = 0; i < 4; i++) {
		seqs[i] = (struct attn_seq){ .q0 = rows, .m = m[i], .pos = pos[i] };
		keys_and_values(b, &seqs[i], &dev[i], &shape, i % 2, &r);
		rows += m[i];
	}
	bytes = rows * LD * sizeof *q;
	q = guarded_floats(&r, rows * LD, 1);
	dq = there(b, q, bytes);
	out = there(b, NULL, bytes);
	b->attention(out, dq, dev, 4, &shape);
	all = back(b, out, bytes);
	out = there(b, NULL, bytes);
	for (size_t i = 0; i < 4; i++)
		b->attention(out, dq, &dev[i], 1, &shape);
	one = back(b, out, bytes);
	cr_expect(!memcmp(one, all, bytes));
	free(one);
	free(all);
	guarded_free_all();
	there_free_all(b);
}

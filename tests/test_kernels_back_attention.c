/* test_kernels_back_attention.c - attention backward in every way this machine can compute it,
 * against ref: packed sequences, windows, shared keys, heads of odd widths, and how far a NaN goes.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_kernels.h"

static const struct backend *ref(void)
{
	return backend_find("ref");
}

struct packed {
	struct attn_shape shape;
	size_t m[4];
};

/* Everything attention_back takes and gives, of one packing. */
struct attn_back {
	struct attn_seq seqs[4];
	size_t n, rows, nq, nk;
	float *q, *k, *v, *dout, *out;
	float *dq, *dk, *dv;
};

static void make(struct attn_back *a, const struct packed *c, struct rng *r)
{
	size_t kv = c->shape.kv_heads * c->shape.head_dim;

	*a = (struct attn_back){ .rows = 1 }; /* the first row is nobody's */
	for (; a->n < 4 && c->m[a->n]; a->n++) {
		a->seqs[a->n] = (struct attn_seq){ .q0 = a->rows, .m = c->m[a->n] };
		a->rows += c->m[a->n];
	}
	a->nq = a->rows * c->shape.heads * c->shape.head_dim;
	a->nk = a->rows * kv;
	a->q = guarded_floats(r, a->nq, 2);
	a->k = guarded_floats(r, a->nk, 2);
	a->v = guarded_floats(r, a->nk, 1);
	a->dout = guarded_floats(r, a->nq, 1);
	a->out = guarded(a->nq * sizeof *a->out);
	for (size_t i = 0; i < a->n; i++) {
		a->seqs[i].k = a->k + a->seqs[i].q0 * kv;
		a->seqs[i].v = a->v + a->seqs[i].q0 * kv;
	}
	ref()->attention(a->out, a->q, a->seqs, a->n, &c->shape);
}

static void go_back(struct attn_back *a, const struct backend *b, const struct attn_shape *shape)
{
	a->dq = guarded(a->nq * sizeof *a->dq);
	a->dk = guarded(a->nk * sizeof *a->dk);
	a->dv = guarded(a->nk * sizeof *a->dv);
	b->attention_back(a->dq, a->dk, a->dv, a->dout, a->out, a->q, a->seqs, a->n, shape);
}

/* The same, `step` rows of each sequence a call. */
static void go_by_pieces(
	struct attn_back *a, const struct backend *b, const struct attn_shape *shape, size_t step)
{
	a->dq = guarded(a->nq * sizeof *a->dq);
	a->dk = guarded(a->nk * sizeof *a->dk);
	a->dv = guarded(a->nk * sizeof *a->dv);
	for (size_t i = 0; i < a->n; i++)
		for (size_t at = 0; at < a->seqs[i].m; at += step) {
			struct attn_seq piece = a->seqs[i];

			piece.q0 += at;
			piece.pos = at;
			piece.m = a->seqs[i].m - at < step ? a->seqs[i].m - at : step;
			b->attention_back(
				a->dq, a->dk, a->dv, a->dout, a->out, a->q, &piece, 1, shape);
		}
}

/* |got - want| / |want|, of those that are somebody's. */
static double apart(const float *got, const float *want, size_t n, size_t rows)
{
	double diff = 0, norm = 1e-30;

	for (size_t i = n / rows; i < n; i++) {
		diff += pow((double)got[i] - (double)want[i], 2);
		norm += pow((double)want[i], 2);
	}
	return sqrt(diff / norm);
}

static const struct packed packings[] = {
	{ { 3, 3, 16, 0, 0.25f }, { 1 } },
	{ { 4, 2, 6, 0, 0.4f }, { 5, 1, 49 } },
	{ { 9, 3, 64, 0, 0.125f }, { 48, 97 } },
	{ { 2, 1, 33, 7, 0.2f }, { 60, 3, 48, 47 } },
	{ { 4, 4, 34, 100, 0.2f }, { 300 } },
	{ { 2, 1, 20, 0, 0.3f }, { 530, 2 } },
	{ { 2, 2, 130, 1, 0.1f }, { 50 } },
};

static void compare(const struct attn_back *got, const struct attn_back *want,
	const struct packed *c, const char *name, size_t i)
{
	double e[3];

	e[0] = apart(got->dq, want->dq, want->nq, want->rows);
	e[1] = apart(got->dk, want->dk, want->nk, want->rows);
	e[2] = apart(got->dv, want->dv, want->nk, want->rows);
	/* a row that sees one key: what cancels is all there is */
	if (c->shape.window == 1 || c->m[0] == 1)
		e[0] = e[1] = 0;
	cr_expect(e[0] < 2e-6 && e[1] < 2e-6 && e[2] < 2e-6, "%s, case %zu: q %g, k %g, v %g", name,
		i, e[0], e[1], e[2]);
	cr_expect(untouched(got->dq, want->nq / want->rows) &&
		  untouched(got->dk, want->nk / want->rows) &&
		  untouched(got->dv, want->nk / want->rows));
}

Test(kernels_back_attention, attention_goes_back_whole_or_a_piece_after_the_other, .timeout = 120)
{
	const struct backend *b;
	const char *name;
	struct rng r;

	rng_seed(&r, 39);
	pool_start(2);
	for (size_t c = 0; c < COUNT(packings); c++) {
		struct attn_back want, got;

		make(&want, &packings[c], &r);
		go_back(&want, ref(), &packings[c].shape);
		got = want;
		for (size_t i = 0; (b = way(i, &name)); i++) {
			go_back(&got, b, &packings[c].shape);
			compare(&got, &want, &packings[c], name, c);
			go_by_pieces(&got, b, &packings[c].shape, 1 + 20 * c);
			compare(&got, &want, &packings[c], name, c);
		}
		go_by_pieces(&got, ref(), &packings[c].shape, 7);
		compare(&got, &want, &packings[c], "ref", c);
		guarded_free_all();
	}
	pool_stop();
}

Test(kernels_back_attention, a_nan_stays_in_its_sequence_and_kv_head, .timeout = 60)
{
	enum { DIM = 16, HEADS = 4, KV = 2 };
	static const struct packed c = { { HEADS, KV, DIM, 0, 0.25f }, { 20, 60, 9 } };
	const struct backend *b;
	const char *name;
	struct attn_back a;
	struct rng r;

	rng_seed(&r, 40);
	pool_start(2);
	make(&a, &c, &r);
	/* sequence 1 begins at row 21; head 2 is the first of kv head 1 */
	a.dout[(21 + 30) * HEADS * DIM + 2 * DIM + 3] = NAN;
	for (size_t i = 0; (b = way(i, &name)); i++) {
		go_back(&a, b, &c.shape);
		/* row 0 is poison, nobody's */
		cr_expect(only_there(a.dq + HEADS * DIM, a.rows - 1, HEADS * DIM, 20, 80, 2 * DIM,
				  3 * DIM),
			"%s", name);
		cr_expect(only_there(a.dk + KV * DIM, a.rows - 1, KV * DIM, 20, 80, DIM, 2 * DIM),
			"%s", name);
		cr_expect(isnan(a.dq[(21 + 30) * HEADS * DIM + 2 * DIM]), "%s", name);
		cr_expect(isnan(a.dv[21 * KV * DIM + DIM + 3]), "%s", name);
	}
	guarded_free_all();
	pool_stop();
}

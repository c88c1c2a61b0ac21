/* lib_scan.c - see lib_scan.h. */
#include "tests/lib_scan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "kernels/cpu/cpu.h"
#include "tests/lib_model.h"

static void quantize(struct setup *s)
{
	struct format f[FORMAT_MAX];
	size_t k;
	struct err e = { 0 };

	cr_assert_eq(format_list(f, &k, "int2g64,int4g128,keep", &e), ST_OK, "%s", e.msg);
	cr_assert_eq(variant_set_alloc(&s->v, s->m->n_linears, f, k, &e), ST_OK);
	for (size_t i = 0; i < s->v.n; i++) {
		const struct linear *l = &s->m->linear[i];
		struct quant_input in = { .rows = l->rows, .cols = l->cols, .backend = s->m->be };
		float *w;

		cr_assert_eq(model_linear_f32(s->m, i, &w, &e), ST_OK);
		in.w = w;
		for (size_t j = 0; j < 2; j++) {
			const struct quantizer *by = quantizer_find("minmax");
			struct qcodes q;

			cr_assert_eq(qcodes_alloc(&q, f[j], l->rows, l->cols, &e), ST_OK);
			cr_assert_eq(by->run(&in, &q, NULL, &e), ST_OK, "%s", e.msg);
			cr_assert_eq(variant_pack(variant_at(&s->v, i, j), &q, by, NAN, &e), ST_OK);
			qcodes_release(&q);
		}
		big_free(w);
	}
}

static void drop_text(struct setup *s)
{
	for (size_t i = 0; i < s->t.n_seq; i++)
		xfree(s->ref[i]);
	xfree(s->ref);
	big_free(s->t.id);
	s->t = (struct token_text){ 0 };
}

void setup_text(struct setup *s, size_t n_seq, size_t len)
{
	int32_t *id = lib_ids(n_seq * len, 256, SETUP_SEED);

	drop_text(s);
	s->t = (struct token_text){ .n_seq = n_seq, .len = len };
	s->t.id = big_array(n_seq * len, sizeof *id, "test text", NULL);
	cr_assert(s->t.id);
	memcpy(s->t.id, id, n_seq * len * sizeof *id);
	s->ref = xarray(n_seq, sizeof *s->ref);
	xfree(id);
}

static const struct leaf *best_leaf(bool x3)
{
	const struct leaf *best = NULL, *l;

	for (size_t i = 0; (l = cpu_leaf_at(i)); i++)
		if (x3 == (l->b16x3.mul != NULL))
			best = l;
	return best;
}

bool setup_x3(void)
{
	const struct leaf *l = best_leaf(true);

	if (l)
		cpu_use(l);
	return l;
}

void setup_float(void)
{
	cpu_use(best_leaf(false));
}

void setup_begin(struct setup *s, size_t n_seq, size_t len)
{
	setup_float();
	*s = (struct setup){ .m = lib_demo("cpu", SETUP_SEED) };
	quantize(s);
	setup_text(s, n_seq, len);
}

void setup_end(struct setup *s)
{
	drop_text(s);
	variant_set_release(&s->v);
	model_free(s->m);
}

struct scan_cell *setup_cells(const struct setup *s, size_t *n)
{
	struct scan_cell *c;

	*n = s->v.n * s->v.k;
	c = xarray(*n, sizeof *c);
	for (size_t i = 0; i < *n; i++)
		c[i] = (struct scan_cell){ .linear = (uint32_t)(i / s->v.k),
			.format = (uint8_t)(i % s->v.k) };
	return c;
}

/* ---- views */

const struct mat *setup_mat(const struct setup *s, size_t linear, size_t fmt)
{
	const struct mat *w = &variant_at(&s->v, linear, fmt)->mat;

	return w->data ? w : s->m->ref[linear];
}

const struct mat **setup_view(const struct setup *s, const struct mat *const *of)
{
	const struct mat **view = xarray(s->m->n_linears, sizeof *view);

	memcpy(view, of ? of : s->m->ref, s->m->n_linears * sizeof *view);
	return view;
}

/* ---- whole forwards, one sequence at a time, KL in plain C */

static float *naive_logits(const struct setup *s, const struct mat *const *view, size_t seq)
{
	const struct hparams *hp = &s->m->hp;
	size_t len = s->t.len;
	float *h = xarray(len * hp->hidden, sizeof *h), *z = xarray(len * hp->vocab, sizeof *z);
	const struct span span = { NULL, len };
	struct fwd *f;
	struct err e = { 0 };

	cr_assert_eq(fwd_new(&f, s->m, len, &e), ST_OK);
	cr_assert_eq(fwd_embed(f, s->t.id + seq * len, len, h, &e), ST_OK);
	cr_assert_eq(fwd_blocks(f, view, 0, hp->layers, h, &span, 1, NULL, NULL, &e), ST_OK);
	cr_assert_eq(fwd_logits(f, h, len, z, NULL, &e), ST_OK);
	fwd_free(f);
	xfree(h);
	return z;
}

static double naive_lse(const float *z, size_t n)
{
	double top = z[0], sum = 0;

	for (size_t j = 1; j < n; j++)
		top = z[j] > top ? z[j] : top;
	for (size_t j = 0; j < n; j++)
		sum += exp(z[j] - top);
	return top + log(sum);
}

static size_t naive_top(const float *z, size_t n)
{
	size_t top = 0;

	for (size_t j = 1; j < n; j++)
		top = z[j] > z[top] ? j : top;
	return top;
}

/* kl [len] of one sequence; adds to how often the largest logits agree. */
static void naive_seq(
	const struct setup *s, const struct mat *const *view, size_t seq, double *kl, double *same)
{
	size_t vocab = s->m->hp.vocab;
	float *q = naive_logits(s, view, seq);

	if (!s->ref[seq])
		s->ref[seq] = naive_logits(s, s->m->ref, seq);
	for (size_t r = 0; r < s->t.len; r++) {
		const float *zp = s->ref[seq] + r * vocab, *zq = q + r * vocab;
		double lp = naive_lse(zp, vocab), lq = naive_lse(zq, vocab);

		kl[r] = 0;
		for (size_t j = 0; j < vocab; j++)
			kl[r] += exp(zp[j] - lp) * ((zp[j] - lp) - (zq[j] - lq));
		*same += naive_top(zp, vocab) == naive_top(zq, vocab);
	}
	xfree(q);
}

static double *naive_rows(const struct setup *s, const struct mat *const *view, double *same)
{
	double *kl = xarray(s->t.n_seq * s->t.len, sizeof *kl);

	for (size_t i = 0; i < s->t.n_seq; i++)
		naive_seq(s, view, i, kl + i * s->t.len, same);
	return kl;
}

/* The mean, and its error from the sums of pieces of `piece` values. */
static void naive_mean(const double *kl, size_t rows, size_t piece, double *mean, double *se)
{
	double sum = 0, squares = 0;
	size_t pieces = 0;

	for (size_t i = 0; i < rows; i++)
		sum += kl[i];
	*mean = sum / (double)rows;
	for (size_t i = 0; i < rows; i += piece, pieces++) {
		size_t n = rows - i < piece ? rows - i : piece;
		double d = -*mean * (double)n;

		for (size_t j = 0; j < n; j++)
			d += kl[i + j];
		squares += d * d;
	}
	*se = sqrt(squares / (double)(pieces - 1) * (double)pieces) / (double)rows;
}

struct scan_cell naive_view(const struct setup *s, const struct mat *const *base,
	const struct mat *const *view, size_t piece)
{
	size_t rows = s->t.n_seq * s->t.len;
	double same = 0, ignored = 0;
	double *kl = naive_rows(s, view, &same);
	struct scan_cell c = { .top1 = same / (double)rows };

	naive_mean(kl, rows, piece, &c.kl, &c.se);
	if (base) {
		double *less = naive_rows(s, base, &ignored);

		for (size_t i = 0; i < rows; i++)
			kl[i] -= less[i];
		xfree(less);
	}
	naive_mean(kl, rows, piece, &c.delta, &c.delta_se);
	xfree(kl);
	return c;
}

struct scan_cell naive_cell(const struct setup *s, const struct mat *const *base, size_t linear,
	size_t fmt, size_t piece)
{
	const struct mat **view = setup_view(s, base);
	struct scan_cell c;

	view[linear] = setup_mat(s, linear, fmt);
	c = naive_view(s, base, view, piece);
	xfree(view);
	return c;
}

/* ---- what a scan tells */

struct seen seen_new(size_t max)
{
	return (struct seen){ .cell = xarray(max, sizeof(struct scan_cell)), .max = max };
}

void seen_done(void *arg, const struct scan_cell *c)
{
	struct seen *s = arg;

	cr_assert_lt(s->n, s->max);
	s->cell[s->n++] = *c;
}

void expect_cell(const struct scan_cell *got, const struct scan_cell *want)
{
	cr_assert_float_eq(got->kl, want->kl, 1e-6, "linear %u format %d: %.9g, whole forward %.9g",
		(unsigned)got->linear, got->format, got->kl, want->kl);
	cr_assert_float_eq(got->top1, want->top1, 1e-9);
	cr_assert_float_eq(got->se, want->se, 1e-6);
	cr_assert_float_eq(got->delta, want->delta, 1e-6, "linear %u format %d: %.9g, not %.9g",
		(unsigned)got->linear, got->format, got->delta, want->delta);
	cr_assert_float_eq(got->delta_se, want->delta_se, 1e-6);
}

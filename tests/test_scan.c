/* test_scan.c - what a scan measures is what the whole model would have shown. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/search/scan.h"
#include "tests/lib_model.h"

enum { FORMATS = 3, SEED = 11 }; /* int2g64, int4g128, keep */

struct setup {
	struct model *m;
	struct variant_set v;
	struct token_text t;
	float **ref; /* [n_seq]: the reference's logits once asked for */
};

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

static void make_text(struct setup *s, size_t n_seq, size_t len)
{
	int32_t *id = lib_ids(n_seq * len, 256, SEED);

	drop_text(s);
	s->t = (struct token_text){ .n_seq = n_seq, .len = len };
	s->t.id = big_array(n_seq * len, sizeof *id, "test text", NULL);
	cr_assert(s->t.id);
	memcpy(s->t.id, id, n_seq * len * sizeof *id);
	s->ref = xarray(n_seq, sizeof *s->ref);
	xfree(id);
}

static void begin(struct setup *s, size_t n_seq, size_t len)
{
	*s = (struct setup){ .m = lib_demo("cpu", SEED) };
	quantize(s);
	make_text(s, n_seq, len);
}

static void end(struct setup *s)
{
	drop_text(s);
	variant_set_release(&s->v);
	model_free(s->m);
}

/* Every (linear, format), formats innermost. */
static struct scan_cell *all_cells(const struct setup *s, size_t *n)
{
	struct scan_cell *c;

	*n = s->v.n * s->v.k;
	c = xarray(*n, sizeof *c);
	for (size_t i = 0; i < *n; i++)
		c[i] = (struct scan_cell){ .linear = (uint32_t)(i / s->v.k),
			.format = (uint8_t)(i % s->v.k) };
	return c;
}

/* ---- the same by whole forwards, one sequence at a time, KL in plain C */

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

/* Means over all tokens; the error of the mean from the sums of pieces of `piece` tokens. */
static struct scan_cell naive_view(
	const struct setup *s, const struct mat *const *view, size_t piece)
{
	size_t rows = s->t.n_seq * s->t.len, pieces = 0;
	double *kl = xarray(rows, sizeof *kl), sum = 0, same = 0, squares = 0;
	struct scan_cell c = { 0 };

	for (size_t i = 0; i < s->t.n_seq; i++)
		naive_seq(s, view, i, kl + i * s->t.len, &same);
	for (size_t i = 0; i < rows; i++)
		sum += kl[i];
	c.kl = sum / (double)rows;
	c.top1 = same / (double)rows;
	for (size_t i = 0; i < rows; i += piece, pieces++) {
		size_t n = rows - i < piece ? rows - i : piece;
		double d = -c.kl * (double)n;

		for (size_t j = 0; j < n; j++)
			d += kl[i + j];
		squares += d * d;
	}
	c.se = sqrt(squares / (double)(pieces - 1) * (double)pieces) / (double)rows;
	xfree(kl);
	return c;
}

static struct scan_cell naive_cell(const struct setup *s, size_t linear, size_t fmt, size_t piece)
{
	const struct mat **view = xarray(s->m->n_linears, sizeof *view);
	struct scan_cell c;

	memcpy(view, s->m->ref, s->m->n_linears * sizeof *view);
	if (variant_at(&s->v, linear, fmt)->mat.data)
		view[linear] = &variant_at(&s->v, linear, fmt)->mat;
	c = naive_view(s, view, piece);
	xfree(view);
	return c;
}

/* ---- scans */

struct seen {
	struct scan_cell *cell;
	size_t n, max;
};

static void on_done(void *arg, const struct scan_cell *c)
{
	struct seen *s = arg;

	cr_assert_lt(s->n, s->max);
	s->cell[s->n++] = *c;
}

static void on_nothing(void *arg, const struct scan_cell *c)
{
	(void)arg;
	(void)c;
}

static struct seen seen_new(size_t max)
{
	return (struct seen){ .cell = xarray(max, sizeof(struct scan_cell)), .max = max };
}

static void expect_cell(const struct scan_cell *got, const struct scan_cell *want)
{
	cr_assert_float_eq(got->kl, want->kl, 1e-6, "linear %u format %d: %.9g, whole forward %.9g",
		(unsigned)got->linear, got->format, got->kl, want->kl);
	cr_assert_float_eq(got->top1, want->top1, 1e-9);
	cr_assert_float_eq(got->se, want->se, 1e-6);
}

Test(scan, every_cell_equals_a_whole_forward_with_that_linear_swapped)
{
	struct setup s;
	struct scan_cell *cells;
	struct seen seen;
	struct scan *sc;
	struct err e = { 0 };
	double most = 0;
	size_t n;

	begin(&s, 3, 10);
	cells = all_cells(&s, &n);
	seen = seen_new(n);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(scan_cells(sc, &s.v, cells, n, on_done, &seen, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(seen.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct scan_cell *got = &seen.cell[i];
		struct scan_cell want = naive_cell(&s, got->linear, got->format, s.t.len);

		expect_cell(got, &want);
		most = got->kl > most ? got->kl : most;
		if (got->format == 2)
			cr_assert(got->kl == 0 && got->se == 0 && got->top1 == 1);
	}
	cr_assert_gt(most, 1e-3, "nothing was damaged, so nothing was tested");
	scan_free(sc);
	xfree(seen.cell);
	xfree(cells);
	end(&s);
}

/* 1,440 rows: more than a batch, and too many for the reference's logits to be kept. */
Test(scan, a_text_of_many_rows_is_taken_in_turns)
{
	static const struct scan_cell cells[] = { { .linear = 27 }, { .linear = 16, .format = 1 } };
	struct setup s;
	struct seen seen = seen_new(2);
	struct scan *sc;
	struct err e = { 0 };

	begin(&s, 30, 48);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(scan_cells(sc, &s.v, cells, 2, on_done, &seen, NULL, &e), ST_OK);
	for (size_t i = 0; i < 2; i++) {
		struct scan_cell want = naive_cell(&s, cells[i].linear, cells[i].format, s.t.len);

		cr_assert_eq(seen.cell[i].linear, cells[i].linear);
		expect_cell(&seen.cell[i], &want);
	}
	scan_free(sc);
	xfree(seen.cell);
	end(&s);
}

Test(scan, a_whole_view_is_measured_against_the_reference)
{
	struct setup s;
	const struct mat **view;
	struct scan_cell got, want;
	struct scan *sc;

	begin(&s, 4, 20);
	view = xarray(s.m->n_linears, sizeof *view);
	for (size_t i = 0; i < s.m->n_linears; i++)
		view[i] = &variant_at(&s.v, i, i % 2)->mat;
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
	cr_assert_eq(scan_view(sc, view, &got, NULL, NULL), ST_OK);
	want = naive_view(&s, view, s.t.len);
	expect_cell(&got, &want);
	cr_assert_eq(scan_view(sc, s.m->ref, &got, NULL, NULL), ST_OK);
	cr_assert_float_eq(got.kl, 0, 1e-9);
	cr_assert_eq(got.top1, 1);
	scan_free(sc);
	xfree(view);
	end(&s);
}

/* Pieces of 64 tokens, the last one of 20; of 8 where there are no two of 64. */
Test(scan, a_lone_sequence_gives_a_standard_error_over_its_pieces)
{
	static const size_t len[] = { 148, 64 }, piece[] = { 64, 8 };
	const struct scan_cell one = { .linear = 3 };
	struct setup s;

	begin(&s, 1, 1);
	for (size_t i = 0; i < 2; i++) {
		struct seen seen = seen_new(1);
		struct scan_cell want;
		struct scan *sc;

		make_text(&s, 1, len[i]);
		want = naive_cell(&s, one.linear, one.format, piece[i]);
		cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
		cr_assert_eq(scan_cells(sc, &s.v, &one, 1, on_done, &seen, NULL, NULL), ST_OK);
		expect_cell(&seen.cell[0], &want);
		cr_assert_gt(want.se, 1e-5);
		scan_free(sc);
		xfree(seen.cell);
	}
	end(&s);
}

Test(scan, cells_are_reported_in_the_order_given_and_a_resumed_scan_goes_on_from_there)
{
	struct setup s;
	struct scan_cell *cells;
	struct seen whole, parts;
	struct scan *sc;
	size_t n;

	begin(&s, 2, 8); /* 24 cells a batch */
	cells = all_cells(&s, &n);
	for (size_t i = 0; i < n; i++) { /* blocks in no order at all */
		size_t j = i * 37 % n;
		struct scan_cell c = cells[i];

		cells[i] = cells[j];
		cells[j] = c;
	}
	whole = seen_new(n);
	parts = seen_new(n);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
	cr_assert_eq(scan_cells(sc, &s.v, cells, n, on_done, &whole, NULL, NULL), ST_OK);
	scan_free(sc);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, NULL), ST_OK);
	cr_assert_eq(scan_cells(sc, &s.v, cells, 31, on_done, &parts, NULL, NULL), ST_OK);
	cr_assert_eq(parts.n, 31);
	cr_assert_eq(scan_cells(sc, &s.v, cells + 31, n - 31, on_done, &parts, NULL, NULL), ST_OK);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(whole.cell[i].linear, cells[i].linear, "cell %zu", i);
		cr_assert_eq(whole.cell[i].format, cells[i].format, "cell %zu", i);
		cr_assert_eq(parts.cell[i].linear, cells[i].linear, "cell %zu", i);
		cr_assert_eq(parts.cell[i].format, cells[i].format, "cell %zu", i);
		cr_assert_float_eq(parts.cell[i].kl, whole.cell[i].kl, 1e-9);
	}
	scan_free(sc);
	xfree(whole.cell);
	xfree(parts.cell);
	xfree(cells);
	end(&s);
}

Test(scan, a_stop_ends_it_at_any_poll_and_no_cell_is_told_twice)
{
	struct setup s;
	struct scan_cell *cells;
	struct lib_stop stop;
	struct scan *sc;
	struct err e;
	unsigned long polls;
	size_t n;

	begin(&s, 2, 8);
	cells = all_cells(&s, &n);
	lib_stop_init(&stop, 0);
	cr_assert_eq(scan_new(&sc, s.m, &s.t, &stop.sink, &e), ST_OK);
	scan_free(sc);
	polls = stop.polls;
	cr_assert_gt(polls, 4 * 7);
	for (unsigned long at = 1; at <= polls; at += 13) {
		lib_stop_init(&stop, at);
		cr_assert_eq(scan_new(&sc, s.m, &s.t, &stop.sink, &e), ST_CANCELLED);
		cr_assert_null(sc);
		cr_assert_eq(stop.polls, at, "it went on after the stop");
	}
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK);
	lib_stop_init(&stop, 0);
	cr_assert_eq(scan_cells(sc, &s.v, cells, n, on_nothing, NULL, &stop.sink, &e), ST_OK);
	polls = stop.polls;
	for (unsigned long at = 1; at < polls; at += polls / 6) {
		struct seen seen = seen_new(n);

		lib_stop_init(&stop, at);
		cr_assert_eq(scan_cells(sc, &s.v, cells, n, on_done, &seen, &stop.sink, &e),
			ST_CANCELLED, "poll %lu", at);
		cr_assert_eq(stop.polls, at);
		cr_assert_lt(seen.n, n);
		for (size_t i = 0; i < seen.n; i++)
			for (size_t j = 0; j < i; j++)
				cr_assert(seen.cell[i].linear != seen.cell[j].linear ||
					  seen.cell[i].format != seen.cell[j].format);
		xfree(seen.cell);
	}
	scan_free(sc);
	xfree(cells);
	end(&s);
}

Test(scan, what_cannot_be_scanned_is_refused_by_name)
{
	const struct scan_cell cell = { .linear = 4, .format = 1 }, far = { .linear = 400 };
	struct setup s;
	struct seen seen = seen_new(1);
	struct token_text none = { 0 }, huge = { .n_seq = (size_t)1 << 34, .len = 64 };
	struct scan *sc;
	struct err e;

	begin(&s, 2, 8);
	cr_assert_eq(scan_new(&sc, s.m, &none, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "has no tokens"), "%s", e.msg);
	cr_assert_eq(scan_new(&sc, s.m, &huge, NULL, &e), ST_NOMEM);
	cr_assert(strstr(e.msg, "keeps 5 hidden states of 64 values"), "%s", e.msg);
	s.t.id[3] = 100000;
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_INVALID);
	s.t.id[3] = 3;
	cr_assert_eq(scan_new(&sc, s.m, &s.t, NULL, &e), ST_OK);
	cr_assert_eq(scan_cells(sc, &s.v, &far, 1, on_done, &seen, NULL, &e), ST_INVALID);
	variant_release(variant_at(&s.v, 4, 1));
	cr_assert_eq(scan_cells(sc, &s.v, &cell, 1, on_done, &seen, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "layers.0.gate has no variant in int4g128"), "%s", e.msg);
	cr_assert_eq(seen.n, 0);
	scan_free(sc);
	xfree(seen.cell);
	end(&s);
}

Test(scan, every_allocation_that_fails_is_an_answer)
{
	struct setup s;
	struct scan *sc = NULL;
	struct moments mo;
	enum st st = ST_NOMEM;
	struct err e;
	unsigned long i;

	begin(&s, 2, 8);
	for (i = 1; st == ST_NOMEM && i < 100; i++) {
		alloc_fail_at(i, false);
		st = scan_new(&sc, s.m, &s.t, NULL, &e);
	}
	alloc_fail_at(0, false);
	cr_assert_eq(st, ST_OK);
	cr_assert_gt(i, 4);
	scan_free(sc);
	st = ST_NOMEM;
	for (i = 1; st == ST_NOMEM && i < 100; i++) {
		alloc_fail_at(i, false);
		st = moments_gather(&mo, s.m, &s.t, NULL, &e);
		cr_assert(!st || !mo.h);
	}
	alloc_fail_at(0, false);
	cr_assert_eq(st, ST_OK);
	cr_assert_gt(i, 16);
	moments_free(&mo);
	end(&s);
}

/* ---- first score and moments, against sums over the inputs of one sequence at a time */

struct inputs {
	const struct setup *s;
	float *q;        /* the variant of a linear as float, or NULL */
	size_t linear;   /* listened to */
	double num, den; /* of the first score */
	double *moment;  /* [cols][cols], or NULL */
};

static void on_linear(void *arg, size_t linear, const float *x, const float *y, size_t rows)
{
	struct inputs *in = arg;
	const struct linear *l = &in->s->m->linear[in->linear];

	if (linear != in->linear)
		return;
	for (size_t r = 0; r < rows; r++, x += l->cols, y += l->rows) {
		double norm = 0;

		for (size_t o = 0; in->q && o < l->rows; o++) {
			double sum = 0;

			for (size_t c = 0; c < l->cols; c++)
				sum += (double)x[c] * in->q[o * l->cols + c];
			in->num += (sum - y[o]) * (sum - y[o]);
			in->den += (double)y[o] * y[o];
		}
		for (size_t c = 0; c < l->cols; c++)
			norm += (double)x[c] * x[c];
		for (size_t c = 0; in->moment && c < l->cols * l->cols; c++)
			in->moment[c] += x[c / l->cols] * (double)x[c % l->cols] / norm;
	}
}

static void listen(struct inputs *in)
{
	const struct setup *s = in->s;
	size_t len = s->t.len;
	float *h = xarray(len * s->m->hp.hidden, sizeof *h);
	const struct span span = { NULL, len };
	const struct tap tap = { on_linear, in };
	struct fwd *f;

	cr_assert_eq(fwd_new(&f, s->m, len, NULL), ST_OK);
	for (size_t i = 0; i < s->t.n_seq; i++) {
		cr_assert_eq(fwd_embed(f, s->t.id + i * len, len, h, NULL), ST_OK);
		cr_assert_eq(
			fwd_blocks(f, s->m->ref, 0, s->m->hp.layers, h, &span, 1, &tap, NULL, NULL),
			ST_OK);
	}
	fwd_free(f);
	xfree(h);
}

static void on_block(void *arg, size_t layer)
{
	size_t *next = arg;

	cr_assert_eq(layer, *next);
	++*next;
}

Test(first_score, is_the_output_error_over_the_output_energy)
{
	struct setup s;
	double err[64 * FORMATS];
	size_t blocks = 0;
	struct err e;

	begin(&s, 3, 40);
	variant_release(variant_at(&s.v, 5, 0));
	cr_assert_eq(scan_first_score(err, s.m, &s.v, &s.t, on_block, &blocks, NULL, &e), ST_OK);
	cr_assert_eq(blocks, s.m->hp.layers);
	cr_assert(isnan(err[5 * FORMATS]));
	for (size_t i = 0; i < s.m->n_linears; i += 3) {
		const struct mat *v = &variant_at(&s.v, i, i % 2)->mat;
		struct inputs in = { .s = &s, .linear = i };

		in.q = xarray(v->rows * v->cols, sizeof *in.q);
		for (size_t r = 0; r < v->rows; r++)
			mat_row_f32(v, r, in.q + r * v->cols);
		listen(&in);
		cr_assert_float_eq(err[i * FORMATS + i % 2], in.num / in.den,
			1e-4 * in.num / in.den, "linear %zu", i);
		cr_assert_eq(err[i * FORMATS + 2], 0);
		xfree(in.q);
	}
	end(&s);
}

Test(first_score, stops_at_any_poll)
{
	struct setup s;
	double err[64 * FORMATS];
	struct lib_stop stop;
	struct err e;

	begin(&s, 2, 8);
	for (unsigned long at = 1; at < 80; at += 6) {
		lib_stop_init(&stop, at);
		cr_assert_eq(scan_first_score(err, s.m, &s.v, &s.t, NULL, NULL, &stop.sink, &e),
			ST_CANCELLED);
	}
	end(&s);
}

Test(moments, are_sums_over_tokens_scaled_to_norm_1)
{
	static const enum linear_kind kind[SITES] = { LINEAR_V, LINEAR_O, LINEAR_UP, LINEAR_DOWN };
	struct setup s;
	struct moments mo;
	struct err e;

	begin(&s, 22, 50); /* 1,100 rows: two turns */
	cr_assert_eq(moments_gather(&mo, s.m, &s.t, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(mo.tokens, 1100);
	cr_assert_eq(mo.n, s.m->hp.layers * SITES);
	for (size_t site = 0; site < SITES; site++) {
		size_t layer = site % s.m->hp.layers, i = layer * LINEAR_KINDS + kind[site];
		size_t cols = s.m->linear[i].cols;
		struct inputs in = { .s = &s, .linear = i };
		const float *h = mo.h[layer * SITES + site];
		double trace = 0;

		in.moment = xarray(cols * cols, sizeof *in.moment);
		listen(&in);
		for (size_t c = 0; c < cols * cols; c++)
			cr_assert_float_eq(h[c], in.moment[c], 1e-3);
		for (size_t c = 0; c < cols; c++)
			trace += h[c * cols + c];
		cr_assert_float_eq(trace, 1100, 1e-2);
		xfree(in.moment);
	}
	moments_free(&mo);
	cr_assert_null(mo.h);
	end(&s);
}

Test(moments, stop_at_any_poll)
{
	struct setup s;
	struct moments mo;
	struct lib_stop stop;

	begin(&s, 2, 8);
	for (unsigned long at = 1; at < 40; at += 3) {
		lib_stop_init(&stop, at);
		cr_assert_eq(moments_gather(&mo, s.m, &s.t, &stop.sink, NULL), ST_CANCELLED);
		cr_assert_null(mo.h);
	}
	end(&s);
}

/* ---- ranks */

Test(rank, correlation_is_spearman_s_with_ties_averaged)
{
	static const double a[] = { 10, 20, 30, 40, 50 }, b[] = { 2, 1, 4, 3, 5 };
	static const double c[] = { 1, 2, 2, 3 }, d[] = { 1, 2, 3, 4 };
	static const double x[] = { 1, NAN, 3, 2 }, y[] = { 5, 1, 9, NAN };

	/* 1 - 6 * (1 + 1 + 1 + 1 + 0) / (5 * 24) */
	cr_assert_float_eq(rank_correlation(a, b, 5), 0.8, 1e-12);
	/* ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5) */
	cr_assert_float_eq(rank_correlation(c, d, 4), 0.94868329805051377, 1e-12);
	cr_assert_float_eq(rank_correlation(d, (double[]){ 4, 3, 2, 1 }, 4), -1, 1e-12);
	cr_assert_float_eq(rank_correlation(x, y, 4), 1, 1e-12);
	cr_assert(isnan(rank_correlation(a, b, 1)));
	cr_assert(isnan(rank_correlation(a, b, 0)));
	cr_assert(isnan(rank_correlation((double[]){ 3, 3, 3 }, b, 3)));
}

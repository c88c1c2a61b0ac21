/* bench_scan.c - seconds a cell of the scan takes: by a whole forward, from kept states one
 * cell at a time, and with all cells in batches.  Prints one JSON object; the default model,
 * or $MODEL.
 *
 *	bench_scan [TOKENS [CELLS [SEQUENCE]]]
 *
 * Cells are spread over the blocks, all int2g64 by minmax; the text is random ids (its
 * content takes no time) in sequences of 64.  The reference's logits are kept for all three
 * and no part of the times.  Whole forwards and single cells take turns, so that what else
 * the machine does meets both. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/rng.h"
#include "core/search/scan.h"

enum { BATCH = 1344, HEAD = 168, LOOK = 12 }; /* rows in the blocks, the head, at the logits */

static const char low[] = "int2g64";

struct bench {
	struct model *m;
	struct variant_set v;
	struct token_text t;
	size_t rows, n;
	struct scan_cell *cell;
	double *whole, *single, *wave; /* [n]: KL */
	size_t told;
	/* whole forwards */
	struct fwd *f;
	struct span *span;
	float *h, *zp, *zq; /* [rows][hidden], [rows][vocab], [HEAD][vocab] */
	double *lse;        /* [rows] */
};

static void check(enum st st, const struct err *e)
{
	if (!st)
		return;
	fprintf(stderr, "bench_scan: %s\n", e->msg);
	exit(1);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- the longest time of this thread's own work between two looks at the stop token */

static double last_look, worst_look;

static double own_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool poll(const struct sink *s)
{
	double now = own_now();

	(void)s;
	worst_look = fmax(worst_look, now - last_look);
	last_look = now;
	return false;
}

/* ---- what is measured */

static char *model_path(void)
{
	const char *named = getenv("MODEL");
	char *data = fs_place(FS_DATA), *path;

	path = named ? xstrdup(named) : xprintf("%s/models/SmolLM2-135M-Instruct.Q4_1.gguf", data);
	xfree(data);
	return path;
}

static void open_model(struct bench *b, const char *path)
{
	struct checkpoint *ck;
	struct err e = { 0 };

	check(checkpoint_open(&ck, path, &e), &e);
	check(model_load(&b->m, ck, backend_best(), NULL, &e), &e);
}

static void make_text(struct bench *b, size_t tokens, size_t len)
{
	struct rng r;
	struct err e = { 0 };

	b->t.len = least(len, tokens);
	b->t.n_seq = tokens / b->t.len;
	b->rows = b->t.n_seq * b->t.len;
	b->t.id = big_array(b->rows, sizeof *b->t.id, "text", &e);
	check(b->t.id ? ST_OK : ST_NOMEM, &e);
	rng_seed(&r, 7);
	for (size_t i = 0; i < b->rows; i++)
		b->t.id[i] = (int32_t)rng_below(&r, (uint32_t)b->m->hp.vocab);
}

static void quantize(struct bench *b, size_t linear)
{
	const struct quantizer *by = quantizer_find("minmax");
	const struct linear *l = &b->m->linear[linear];
	struct quant_input in = { .rows = l->rows, .cols = l->cols, .backend = b->m->be };
	struct qcodes q;
	struct err e = { 0 };
	float *w;

	check(model_linear_f32(b->m, linear, &w, &e), &e);
	in.w = w;
	check(qcodes_alloc(&q, b->v.format[0], l->rows, l->cols, &e), &e);
	check(by->run(&in, &q, NULL, &e), &e);
	check(variant_pack(variant_at(&b->v, linear, 0), &q, by, NAN, &e), &e);
	qcodes_release(&q);
	big_free(w);
}

static void make_cells(struct bench *b, size_t n)
{
	size_t all = b->m->n_linears;
	struct format f;
	struct err e = { 0 };

	b->n = n > all ? all : n;
	b->cell = xarray(b->n, sizeof *b->cell);
	b->whole = xarray(b->n, sizeof *b->whole);
	b->single = xarray(b->n, sizeof *b->single);
	b->wave = xarray(b->n, sizeof *b->wave);
	check(format_parse(&f, low, &e), &e);
	check(variant_set_alloc(&b->v, all, &f, 1, &e), &e);
	for (size_t i = 0; i < b->n; i++) {
		size_t linear = (2 * i + 1) * all / (2 * b->n);

		b->cell[i].linear = (uint32_t)linear;
		quantize(b, linear);
	}
}

/* ---- whole forwards */

static float *floats(const struct bench *b, size_t rows, size_t cols)
{
	float *p = b->m->be->alloc(rows * cols * sizeof *p);

	if (!p) {
		fprintf(stderr, "bench_scan: no room for %zu rows of %zu values\n", rows, cols);
		exit(1);
	}
	return p;
}

static void whole_states(struct bench *b, const struct mat *const *view)
{
	size_t len = b->t.len, at_once = BATCH > len ? BATCH / len : 1, n;
	struct err e = { 0 };

	check(fwd_embed(b->f, b->t.id, b->rows, b->h, &e), &e);
	for (size_t q = 0; q < b->t.n_seq; q += n) {
		n = least(b->t.n_seq - q, at_once);
		check(fwd_blocks(b->f, view, 0, b->m->hp.layers, b->h + q * len * b->m->hp.hidden,
			      b->span, n, NULL, NULL, &e),
			&e);
	}
}

static void whole_begin(struct bench *b)
{
	const struct hparams *hp = &b->m->hp;
	size_t rows = b->t.len > BATCH ? b->t.len : BATCH, n;
	struct err e = { 0 };

	check(fwd_new(&b->f, b->m, rows, &e), &e);
	fwd_set_math(b->f, MATH_BF16X3); /* as a scan's */
	b->span = xarray(rows / b->t.len, sizeof *b->span);
	for (size_t i = 0; i < rows / b->t.len; i++)
		b->span[i] = (struct span){ NULL, b->t.len };
	b->h = floats(b, b->rows, hp->hidden);
	b->zp = floats(b, b->rows, hp->vocab);
	b->zq = floats(b, HEAD, hp->vocab);
	b->lse = xarray(b->rows, sizeof *b->lse);
	whole_states(b, b->m->ref);
	for (size_t r = 0; r < b->rows; r += n) {
		n = least(b->rows - r, HEAD);
		check(fwd_logits(b->f, b->h + r * hp->hidden, n, b->zp + r * hp->vocab, NULL, &e),
			&e);
	}
	b->m->be->row_stats(b->lse, NULL, b->zp, b->rows, hp->vocab);
}

static double whole_cell(struct bench *b, const struct scan_cell *c)
{
	const struct hparams *hp = &b->m->hp;
	const struct mat **view = xarray(b->m->n_linears, sizeof *view);
	double kl[LOOK], lse[LOOK], sum = 0;
	size_t n, k;
	struct err e = { 0 };

	memcpy(view, b->m->ref, b->m->n_linears * sizeof *view);
	view[c->linear] = &variant_at(&b->v, c->linear, c->format)->mat;
	whole_states(b, view);
	for (size_t r = 0; r < b->rows; r += n) {
		n = least(b->rows - r, HEAD);
		check(fwd_logits(b->f, b->h + r * hp->hidden, n, b->zq, NULL, &e), &e);
		for (size_t i = 0; i < n; i += k) {
			const float *zq = b->zq + i * hp->vocab;

			k = least(n - i, LOOK);
			b->m->be->row_stats(lse, NULL, zq, k, hp->vocab);
			b->m->be->kl(kl, b->zp + (r + i) * hp->vocab, b->lse + r + i, zq, lse, k,
				hp->vocab);
			for (size_t j = 0; j < k; j++)
				sum += kl[j];
		}
	}
	xfree(view);
	return sum / (double)b->rows;
}

static void whole_end(struct bench *b)
{
	fwd_free(b->f);
	b->m->be->free(b->h);
	b->m->be->free(b->zp);
	b->m->be->free(b->zq);
	xfree(b->lse);
	xfree(b->span);
}

/* ---- from kept states */

static void on_single(void *arg, const struct scan_cell *c)
{
	struct bench *b = arg;

	b->single[b->told++] = c->kl;
}

static void on_wave(void *arg, const struct scan_cell *c)
{
	struct bench *b = arg;

	b->wave[b->told++] = c->kl;
}

static void measure(struct bench *b)
{
	const struct sink s = { .poll = poll };
	double whole = 0, single = 0, wave, begin = clock_now(), worst = 0, n = (double)b->n;
	struct scan *sc;
	struct err e = { 0 };

	check(scan_new(&sc, b->m, &b->t, NULL, &e), &e);
	begin = clock_now() - begin;
	whole_begin(b);
	for (size_t i = 0; i < b->n; i++) {
		double t0 = clock_now(), t1;

		b->whole[i] = whole_cell(b, &b->cell[i]);
		t1 = clock_now();
		check(scan_cells(sc, &b->v, &b->cell[i], 1, on_single, b, NULL, &e), &e);
		single += clock_now() - t1;
		whole += t1 - t0;
	}
	whole_end(b);
	b->told = 0;
	last_look = own_now();
	wave = clock_now();
	check(scan_cells(sc, &b->v, b->cell, b->n, on_wave, b, &s, &e), &e);
	wave = clock_now() - wave;
	scan_free(sc);
	for (size_t i = 0; i < b->n; i++)
		worst = fmax(worst,
			fmax(fabs(b->whole[i] - b->single[i]), fabs(b->whole[i] - b->wave[i])));
	printf("{\"bench\":\"scan\",\"tokens\":%zu,\"sequence\":%zu,\"cells\":%zu,\"begin_s\":%.2f,"
	       "\"whole_s\":%.3f,\"prefix_s\":%.3f,\"wave_s\":%.3f,\"whole_over_prefix\":%.2f,"
	       "\"whole_over_wave\":%.2f,\"prefix_over_wave\":%.2f,\"worst_poll_cpu_ms\":%.1f,"
	       "\"worst_difference\":%.1e}\n",
		b->rows, b->t.len, b->n, begin, whole / n, single / n, wave / n, whole / single,
		whole / wave, single / wave, worst_look * 1e3, worst);
}

static size_t number(int argc, char **argv, int at, size_t otherwise)
{
	long n = argc > at ? strtol(argv[at], NULL, 10) : 0;

	return n > 0 ? (size_t)n : otherwise;
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	char *path = model_path();

	if (!fs_is_file(path)) {
		printf("bench_scan: skipped, there is no %s (make model)\n", path);
		xfree(path);
		return 0;
	}
	open_model(&b, path);
	make_text(&b, number(argc, argv, 1, 512), number(argc, argv, 3, 64));
	make_cells(&b, number(argc, argv, 2, 12));
	measure(&b);
	variant_set_release(&b.v);
	token_text_release(&b.t);
	model_free(b.m);
	xfree(b.cell);
	xfree(b.whole);
	xfree(b.single);
	xfree(b.wave);
	xfree(path);
	return 0;
}

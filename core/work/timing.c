/* timing.c - see timing.h. */
#include "core/work/timing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/clock.h"
#include "core/base/f16.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/model/place.h"
#include "core/quant/variant.h"

enum { PASSES = 15, FEWEST = 3, COPIES = 512 };
static const double cold_bytes = 400e6, shortest = 2e-3, enough = 1; /* seconds */

/* Between two looks at whether to stop: words filled, operations before their rate is known, and
 * seconds then. */
enum { PIECE_FILL = 1 << 20, TOGETHER = 512 };
static const double first_ops = 2e7, piece_s = 20e-3;

struct walk {
	const struct timing_ask *ask;
	const struct backend *be;
	const struct sink *sink;
	struct mat w[COPIES];
	size_t copies;
	float *x, *y; /* memory of be */
	double ops;   /* of a piece */
};

/* ---- what is multiplied */

struct sizes {
	size_t one, copies, x, y; /* bytes of a matrix, how many, values */
};

/* What cannot be held is refused before anything is taken. */
static enum st sizes_of(
	struct sizes *n, const struct timing_ask *a, const struct backend *be, struct err *e)
{
	char want[16];
	char where[PLACE_TEXT];
	size_t weights, x, y, all;
	double copies;

	if (!variant_size(&n->one, a->format, a->rows, a->cols) ||
		!size_mul(&n->x, a->m, a->cols) || !size_mul(&n->y, a->m, a->rows) ||
		!size_mul(&x, n->x, sizeof(float)) || !size_mul(&y, n->y, sizeof(float)))
		return err_set(
			e, ST_INVALID, "a matrix of %zu x %zu cannot be made", a->rows, a->cols);
	copies = a->cold ? floor(cold_bytes / (double)n->one) + 1 : 1;
	n->copies = copies < COPIES ? (size_t)copies : COPIES;
	if (!size_mul(&weights, n->one, n->copies) || !size_add(&all, weights, x) ||
		!size_add(&all, all, y) || all > place_room(be))
		return err_set(e, ST_NOMEM,
			"time: %zu matrices of %zu x %zu and %zu rows of x take %s, and %s",
			n->copies, a->rows, a->cols, a->m,
			text_bytes((uint64_t)n->one * n->copies + x + y, want),
			place_text(be, where));
	return ST_OK;
}

static bool fill(uint64_t *words, size_t n, struct rng *r, const struct sink *s)
{
	for (size_t i = 0; i < n; i++) {
		if (i % PIECE_FILL == 0 && sink_poll(s))
			return false;
		words[i] = rng_u64(r);
	}
	return true;
}

/* host: of so many bytes, memory itself or what is put there. */
static bool random_mat(struct walk *k, void *memory, void *host, size_t bytes, struct rng *r)
{
	const struct timing_ask *a = k->ask;
	struct mat w = variant_mat(a->format, a->rows, a->cols, host);
	size_t stats = mat_stat_count(a->rows, a->cols, a->format.group);

	/* freed with the rest, also where it is left half made */
	k->w[k->copies++] = variant_mat(a->format, a->rows, a->cols, memory);
	if (!fill(host, bytes / sizeof(uint64_t), r, k->sink))
		return false;
	for (size_t i = 0; i < stats; i++) {
		((uint16_t *)(uintptr_t)w.scale)[i] = f16_from_f32(0.02f);
		((uint16_t *)(uintptr_t)w.offset)[i] = f16_from_f32(-0.05f);
	}
	if (host != memory)
		k->be->put(memory, host, bytes);
	return true;
}

static enum st make_weights(struct walk *k, const struct sizes *n, struct rng *r, struct err *e)
{
	const struct timing_ask *a = k->ask;
	void *host = NULL;
	enum st st = ST_OK;

	if (!k->be->host_memory) {
		host = big_alloc(n->one, "a matrix", e);
		if (!host)
			return ST_NOMEM;
	}
	while (!st && k->copies < n->copies) {
		void *memory = k->be->alloc(n->one);

		if (!memory)
			st = err_set(e, ST_NOMEM, "no memory for %zu matrices of %zu x %zu",
				n->copies, a->rows, a->cols);
		else if (!random_mat(k, memory, host ? host : memory, n->one, r))
			st = err_set(e, ST_CANCELLED, "stopped");
	}
	big_free(host);
	return st;
}

static enum st make(struct walk *k, struct rng *r, struct err *e)
{
	struct sizes n;
	float *host;
	enum st st = sizes_of(&n, k->ask, k->be, e);

	if (!st)
		st = make_weights(k, &n, r, e);
	if (st)
		return st;
	k->x = k->be->alloc(n.x * sizeof *k->x);
	k->y = k->be->alloc(n.y * sizeof *k->y);
	if (!k->x || !k->y)
		return err_set(e, ST_NOMEM, "no memory for %zu rows of x", k->ask->m);
	host = big_array(n.x, sizeof *host, "inputs", e);
	for (size_t i = 0; host && !st && i < n.x; i++) {
		if (i % PIECE_FILL == 0 && sink_poll(k->sink))
			st = err_set(e, ST_CANCELLED, "stopped");
		host[i] = (float)(rng_unit(r) - 0.5);
	}
	if (host)
		k->be->put(k->x, host, n.x * sizeof *host);
	big_free(host);
	return host ? st : ST_NOMEM;
}

/* ---- multiplying */

static size_t at_most(size_t n, size_t most)
{
	return n < most ? n : most;
}

/* One product in pieces of k->ops: whole rows of W for as many rows of x as matter for speed, so
 * that it takes as long as in one. */
static bool multiply(const struct walk *k, const struct mat *w)
{
	const struct timing_ask *a = k->ask;
	size_t of_x = at_most(a->m, TOGETHER), of_w = a->rows;
	double one = 2 * (double)a->cols, rows = floor(k->ops / one / (double)of_x / MAT_TILE);

	if (rows < 1)
		of_x = (size_t)(k->ops / one / MAT_TILE) + 1;
	if (rows * MAT_TILE < (double)a->rows)
		of_w = rows < 1 ? MAT_TILE : (size_t)rows * MAT_TILE;
	for (size_t i = 0; i < a->m; i += of_x)
		for (size_t o = 0; o < a->rows; o += of_w) {
			struct mat part = mat_rows(w, o, at_most(of_w, a->rows - o));
			const struct product p = { k->y + i * a->rows + o, a->rows, &part };

			if ((i || o) && sink_poll(k->sink))
				return false;
			k->be->products(&p, 1, k->x + i * a->cols, a->cols, at_most(of_x, a->m - i),
				a->math);
		}
	return true;
}

/* All copies once; false: stopped. */
static bool pass(const struct walk *k)
{
	for (size_t i = 0; i < k->copies; i++)
		if ((i && sink_poll(k->sink)) || !multiply(k, &k->w[i]))
			return false;
	return true;
}

/* When a device has done what it was given. */
static double clock_of(const struct walk *k)
{
	if (k->be->wait)
		k->be->wait();
	return clock_now();
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static enum st measure(struct walk *k, struct timing *out, const struct sink *s, struct err *e)
{
	const struct timing_ask *a = k->ask;
	double t[PASSES], start = clock_of(k), began = start, took;
	size_t repeat = 1;
	int n = 0;

	if (!pass(k))
		return err_set(e, ST_CANCELLED, "stopped");
	took = clock_of(k) - began;
	k->ops = fmax(first_ops, piece_s * 2 * (double)a->rows * (double)a->cols * (double)a->m *
					 (double)k->copies / (took + 1e-7));
	if (took < shortest)
		repeat = (size_t)(shortest / (took + 1e-7)) + 1;
	for (; n < FEWEST || (n < PASSES && clock_now() - start < enough); n++) {
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped");
		began = clock_of(k);
		for (size_t i = 0; i < repeat; i++)
			if (!pass(k))
				return err_set(e, ST_CANCELLED, "stopped");
		t[n] = (clock_of(k) - began) / (double)(repeat * k->copies);
		sink_progress(s, n + 1, PASSES);
	}
	qsort(t, (size_t)n, sizeof *t, by_value);
	*out = (struct timing){ .us = t[n / 2] * 1e6, .least_us = t[0] * 1e6, .passes = n };
	out->gb_s = 1e-9 * (double)mat_bytes(&k->w[0]) / t[n / 2];
	out->gop_s = 2e-9 * (double)a->rows * (double)a->cols * (double)a->m / t[n / 2];
	out->read_gb_s = a->cold ? 1e-9 * k->be->read_rate() : 0;
	return ST_OK;
}

enum st timing_run(const struct timing_ask *a, const struct backend *be, struct timing *out,
	const struct sink *s, struct err *e)
{
	struct walk *k = xalloc(sizeof *k);
	struct rng r;
	enum st st;

	k->ask = a;
	k->be = be;
	k->sink = s;
	k->ops = first_ops;
	rng_seed(&r, 1);
	st = make(k, &r, e);
	if (!st)
		st = measure(k, out, s, e);
	if (!st || st == ST_NOMEM) {
		enum st fault = backend_fault(be, e);

		st = fault ? fault : st;
	}
	for (size_t i = 0; i < k->copies; i++)
		be->free((void *)(uintptr_t)k->w[i].data);
	if (k->x)
		be->free(k->x);
	if (k->y)
		be->free(k->y);
	xfree(k);
	return st;
}

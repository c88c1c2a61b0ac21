/* timing.c - see timing.h. */
#include "core/work/timing.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/f16.h"
#include "core/base/rng.h"
#include "core/quant/variant.h"

enum { PASSES = 15, FEWEST = 3, COPIES = 512 };
static const double cold_bytes = 400e6, shortest = 2e-3, enough = 1; /* seconds */

struct walk {
	const struct timing_ask *ask;
	const struct backend *be;
	struct mat w[COPIES];
	size_t copies;
	float *x, *y;
};

static struct mat random_mat(const struct timing_ask *a, void *memory, size_t bytes, struct rng *r)
{
	struct mat w = variant_mat(a->format, a->rows, a->cols, memory);
	size_t stats = mat_stat_count(a->rows, a->cols, a->format.group);
	uint64_t *words = memory;

	for (size_t i = 0; i < bytes / sizeof *words; i++)
		words[i] = rng_u64(r);
	for (size_t i = 0; i < stats; i++) {
		((uint16_t *)(uintptr_t)w.scale)[i] = f16_from_f32(0.02f);
		((uint16_t *)(uintptr_t)w.offset)[i] = f16_from_f32(-0.05f);
	}
	return w;
}

static enum st make(struct walk *k, struct rng *r, struct err *e)
{
	const struct timing_ask *a = k->ask;
	size_t bytes, copies;

	if (!variant_size(&bytes, a->format, a->rows, a->cols))
		return err_set(
			e, ST_INVALID, "a matrix of %zu x %zu cannot be made", a->rows, a->cols);
	copies = a->cold ? (size_t)(cold_bytes / (double)bytes) + 1 : 1;
	for (; k->copies < copies && k->copies < COPIES; k->copies++) {
		void *memory = k->be->alloc(bytes);

		if (!memory)
			return err_set(e, ST_NOMEM, "no memory for %zu matrices of %zu x %zu",
				copies, a->rows, a->cols);
		k->w[k->copies] = random_mat(a, memory, bytes, r);
	}
	k->x = big_array(a->m * a->cols, sizeof *k->x, "inputs", e);
	k->y = k->x ? big_array(a->m * a->rows, sizeof *k->y, "outputs", e) : NULL;
	for (size_t i = 0; k->y && i < a->m * a->cols; i++)
		k->x[i] = (float)(rng_unit(r) - 0.5);
	return k->y ? ST_OK : ST_NOMEM;
}

/* All copies once. */
static void pass(const struct walk *k)
{
	for (size_t i = 0; i < k->copies; i++) {
		const struct product p = { k->y, k->ask->rows, &k->w[i] };

		k->be->products(&p, 1, k->x, k->ask->cols, k->ask->m, k->ask->math);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static enum st measure(
	const struct walk *k, struct timing *out, const struct sink *s, struct err *e)
{
	const struct timing_ask *a = k->ask;
	double t[PASSES], start = clock_now(), began = start, took;
	size_t repeat = 1;
	int n = 0;

	pass(k);
	took = clock_now() - began;
	if (took < shortest)
		repeat = (size_t)(shortest / (took + 1e-7)) + 1;
	for (; n < FEWEST || (n < PASSES && clock_now() - start < enough); n++) {
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped");
		began = clock_now();
		for (size_t i = 0; i < repeat; i++)
			pass(k);
		t[n] = (clock_now() - began) / (double)(repeat * k->copies);
		sink_progress(s, n + 1, PASSES);
	}
	qsort(t, (size_t)n, sizeof *t, by_value);
	*out = (struct timing){ .us = t[n / 2] * 1e6, .least_us = t[0] * 1e6, .passes = n };
	out->gb_s = 1e-9 * (double)mat_bytes(&k->w[0]) / t[n / 2];
	out->gop_s = 2e-9 * (double)a->rows * (double)a->cols * (double)a->m / t[n / 2];
	out->read_gb_s = 1e-9 * k->be->read_rate();
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
	rng_seed(&r, 1);
	st = be->host_memory
		     ? make(k, &r, e)
		     : err_set(e, ST_UNSUPPORTED, "backend %s keeps its own memory", be->name);
	if (!st)
		st = measure(k, out, s, e);
	for (size_t i = 0; i < k->copies; i++)
		be->free((void *)(uintptr_t)k->w[i].data);
	big_free(k->x);
	big_free(k->y);
	xfree(k);
	return st;
}

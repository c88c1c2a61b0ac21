/* bench_front.c - how long the dial's answers take.  Prints one JSON object a line:
 * medians in milliseconds, of the shapes of SmolLM2-135M and of a 560-linear model, with
 * 2, 4 and 5 formats and seeded damages. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/search/front.h"

enum { LINEARS = 7, QUERIES = 200 };

struct shape {
	const char *name;
	size_t blocks, hidden, kv, ff;
	double keep; /* bits a weight */
};

static const struct shape shapes[] = {
	{ "smollm2-135m", 30, 576, 192, 1536, 5.0 },
	{ "llama-70b", 80, 8192, 1024, 28672, 5.0 },
	{ "llama-70b-f16", 80, 8192, 1024, 28672, 16.0 },
};

static const char *const dials[] = { "int2g64,int4g128", "int2g64,int3g64,int4g128,keep",
	"int2g64,int3g64,int4g128,int8g128,keep" };

static void size_of(const struct shape *s, size_t kind, size_t *rows, size_t *cols)
{
	size_t r[LINEARS] = { s->hidden, s->kv, s->kv, s->hidden, s->ff, s->ff, s->hidden };

	*rows = r[kind];
	*cols = kind == LINEARS - 1 ? s->ff : s->hidden;
}

/* Damage falls with bits as it does on a real model, each linear with its own scale. */
static void fill(const struct shape *s, const struct format *f, struct front_input *in,
	uint64_t *bytes, double *damage)
{
	struct rng r;

	rng_seed(&r, 7);
	for (size_t i = 0; i < in->n; i++) {
		double scale = 0.02 * exp(rng_normal(&r));
		size_t rows, cols;

		size_of(s, i % LINEARS, &rows, &cols);
		for (size_t j = 0; j < in->k; j++) {
			size_t c = i * in->k + j;
			double size = (double)rows * (double)cols;

			if (format_is_keep(f[j])) {
				bytes[c] = (uint64_t)(size * s->keep / 8);
				damage[c] = 0;
				continue;
			}
			bytes[c] = format_bytes(f[j], rows, cols);
			damage[c] = scale * pow(0.22, f[j].bits - 2) * exp(0.3 * rng_normal(&r));
		}
	}
	in->bytes = bytes;
	in->damage = damage;
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, ascending);
	return v[n / 2];
}

static void answers(const struct front *f, const struct front_table *t, double *ms, double *gap)
{
	double took[QUERIES], sum = 0;
	uint8_t *choice = xalloc(front_linears(f));
	uint64_t span = front_most(f) - front_least(f);

	for (size_t i = 0; i < QUERIES; i++) {
		uint64_t budget = front_least(f) + span / QUERIES * i + 12345;
		struct front_answer a, b;
		double t0 = clock_now();

		(void)front_answer(f, budget, choice, &a);
		took[i] = clock_now() - t0;
		(void)front_table_answer(t, budget, choice, &b);
		sum += a.damage > 0 ? (a.damage - b.damage) / a.damage : 0;
	}
	*ms = 1e3 * median(took, QUERIES);
	*gap = sum / QUERIES;
	xfree(choice);
}

static void table_queries(
	const struct front *f, const struct front_table *t, double *ms, struct front_answer *a)
{
	double took[QUERIES];
	uint8_t *choice = xalloc(front_linears(f));
	uint64_t span = front_most(f) - front_least(f);

	for (size_t i = 0; i < QUERIES; i++) {
		double t0 = clock_now();

		(void)front_table_answer(t, front_least(f) + span / QUERIES * i, choice, a);
		took[i] = clock_now() - t0;
	}
	*ms = 1e3 * median(took, QUERIES);
	xfree(choice);
}

static void measure(const struct shape *s, const char *dial)
{
	enum { RUNS = 9 };
	struct format f[FORMAT_MAX];
	struct front_input in = { .n = s->blocks * LINEARS };
	double build[RUNS], dp[RUNS], query = 0, exact = 0, gap = 0;
	struct front_answer a = { 0 };
	uint64_t *bytes;
	double *damage;
	struct err e;

	if (format_list(f, &in.k, dial, &e)) {
		fprintf(stderr, "bench_front: %s\n", e.msg);
		exit(1);
	}
	bytes = xarray(in.n * in.k, sizeof *bytes);
	damage = xarray(in.n * in.k, sizeof *damage);
	fill(s, f, &in, bytes, damage);
	for (size_t i = 0; i < RUNS; i++) {
		struct front *fr;
		struct front_table *t;
		double t0 = clock_now();

		if (front_new(&fr, &in, &e))
			exit(1);
		build[i] = clock_now() - t0;
		t0 = clock_now();
		if (front_exact(&t, fr, NULL, &e))
			exit(1);
		dp[i] = clock_now() - t0;
		if (i == RUNS - 1) {
			answers(fr, t, &query, &gap);
			table_queries(fr, t, &exact, &a);
		}
		front_table_free(t);
		front_free(fr);
	}
	printf("{\"bench\":\"front\",\"shape\":\"%s\",\"linears\":%zu,\"formats\":%zu,"
	       "\"build_ms\":%.3f,\"answer_ms\":%.4f,\"exact_ms\":%.3f,\"exact_answer_ms\":%.4f,"
	       "\"exact\":%s,\"greedy_gap\":%.2e}\n",
		s->name, in.n, in.k, 1e3 * median(build, RUNS), query, 1e3 * median(dp, RUNS),
		exact, a.exact ? "true" : "false", gap);
	xfree(bytes);
	xfree(damage);
}

int main(void)
{
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (size_t j = 0; j < sizeof dials / sizeof *dials; j++)
			measure(&shapes[i], dials[j]);
	return 0;
}

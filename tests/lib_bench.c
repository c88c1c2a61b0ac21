/* lib_bench.c - see lib_bench.h. */
#include "tests/lib_bench.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/f16.h"
#include "core/base/fs.h"
#include "kernels/pool.h"

static const double shortest = 500e-6, noisy = 0.06;
/* Between two that take turns: the threads of the one may spin for milliseconds when it is done. */
enum { PAUSE_MS = 20 };

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return v[n / 2];
}

/* ---- who else was busy */

struct load {
	double all, busy, own; /* seconds, over all cores */
};

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static struct load load_now(void)
{
	struct load l = { 0 };
	struct rusage u;
	double v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "r");

	if (f) {
		if (fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", v, v + 1, v + 2, v + 3, v + 4,
			    v + 5, v + 6, v + 7) == 8)
			for (int i = 0; i < 8; i++) {
				l.all += v[i];
				l.busy += i == 3 || i == 4 ? 0 : v[i]; /* idle and waiting */
			}
		fclose(f);
	}
	l.all /= (double)sysconf(_SC_CLK_TCK);
	l.busy /= (double)sysconf(_SC_CLK_TCK);
	getrusage(RUSAGE_SELF, &u);
	l.own = seconds(u.ru_utime) + seconds(u.ru_stime);
	return l;
}

static double foreign_since(struct load from)
{
	struct load to = load_now();
	double all = to.all - from.all, others = to.busy - from.busy - (to.own - from.own);

	return all > 0.05 && others > 0 ? others / all : 0; /* ticks are a hundredth of a second */
}

/* ---- runs */

static double once(bench_fn *fn, void *arg, size_t repeat)
{
	double began = clock_now();

	for (size_t i = 0; i < repeat; i++)
		fn(arg);
	return (clock_now() - began) / (double)repeat;
}

static size_t repeats(bench_fn *fn, void *arg)
{
	double t = once(fn, arg, 1);

	return t < shortest ? (size_t)(shortest / (t + 1e-7)) + 1 : 1;
}

static struct bench_time sum_up(const double *v, int n, double foreign)
{
	double sorted[BENCH_RUNS];
	struct bench_time t = { .foreign = foreign };

	for (int i = 0; i < n; i++)
		sorted[i] = v[i];
	t.median = bench_median(sorted, (size_t)n);
	t.least = sorted[0];
	t.q1 = sorted[n / 4];
	t.q3 = sorted[n * 3 / 4];
	return t;
}

struct bench_time bench_run(bench_fn *fn, void *arg, int runs)
{
	int n = runs < 1 ? 1 : runs > BENCH_RUNS ? BENCH_RUNS : runs;
	size_t repeat = repeats(fn, arg);
	struct load before = load_now();
	double t[BENCH_RUNS];

	for (int i = 0; i < n; i++)
		t[i] = once(fn, arg, repeat);
	return sum_up(t, n, foreign_since(before));
}

double bench_pair(struct bench_time *a, struct bench_time *b, bench_fn *fa, void *xa, bench_fn *fb,
	void *xb, int pairs)
{
	int n = pairs < 1 ? 1 : pairs > BENCH_RUNS ? BENCH_RUNS : pairs;
	size_t ra = repeats(fa, xa), rb = repeats(fb, xb);
	struct load before = load_now();
	double ta[BENCH_RUNS], tb[BENCH_RUNS], ratio[BENCH_RUNS], foreign;

	for (int i = 0; i < n; i++) {
		poll(NULL, 0, PAUSE_MS);
		ta[i] = once(fa, xa, ra);
		poll(NULL, 0, PAUSE_MS);
		tb[i] = once(fb, xb, rb);
		ratio[i] = tb[i] / ta[i];
	}
	foreign = foreign_since(before);
	*a = sum_up(ta, n, foreign);
	*b = sum_up(tb, n, foreign);
	return bench_median(ratio, (size_t)n);
}

void bench_print(const char *name, const char *unit, double work, const struct bench_time *t)
{
	printf("{\"bench\":\"%s\",\"threads\":%d,\"us\":%.2f,\"min_us\":%.2f,\"%s\":%.4g", name,
		pool_threads(), t->median * 1e6, t->least * 1e6, unit, work / t->median);
	if (t->foreign > noisy)
		printf(",\"note\":\"noisy: others took %.0f %% of the machine\"", 100 * t->foreign);
	else if (t->q3 > 1.2 * t->q1)
		printf(",\"note\":\"large spread: a busy machine\"");
	printf("}\n");
	fflush(stdout);
}

/* ---- what is timed */

void *bench_alloc(const struct backend *b, size_t bytes)
{
	void *p = b->alloc(bytes);

	if (!p) {
		fprintf(stderr, "no memory\n");
		exit(1);
	}
	return p;
}

float *bench_floats(const struct backend *b, struct rng *r, size_t n)
{
	float *p = bench_alloc(b, n * sizeof *p);

	for (size_t i = 0; i < n; i++)
		p[i] = (float)(rng_unit(r) - 0.5);
	return p;
}

/* Random words are random codes. */
struct mat bench_packed(
	const struct backend *b, struct rng *r, int bits, size_t group, size_t rows, size_t cols)
{
	size_t bytes = mat_code_bytes(bits, rows, cols), stats = mat_stat_count(rows, cols, group);
	uint64_t *words = bench_alloc(b, bytes);
	uint16_t *scale = bench_alloc(b, stats * sizeof *scale);
	uint16_t *offset = bench_alloc(b, stats * sizeof *offset);

	for (size_t i = 0; i < bytes / sizeof *words; i++)
		words[i] = rng_u64(r);
	for (size_t i = 0; i < stats; i++) {
		scale[i] = f16_from_f32((float)(0.01 * rng_unit(r)));
		offset[i] = f16_from_f32((float)(-0.05 * rng_unit(r)));
	}
	return (struct mat){ .type = MAT_INT,
		.bits = bits,
		.group = group,
		.rows = rows,
		.cols = cols,
		.data = words,
		.scale = scale,
		.offset = offset };
}

void bench_packed_free(const struct backend *b, const struct mat *w)
{
	b->free((void *)(uintptr_t)w->data);
	b->free((void *)(uintptr_t)w->scale);
	b->free((void *)(uintptr_t)w->offset);
}

/* ---- what every program asks for */

char *bench_model_path(const char *who)
{
	const char *asked = getenv("MODEL");
	char *data, *path;

	if (asked && *asked)
		return xstrdup(asked);
	data = fs_place(FS_DATA);
	path = xprintf("%s/models/SmolLM2-135M-Instruct.Q4_1.gguf", data);
	xfree(data);
	if (fs_is_file(path))
		return path;
	printf("%s: skipped, there is no %s (make model)\n", who, path);
	exit(0);
}

void bench_check(enum st st, const struct err *e, const char *who)
{
	if (!st)
		return;
	fprintf(stderr, "%s: %s\n", who, e->msg);
	exit(1);
}

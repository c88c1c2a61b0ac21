/* rates.c - see rates.h. */
#include "core/work/rates.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "kernels/backend.h"
#include "kernels/pool.h"

enum { RATES = 256, WORD = 24, WAY = 72, FILE_MAX = 64 << 10 };
static const double least_s = 0.1;

static struct rate {
	char kind[WORD], way[WAY];
	int size; /* whole part of log2 of the weights */
	double each;
} rate[RATES];
static size_t n_rates;
static char *read_from;                                /* the file that rate[] is of */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER; /* of all above; a leaf */

/* "cpu,avx512_(of_avx2,_avx512),2", "cuda:0,NVIDIA_H200,16": one word. */
static void way_now(char out[WAY])
{
	const struct backend *b = backend_now();

	struct backend_device is = { .total = 0 };

	if (b->info)
		b->info(&is);
	snprintf(out, WAY, "%s,%.48s,%d", b->name,
		b->info         ? is.name
		: b->path ? b->path()
			  : "",
		pool_threads());
	for (char *s = out; *s; s++)
		if (*s == ' ' || *s == '\t' || *s == '\n')
			*s = '_';
}

static char *rates_path(void)
{
	char *dir = fs_place(FS_CACHE), *path = xprintf("%s/rates.tsv", dir);

	xfree(dir);
	return path;
}

/* Lines that are not understood are left out; what a stranger wrote is a wrong estimate. */
static void parse(const char *text)
{
	for (const char *s = text; *s && n_rates < RATES; s += *s == '\n') {
		struct rate r;

		if (sscanf(s, "%23s %71s %d %lf", r.kind, r.way, &r.size, &r.each) == 4 &&
			isfinite(r.each) && r.each > 0)
			rate[n_rates++] = r;
		s += strcspn(s, "\n");
	}
}

static void load(void)
{
	char *path = rates_path(), *text;
	size_t n;

	if (read_from && !strcmp(read_from, path)) {
		xfree(path);
		return;
	}
	xfree(read_from);
	read_from = path;
	n_rates = 0;
	if (fs_is_file(path) && !fs_read(path, FILE_MAX, &text, &n, NULL)) {
		parse(text);
		big_free(text);
	}
}

/* The nearest in size, at most `off` from it. */
static struct rate *find(const char *kind, const char *way, int size, int off)
{
	struct rate *best = NULL;

	for (size_t i = 0; i < n_rates; i++) {
		struct rate *r = &rate[i];

		if (strcmp(r->kind, kind) != 0 || strcmp(r->way, way) != 0 ||
			abs(r->size - size) > off)
			continue;
		if (!best || abs(r->size - size) < abs(best->size - size))
			best = r;
	}
	return best;
}

static int size_of(uint64_t weights)
{
	return weights ? (int)log2((double)weights) : 0;
}

static void save(void)
{
	char *dir = fs_place(FS_CACHE), *text = xalloc(n_rates * (WORD + WAY + 32) + 1);
	size_t n = 0;

	for (size_t i = 0; i < n_rates; i++)
		n += (size_t)snprintf(text + n, WORD + WAY + 32, "%s\t%s\t%d\t%.6g\n", rate[i].kind,
			rate[i].way, rate[i].size, rate[i].each);
	if (fs_mkdirs(dir, NULL) || fs_note(read_from, text, n, NULL)) {
		/* it is measured again */
	}
	xfree(text);
	xfree(dir);
}

bool rates_get(const char *kind, uint64_t weights, double *seconds_a_unit)
{
	const struct rate *r;
	char way[WAY];

	way_now(way);
	pthread_mutex_lock(&mu);
	load();
	r = find(kind, way, size_of(weights), 2);
	if (r)
		*seconds_a_unit = r->each;
	pthread_mutex_unlock(&mu);
	return r != NULL;
}

void rates_learn(const char *kind, uint64_t weights, double units, double seconds)
{
	struct rate *r;
	char way[WAY];

	if (!(units > 0) || !(seconds > least_s))
		return;
	way_now(way);
	pthread_mutex_lock(&mu);
	load();
	r = find(kind, way, size_of(weights), 0);
	if (r) {
		r->each = (r->each + seconds / units) / 2;
	} else if (n_rates < RATES) {
		r = &rate[n_rates++];
		*r = (struct rate){ .size = size_of(weights), .each = seconds / units };
		snprintf(r->kind, sizeof r->kind, "%s", kind);
		snprintf(r->way, sizeof r->way, "%s", way);
	}
	save();
	pthread_mutex_unlock(&mu);
}

void rates_forget(void)
{
	pthread_mutex_lock(&mu);
	xfree(read_from);
	read_from = NULL;
	n_rates = 0;
	pthread_mutex_unlock(&mu);
}

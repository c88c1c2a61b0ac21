/* pack_plan.c - the order of an epoch, and which window each sequence goes into. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/text/pack_private.h"

/* First-fit looks at so many windows back: full ones are rare among more, and short sequences
 * do not all wander to the beginning of the epoch. */
enum { OPEN = 64 };

struct key {
	uint64_t hash;
	uint32_t seq;
};

/* The finaliser of splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static int by_hash(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void pack_plan_release(struct pack_plan *plan)
{
	big_free(plan->seq);
	big_free(plan->start);
	*plan = (struct pack_plan){ 0 };
}

/* Window of the i-th key into at[i]; their number. */
static size_t first_fit(const struct pack *p, const struct key *key, size_t n, uint32_t *at)
{
	size_t left[OPEN] = { 0 }, windows = 0;

	for (size_t i = 0; i < n; i++) {
		size_t rows = p->seqs[key[i].seq].rows, w = windows > OPEN ? windows - OPEN : 0;

		while (w < windows && left[w % OPEN] < rows)
			w++;
		if (w == windows)
			left[windows++ % OPEN] = p->window;
		left[w % OPEN] -= rows;
		at[i] = (uint32_t)w;
	}
	return windows;
}

static enum st plan_keys(struct pack_plan *plan, const struct pack *p, const struct key *key,
	size_t n, struct err *e)
{
	uint32_t *at = big_array(n, sizeof *at, "windows of an epoch", e);
	size_t windows;

	pack_plan_release(plan);
	if (!at)
		return ST_NOMEM;
	windows = first_fit(p, key, n, at);
	plan->seq = big_array(n, sizeof *plan->seq, "windows of an epoch", e);
	plan->start = big_array(windows + 2, sizeof *plan->start, "windows of an epoch", e);
	if (!plan->seq || !plan->start) {
		big_free(at);
		pack_plan_release(plan);
		return ST_NOMEM;
	}
	/* A sort by counting that keeps the order within a window: start[w + 1] is where the next
	 * of window w goes, and so ends as where w + 1 begins. */
	for (size_t i = 0; i < n; i++)
		plan->start[at[i] + 2]++;
	for (size_t w = 0; w < windows; w++)
		plan->start[w + 2] += plan->start[w + 1];
	for (size_t i = 0; i < n; i++)
		plan->seq[plan->start[at[i] + 1]++] = key[i].seq;
	plan->n = windows;
	plan->made = true;
	big_free(at);
	return ST_OK;
}

enum st pack_plan_file(
	struct pack_plan *plan, const struct pack *p, size_t from, size_t n, struct err *e)
{
	struct key *key = big_array(n, sizeof *key, "the order of rows", e);
	enum st st;

	if (!key)
		return ST_NOMEM;
	for (size_t i = 0; i < n; i++)
		key[i].seq = (uint32_t)(from + i);
	st = plan_keys(plan, p, key, n, e);
	big_free(key);
	return st;
}

enum st pack_plan_epoch(struct pack_plan *plan, const struct pack *p, uint64_t epoch, struct err *e)
{
	uint64_t salt = mix(mix(p->seed) ^ epoch);
	struct key *key;
	enum st st;

	if (plan->made && plan->epoch == epoch)
		return ST_OK;
	key = big_array(p->n, sizeof *key, "the order of an epoch", e);
	if (!key)
		return ST_NOMEM;
	for (size_t i = 0; i < p->n; i++)
		key[i] = (struct key){ mix(salt ^ i), (uint32_t)i };
	qsort(key, p->n, sizeof *key, by_hash);
	st = plan_keys(plan, p, key, p->n, e);
	plan->epoch = epoch;
	big_free(key);
	return st;
}

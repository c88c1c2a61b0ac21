/* sampler.c - the next token from logits.
 *
 * Only + - * / and comparisons: libm's exp differs between machines, and one ulp can
 * turn a draw.
 */
#include "core/model/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

struct candidate {
	int32_t id;
	float logit;
	double weight; /* exp((logit - max) / temperature) */
};

struct sampler {
	struct sampler_options o;
	struct rng rng;
	size_t vocab;
	struct candidate *cand; /* [vocab] */
	int32_t *seen;          /* ring of repeat_last ids */
	size_t seen_n, seen_at, seen_cap;
};

const struct sampler_options sampler_default = {
	.temperature = 0.7,
	.top_k = 40,
	.top_p = 0.95,
	.min_p = 0.05,
	.repeat_penalty = 1.1,
	.repeat_last = 64,
	.seed = 1,
};

struct sampler *sampler_new(const struct sampler_options *o, size_t vocab)
{
	struct sampler *s = xalloc(sizeof *s);

	s->o = *o;
	s->vocab = vocab;
	s->cand = xarray(vocab ? vocab : 1, sizeof *s->cand);
	s->seen_cap = o->repeat_last > 0 ? (size_t)o->repeat_last : 0;
	s->seen = xarray(s->seen_cap ? s->seen_cap : 1, sizeof *s->seen);
	rng_seed(&s->rng, o->seed);
	return s;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	xfree(s->cand);
	xfree(s->seen);
	xfree(s);
}

void sampler_seen(struct sampler *s, int32_t id)
{
	if (!s->seen_cap || id < 0 || (size_t)id >= s->vocab)
		return;
	s->seen[s->seen_at] = id;
	s->seen_at = (s->seen_at + 1) % s->seen_cap;
	if (s->seen_n < s->seen_cap)
		s->seen_n++;
}

/* Each distinct id once: positive logits are divided, negative ones multiplied. */
static void penalise(const struct sampler *s, float *logits)
{
	float by = (float)s->o.repeat_penalty;
	size_t i, j;

	if (!(by > 0) || s->o.repeat_penalty == 1.0)
		return;
	for (i = 0; i < s->seen_n; i++) {
		float *z = &logits[s->seen[i]];

		for (j = 0; j < i && s->seen[j] != s->seen[i]; j++)
			;
		if (j == i)
			*z = *z > 0 ? *z / by : *z * by;
	}
}

/* The lowest id of the largest logit; NaN is no logit. */
static size_t argmax(const float *z, size_t n)
{
	size_t best = 0, i;

	for (i = 1; i < n; i++)
		if (z[i] > z[best] || (isnan(z[best]) && !isnan(z[i])))
			best = i;
	return best;
}

/* exp(x) for x <= 0 to about one ulp: 2^k times a Taylor sum for |r| <= ln 2 / 2.  SIDE at once:
 * each is a chain of additions that wait for each other, and a vocabulary is long (49,152 logits:
 * 1.3 ms of a core a draw instead of 1.8). */
enum { SIDE = 8 };

static void exp_below(double x[SIDE])
{
	static const double ln2_hi = 0x1.62e42fee00000p-1, ln2_lo = 0x1.a39ef35793c76p-33;
	static const double inverse[] = { 0, 1, 1.0 / 2, 1.0 / 3, 1.0 / 4, 1.0 / 5, 1.0 / 6,
		1.0 / 7, 1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13 };
	double r[SIDE], sum[SIDE], scale;
	uint64_t bits;
	int k[SIDE];

	for (int j = 0; j < SIDE; j++) {
		double at = x[j] > -700 ? x[j] : -700;

		k[j] = (int)(at * 0x1.71547652b82fep+0 - 0.5);
		r[j] = at - k[j] * ln2_hi - k[j] * ln2_lo;
		sum[j] = 1;
	}
	for (int i = 13; i > 0; i--)
		for (int j = 0; j < SIDE; j++)
			sum[j] = 1 + sum[j] * r[j] * inverse[i];
	for (int j = 0; j < SIDE; j++) {
		bits = (uint64_t)(1023 + k[j]) << 52;
		memcpy(&scale, &bits, sizeof scale);
		x[j] = x[j] > -700 ? sum[j] * scale : 0;
	}
}

static void weigh(struct candidate *c, size_t n, float max, double temperature)
{
	for (size_t i = 0; i < n; i += SIDE) {
		size_t side = n - i < SIDE ? n - i : SIDE;
		double x[SIDE] = { 0 };

		for (size_t j = 0; j < side; j++)
			x[j] = ((double)c[i + j].logit - max) / temperature;
		exp_below(x);
		for (size_t j = 0; j < side; j++)
			c[i + j].weight = x[j];
	}
}

/* Largest logit first, lowest id first among equals. */
static bool before(const struct candidate *a, const struct candidate *b)
{
	return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static int compare(const void *a, const void *b)
{
	return before(a, b) ? -1 : 1;
}

/* Makes heap[at] no better than its children: the root is the worst that is kept. */
static void sift(struct candidate *heap, size_t n, size_t at)
{
	for (;;) {
		size_t worst = at, child = 2 * at + 1;
		struct candidate t;

		if (child < n && before(&heap[worst], &heap[child]))
			worst = child;
		if (child + 1 < n && before(&heap[worst], &heap[child + 1]))
			worst = child + 1;
		if (worst == at)
			return;
		t = heap[at];
		heap[at] = heap[worst];
		heap[worst] = t;
		at = worst;
	}
}

/* The k best of n to the front, in no order. */
static size_t keep_best(struct candidate *c, size_t n, size_t k)
{
	size_t i;

	if (k >= n)
		return n;
	for (i = k; i-- > 0;)
		sift(c, k, i);
	for (i = k; i < n; i++) {
		if (!before(&c[i], &c[0]))
			continue;
		c[0] = c[i];
		sift(c, k, 0);
	}
	return k;
}

/* Candidates that may be drawn at all; 0 when no logit is finite. */
static size_t gather(struct sampler *s, const float *logits, float max)
{
	size_t i, n = 0;

	for (i = 0; i < s->vocab; i++)
		if (isfinite(logits[i]) && logits[i] <= max)
			s->cand[n++] = (struct candidate){ (int32_t)i, logits[i], 0 };
	return n;
}

static size_t cut_top_p(const struct candidate *c, size_t n, double top_p)
{
	double total = 0, sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		total += c[i].weight;
	for (i = 0; i < n; i++) {
		sum += c[i].weight;
		if (sum >= top_p * total)
			return i + 1;
	}
	return n;
}

static size_t cut_min_p(struct candidate *c, size_t n, double min_p)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++) /* the best one weighs 1 */
		if (c[i].weight >= min_p || c[i].weight == 1)
			c[kept++] = c[i];
	return kept;
}

static int32_t draw(struct sampler *s, float max, size_t n)
{
	struct candidate *c = s->cand;
	double total = 0, u;
	size_t i;

	if (s->o.top_k > 0)
		n = keep_best(c, n, (size_t)s->o.top_k);
	if (s->o.top_k > 0 || s->o.top_p < 1)
		qsort(c, n, sizeof *c, compare);
	weigh(c, n, max, s->o.temperature);
	if (s->o.top_p < 1)
		n = cut_top_p(c, n, s->o.top_p);
	if (s->o.min_p > 0)
		n = cut_min_p(c, n, s->o.min_p);
	for (i = 0; i < n; i++)
		total += c[i].weight;
	u = rng_unit(&s->rng) * total;
	for (i = 0; i + 1 < n; i++) {
		u -= c[i].weight;
		if (u < 0)
			break;
	}
	while (i > 0 && c[i].weight == 0) /* rounding must not reach what has no chance */
		i--;
	return c[i].id;
}

int32_t sampler_next(struct sampler *s, float *logits)
{
	int32_t id;
	size_t best, n = 0;

	penalise(s, logits);
	best = argmax(logits, s->vocab);
	id = (int32_t)best;
	if (s->o.temperature > 0 && isfinite(logits[best]))
		n = gather(s, logits, logits[best]);
	if (n)
		id = draw(s, logits[best], n);
	sampler_seen(s, id);
	return id;
}

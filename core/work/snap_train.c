/* snap_train.c - histories of bounded size, and the snapshot that carries them. */
#include "core/work/snap_train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"

/* ---- histories */

static void span_empty(struct train_span *s)
{
	*s = (struct train_span){ NAN, NAN, NAN };
}

/* n, m: how many numbers each mean is of. */
static void span_join(struct train_span *a, uint32_t n, const struct train_span *b, uint32_t m)
{
	if (!isfinite(b->mean) || !m)
		return;
	if (!isfinite(a->mean) || !n) {
		*a = *b;
		return;
	}
	a->lo = b->lo < a->lo ? b->lo : a->lo;
	a->hi = b->hi > a->hi ? b->hi : a->hi;
	a->mean = (float)(((double)a->mean * n + (double)b->mean * m) / ((double)n + m));
}

static void bucket_join(struct train_bucket *a, const struct train_bucket *b)
{
	for (size_t i = 0; i < TRAIN_SERIES; i++)
		span_join(&a->v[i], a->n - a->bad, &b->v[i], b->n - b->bad);
	a->n += b->n;
	a->bad += b->bad;
	a->at_s = b->at_s;
}

/* Two become one. */
static void halve(struct train_history *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i += 2) {
		struct train_bucket b = h->bucket[i];

		if (i + 1 < h->n)
			bucket_join(&b, &h->bucket[i + 1]);
		h->bucket[n++] = b;
	}
	h->n = n;
	h->stride *= 2;
}

static struct train_bucket *open_bucket(struct train_history *h)
{
	struct train_bucket *b;

	if (!h->stride)
		h->stride = 1;
	if (h->n && h->bucket[h->n - 1].n < h->stride)
		return &h->bucket[h->n - 1];
	if (h->n == TRAIN_BUCKETS) {
		halve(h);
		return open_bucket(h);
	}
	if (h->n == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 64;
		h->bucket = xrealloc(h->bucket, h->cap * sizeof *h->bucket);
	}
	b = &h->bucket[h->n++];
	*b = (struct train_bucket){ 0 };
	for (size_t i = 0; i < TRAIN_SERIES; i++)
		span_empty(&b->v[i]);
	return b;
}

void train_history_add(struct train_history *h, const float v[TRAIN_SERIES], bool bad, double at_s)
{
	struct train_bucket one = { .n = 1, .bad = bad, .at_s = (float)at_s };

	for (size_t i = 0; i < TRAIN_SERIES; i++)
		if (bad || !isfinite(v[i]))
			span_empty(&one.v[i]);
		else
			one.v[i] = (struct train_span){ v[i], v[i], v[i] };
	bucket_join(open_bucket(h), &one);
}

uint64_t train_history_steps(const struct train_history *h)
{
	return h->n ? h->first + (h->n - 1) * h->stride + h->bucket[h->n - 1].n : h->first;
}

struct train_history train_history_copy(const struct train_history *h)
{
	struct train_history c = *h;

	c.cap = h->n;
	c.bucket = h->n ? xarray(h->n, sizeof *c.bucket) : NULL;
	if (h->n)
		memcpy(c.bucket, h->bucket, h->n * sizeof *c.bucket);
	return c;
}

void train_history_release(struct train_history *h)
{
	xfree(h->bucket);
	*h = (struct train_history){ 0 };
}

/* Without the bias towards a beginning at zero (Kingma and Ba 2015, 3): the weights of what there
 * was add up to 1 from the first number on. */
void train_history_smooth(const struct train_history *h, double smooth, float *out)
{
	double sum = 0, weight = 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct train_bucket *b = &h->bucket[i];
		double keep = pow(smooth, (double)(b->n - b->bad));

		if (b->n > b->bad && isfinite(b->v[SERIES_LOSS].mean)) {
			sum = keep * sum + (1 - keep) * (double)b->v[SERIES_LOSS].mean;
			weight = keep * weight + (1 - keep);
		}
		out[i] = weight > 0 ? (float)(sum / weight) : NAN;
	}
}

/* ---- looks and notes */

void train_look_add(struct train_look *list, size_t *n, struct train_look one)
{
	size_t k = 0;

	if (*n == TRAIN_LOOKS) { /* the first, which all are compared with, stays */
		for (size_t i = 0; i < *n; i += 2)
			list[k++] = list[i];
		*n = k;
	}
	list[(*n)++] = one;
}

void snap_train_note(struct snap_train *t, uint64_t step, const char *text)
{
	if (t->n_notes == TRAIN_NOTES) {
		memmove(&t->note[0], &t->note[1], (TRAIN_NOTES - 1) * sizeof t->note[0]);
		t->n_notes--;
	}
	t->note[t->n_notes].step = step;
	snprintf(t->note[t->n_notes].text, sizeof t->note[0].text, "%s", text);
	t->n_notes++;
}

void snap_train_quiet(struct snap_train *t, double seconds)
{
	double usual = isfinite(t->step_s) ? fmax(3 * t->step_s, 5) : 5;

	t->quiet_s = seconds > usual ? seconds : 0;
}

void snap_train_left(struct snap_train *t, uint64_t done, double seconds)
{
	uint64_t more = t->steps > t->step ? t->steps - t->step : 0;

	t->left_s = !more ? 0 : done ? seconds / (double)done * (double)more : (double)NAN;
}

const char *training_name(enum training t)
{
	static const char *const name[] = { "", "begins", "running", "paused", "stopping", "done",
		"stopped", "failed" };

	return name[t];
}

/* ---- the snapshot */

static void train_free(struct snap *s)
{
	struct snap_train *t = (struct snap_train *)s;

	train_history_release(&t->seen);
	train_history_release(&t->ghost);
	xfree(t);
}

struct snap_train *snap_train_new(void)
{
	struct snap_train *t = xalloc(sizeof *t);

	atomic_init(&t->snap.refs, 1);
	t->snap.free = train_free;
	t->bpw = t->step_s = t->left_s = (double)NAN;
	for (size_t i = 0; i < TRAIN_SERIES; i++)
		t->last[i] = (double)NAN;
	return t;
}

struct snap_train *snap_train_copy(const struct snap_train *t)
{
	struct snap_train *c = snap_train_new();

	memcpy(c, t, sizeof *c);
	atomic_init(&c->snap.refs, 1);
	c->seen = train_history_copy(&t->seen);
	c->ghost = train_history_copy(&t->ghost);
	return c;
}

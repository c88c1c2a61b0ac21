/* train_ask.c - see train_ask.h. */
#include "core/work/train_ask.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

#define KEY(name, kind, least, most, help) \
	{ #name, TRAIN_##kind, offsetof(struct train_ask, name), least, most, help },
const struct train_key train_keys[] = { TRAIN_KEYS(KEY){ NULL, TRAIN_FLAG, 0, 0, 0, NULL } };

void train_ask_init(struct train_ask *a)
{
	const double open = (double)NAN;

	*a = (struct train_ask){ 0 };
	for (const struct train_key *k = train_keys; k->name; k++)
		if (k->kind == TRAIN_NUMBER)
			memcpy((char *)a + k->at, &open, sizeof open);
}

static uint64_t at_least(uint64_t n, uint64_t least)
{
	return n > least ? n : least;
}

/* Of a calibration checkpoints are at looks: each is looked at, and those in between would count
 * against its patience, too. */
static uint64_t save_every(const struct train_ask *a)
{
	uint64_t n = at_least(a->steps / 10, 25);

	return a->calibrate ? at_least(n / a->held_every, 1) * a->held_every : n;
}

void train_ask_fill(struct train_ask *a)
{
	if (!a->steps)
		a->steps = 300;
	if (!a->window)
		a->window = 256;
	if (!a->windows)
		a->windows = 4;
	if (isnan(a->held))
		a->held = 0.05;
	if (!a->held_every)
		a->held_every = at_least(a->steps / 20, 10);
	if (!a->save_every)
		a->save_every = save_every(a);
}

void train_ask_by_default(struct train_ask *a)
{
	a->lr = a->lr_s = a->lr_gain = a->budget = (double)NAN;
	a->rank = 0;
	a->across = false;
}

static bool is_said(const struct train_key *k, const struct train_ask *a)
{
	const char *p = (const char *)a + k->at;

	switch (k->kind) {
	case TRAIN_WORD:
		return *(const char *const *)p != NULL;
	case TRAIN_COUNT:
		return *(const uint64_t *)p != 0;
	case TRAIN_NUMBER:
		return !isnan(*(const double *)p);
	case TRAIN_FLAG:
		return *(const bool *)p;
	}
	return false;
}

const struct train_key *train_ask_of_new(const struct train_ask *a)
{
	for (const struct train_key *k = train_keys; k->name; k++)
		if (strcmp(k->name, "steps") != 0 && strcmp(k->name, "calibrate") != 0 &&
			is_said(k, a))
			return k;
	return NULL;
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

struct train_ask train_ask_copy(const struct train_ask *a)
{
	struct train_ask out = *a;

	for (const struct train_key *k = train_keys; k->name; k++)
		if (k->kind == TRAIN_WORD)
			*(char **)((char *)&out + k->at) =
				copy(*(const char *const *)((const char *)a + k->at));
	out.layout = copy(a->layout);
	out.resume = copy(a->resume);
	return out;
}

void train_ask_release(struct train_ask *a)
{
	for (const struct train_key *k = train_keys; k->name; k++)
		if (k->kind == TRAIN_WORD)
			xfree(*(char **)((char *)a + k->at));
	xfree((char *)a->layout);
	xfree((char *)a->resume);
	*a = (struct train_ask){ 0 };
}

/* desk_move.c - the model to another device, and with it what was packed to run. */
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/model/place.h"
#include "core/work/desk_private.h"

struct leaving {
	struct desk *d;
	void (*others)(void *arg);
	void *arg;
	bool lost;              /* the device: nothing can be had from it */
	bool again[FORMAT_MAX]; /* formats to be read from the cache when it is there */
	struct variant *parked; /* [n][k]: in the host's memory, on the way */
};

static bool is_lost(const struct backend *be)
{
	return be->lost && be->lost();
}

static void forget(struct leaving *l, size_t at)
{
	l->d->calibrated[at] = false;
	l->again[at % l->d->set.k] = true;
}

/* The slot is empty until it is there: at a poll others find nothing that cannot run.  What the
 * cache holds is left behind, and what cannot be had from the device is made again. */
static void park(struct leaving *l, size_t at, bool cached)
{
	struct variant *slot = &l->d->set.slot[at], *to = &l->parked[at];

	if (!slot->home) {
		*to = *slot;
		*slot = (struct variant){ .home = NULL };
		return;
	}
	if (l->lost || cached || variant_here(slot, &to->mat, &to->memory, NULL)) {
		forget(l, at);
	} else {
		to->by = slot->by;
		to->error = slot->error;
		to->bytes = slot->bytes;
	}
	variant_release(slot);
}

/* No poll in here: nobody sees half of it. */
static void leave(void *arg)
{
	struct leaving *l = arg;
	struct desk *d = l->d;
	bool kept = cache_keeps(d->cache);

	if (l->others)
		l->others(l->arg);
	desk_forget_heads(d);
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		park(l, i, kept && d->best[i % d->set.k]);
	for (size_t f = 0; f < d->set.k; f++)
		if (l->again[f])
			d->best[f] = d->data_free[f] = false;
}

/* Each to its slot, by way of the device where the model is on one; what that has no room for is
 * made when it is asked for, and refused then. */
static enum st arrive(struct leaving *l, const struct sink *s, struct err *e)
{
	struct desk *d = l->d;
	size_t all = d->set.n * d->set.k;
	enum st st = ST_OK, one;

	for (size_t i = 0; i < all; i++) {
		struct variant *v = &l->parked[i];

		if (!v->mat.data)
			continue;
		one = st ? st : variant_place(v, d->m, e);
		if (one) {
			if (!st)
				log_at(LOG_WARN, "desk", "%s", e->msg);
			variant_release(v);
			d->calibrated[i] = false;
			d->best[i % d->set.k] = d->data_free[i % d->set.k] = false;
			st = one == ST_NOMEM ? st : one;
			continue;
		}
		variant_release(&d->set.slot[i]); /* made meanwhile */
		d->set.slot[i] = *v;
		if (v->home) {
			sink_progress(s, (double)i + 1, (double)all);
			(void)!sink_poll(s); /* the move is whole only at its end */
		}
	}
	return st;
}

/* Both the weights and the variants there are; what a conversation or a scan takes is theirs to
 * ask for. */
static enum st check_room(const struct desk *d, const struct backend *be, struct err *e)
{
	uint64_t need = d->m->resident;
	char what[160];

	for (size_t i = 0; i < d->set.n * d->set.k && !be->host_memory; i++)
		if (d->set.slot[i].mat.data)
			need += mat_bytes(&d->set.slot[i].mat);
	if (need <= place_room(be))
		return ST_OK;
	snprintf(what, sizeof what, "%.96s with its variants", d->m->ck->name);
	return place_small(be, what, need, "it stays where it is; fewer formats take less", e);
}

enum st desk_move(struct desk *d, const struct backend *be, void (*others)(void *arg), void *arg,
	const struct sink *s, struct err *e)
{
	struct leaving l = { .d = d, .others = others, .arg = arg, .lost = is_lost(d->m->be) };
	enum st st;

	if (be == d->m->be)
		return ST_OK;
	st = check_room(d, be, e);
	if (st)
		return st;
	l.parked = xarray(d->set.n * d->set.k + 1, sizeof *l.parked);
	st = model_move(d->m, be, leave, &l, s, e);
	if (st) {
		xfree(l.parked);
		return st;
	}
	st = arrive(&l, s, e);
	xfree(l.parked);
	if (!be->host_memory)
		cache_drop_variants(d->cache); /* the device has copies of what was mapped */
	for (size_t f = 0; f < d->set.k && !st; f++)
		if (l.again[f])
			st = desk_load_format(d, f, s, e);
	desk_tell(d, DESK_VARIANTS);
	return st;
}

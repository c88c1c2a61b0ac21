/* dial_ask.c - the budget by its other faces: bytes, the whole file, a damage, a speed. */
#include <math.h>

#include "core/base/alloc.h"
#include "core/work/dial_private.h"

void dial_speed(struct dial *d, double bpw, double tok_s)
{
	pthread_mutex_lock(&d->mu);
	if (d->m && isfinite(bpw) && bpw > 0 && isfinite(tok_s) && tok_s > 0)
		d->read_s = (bpw * (double)d->m->weights / 8 + (double)d->m->other_bytes) * tok_s;
	pthread_mutex_unlock(&d->mu);
}

/* Bytes of the smallest layout that is predicted at kl or less.  The hull says between which of
 * its corners that is; between them the answers are tried, each of which is a layout. */
static enum st bytes_for_kl(const struct dial *d, double kl, uint64_t *bytes, struct err *e)
{
	const struct front *f = d->now->front;
	size_t n = front_curve(f, NULL, NULL, 0), i = 0;
	uint64_t *at = xarray(n, sizeof *at), lo, hi;
	double *damage = xarray(n, sizeof *damage), least;
	uint8_t *choice = xarray(d->m->n + 1, 1);
	struct front_answer a;

	front_curve(f, at, damage, n);
	for (size_t k = 0; k < n; k++)
		damage[k] = dial_predicted(d, damage[k], 0, NULL);
	least = damage[n - 1];
	/* Sums made in another order differ in their last digits. */
	while (i < n && damage[i] > kl + 1e-12)
		i++;
	lo = i ? at[i - 1] : 0;
	hi = at[i < n ? i : n - 1];
	while (i && i < n && hi > lo + 1) {
		uint64_t mid = lo + (hi - lo) / 2;

		dial_solve_at(d, mid, choice, &a);
		if (dial_predicted(d, a.damage, 0, NULL) <= kl)
			hi = a.bytes;
		else
			lo = mid;
	}
	xfree(at);
	xfree(damage);
	xfree(choice);
	*bytes = hi;
	if (i < n)
		return ST_OK;
	return err_set(e, ST_INVALID,
		"budget: no layout of this dial is predicted at kl<=%g; the least is %.3g", kl,
		least);
}

/* The bytes of the linears that are asked for. */
static enum st bytes_for(const struct dial *d, const struct ask *a, uint64_t *bytes, struct err *e)
{
	double other = (double)d->m->other_bytes, left = 0;

	switch (a->what) {
	case ASK_KL:
		if (!d->now->in_nats)
			return err_set(e, ST_INVALID,
				"budget: damages are first scores still, not nats; ask again when "
				"the fast pass is done (:scan)");
		return bytes_for_kl(d, a->value, bytes, e);
	case ASK_FILE:
		left = a->value - other;
		if (left <= 0)
			return err_set(e, ST_INVALID,
				"budget: all but the linears takes %.4g MiB of the file; ask for "
				"more than that",
				other / (1 << 20));
		break;
	case ASK_SPEED:
		if (!(d->read_s > 0))
			return err_set(e, ST_INVALID,
				"budget: no decoding speed is known yet; let the chat answer once");
		left = d->read_s / a->value - other;
		break;
	default:
		left = a->value;
	}
	*bytes = left < 1 ? 1 : left < 1e18 ? (uint64_t)left : (uint64_t)1e18;
	return ST_OK;
}

static struct dial_reached reached(const struct dial *d, double asked)
{
	struct dial_reached r = { .bpw = dial_bpw_of(d, d->answer_bytes),
		.kl = d->answer_kl,
		.se = d->answer_se,
		.tok_s = (double)NAN,
		.bytes = d->answer_bytes,
		.file_bytes = d->answer_bytes + d->m->other_bytes,
		.in_nats = d->now->in_nats };

	if (d->read_s > 0)
		r.tok_s = d->read_s / (double)r.file_bytes;
	r.end = asked < d->bpw - 1e-9 ? -1 : asked > d->bpw + 1e-9 ? 1 : 0;
	return r;
}

enum st dial_ask(struct dial *d, const struct ask *a, struct dial_reached *r, struct err *e)
{
	bool bits = a->what == ASK_BPW || a->what == ASK_STEP;
	double bpw = a->value;
	uint64_t bytes = 0;
	enum st st = ST_OK;

	*r = (struct dial_reached){ .bpw = (double)NAN, .tok_s = (double)NAN };
	pthread_mutex_lock(&d->mu);
	if (a->what == ASK_STEP)
		bpw += d->bpw;
	if (bits && bpw <= 0) /* a step below all is the least */
		bpw = 1e-3;
	if (!d->m || !d->now) {
		if (!bits || isnan(bpw))
			st = dial_no_model(e);
		else
			d->bpw = bpw; /* where the dial will stand */
	} else {
		if (!bits) {
			st = bytes_for(d, a, &bytes, e);
			bpw = st ? 0 : (double)bytes * 8 / (double)d->m->weights;
		}
		if (!st) {
			dial_remember(d, bits);
			dial_go(d, bpw);
			*r = reached(d, bpw);
		}
	}
	pthread_mutex_unlock(&d->mu);
	return st;
}

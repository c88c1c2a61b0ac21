/* diodemix.c - the published rule for 2- and 4-bit weights, for comparison
 * (FORMULAS.md 3.1).
 *
 * AdamW on the dequantized weight in fp16, every operation rounded as there, v's underflow
 * included; every fifth step the offsets follow the mean of their group; rounded to the nearest
 * code at once, nothing kept of the remainder.  moments = MOMENTS_F32: its --dtype float.
 * Published settings: lr 5e-6 (LR_ABSOLUTE), b 0.9 and 0.99, eps 1e-6.
 */
#include <math.h>
#include <string.h>

#include "core/base/f16.h"
#include "core/tune/state.h"

enum { NUDGE = 5 };

struct at {
	struct codes_at codes;
	size_t m, v;
};

struct diode {
	struct pass p; /* first: move_code's argument */
	struct at at;
	struct diode_step d;
};

static struct at lay(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	size_t each = o->moments != MOMENTS_F32 ? sizeof(uint16_t) : sizeof(float);
	struct room *r = &to->state;
	struct at at;

	at.codes = room_codes(r, w, !o->lean, false);
	at.m = room_take(r, w->rows, w->cols * each);
	at.v = room_take(r, w->rows, w->cols * each);
	room_rows(&to->scratch, w);
	return at;
}

static void plan(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	(void)lay(to, w, o);
}

static void init(struct tuned *t, const struct tune_options *o)
{
	head_init(t, "diodemix", o->moments, o);
}

/* m, v and u of a row; u takes the gradient's place. */
static void adam_row(struct diode *d, size_t r)
{
	struct pass *p = &d->p;
	size_t cols = p->t->w.cols, each = d->d.half ? sizeof(uint16_t) : sizeof(float);
	float u[CHUNK], m[CHUNK], v[CHUNK], x[CHUNK];

	for (size_t c = 0; c < cols; c += CHUNK) {
		size_t n = cols - c < CHUNK ? cols - c : CHUNK;
		void *ma = (char *)state_at(p->t, d->at.m) + (r * cols + c) * each;
		void *va = (char *)state_at(p->t, d->at.v) + (r * cols + c) * each;
		float *g = p->grad + r * cols + c;

		memcpy(x, g, n * sizeof *x);
		if (d->d.half) {
			p->l->from_half(m, ma, n);
			p->l->from_half(v, va, n);
		} else {
			memcpy(m, ma, n * each);
			memcpy(v, va, n * each);
		}
		p->l->diode(u, m, v, x, &d->d, n);
		if (d->d.half) {
			p->l->to_half(ma, m, n);
			p->l->to_half(va, v, n);
		} else {
			memcpy(ma, m, n * each);
			memcpy(va, v, n * each);
		}
		memcpy(g, u, n * sizeof *u);
	}
}

static void group(struct diode *d, size_t r, size_t g, const uint8_t *q)
{
	struct pass *p = &d->p;
	const struct mat *w = &p->t->w;
	size_t c = g * w->group, end = c + w->group < w->cols ? c + w->group : w->cols;
	size_t at = stat_at(w, r, g);
	float s = f16_to_f32(w->scale[at]), o = f16_to_f32(w->offset[at]), o2 = o;
	const float *u = p->grad + r * w->cols;
	int8_t move[CHUNK];
	float x[CHUNK];

	if (p->head->steps % NUDGE == 0) {
		float mean = p->l->mean(u + c, end - c);

		mean = d->d.half ? f16_to_f32(f16_from_f32(mean)) : mean;
		o2 = f16_to_f32(f16_from_f32(o - d->d.alpha * mean));
		if (o2 > -65505 && o2 < 65505) /* what is no number is not written */
			((uint16_t *)w->offset)[at] = f16_from_f32(o2);
		else
			o2 = o;
	}
	for (size_t n; s != 0 && c < end; c += n) {
		n = end - c < CHUNK ? end - c : CHUNK;
		memcpy(x, u + c, n * sizeof *x);
		p->l->requantize(move, q + c, x, s, o, o2, &d->d, (1 << w->bits) - 1, n);
		move_codes(p, r, c, move, n);
	}
}

static void row(void *arg, size_t r, size_t part)
{
	struct diode *d = arg;
	struct pass *p = &d->p;
	const struct mat *w = &p->t->w;
	const uint8_t *q = row_codes(p, r);

	(void)part;
	row_count(p, r, q);
	adam_row(d, r);
	p->rows[r].update2 = (double)d->d.alpha * (double)d->d.alpha *
			     p->l->squares(p->grad + r * w->cols, w->cols);
	for (size_t g = 0; g < mat_groups(w->cols, w->group); g++)
		group(d, r, g, q);
}

static void step(struct tuned *t, float *grad, uint64_t n, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	struct diode d;
	float eps = (float)o->eps;

	if (!pass_begin(&d.p, t, grad, n, o, scratch, c))
		return;
	d.at = lay(&(struct rooms){ 0 }, &t->w, o);
	d.p.codes = d.at.codes;
	/* lr sqrt(1 - b2^t) / (1 - b1^t) */
	d.d = (struct diode_step){ o->moments != MOMENTS_F32, (float)o->b1, (float)o->b2, eps,
		(float)(d.p.lr * (double)d.p.fix1 / sqrt((double)d.p.fix2)) };
	each_row(t->w.rows, row, &d);
	pass_end(&d.p, c);
}

const struct optimizer optimizer_diodemix = {
	.name = "diodemix",
	.summary = "the published rule: fp16 AdamW on the dequantized weight, rounded at once (for "
		   "comparison)",
	.on_codes = true,
	.plan = plan,
	.init = init,
	.step = step,
};

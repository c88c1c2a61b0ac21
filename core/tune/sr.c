/* sr.c - Adam whose step is rounded by chance, nothing kept of the remainder (FORMULAS.md 3.2). */
#include "core/tune/state.h"

struct at {
	struct codes_at codes;
	struct moments_at m, v;
};

struct sr {
	struct pass p; /* first: move_code's argument */
	struct at at;
};

static struct at lay(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	struct room *r = &to->state;
	struct at at;

	at.codes = room_codes(r, w, !o->lean, !o->lean);
	at.m = room_moments(r, w, o->moments);
	at.v = room_moments(r, w, o->moments);
	room_rows(&to->scratch, w);
	return at;
}

static void plan(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	(void)lay(to, w, o);
}

static void init(struct tuned *t, const struct tune_options *o)
{
	struct at at = lay(&(struct rooms){ 0 }, &t->w, o);

	head_init(t, "sr", o->moments, o);
	codes_init(t, &at.codes);
}

static void row(void *arg, size_t r, size_t part)
{
	struct sr *s = arg;
	struct pass *p = &s->p;
	const struct mat *w = &p->t->w;
	uint8_t *q = row_codes(p, r);
	float u[CHUNK], by[CHUNK];
	uint32_t h[CHUNK];
	int8_t move[CHUNK];

	(void)part;
	stats_step(p, r, q);
	for (size_t c = 0; c < w->cols; c += CHUNK) {
		size_t n = w->cols - c < CHUNK ? w->cols - c : CHUNK;

		moments_adam(p, &s->at.m, &s->at.v, r, c, n, u);
		row_levels(p, r, c, n, (float)-p->lr, by);
		p->l->hash(h, row_key(p->key, r, 2), (uint32_t)c, n);
		p->l->stochastic(move, q + c, u, by, h, (1 << w->bits) - 1, n);
		move_codes(p, r, c, move, n);
	}
	stats_write(p, r);
}

static void step(struct tuned *t, float *grad, uint64_t n, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	struct sr s;

	if (!pass_begin(&s.p, t, grad, n, o, scratch, c))
		return;
	s.at = lay(&(struct rooms){ 0 }, &t->w, o);
	s.p.codes = s.at.codes;
	each_row(t->w.rows, row, &s);
	pass_end(&s.p, c);
}

const struct optimizer optimizer_sr = {
	.name = "sr",
	.summary = "Adam with stochastic rounding onto the codes, nothing else kept",
	.on_codes = true,
	.plan = plan,
	.init = init,
	.step = step,
};

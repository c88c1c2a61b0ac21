/* adamw.c - AdamW on float weights, as PyTorch's: decoupled decay, eps outside the root. */
#include "core/tune/state.h"

struct at {
	struct moments_at m, v;
};

struct adam {
	struct pass p;
	struct at at;
};

static struct at lay(struct rooms *to, const struct mat *w, enum tune_moments kind)
{
	struct room *r = &to->state;
	struct at at;

	room_take(r, 1, sizeof(struct tune_head));
	at.m = room_moments(r, w, kind);
	at.v = room_moments(r, w, kind);
	room_rows(&to->scratch, w);
	return at;
}

void adam_plan(struct rooms *to, const struct mat *w, enum tune_moments kind)
{
	(void)lay(to, w, kind);
}

void adam_init(
	struct tuned *t, const char *by, enum tune_moments kind, const struct tune_options *o)
{
	head_init(t, by, kind, o);
}

static void row(void *arg, size_t r, size_t part)
{
	struct adam *a = arg;
	struct pass *p = &a->p;
	size_t cols = p->t->w.cols;
	float *w = (float *)p->t->w.data + r * cols, u[CHUNK];

	(void)part;
	for (size_t c = 0; c < cols; c += CHUNK) {
		size_t n = cols - c < CHUNK ? cols - c : CHUNK;

		moments_adam(p, &a->at.m, &a->at.v, r, c, n, u);
		if (p->o->decay != 0)
			p->l->clip(w + c, (float)(1 - p->lr * p->o->decay), 3e38f, n);
		p->l->axpy(w + c, (float)-p->lr, u, n);
	}
}

void adam_step(struct tuned *t, float *grad, uint64_t step, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	struct adam a;

	if (!pass_begin(&a.p, t, grad, step, o, scratch, c))
		return;
	a.at = lay(&(struct rooms){ 0 }, &t->w, (enum tune_moments)a.p.head->kind);
	each_row(t->w.rows, row, &a);
	pass_end(&a.p, c);
}

static void plan(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	(void)o;
	adam_plan(to, w, MOMENTS_F32);
}

static void init(struct tuned *t, const struct tune_options *o)
{
	adam_init(t, "adamw", MOMENTS_F32, o);
}

const struct optimizer optimizer_adamw = {
	.name = "adamw",
	.summary = "AdamW with float moments, on float weights",
	.on_float = true,
	.plan = plan,
	.init = init,
	.step = adam_step,
};

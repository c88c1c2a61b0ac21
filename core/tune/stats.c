/* stats.c - scales and centres only: the codes stay (FORMULAS.md 2.1). */
#include "core/tune/state.h"

static void plan(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	room_codes(&to->state, w, !o->lean, true);
	room_rows(&to->scratch, w);
}

static void init(struct tuned *t, const struct tune_options *o)
{
	struct room r = { 0 };
	struct codes_at at = room_codes(&r, &t->w, !o->lean, true);

	head_init(t, "stats", MOMENTS_F32, o);
	codes_init(t, &at);
}

static void row(void *arg, size_t r, size_t part)
{
	struct pass *p = arg;

	(void)part;
	stats_step(p, r, row_codes(p, r));
	stats_write(p, r);
}

static void step(struct tuned *t, float *grad, uint64_t n, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	struct room r = { 0 };
	struct pass p;

	if (!pass_begin(&p, t, grad, n, o, scratch, c))
		return;
	p.codes = room_codes(&r, &t->w, !o->lean, true);
	each_row(t->w.rows, row, &p);
	pass_end(&p, c);
}

const struct optimizer optimizer_stats = {
	.name = "stats",
	.summary = "trains scale and offset of every group, the codes stay",
	.on_codes = true,
	.plan = plan,
	.init = init,
	.step = step,
};

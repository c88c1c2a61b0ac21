/* adam8.c - AdamW with moments of a byte each (loops.inc): codes with an exponent, so that a
 * small second moment beside a large one is not 0.  Matrices of few weights keep floats, as is
 * usual (FORMULAS.md 2.4). */
#include "core/tune/state.h"

enum { FEW = 4096 };

static enum tune_moments kind(const struct mat *w)
{
	return w->rows <= FEW && w->rows * w->cols < FEW ? MOMENTS_F32 : MOMENTS_8BIT;
}

static void plan(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	(void)o;
	adam_plan(to, w, kind(w));
}

static void init(struct tuned *t, const struct tune_options *o)
{
	adam_init(t, "adam8", kind(&t->w), o);
}

const struct optimizer optimizer_adam8 = {
	.name = "adam8",
	.summary = "AdamW with 8-bit moments, on float weights",
	.on_float = true,
	.plan = plan,
	.init = init,
	.step = adam_step,
};

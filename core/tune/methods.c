/* methods.c - what a model can be trained by, and at which rates.
 *
 * Rates: training.md 3.3b (best of each method over 300 steps at 2 and 4 bits), 3.4 and 7.1; those
 * in levels divided by the mean scale measured there (0.098).
 */
#include <string.h>

#include "core/tune/train.h"

const struct train_method train_methods[] = {
	{ .name = "rank",
		.summary = "packed codes: a few a step move by one level, those with the largest "
			   "normalised moment",
		.what = TRAIN_CODES,
		.optimizer = "rank",
		.lr = 0.01,
		.lr_s = 3e-3,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "flips",
		.summary =
			"packed codes: Adam's steps gather in a byte a weight until a code moves",
		.what = TRAIN_CODES,
		.optimizer = "flips",
		.lr = 0.01,
		.lr_s = 3e-3,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "sr",
		.summary = "packed codes: Adam's steps rounded by chance, nothing kept of them",
		.what = TRAIN_CODES,
		.optimizer = "sr",
		.lr = 3e-3,
		.lr_s = 3e-3,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "stats",
		.summary = "scales and offsets only, the codes stay",
		.what = TRAIN_CODES,
		.optimizer = "stats",
		.lr = 0.01,
		.lr_s = 0.01,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "diodemix",
		.summary = "packed codes by the published rule, for comparison",
		.what = TRAIN_CODES,
		.optimizer = "diodemix",
		.lr = 5e-6,
		.unit = LR_ABSOLUTE,
		.lr_gain = 1e-4,
		.floor = 0,
		.eps = 1e-6 },
	{ .name = "galore",
		.summary = "packed codes: Adam in a low-rank projection, gathered as by flips",
		.what = TRAIN_CODES,
		.optimizer = "galore",
		.lr = 0.1,
		.lr_s = 3e-3,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "fp",
		.summary =
			"float copies of all linears by AdamW: full fine-tuning, 12 bytes a weight",
		.what = TRAIN_MASTERS,
		.optimizer = "adamw",
		.lr = 3e-4,
		.unit = LR_ABSOLUTE,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "fp8",
		.summary = "float copies of all linears by AdamW with moments of 8 bits, 6 bytes a "
			   "weight",
		.what = TRAIN_MASTERS,
		.optimizer = "adam8",
		.lr = 3e-4,
		.unit = LR_ABSOLUTE,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "lora",
		.summary = "adapters of rank 16 beside all linears, which stay as they are",
		.what = TRAIN_ADAPTERS,
		.optimizer = "adamw",
		.lr = 1e-3,
		.unit = LR_ABSOLUTE,
		.rank = 16,
		.alpha = 32,
		.floor = 0.05 },
	{ .name = "qlora",
		.summary = "adapters as QLoRA published them: rank 64, alpha 16, a constant rate",
		.what = TRAIN_ADAPTERS,
		.optimizer = "adamw",
		.lr = 2e-4,
		.unit = LR_ABSOLUTE,
		.rank = 64,
		.alpha = 16,
		.floor = 1,
		.b2 = 0.999 },
	{ .name = NULL },
};

const struct train_method *train_method_find(const char *name)
{
	for (const struct train_method *t = train_methods; t->name; t++)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

enum {
	STEPS = 300, /* what the rates are for */
	FEW = 40     /* fewer than these are a matter of their own */
};

void train_how_init(struct train_how *how, const struct train_method *method)
{
	*how = (struct train_how){ .method = method,
		.tune = tune_defaults,
		.lr_gain = method->lr_gain,
		.windows = 4,
		.keep = BACK_NARROW,
		.math = MATH_BF16,
		.alpha = method->alpha,
		.bad_limit = 10 };
	how->tune.unit = method->unit;
	how->tune.lr = method->lr;
	how->tune.lr_s = method->lr_s;
	how->tune.rank = method->rank;
	how->tune.floor = method->floor;
	how->tune.steps = STEPS;
	if (method->b2 != 0)
		how->tune.b2 = method->b2;
	if (method->eps != 0)
		how->tune.eps = method->eps;
}

/* What a step of a run of so many is to one of 300.  A run moves a weight by the sum of its
 * steps, so fewer steps are larger, down to 40.  Below, the moments know too little for that:
 * Adam's first steps are signs, and every weight would go a good part of a level where the noise
 * points; the step falls with their number instead.  A trained toy model in int4g64, a text that
 * is new to it, its held-out loss in nats, 3.39 before, with 300/steps and by this rule:
 *             4 steps           10 steps          20 steps          40 steps
 *   galore    5.37 | 3.48       4.03 | 3.31       3.69 | 3.32       3.28
 *   flips     5.13 | 3.46       4.91 | 3.35       3.65 | 3.30       3.29
 *   sr        5.76 | 3.55       3.71 | 3.49       3.35 | 3.22       3.16 */
static double factor(uint64_t steps)
{
	double n = (double)(steps ? steps : STEPS);

	return n < FEW ? STEPS / (double)FEW * (n / FEW) : STEPS / n;
}

void train_how_steps(struct train_how *how, uint64_t steps)
{
	uint64_t most = tune_defaults.warmup;

	if (how->tune.unit == LR_LEVELS)
		how->tune.lr = how->method->lr * factor(steps);
	how->tune.steps = steps;
	how->tune.warmup = steps / 10 < most ? steps / 10 : most;
}

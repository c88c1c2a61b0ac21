/* methods.c - what a model can be trained by, and at which rates.
 *
 * Rates are those of a model that already speaks, found by runs of 40 steps (CONTRIBUTING.md,
 * Decisions): those of FORMULAS.md 3.3b, of models that learn from nothing, are 10 to 25 times
 * these and undo it.  They do not go with the number of steps: a run of few moves little.
 */
#include <string.h>

#include "core/tune/train.h"

const struct train_method train_methods[] = {
	{ .name = "rank",
		.summary = "packed codes: a few a step move by one level, those with the largest "
			   "normalised moment",
		.what = TRAIN_CODES,
		.optimizer = "rank",
		.lr_s = 1e-3,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "flips",
		.summary =
			"packed codes: Adam's steps gather in a byte a weight until a code moves",
		.what = TRAIN_CODES,
		.optimizer = "flips",
		.lr = 5e-4,
		.lr_s = 1e-3,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "sr",
		.summary = "packed codes: Adam's steps rounded by chance, nothing kept of them",
		.what = TRAIN_CODES,
		.optimizer = "sr",
		.lr = 1.5e-4,
		.lr_s = 1e-3,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "stats",
		.summary = "scales and offsets only, the codes stay",
		.what = TRAIN_CODES,
		.optimizer = "stats",
		.lr_s = 1e-3,
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
		.lr = 4e-3,
		.lr_s = 1e-3,
		.unit = LR_LEVELS,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "latent",
		.summary =
			"float copies that are rounded to packed codes in every step: 13 bytes a "
			"weight, packed in the end",
		.what = TRAIN_LATENT,
		.optimizer = "adamw",
		.lr = 3e-4,
		.lr_s = 3e-3,
		.unit = LR_ABSOLUTE,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "fp",
		.summary =
			"float copies of all linears by AdamW: full fine-tuning, 12 bytes a weight",
		.what = TRAIN_MASTERS,
		.optimizer = "adamw",
		.lr = 1e-4,
		.unit = LR_ABSOLUTE,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	{ .name = "fp8",
		.summary = "float copies of all linears by AdamW with moments of 8 bits, 6 bytes a "
			   "weight",
		.what = TRAIN_MASTERS,
		.optimizer = "adam8",
		.lr = 1e-4,
		.unit = LR_ABSOLUTE,
		.lr_gain = 1e-4,
		.floor = 0.05 },
	/* Its steps are an eighth of AdamW's (the root of the quarter of the side that is the rank,
	 * times `back`): the rate is eight times fp's. */
	{ .name = "galore-fp",
		.summary =
			"float copies of all linears by Adam in a low-rank projection, as GaLore "
			"was published: 6 to 7 bytes a weight",
		.what = TRAIN_MASTERS,
		.optimizer = "galore",
		.lr = 8e-4,
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
	if (method->b2 != 0)
		how->tune.b2 = method->b2;
	if (method->eps != 0)
		how->tune.eps = method->eps;
}

void train_how_steps(struct train_how *how, uint64_t steps)
{
	uint64_t most = tune_defaults.warmup;

	how->tune.steps = steps;
	how->tune.warmup = steps / 10 < most ? steps / 10 : most;
}

/* train_need.c - see train_need.h. */
#include "core/tune/train_need.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/tune/lora.h"
#include "core/tune/teacher.h"

struct need {
	struct train_memory *out;
	const struct train_how *how;
	const struct optimizer *by;
	uint64_t largest, mixed; /* bytes of a linear's gradient; of its two parts */
	uint64_t scratch;        /* of an optimizer's step */
	size_t side;             /* the largest of the smaller sides of what is trained */
	size_t rows;             /* of a step */
	size_t forms;
	double params;           /* of the linears */
};

struct train_shape *train_shapes(const struct hparams *hp, struct format f)
{
	struct train_shape *all = xarray(hp->layers * LINEAR_KINDS, sizeof *all);

	for (size_t i = 0; i < hp->layers * LINEAR_KINDS; i++) {
		all[i] = (struct train_shape){ .format = f };
		linear_shape(hp, (enum linear_kind)(i % LINEAR_KINDS), &all[i].rows, &all[i].cols);
	}
	return all;
}

/* A matrix that an optimizer takes a step on. */
static enum st take(
	struct need *k, const struct optimizer *by, const struct mat *w, struct err *e)
{
	struct tune_plan plan;
	size_t side;
	enum st st = optim_plan(&plan, by, w, &k->how->tune, e);

	if (st)
		return st;
	k->out->state += plan.state;
	k->out->trained += (uint64_t)w->rows * w->cols;
	k->scratch = plan.scratch > k->scratch ? plan.scratch : k->scratch;
	side = w->rows < w->cols ? w->rows : w->cols;
	k->side = side > k->side ? side : k->side;
	return ST_OK;
}

/* A matrix with a smaller side than the rank is projected to that side; where all are, the rank is
 * a slip of the keyboard. */
static enum st rank_fits(const struct need *k, struct err *e)
{
	size_t rank = k->how->tune.rank;

	if (k->how->method->what == TRAIN_ADAPTERS || rank <= k->side)
		return ST_OK;
	return err_set(e, ST_INVALID,
		"%s: a rank of %zu is more than any matrix here has: at most %zu",
		k->how->method->name, rank, k->side);
}

static void whole_gradient(struct need *k, const struct train_shape *x, bool mix)
{
	uint64_t bytes = (uint64_t)x->rows * x->cols * sizeof(float);

	k->largest = bytes > k->largest ? bytes : k->largest;
	if (mix)
		k->mixed = bytes > k->mixed ? bytes : k->mixed;
}

static struct mat packed(int bits, size_t group, size_t rows, size_t cols)
{
	return (struct mat){
		.type = MAT_INT, .bits = bits, .group = group, .rows = rows, .cols = cols
	};
}

/* The parts of a linear as it is packed: one, or two of a mix. */
static size_t parts_of(const struct train_shape *x, struct mat part[2])
{
	size_t high;

	if (!format_is_mix(x->format)) {
		part[0] = packed(x->format.bits, x->format.group, x->rows, x->cols);
		return 1;
	}
	high = format_high_cols(x->format, x->cols);
	part[0] = packed(x->format.hi_bits, x->format.hi_group, x->rows, high);
	part[1] = packed(x->format.bits, x->format.group, x->rows, x->cols - high);
	return 2;
}

static enum st codes(
	struct need *k, const struct train_shape *x, const struct optimizer *by, struct err *e)
{
	struct mat part[2];
	enum st st = ST_OK;

	if (format_is_keep(x->format)) {
		k->out->frozen += x->kept; /* (0 in all but one form) */
		return ST_OK;
	}
	whole_gradient(k, x, format_is_mix(x->format));
	for (size_t i = 0, n = parts_of(x, part); !st && i < n; i++) {
		k->out->weights += mat_bytes(&part[i]);
		st = take(k, by, &part[i], e);
	}
	return st;
}

static enum st masters(struct need *k, const struct train_shape *x, struct err *e)
{
	const struct mat w = { .type = MAT_F32, .rows = x->rows, .cols = x->cols };

	k->out->weights += mat_bytes(&w);
	whole_gradient(k, x, false);
	return take(k, k->by, &w, e);
}

/* Packed as the grid of each form says, and one float master beside them, whose weights are the ones
 * counted. */
static enum st latent(struct need *k, const struct train_shape *x, size_t n, struct err *e)
{
	uint64_t trained = k->out->trained;
	bool packs = false;
	enum st st = ST_OK;

	for (size_t f = 0; !st && f < k->forms; f++) {
		st = codes(k, &x[f * n], optimizer_find("stats"), e);
		packs |= !format_is_keep(x[f * n].format);
	}
	k->out->trained = trained;
	return st || !packs ? st : masters(k, x, e);
}

/* Gradients of A and B, and x A^T with its gradient (lora.c). */
static enum st adapters(struct need *k, const struct train_shape *x, struct err *e)
{
	const size_t r = k->how->tune.rank;
	const struct mat a = { .type = MAT_F32, .rows = r, .cols = x->cols };
	const struct mat b = { .type = MAT_F32, .rows = x->rows, .cols = r };
	struct mat part[2];
	uint64_t both;
	enum st st = take(k, k->by, &a, e);

	if (format_is_keep(x->format))
		k->out->frozen += x->kept;
	else
		for (size_t i = 0, n = parts_of(x, part); i < n; i++)
			k->out->frozen += mat_bytes(&part[i]);
	k->out->adapters += mat_bytes(&a) + mat_bytes(&b);
	both = mat_bytes(&a) + mat_bytes(&b) + 2 * (uint64_t)k->rows * r * sizeof(float);
	k->largest = both > k->largest ? both : k->largest;
	return st ? st : take(k, k->by, &b, e);
}

/* x: of its first form; the next is n further. */
static enum st linear(struct need *k, const struct train_shape *x, size_t n, struct err *e)
{
	enum st st = ST_OK;

	k->params += (double)x->rows * (double)x->cols;
	switch (k->how->method->what) {
	case TRAIN_CODES:
		for (size_t f = 0; !st && f < k->forms; f++)
			st = codes(k, &x[f * n], k->by, e);
		return st;
	case TRAIN_LATENT:
		return latent(k, x, n, e);
	case TRAIN_MASTERS:
		return masters(k, x, e);
	case TRAIN_ADAPTERS:
		break;
	}
	return adapters(k, x, e);
}

/* The norms' gains, which AdamW moves. */
static enum st gains(struct need *k, const struct hparams *hp, struct err *e)
{
	const struct mat w = { .type = MAT_F32, .rows = 1, .cols = hp->hidden };
	struct tune_options o = k->how->tune;
	struct tune_plan plan;
	uint64_t norms = 2 * (uint64_t)hp->layers + 1;
	enum st st = ST_OK;

	o.moments = MOMENTS_F32;
	if (k->how->lr_gain > 0)
		st = optim_plan(&plan, optimizer_find("adamw"), &w, &o, e);
	if (st || !(k->how->lr_gain > 0))
		return st;
	k->out->weights += norms * mat_bytes(&w);
	k->out->state += norms * plan.state;
	return ST_OK;
}

/* FORMULAS.md 1.9. */
static double flops_of(const struct need *k, const struct hparams *hp, size_t window)
{
	double rows = (double)(k->how->windows * window),
	       head = (double)hp->vocab * (double)hp->hidden;
	double attention =
		4 * (double)hp->layers * (double)window * (double)(hp->heads * hp->head_dim) / 2;
	double blocks = rows * (2 * k->params + attention), ends = rows * 2 * head, all;

	/* forward; the way back to x; and to W, of the attention counted with x */
	all = 2 * blocks + 2 * ends + rows * attention;
	all += k->how->method->what == TRAIN_ADAPTERS ? 6 * rows * (double)k->out->trained
						      : rows * 2 * k->params;
	if (k->how->teach && !k->how->said)
		all += blocks + ends;
	if (k->how->keep == BACK_INPUTS)
		all += blocks;
	if (k->how->keep == BACK_NARROW)
		all += rows * 4 * (double)hp->layers * (double)hp->hidden * (double)hp->inter;
	return all;
}

enum st train_need(struct train_memory *out, const struct hparams *hp,
	const struct train_shape *shape, size_t n, uint64_t other, const struct train_how *how,
	size_t window, struct err *e)
{
	struct need k = { .out = out, .how = how, .by = optimizer_find(how->method->optimizer) };
	struct hparams headless = *hp;
	size_t rows = how->windows * window;
	enum st st = ST_OK;

	*out = (struct train_memory){ .frozen = other };
	k.rows = rows;
	k.forms = how->forms ? how->forms : 1;
	if (!k.by)
		return err_set(e, ST_INVALID, "%s: there is no optimizer %s", how->method->name,
			how->method->optimizer);
	if (how->method->what == TRAIN_ADAPTERS)
		st = lora_rank_fits(hp, how->tune.rank, e);
	for (size_t i = 0; !st && i < n; i++)
		st = linear(&k, &shape[i], n, e);
	if (!st && !out->trained)
		st = err_set(e, ST_INVALID,
			"%s trains packed codes, and every linear of this layout is as in the "
			"file: "
			"name a format, such as --layout int4g128",
			how->method->name);
	if (!st)
		st = rank_fits(&k, e);
	if (!st)
		st = gains(&k, hp, e);
	if (st)
		return st;
	headless.vocab = 0;
	out->activations = back_bytes_of(&headless, rows, how->keep);
	out->logits = back_bytes_of(hp, rows, how->keep) - out->activations;
	if (how->teach) {
		out->activations += teacher_need(hp, rows, how->said);
		out->logits += back_distil_bytes(hp);
	}
	out->gradient = k.largest + k.mixed + k.scratch;
	out->total = out->weights + out->frozen + out->state + out->adapters + out->activations +
		     out->gradient + out->logits;
	out->looks = train_eval_need(hp, window, k.forms > 1 ? TRAIN_LOOK_DIAL : TRAIN_LOOK);
	out->flops = flops_of(&k, hp, window);
	return ST_OK;
}

uint64_t train_checkpoint_bytes(
	const struct train_memory *x, const struct train_how *how, uint64_t folders)
{
	uint64_t state = x->weights + x->state + x->adapters;

	switch (how->method->what) {
	case TRAIN_CODES:
	case TRAIN_LATENT:
		return folders + state;
	case TRAIN_MASTERS:
		return x->weights + x->frozen + state;
	case TRAIN_ADAPTERS:
		break;
	}
	return x->adapters + state;
}

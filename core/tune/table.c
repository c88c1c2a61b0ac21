/* table.c - the optimizers there are, their schedules, and what all of them check. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tune/state.h"
#include "kernels/pool.h"

#define OPTIMIZERS(X) X(rank) X(flips) X(sr) X(stats) X(diodemix) X(galore) X(adamw) X(adam8)

#define X(name) extern const struct optimizer optimizer_##name;
OPTIMIZERS(X)
#undef X

const struct optimizer *const optimizer_table[] = {
#define X(name) &optimizer_##name,
	OPTIMIZERS(X)
#undef X
		NULL
};

/* FORMULAS.md 3.4; GaLore: 7.2. */
const struct tune_options tune_defaults = {
	.unit = LR_LEVELS,
	.lr = 0.01,
	.lr_s = 1e-3,
	.b1 = 0.9,
	.b2 = 0.99,
	.eps = 1e-8,
	.steps = 300,
	.warmup = 10,
	.floor = 0.05,
	.from = 1e-4, /* CONTRIBUTING, Decisions */
	.first_move = 5,
	.gap = 200,
	.back = 0.25,
	.rounds = 2,
};

const struct optimizer *optimizer_find(const char *name)
{
	for (size_t i = 0; optimizer_table[i]; i++)
		if (!strcmp(optimizer_table[i]->name, name))
			return optimizer_table[i];
	return NULL;
}

static const struct tune_loops *const loops[] = {
	&tune_loops_plain,
#if defined(__x86_64__)
	&tune_loops_avx2,
	&tune_loops_avx512,
#endif
	NULL,
};

static bool runs(const struct tune_loops *l)
{
#if defined(__x86_64__)
	if (l == &tune_loops_avx2)
		return __builtin_cpu_supports("avx2");
	if (l == &tune_loops_avx512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#endif
	return l == &tune_loops_plain;
}

const struct tune_loops *const *tune_loops_all(void)
{
	static const struct tune_loops *some[4];
	size_t n = 0;

	for (size_t i = 0; loops[i]; i++)
		if (runs(loops[i]))
			some[n++] = loops[i];
	some[n] = NULL;
	return some;
}

const struct tune_loops *tune_loops(void)
{
	const char *forced = getenv("BITDIAL_CPU"); /* as kernels/cpu has it */
	const struct tune_loops *best = loops[0];

	if (forced && !strcmp(forced, "ref"))
		return best;
	for (size_t i = 1; loops[i]; i++) {
		if (runs(loops[i]))
			best = loops[i];
		if (forced && !strcmp(forced, loops[i]->name))
			break;
	}
	return best;
}

double tune_schedule(const struct tune_options *o, uint64_t step)
{
	double done;

	if (step <= o->warmup)
		return (double)step / (double)o->warmup;
	if (o->steps <= o->warmup || step >= o->steps)
		return o->floor;
	done = (double)(step - o->warmup) / (double)(o->steps - o->warmup);
	return o->floor + (1 - o->floor) * 0.5 * (1 + cos(3.14159265358979323846 * done));
}

double tune_budget(const struct tune_options *o, uint64_t step)
{
	double from = o->from, to = o->to > 0 ? o->to : from / 10;
	uint64_t start = o->first_move, end = o->steps > start ? o->steps : start + 1;

	if (step < start)
		return 0;
	if (step > end)
		step = end;
	return from * pow(to / from, (double)(step - start) / (double)(end - start));
}

static enum st refuse(const struct optimizer *by, const struct mat *w, struct err *e)
{
	bool codes = w->type == MAT_INT;
	char names[128] = "";
	size_t n = 0;

	for (size_t i = 0; optimizer_table[i]; i++)
		if (codes ? optimizer_table[i]->on_codes : optimizer_table[i]->on_float)
			n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "",
				optimizer_table[i]->name);
	return err_set(e, ST_INVALID, "%s does not train %s: choose one of %s", by->name,
		codes                ? "packed codes"
		: w->type == MAT_MIX ? "two widths at once"
				     : "dense weights",
		names);
}

enum st optim_plan(struct tune_plan *out, const struct optimizer *by, const struct mat *w,
	const struct tune_options *o, struct err *e)
{
	bool fits = w->type == MAT_INT ? by->on_codes : w->type == MAT_F32 && by->on_float;
	struct rooms r = { 0 };

	*out = (struct tune_plan){ 0 };
	if (!fits)
		return refuse(by, w, e);
	if (!w->rows || !w->cols || w->cols > POOL_SCRATCH / 8 || w->rows > UINT32_MAX)
		return err_set(e, ST_INVALID,
			"%s: a matrix of %zu x %zu cannot be trained, at most %d columns", by->name,
			w->rows, w->cols, POOL_SCRATCH / 8);
	by->plan(&r, w, o);
	if (r.state.over || r.scratch.over)
		return err_set(e, ST_INVALID, "%s: the state of a matrix of %zu x %zu has no size",
			by->name, w->rows, w->cols);
	*out = (struct tune_plan){ r.state.at, r.scratch.at };
	return ST_OK;
}

void optim_init(const struct optimizer *by, struct tuned *t, const struct tune_options *o)
{
	by->init(t, o);
}

void optim_residual(
	const struct optimizer *by, struct tuned *t, const struct tune_options *o, const float *w)
{
	if (by->residual)
		by->residual(t, o, w);
}

enum st optim_load(const struct optimizer *by, struct tuned *t, const void *from, size_t bytes,
	const struct tune_options *o, struct err *e)
{
	bool codes = t->w.type == MAT_INT;
	struct tune_head h;

	if (bytes < sizeof h || bytes != t->state_bytes)
		return err_set(e, ST_FORMAT, "the checkpoint has %zu bytes of %s, not %zu", bytes,
			by->name, t->state_bytes);
	memcpy(&h, from, sizeof h);
	if (memcmp(h.magic, "bdtune1", sizeof h.magic) || strncmp(h.by, by->name, sizeof h.by) != 0)
		return err_set(e, ST_FORMAT, "the checkpoint holds no state of %s", by->name);
	if (h.rows != t->w.rows || h.cols != t->w.cols ||
		h.bits != (codes ? (uint64_t)t->w.bits : 0) ||
		h.group != (codes ? t->w.group : 0) || h.moments != (uint64_t)o->moments ||
		h.rank != o->rank)
		return err_set(e, ST_FORMAT,
			"the checkpoint is of other options or of another matrix than this one of "
			"%zu x %zu",
			t->w.rows, t->w.cols);
	memcpy(t->state, from, bytes);
	return ST_OK;
}

void optim_step(const struct optimizer *by, struct tuned *t, float *grad, uint64_t step,
	const struct tune_options *o, void *scratch, struct tune_counts *c)
{
	by->step(t, grad, step, o, scratch, c);
}

void optim_finish(const struct optimizer *by, struct tuned *all, size_t n, uint64_t step,
	const struct tune_options *o, void *scratch, struct tune_counts *c)
{
	if (by->finish)
		by->finish(all, n, step, o, scratch, c);
}

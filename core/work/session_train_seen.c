/* session_train_seen.c - what is seen of a run of training: its steps and its looks. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/work/device.h"
#include "core/work/session_train.h"

void training_publish(struct session *s, bool now)
{
	struct session_train *t = s->train;
	double at = clock_now();

	if (!now && at - t->published < 0.25)
		return;
	t->published = at;
	if (t->job)
		t->now->ran_s = t->before + at - t->began;
	t->now->chat = atomic_load(&t->chat) && t->copy;
	t->now->chat_step = t->copy ? train_copy_step(t->copy) : 0;
	bus_publish(
		s->bus, (struct event){ .kind = EV_TRAIN, .snap = &snap_train_copy(t->now)->snap });
}

/* The empty one again; the ghost stays. */
void training_begin_seeing(struct session_train *t)
{
	struct snap_train *was = t->now, *now = snap_train_new();

	now->ghost = was->ghost;
	was->ghost = (struct train_history){ 0 };
	memcpy(now->ghost_name, was->ghost_name, sizeof now->ghost_name);
	memcpy(now->ghost_look, was->ghost_look, sizeof now->ghost_look);
	now->n_ghost_looks = was->n_ghost_looks;
	snap_unref(&was->snap);
	t->now = now;
	t->began = clock_now();
	t->before = t->went = 0;
}

/* lean: nobody keeps which codes ever changed. */
static void numbers_of(
	const struct train_report *rep, bool lean, uint64_t bytes, double v[TRAIN_SERIES])
{
	const struct tune_counts *c = &rep->counts;
	uint64_t all = 0, flips = 0, ends = 0;

	for (size_t i = 0; i < TRAIN_SERIES; i++)
		v[i] = (double)NAN;
	for (int b = 1; b <= 8; b++) {
		all += c->weights[b];
		flips += c->flips[b];
		ends += c->saturated[b];
		v[SERIES_FLIPS_OF + b - 1] = tune_share(c->flips[b], c->weights[b]);
	}
	v[SERIES_LOSS] = rep->loss;
	v[SERIES_LR] = rep->lr;
	v[SERIES_LR_S] = rep->lr_s;
	v[SERIES_GRAD] = rep->grad_norm;
	v[SERIES_UPDATE] = rep->update_norm;
	v[SERIES_RATE] = rep->seconds > 0 ? (double)rep->tokens / rep->seconds : (double)NAN;
	v[SERIES_MEMORY] = (double)bytes;
	v[SERIES_FLIPS] = tune_share(flips, all);
	v[SERIES_SATURATED] = tune_share(ends, all);
	v[SERIES_REVERSALS] = tune_share(c->reversals, c->seen_flips);
	v[SERIES_CHANGED] = lean ? (double)NAN : tune_share(rep->changed, rep->codes);
}

void training_step(void *arg, const struct train_report *rep)
{
	struct session *s = arg;
	struct session_train *t = s->train;
	struct snap_train *n = t->now;
	double v[TRAIN_SERIES], at = t->before + clock_now() - t->began;
	float f[TRAIN_SERIES];

	numbers_of(rep, train_how(train_run_train(t->run))->tune.lean, device_resident(), v);
	for (size_t i = 0; i < TRAIN_SERIES; i++) {
		f[i] = (float)v[i];
		if (!rep->skipped)
			n->last[i] = v[i];
	}
	for (int b = 1; b <= 8; b++)
		n->widths |= rep->counts.weights[b] ? 1u << b : 0;
	train_history_add(&n->seen, f, rep->skipped, at);
	t->stepped = clock_now();
	snap_train_quiet(n, 0);
	n->step = rep->step;
	n->skipped = rep->skipped_so_far;
	n->step_tokens = rep->tokens;
	n->step_s = isfinite(n->step_s) ? 0.8 * n->step_s + 0.2 * rep->seconds : rep->seconds;
	if (t->went <= 0) { /* what was before is no part of a step: loading, the first look */
		t->went = t->stepped - rep->seconds;
		t->went_from = rep->step - 1;
	}
	snap_train_left(n, n->step - t->went_from, t->stepped - t->went);
	if (rep->skipped) {
		char text[112];

		snprintf(text, sizeof text,
			"the loss is no number; the step changed nothing (%llu so far)",
			(unsigned long long)rep->skipped_so_far);
		snap_train_note(n, rep->step, text);
		if (rep->skipped_so_far == 1)
			notice(s, LOG_WARN, "step %llu: %s", (unsigned long long)rep->step, text);
	}
	sink_progress(&t->job->sink, (double)n->step, (double)n->steps);
}

/* Of a dial: every budget's. */
static void look_points(struct session_train *t, struct train_look *one)
{
	double kl[TRAIN_POINTS];

	t->now->points = train_run_points(t->run, t->now->point_bpw, kl);
	for (size_t p = 0; p < TRAIN_POINTS; p++)
		one->point[p] = p < t->now->points ? (float)kl[p] : NAN;
}

void training_held(void *arg, uint64_t step, const struct train_eval *v)
{
	struct session *s = arg;
	struct session_train *t = s->train;
	struct snap_train *n = t->now;
	struct train_look one = { .step = step,
		.at_s = (float)(t->before + clock_now() - t->began),
		.nll = (float)v->nll,
		.se = (float)v->nll_se,
		.kl = (float)v->kl,
		.top1 = (float)v->top1 };

	look_points(t, &one);
	if (n->n_looks && n->look[n->n_looks - 1].step == step)
		n->look[n->n_looks - 1] = one; /* on more of it */
	else
		train_look_add(n->look, &n->n_looks, one);
	training_publish(s, true);
}

void training_ending(void *arg, double seconds)
{
	struct session *s = arg;
	char time[16];

	notice(s, LOG_INFO, "step %llu is finished first, about %s",
		(unsigned long long)s->train->now->step + 1, text_seconds(seconds, time));
}

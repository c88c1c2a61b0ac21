/* show_more - the front, the conversation, A and B, and the runs, as lines. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/tui/show.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/work/runs.h"

/* ---- the front */

static double bpw_of(const struct snap_front *f, uint64_t bytes)
{
	return f->least ? (double)bytes * f->least_bpw / (double)f->least : f->least_bpw;
}

/* The predicted curve at every half bit, or at every point of it. */
static void say_curve(struct tui *t, bool all)
{
	const struct snap_front *f = t->front;
	double next = 0;
	char kl[24];

	for (size_t i = 0; i < f->n; i++) {
		double bpw = bpw_of(f, f->bytes[i]);

		if (!all && bpw + 1e-9 < next && i + 1 < f->n)
			continue;
		next = (floor(bpw * 2 + 1e-9) + 1) / 2;
		list_add(t, ROLE_TEXT, "%.2f bpw: %s %s", bpw, f->in_nats ? "damage" : "score",
			show_kl(f->kl[i], kl));
	}
}

static int by_size(const void *a, const void *b)
{
	const struct front_point *const *x = a, *const *y = b;

	return ((*x)->bpw > (*y)->bpw) - ((*x)->bpw < (*y)->bpw);
}

static void say_points(struct tui *t)
{
	const struct snap_front *f = t->front;
	const struct front_point **at = xarray(f->n_points + 1, sizeof *at);
	char kl[24], se[24];

	for (size_t i = 0; i < f->n_points; i++)
		at[i] = &f->point[i];
	qsort(at, f->n_points, sizeof *at, by_size);
	for (size_t i = 0; i < f->n_points; i++)
		list_add(t, ROLE_TEXT, "%s: %.2f bpw, damage %s%s%s%s", at[i]->what, at[i]->bpw,
			show_kl(at[i]->kl, kl), at[i]->se > 0 ? ", give or take " : "",
			at[i]->se > 0 ? show_kl(at[i]->se, se) : "",
			at[i]->missed ? ", more than two errors off what was predicted" : "");
	xfree(at);
}

enum st show_front(struct tui *t, const char *arg, struct err *e)
{
	const struct snap_front *f = t->front;
	bool all = !strcmp(arg, "all");

	if (*arg && !all)
		return err_set(
			e, ST_INVALID, "show front: expected all or nothing, got \"%s\"", arg);
	if (!f || !f->n) {
		list_add(t, ROLE_TEXT, "front: nothing is known yet");
		return ST_OK;
	}
	list_add(t, ROLE_STRONG, "front: from %.2f to %.2f bpw; %zu layouts measured", f->least_bpw,
		f->most_bpw, f->n_points);
	say_points(t);
	list_add(t, ROLE_STRONG,
		"predicted, %s:", f->in_nats ? "nats a token" : "by first scores, not in nats");
	say_curve(t, all);
	return ST_OK;
}

/* ---- what was said */

/* Text of any length in lines of its own; white space at its ends is left out. */
static void text_lines(struct tui *t, const char *who, const char *s, size_t n)
{
	enum { LONGEST = 480 };
	const char *end = s + n;

	while (s < end) {
		const char *feed = memchr(s, '\n', (size_t)(end - s));
		size_t len = (size_t)((feed ? feed : end) - s), take = len;

		if (take > LONGEST) { /* at a blank, or between two characters */
			take = LONGEST;
			while (take && s[take] != ' ')
				take--;
			if (!take)
				take = LONGEST - utf8_partial_tail(s, LONGEST);
		}
		if (take && strspn(s, " ") < take)
			list_add(t, ROLE_TEXT, "%s%.*s", who, (int)take, s);
		s += take + (take == len && feed);
		if (take && strspn(s, " ") && take < len)
			s += strspn(s, " ");
		who = "";
	}
}

static void said(struct tui *t, const struct snap_chat *c)
{
	char who[48];

	for (size_t i = 0; i < c->n; i++) {
		const struct chat_piece *p = &c->piece[i];

		if (p->who == CHAT_MODEL && !isfinite(p->bpw)) /* its side says it */
			snprintf(who, sizeof who, "answer: ");
		else if (p->who == CHAT_MODEL)
			snprintf(who, sizeof who, "answer at %.2f bpw: ", p->bpw);
		else
			snprintf(who, sizeof who, "%s: ", p->who == CHAT_USER ? "you" : "note");
		/* One answer, in pieces where the layout changed or another answer differs. */
		if (i && p->who == CHAT_MODEL && p[-1].who == CHAT_MODEL &&
			p->layout == p[-1].layout)
			*who = 0;
		text_lines(t, who, c->text + p->at, p->len);
	}
}

enum st show_chat(struct tui *t, const char *arg, struct err *e)
{
	(void)arg, (void)e;
	if (t->talk)
		said(t, t->talk);
	if (!t->list.n)
		list_add(t, ROLE_TEXT, "chat: nothing was said yet (say TEXT)");
	return ST_OK;
}

static void compared(struct tui *t, const struct snap_ab *s)
{
	const struct ab_compared *c = &s->compared;
	char mean[24], max[24], token[64];

	if (s->differs)
		list_add(t, ROLE_TEXT, "the answers differ from token %zu on", s->differs);
	if (s->state != AB_COMPARED || s->hidden)
		return;
	if (isfinite(c->kl_mean)) {
		text_clean(token, sizeof token, c->kl_token, strlen(c->kl_token), true);
		list_add(t, ROLE_TEXT, "damage of B against A: %s a token, at most %s at \"%s\"",
			show_kl(c->kl_mean, mean), show_kl(c->kl_max, max), token);
		list_add(t, ROLE_TEXT, "the likeliest token is the same at %.0f percent",
			100 * c->top1);
	}
	if (isfinite(c->ppl_a) && isfinite(c->ppl_ref))
		list_add(t, ROLE_TEXT,
			"perplexity of B's text: %.2f under A, %.2f under the reference", c->ppl_a,
			c->ppl_ref);
}

enum st show_ab(struct tui *t, const char *arg, struct err *e)
{
	const struct snap_ab *s = t->ab;

	(void)arg, (void)e;
	if (!s || (!s->side[0].chat && !s->side[1].chat)) {
		list_add(t, ROLE_TEXT,
			"ab: no two answers yet; mark a layout, turn the dial, then ab on and say "
			"TEXT");
		return ST_OK;
	}
	for (int i = 0; i < 2; i++) {
		const struct ab_side *side = &s->side[i];

		if (s->hidden || !side->name)
			list_add(t, ROLE_STRONG,
				"%s, its name hidden until the vote:", i ? "right" : "left");
		else
			list_add(t, ROLE_STRONG, "%s, layout %c of %.2f bpw:", i ? "right" : "left",
				side->name, side->bpw);
		if (side->chat)
			said(t, side->chat);
	}
	compared(t, s);
	if (s->vote == VOTE_NONE && s->state != AB_ANSWERING)
		list_add(t, ROLE_TEXT, "vote left, right, tie or bad says which is better");
	return ST_OK;
}

/* ---- runs */

static void list_run(struct tui *t, const struct run_entry *r)
{
	char line[480], number[24], when[24];
	time_t began = (time_t)r->began;
	struct tm tm;
	size_t at;

	localtime_r(&began, &tm);
	strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
	at = (size_t)snprintf(
		line, sizeof line, "%s: %s, %s, began %s", r->id, r->kind, r->status, when);
	if (isfinite(r->seconds) && at < sizeof line)
		at += (size_t)snprintf(
			line + at, sizeof line - at, ", took %s", num_time(r->seconds, number));
	if (isfinite(r->bpw) && at < sizeof line)
		at += (size_t)snprintf(line + at, sizeof line - at, ", %.2f bpw", r->bpw);
	if (isfinite(r->kl) && at < sizeof line)
		at += (size_t)snprintf(
			line + at, sizeof line - at, ", damage %s", show_kl(r->kl, number));
	if (at < sizeof line)
		snprintf(line + at, sizeof line - at, ", %s%s%s", r->model,
			*r->tags ? ", tags " : "", r->tags);
	list_add(t, ROLE_TEXT, "%s", line);
}

enum st show_runs(struct tui *t, const char *arg, struct err *e)
{
	char words[256], *save;
	struct runs all;
	enum st st = runs_load(&all, NULL, e);

	if (st)
		return st;
	snprintf(words, sizeof words, "%s", arg);
	for (char *w = strtok_r(words, " ", &save); w && !st; w = strtok_r(NULL, " ", &save))
		st = runs_filter(&all, w, e);
	for (size_t i = 0; !st && i < all.n; i++)
		list_run(t, &all.at[i]);
	if (!st && !all.n)
		list_add(t, ROLE_TEXT, "runs: none%s%s", *arg ? " that match " : "", arg);
	runs_release(&all);
	return st;
}

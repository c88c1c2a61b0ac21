/* events - what the bus brings: to the panels, to the status line, to the notices. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/tui/acts.h"
#include "app/tui/devices.h"
#include "app/tui/keys.h"
#include "app/tui/scripting.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log_ring.h"

static const double info_shown = 4.0, trouble_shown = 10.0, sample_s = 1.0; /* seconds */

/* ---- notices */

void tui_notice(struct tui *t, enum log_level strength, const char *fmt, ...)
{
	struct notice *n = &t->notice[t->n_notices++ % NOTICES];
	va_list ap;

	*n = (struct notice){ .strength = strength, .at = t->now };
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof n->text, fmt, ap);
	va_end(ap);
	if (strength == LOG_ERROR)
		t->ring = opt_on(&t->opt, OPT_BELL);
	t->dirty = true;
	log_at(LOG_INFO, "notice", "%s", n->text);
}

static void notice_offer(struct tui *t, const char *text)
{
	tui_notice(t, LOG_WARN, "%s", text);
	t->notice[(t->n_notices - 1) % NOTICES].offer = true;
}

static const struct notice *notice_at(const struct tui *t, size_t back)
{
	if (back >= t->n_notices || back >= NOTICES)
		return NULL;
	return &t->notice[(t->n_notices - 1 - back) % NOTICES];
}

static double shown_until(const struct notice *n)
{
	if (n->strength == LOG_WARN)
		return (double)INFINITY;
	return n->at + (n->strength >= LOG_INFO ? info_shown : trouble_shown);
}

/* A warning stays until a key (an offer: until one that came when it was seen), which others may
 * cover for long; errors ten seconds at most, less when a key comes, info four; what is newer
 * covers what is older, but no info an offer, which is made as the program starts, when much is
 * told.  Errors not read with `!` are counted beside the jobs. */
const struct notice *tui_notice_now(const struct tui *t)
{
	const struct notice *n, *newest = NULL;
	char what[48];

	for (size_t i = 0; (n = notice_at(t, i)); i++) {
		if (n->offer && !session_offer(t->s, what)) /* it was answered */
			continue;
		if (n->seen || n->gone || t->now >= shown_until(n))
			continue;
		newest = newest ? newest : n;
		if (newest->strength < LOG_INFO)
			break;
		if (n->offer)
			return n;
	}
	return newest;
}

void notices_keyed(struct tui *t, uint32_t key)
{
	const struct notice *now = tui_notice_now(t);

	t->offer_shown = !now || now->offer;
	for (size_t i = 0; i < NOTICES && i < t->n_notices; i++) {
		struct notice *n = &t->notice[i];

		if (n->offer && n != now) /* others stand before it: nobody has read it yet */
			continue;
		n->gone |= n->strength <= LOG_WARN || key == KEY_ESC;
		n->seen |= n->strength == LOG_WARN;
	}
}

size_t tui_unread(const struct tui *t)
{
	const struct notice *n;
	size_t count = 0;

	for (size_t i = 0; (n = notice_at(t, i)); i++)
		count += !n->seen && n->strength == LOG_ERROR;
	return count;
}

/* Is a panel on the last frame that looks at these kinds? */
static bool looks(const struct tui *t, uint64_t kinds)
{
	for (size_t i = 0; i < t->n_shown; i++)
		if (t->class[t->shown[i].panel] -> events & kinds)
			return true;
	return false;
}

double tui_next_tick(const struct tui *t)
{
	const struct notice *n = tui_notice_now(t);
	double left = -1, sample;

	if (n && n->strength != LOG_WARN) {
		left = shown_until(n) - t->now;
		left = left > 0 ? left : 0;
	}
	if (looks(t, 1ull << EV_DEVICE | 1ull << EV_LOG)) {
		sample = t->sampled_at + sample_s - t->now;
		sample = sample > 0 ? sample : 0;
		left = left < 0 || sample < left ? sample : left;
	}
	return left;
}

/* ---- jobs */

static struct job_line *job_find(struct tui *t, uint32_t id)
{
	for (size_t i = 0; i < t->n_jobs; i++)
		if (t->job[i].id == id)
			return &t->job[i];
	return NULL;
}

static void job_began(struct tui *t, const struct event *ev)
{
	const struct snap_text *name = (const struct snap_text *)ev->snap;
	struct job_line *j = job_find(t, ev->key);

	if (!j) {
		if (t->n_jobs == JOBS)
			return;
		j = &t->job[t->n_jobs++];
	}
	*j = (struct job_line){ .id = ev->key, .left = NAN };
	snprintf(j->name, sizeof j->name, "%s", name ? name->text : "job");
}

static void job_progress(struct tui *t, const struct event *ev)
{
	const struct snap_progress *p = (const struct snap_progress *)ev->snap;
	struct job_line *j = job_find(t, ev->key);

	if (!j || !p)
		return;
	snprintf(j->name, sizeof j->name, "%s", p->name);
	j->done = p->done;
	j->total = p->total;
	j->left = p->left_s;
	j->held = p->held;
}

static void job_ended(struct tui *t, const struct event *ev)
{
	struct job_line *j = job_find(t, ev->key);

	if (!j)
		return;
	t->n_jobs--;
	memmove(j, j + 1, (size_t)(&t->job[t->n_jobs] - j) * sizeof *j);
}

/* ---- all */

/* The latest of each kind stays. */
static void hold(struct tui *t, const struct event *ev)
{
	const void **slot[EV_KINDS] = {
		[EV_MODEL] = (const void **)&t->model,
		[EV_ANSWER] = (const void **)&t->answer,
		[EV_FRONT] = (const void **)&t->front,
		[EV_MAP] = (const void **)&t->map,
		[EV_VARIANTS] = (const void **)&t->variants,
		[EV_ODDS] = (const void **)&t->odds,
		[EV_RUNS] = (const void **)&t->runs,
		[EV_CHAT] = (const void **)&t->talk,
		[EV_AB] = (const void **)&t->ab,
		[EV_TRAIN] = (const void **)&t->training,
	};
	const void **to = slot[ev->kind];

	if (!to || !ev->snap)
		return;
	snap_unref((struct snap *)*to);
	*to = snap_ref(ev->snap);
}

static void hear(struct tui *t, const struct event *ev)
{
	const struct snap_text *text = (const struct snap_text *)ev->snap;

	hold(t, ev);
	switch (ev->kind) {
	case EV_MODEL:
		if (t->model && t->cursor >= t->model->n)
			t->cursor = 0;
		t->sampled_at = 0; /* it may be on another device now; loads of so short a time say
				      nothing */
		t->sampler_of = (struct device_sampler){ 0 };
		break;
	case EV_ANSWER:
		if (ev->snap)
			acts_answer(t, (const struct snap_answer *)ev->snap);
		break;
	case EV_CHAT:
		if (ev->snap)
			t->chat = ((const struct snap_chat *)ev->snap)->stats;
		t->streaming = ev->snap && t->chat.streaming;
		break;
	case EV_AB:
		t->streaming =
			ev->snap && ((const struct snap_ab *)ev->snap)->state == AB_ANSWERING;
		break;
	case EV_VOTES:
		if (ev->snap)
			list_votes(t, (const struct snap_votes *)ev->snap);
		break;
	case EV_PLOT:
		if (ev->snap)
			picture_take(t, (const struct snap_plot *)ev->snap);
		break;
	case EV_CURSOR:
		if (ev->n >= 0)
			t->cursor = (size_t)ev->n;
		break;
	case EV_JOB_BEGAN:
		job_began(t, ev);
		break;
	case EV_JOB_PROGRESS:
		job_progress(t, ev);
		break;
	case EV_JOB_ENDED:
		job_ended(t, ev);
		acts_job_ended(t, ev->key, (enum st)ev->n, text ? text->text : NULL);
		break;
	case EV_NOTICE:
		if (text && ev->key == NOTICE_OFFER)
			notice_offer(t, text->text);
		else if (text)
			tui_notice(t, (enum log_level)ev->n, "%s", text->text);
		break;
	default:
		break;
	}
	t->dirty = true;
}

static void hand_out(struct tui *t, const struct event *ev)
{
	for (size_t i = 0; i < t->n_panels; i++)
		if (t->class[i] -> events >> ev -> kind & 1 && t -> class[i] -> on_event && t
			-> class[i] -> on_event(t->panel[i], ev))
			t->dirty = true;
}

/* What no thread tells of: new lines of the log, and once a second, while somebody looks, the
 * state of the machine. */
static void look_around(struct tui *t)
{
	uint64_t lines = log_ring_head();
	double now = clock_now();
	char why[DEVICES_LIST];
	struct snap_device *d;

	if (lines != t->log_lines) {
		t->log_lines = lines;
		hand_out(t, &(struct event){ .kind = EV_LOG, .n = (int64_t)lines });
	}
	if (now - t->sampled_at < sample_s || !looks(t, 1ull << EV_DEVICE | 1ull << EV_LOG))
		return;
	t->sampled_at = now;
	if (!looks(t, 1ull << EV_DEVICE))
		return;
	d = device_sample(&t->sampler_of);
	if (d->n == 1 && t->model && !t->o->no_devices) /* looked for when it was opened */
		snprintf(d->none, sizeof d->none, "%s", devices_none(why));
	hand_out(t, &(struct event){ .kind = EV_DEVICE, .snap = &d->snap });
	snap_unref(&d->snap);
}

bool tui_deliver(struct tui *t, double ms)
{
	double until = clock_now() + ms / 1000;
	struct event ev;

	runs_wanted(t);
	if (session_jobs(t->s) && jobs_drain(session_jobs(t->s)))
		t->dirty = true;
	look_around(t);
	while (sub_next(t->sub, &ev)) {
		hear(t, &ev);
		hand_out(t, &ev);
		if (t->tell)
			t->tell(t->tell_arg, &ev);
		snap_unref(ev.snap);
		if (clock_now() >= until)
			return true;
	}
	return false;
}

bool tui_idle(const struct tui *t)
{
	return !session_busy(t->s) && !t->n_jobs && !(t->runs_io && runs_io_busy(t->runs_io)) &&
	       !(t->scripting && scripting_runs(t->scripting));
}

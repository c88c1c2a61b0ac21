/* fake_session.h - a session that writes down what it was asked; for suites of app/tui
 * that define it instead of linking the real one.  Include in one file of a binary. */
#ifndef BD_TESTS_FAKE_SESSION_H
#define BD_TESTS_FAKE_SESSION_H

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/work/figure.h"
#include "core/work/session.h"
#include "core/work/train_run.h"

struct session {
	char log[8192]; /* one line a verb */
	double bpw;
	bool busy, streaming;
	long tick_ms;                /* how long a tick takes */
	const char *fail;            /* the next verb fails with this sentence */
	struct dial_reached reached; /* what an ask led to */
	struct dial_price price;
	struct dial_acted acted; /* acts: one more at each turn of the dial where `apart` */
	bool apart;
	struct bus *bus;   /* a plot is told here, */
	const char *sixel; /* with that where sixels are asked for */
	int pixels;        /* w * 10000 + h of the last one */
	char device[16];   /* "": cpu */
	uint32_t training; /* the job */
	bool offers;       /* to go on with what was cut short */
};

static struct session fake __attribute__((unused));

static enum st verb(struct session *s, struct err *e, const char *fmt, const char *a, double b)
{
	size_t n = strlen(s->log);

	snprintf(s->log + n, sizeof s->log - n, fmt, a ? a : "NULL", b);
	n = strlen(s->log);
	snprintf(s->log + n, sizeof s->log - n, "\n");
	if (s->fail) {
		const char *why = s->fail;

		s->fail = NULL;
		return err_set(e, ST_INVALID, "%s", why);
	}
	return ST_OK;
}

struct jobs *session_jobs(struct session *s)
{
	(void)s;
	return NULL;
}
void session_acted(struct session *s, struct dial_acted *a)
{
	*a = s->acted;
}
enum st session_seek(struct session *s, size_t cells, size_t points, struct err *e)
{
	(void)points;
	return verb(s, e, "seek %s %.0f", NULL, (double)cells);
}
double session_tick(struct session *s)
{
	nanosleep(&(struct timespec){ .tv_nsec = s->tick_ms * 1000000 }, NULL);
	return -1;
}
enum st session_open(struct session *s, const char *path, struct err *e)
{
	return verb(s, e, "open %s", path, 0);
}
enum st session_text(struct session *s, const char *path, size_t tokens, struct err *e)
{
	return verb(s, e, "text %s %.0f", path, (double)tokens);
}
enum st session_sources(struct session *s, const struct sources *src, size_t tokens, struct err *e)
{
	char all[256] = "";

	if (src->n < 2)
		return session_text(s, src->n ? src->at[0].path : NULL, tokens, e);
	for (size_t i = 0; i < src->n; i++)
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s=%.3f ",
			src->at[i].path ? src->at[i].path : "self", src->at[i].weight);
	return verb(s, e, "sources %s%.0f", all, (double)tokens);
}
enum st session_formats(struct session *s, const char *names, struct err *e)
{
	return verb(s, e, "formats %s", names, 0);
}
enum st session_budget(struct session *s, double bpw, struct err *e)
{
	enum st st = verb(s, e, "budget%.0s %.2f", "", bpw);

	if (!st)
		s->bpw = bpw;
	return st;
}
enum st session_budget_bytes(struct session *s, uint64_t bytes, struct err *e)
{
	return verb(s, e, "bytes%.0s %.0f", "", (double)bytes);
}
double session_budget_now(const struct session *s)
{
	return s->bpw;
}
enum st session_choose(
	struct session *s, const uint8_t *choice, size_t n, double kl, double se, struct err *e)
{
	(void)choice, (void)kl, (void)se;
	return verb(s, e, "choose%.0s %.0f", "", (double)n);
}
enum st session_guard(struct session *s, const char *name, uint64_t seed, size_t n, struct err *e)
{
	(void)n;
	return verb(s, e, "guard %s %.0f", name, (double)seed);
}
enum st session_device(struct session *s, const char *name, struct err *e)
{
	enum st st = verb(s, e, "device %s", name, 0);

	if (!st)
		snprintf(s->device, sizeof s->device, "%s", name);
	return st;
}
const char *session_device_now(const struct session *s)
{
	return s->device[0] ? s->device : "cpu";
}
enum st session_time(struct session *s, const struct timing_ask *a, struct err *e)
{
	return verb(s, e, "time%.0s %.0f", "", (double)a->rows);
}
enum st session_pin(
	struct session *s, const char *pattern, const char *format, size_t *matched, struct err *e)
{
	char both[128];

	*matched = 1;
	snprintf(both, sizeof both, "%s %s", pattern, format ? format : "as it is");
	return verb(s, e, "pin %s", both, 0);
}
enum st session_free_pin(struct session *s, const char *pattern, size_t *matched, struct err *e)
{
	*matched = 1;
	return verb(s, e, "free %s", pattern, 0);
}
enum st session_ask(struct session *s, const struct ask *a, struct dial_reached *r, struct err *e)
{
	static const char *const what[] = { "budget%.0s %.2f", "budget%.0s %.2f", "bytes%.0s %.0f",
		"file%.0s %.0f", "kl%.0s %g", "speed%.0s %g" };
	double v = a->value + (a->what == ASK_STEP ? s->bpw : 0);
	enum st st = verb(s, e, what[a->what], "", v);

	*r = s->reached;
	if (a->what > ASK_STEP || isnan(v))
		return st;
	s->bpw = st ? s->bpw : v;
	return st;
}
enum st session_floor(
	struct session *s, const char *pattern, const char *format, size_t *matched, struct err *e)
{
	char both[128];

	*matched = 1;
	snprintf(both, sizeof both, "%s %s", pattern, format);
	return verb(s, e, "floor %s", both, 0);
}
enum st session_tie(struct session *s, const char *what, size_t *units, struct err *e)
{
	*units = 3;
	return verb(s, e, "tie %s", what, 0);
}
enum st session_price(
	struct session *s, const char *pattern, unsigned which, struct dial_price *p, struct err *e)
{
	(void)pattern, (void)which, (void)e;
	*p = s->price;
	return ST_OK;
}
enum st session_mark(struct session *s, enum dial_mark_verb how, bool *marked, struct err *e)
{
	static const char *const name[] = { "here", "off", "toggle" };

	*marked = how != MARK_OFF;
	return verb(s, e, "mark %s", name[how], 0);
}
enum st session_to_mark(struct session *s, struct err *e)
{
	return verb(s, e, "to_mark", "", 0);
}
enum st session_undo(struct session *s, struct err *e)
{
	return verb(s, e, "undo", "", 0);
}
enum st session_redo(struct session *s, struct err *e)
{
	return verb(s, e, "redo", "", 0);
}
uint32_t session_scanning(struct session *s)
{
	(void)s;
	return 0;
}
enum st session_scan(struct session *s, struct err *e)
{
	return verb(s, e, "scan", "", 0);
}
enum st session_measure(struct session *s, struct err *e)
{
	return verb(s, e, "measure", "", 0);
}
enum st session_refine(struct session *s, struct err *e)
{
	return verb(s, e, "refine", "", 0);
}
enum st session_better(struct session *s, struct err *e)
{
	return verb(s, e, "better", "", 0);
}
enum st session_keep_for(struct session *s, const char *name, const char *script,
	const char *script_sha, struct err *e)
{
	(void)script, (void)script_sha;
	return verb(s, e, "keep %s", name, 0);
}
enum st session_keep(struct session *s, const char *name, struct err *e)
{
	return verb(s, e, "keep %s", name, 0);
}
bool session_stop(struct session *s, uint32_t job)
{
	verb(s, NULL, "stop%.0s %.0f", "", job);
	return s->busy;
}
enum st session_raise(struct session *s, uint32_t job, struct err *e)
{
	return verb(s, e, "raise%.0s %.0f", "", job);
}
enum st session_resume(struct session *s, struct err *e)
{
	return verb(s, e, "resume", "", 0);
}
bool session_offer(const struct session *s, char what[48])
{
	snprintf(what, 48, "training of 14:02");
	return s->offers;
}
bool session_leave(struct session *s)
{
	bool was = s->offers;

	if (was)
		verb(s, NULL, "leave", "", 0);
	s->offers = false;
	return was;
}
enum st session_scan_cells(struct session *s, bool undecided, uint32_t *running, struct err *e)
{
	(void)s, (void)undecided, (void)e;
	*running = 0;
	return ST_OK;
}

enum st session_scan_anyway(struct session *s, struct err *e)
{
	return verb(s, e, "scan_anyway", "", 0);
}
bool session_busy(const struct session *s)
{
	return s->busy;
}
enum st session_layout_write(struct session *s, const char *path, struct err *e)
{
	return verb(s, e, "layout_write %s", path, 0);
}
enum st session_plot(struct session *s, const struct plot_ask *a, struct err *e)
{
	struct snap_plot *p = snap_plot_new("/x/plots/front.png", NULL, 0);

	if (a->w > 0 && s->sixel) {
		p->n = strlen(s->sixel);
		p->sixel = xstrdup(s->sixel);
	}
	s->pixels = a->w * 10000 + a->h;
	if (s->bus)
		bus_publish(s->bus, (struct event){ .kind = EV_PLOT, .snap = &p->snap });
	else
		snap_unref(&p->snap);
	figure_free(a->figure);
	return verb(s, e, "plot %s %.0f", a->figure ? a->path : a->word[0], (double)a->n);
}
enum st session_score(struct session *s, const struct score_ask *a, struct err *e)
{
	return verb(s, e, "score %s %.0f", a->task ? a->task : a->text, (double)a->of);
}
enum st session_layout_read(struct session *s, const char *path, struct err *e)
{
	return verb(s, e, "layout_read %s", path, 0);
}
enum st session_export(struct session *s, const char *dir, struct err *e)
{
	return verb(s, e, "export %s", dir, 0);
}
enum st session_say(struct session *s, const char *text, struct err *e)
{
	return verb(s, e, "say %s", text, 0);
}
enum st session_again(struct session *s, struct err *e)
{
	return verb(s, e, "again", "", 0);
}
bool session_chat_stop(struct session *s)
{
	bool was = s->streaming;

	if (was)
		verb(s, NULL, "chat_stop", "", 0);
	s->streaming = false;
	return was;
}
enum st session_chat_clear(struct session *s, struct err *e)
{
	return verb(s, e, "clear", "", 0);
}
enum st session_train(struct session *s, const struct train_ask *ask, struct err *e)
{
	char all[256];

	snprintf(all, sizeof all, "%s %s", ask->resume ? ask->resume : ask->data ? ask->data : "-",
		ask->method ? ask->method : "-");
	return verb(s, e, ask->calibrate ? "calibrate %s %.0f" : "train %s %.0f", all,
		(double)ask->steps);
}
enum st session_wear(struct session *s, bool on, const char *run, struct err *e)
{
	return verb(s, e, on ? "wear %s" : "wear off", run ? run : "the last", 0);
}
uint32_t session_training(struct session *s)
{
	return s->training;
}
enum st session_train_pause(struct session *s, enum switch_verb how, bool *paused, struct err *e)
{
	*paused = how == SWITCH_ON;
	return verb(s, e, "train pause%.0s %.0f", "", how);
}
enum st session_train_save(struct session *s, struct err *e)
{
	return verb(s, e, "train save%.0s%.0f", "", 0);
}
enum st session_train_chat(struct session *s, enum switch_verb how, bool *on, struct err *e)
{
	*on = how != SWITCH_OFF;
	return verb(s, e, "train chat%.0s %.0f", "", how);
}
enum st session_train_ghost(struct session *s, const char *run, struct err *e)
{
	return verb(s, e, "train ghost %s", run, 0);
}
enum st session_ab(struct session *s, enum switch_verb how, bool *on, struct err *e)
{
	static const char *const name[] = { "off", "on", "toggle" };

	*on = how != SWITCH_OFF;
	return verb(s, e, "ab %s", name[how], 0);
}
enum st session_vote(struct session *s, enum vote_pick pick, struct err *e)
{
	static const char *const name[] = { "none", "left", "right", "tie", "bad" };

	return verb(s, e, "vote %s", name[pick], 0);
}
enum st session_votes(struct session *s, struct err *e)
{
	return verb(s, e, "votes", "", 0);
}
void session_chat_sampler(struct session *s, const struct sampler_options *o)
{
	verb(s, NULL, "sampler%.0s %.2f", "", o->temperature);
}
void session_chat_system(struct session *s, const char *text)
{
	verb(s, NULL, "system %s", text, 0);
}
void session_rates(struct session *s, bool shown)
{
	verb(s, NULL, "rates %s", shown ? "shown" : "hidden", 0);
}
enum st session_set(struct session *s, const char *name, const char *value, struct err *e)
{
	char both[128];

	snprintf(both, sizeof both, "%s %s", name, value);
	return verb(s, e, "set %s", both, 0);
}

#endif

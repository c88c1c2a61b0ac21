/* acts.c - which commands are acts, and what is written down of them. */
#include "app/tui/acts.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/work/dial.h"
#include "core/work/run.h"
#include "core/work/votes.h"

enum { ACTS_MOST = 10000 }; /* the first are forgotten, and the log says so */

struct acts {
	struct act *at;
	size_t n, cap, began;
	size_t forgotten;
	bool told; /* the command that runs said what it is */
	char said[512];
};

static struct act *put(struct acts *a, const char *line)
{
	struct act *to;

	if (a->n == ACTS_MOST) {
		xfree(a->at[a->began].line);
		memmove(a->at + a->began, a->at + a->began + 1,
			(--a->n - a->began) * sizeof *a->at);
		a->forgotten++;
	}
	if (a->n == a->cap) {
		a->cap = a->cap ? 2 * a->cap : 64;
		a->at = xrealloc(a->at, a->cap * sizeof *a->at);
	}
	to = &a->at[a->n++];
	*to = (struct act){ .line = xstrdup(line), .times = 1, .kl = NAN, .measured = NAN };
	return to;
}

/* Options that change how the screen looks are no acts, nor those that say when something is to
 * begin by itself: what it found is in the journals. */
static bool matters(enum opt which)
{
	return option_table[which].holder != OPT_SCREEN && which != OPT_AUTO_SCAN &&
	       which != OPT_AUTO_MEASURE;
}

struct acts *acts_new(const struct options *o, const char *const *began)
{
	struct acts *a = xalloc(sizeof *a);

	for (int i = 0; i < OPTS; i++) {
		char *line = xprintf("set %s %s", option_table[i].name, o->value[i]);

		if (matters((enum opt)i) && strcmp(o->value[i], option_table[i].def) != 0)
			put(a, line);
		xfree(line);
	}
	for (; began && *began; began++)
		put(a, *began);
	a->began = a->n;
	return a;
}

void acts_free(struct acts *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		xfree(a->at[i].line);
	xfree(a->at);
	xfree(a);
}

size_t acts_count(const struct acts *a)
{
	return a ? a->n : 0;
}

const struct act *acts_at(const struct acts *a, size_t i)
{
	return &a->at[i];
}

/* ---- which are acts */

static bool is_word(const char *line, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(line, word, n) && (!line[n] || line[n] == ' ');
}

static bool sets_something(const char *line)
{
	char name[64];
	enum opt which;
	struct err e;

	if (sscanf(line, "%*s %63s", name) != 1 || options_find(name, &which, &e))
		return false;
	return matters(which);
}

static bool turns_dial(const char *line)
{
	return is_word(line, "budget") || is_word(line, "search");
}

static bool is_act(const char *line)
{
	if (is_word(line, "set") && !sets_something(line))
		return false;
	return command_has(line, COMMAND_ACT);
}

/* ---- writing down */

void acts_before(struct tui *t, struct acts_before *b)
{
	struct dial_acted now = { 0 };

	*b = (struct acts_before){ 0 };
	if (!t->acts)
		return;
	session_acted(t->s, &now);
	b->acts = now.acts;
	if (session_jobs(t->s))
		b->job = jobs_last(session_jobs(t->s));
	t->acts->told = false;
}

void acts_say(struct tui *t, const char *fmt, ...)
{
	va_list ap;

	if (!t->acts)
		return;
	va_start(ap, fmt);
	vsnprintf(t->acts->said, sizeof t->acts->said, fmt, ap);
	va_end(ap);
	t->acts->told = true;
}

/* Where the dial stands now, so that it comes out again to the last bit. */
static void budget_line(double bpw, char out[64])
{
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(out, 64, "budget %.*g", digits, bpw);
		if (strtod(out + 7, NULL) == bpw)
			return;
	}
}

static bool joins(const struct acts *a, const struct acts_before *b, const struct dial_acted *now)
{
	return a->n > a->began && turns_dial(a->at[a->n - 1].line) && now->acts == b->acts;
}

void acts_after(struct tui *t, const struct acts_before *b, const char *line)
{
	struct acts *a = t->acts;
	struct dial_acted now = { 0 };
	struct act *to;
	char budget[64];
	bool turned;

	if (!a || t->by_script)
		return;
	if (a->told)
		line = a->said;
	if (!is_act(line))
		return;
	session_acted(t->s, &now);
	turned = turns_dial(line);
	budget_line(now.bpw, budget);
	if (turned && joins(a, b, &now)) {
		to = &a->at[a->n - 1];
		xfree(to->line);
		to->line = xstrdup(budget);
		to->times++;
		to->answered = false;
	} else { /* how fast it is now is no other machine's, nor the next hour's */
		to = put(a, turned && strstr(line, "tok/s") ? budget : line);
	}
	to->placed = t->model != NULL;
	to->cells = turned || now.acts != b->acts ? now.acted_cells : now.cells;
	to->points = turned || now.acts != b->acts ? now.acted_points : now.points;
	if (session_jobs(t->s) && jobs_last(session_jobs(t->s)) != b->job)
		to->job = jobs_last(session_jobs(t->s));
}

/* ---- what came of it */

void acts_answer(struct tui *t, const struct snap_answer *s)
{
	struct act *to;

	if (!t->acts || t->acts->n == t->acts->began || !t->model || t->model->n != s->n)
		return;
	to = &t->acts->at[t->acts->n - 1];
	if (!to->placed || to->cells != s->cells || to->points != s->points || !s->exact)
		return;
	votes_layout_id(to->layout, t->model->format, s->choice, s->n);
	to->bytes = s->bytes;
	to->kl = s->kl;
	to->answered = true;
}

static void write_beside(struct tui *t, const char *run)
{
	char *layout = run_layout_path(run), *path;
	struct err e = { 0 };

	if (!layout)
		return;
	path = xprintf("%.*s/acts.lua", (int)(strrchr(layout, '/') - layout), layout);
	if (acts_write(t, path, &e))
		tui_notice(t, LOG_WARN, "%s is kept without its acts: %s", run, e.msg);
	xfree(path);
	xfree(layout);
}

/* Jobs of one act come one after the other: the last one's number stands for them. */
void acts_job_ended(struct tui *t, uint32_t job, enum st st, const char *said)
{
	struct acts *a = t->acts;
	struct dial_acted now = { 0 };

	for (size_t i = a ? a->n : 0; i > 0; i--) {
		struct act *to = &a->at[i - 1];

		if (to->job != job || to->over)
			continue;
		to->over = true;
		to->ended = st;
		session_acted(t->s, &now);
		/* One that is in no journal, or was made while better variants were still to come, was
		 * of variants that are no more; and a replay waits for the exact answer. */
		if (!st && is_word(to->line, "measure") && t->answer && now.points > to->points &&
			t->answer->exact && !t->answer->measured_early) {
			to->measured = t->answer->measured_kl;
			/* the scan may have changed the layout before its turn came */
			to->cells = t->answer->cells;
		}
		if (!st && is_word(to->line, "keep") && said && *said)
			write_beside(t, said);
		return;
	}
}

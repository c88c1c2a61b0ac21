/* runs - the run folders there are: a table that is sorted, filtered and marked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/panel/common.h"
#include "app/panel/panel.h"
#include "app/panel/runs_list.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"

static void *create(void)
{
	struct runs_list *p = xalloc(sizeof *p);

	snprintf(p->sort, sizeof p->sort, "began");
	return p;
}

static void destroy(void *self)
{
	struct runs_list *p = self;

	snap_unref((struct snap *)p->snap);
	xfree(p->order);
	xfree(p);
}

const struct run_entry *runs_list_at(const struct runs_list *p, size_t row)
{
	return p->snap && row < p->n ? &p->snap->all.at[p->order[row]] : NULL;
}

static const struct run_entry *by_id(const struct runs_list *p, const char *id)
{
	for (size_t i = 0; *id && p->snap && i < p->snap->all.n; i++)
		if (!strcmp(p->snap->all.at[i].id, id))
			return &p->snap->all.at[i];
	return NULL;
}

const struct run_entry *runs_list_marked(const struct runs_list *p, int which)
{
	return by_id(p, p->mark[which]);
}

/* ---- which rows there are */

static void remember(struct runs_list *p)
{
	const struct run_entry *r = runs_list_at(p, p->at);

	snprintf(p->at_id, sizeof p->at_id, "%s", r ? r->id : "");
}

/* The rows anew, the cursor on the run that it was on; where that is gone, on its row. */
static void pick(struct runs_list *p)
{
	struct err e = { 0 };
	size_t n = 0;

	if (!p->snap)
		return;
	xfree(p->order);
	p->order = xarray(p->snap->all.n + 1, sizeof *p->order);
	p->bad[0] = '\0';
	if (runs_pick(&p->snap->all, p->filter, p->sort, p->order, &n, &e)) {
		snprintf(p->bad, sizeof p->bad, "%s", e.msg);
		if (runs_pick(&p->snap->all, "", p->sort, p->order, &n, &e))
			n = 0;
	}
	p->n = n;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(runs_list_at(p, i)->id, p->at_id))
			p->at = i;
	if (p->at >= n)
		p->at = n ? n - 1 : 0;
	remember(p);
}

static bool on_event(void *self, const struct event *ev)
{
	struct runs_list *p = self;

	if (ev->kind != EV_RUNS)
		return false;
	p->snap = panel_hold((void *)p->snap, ev);
	pick(p);
	return true;
}

/* ---- commands */

static bool move(struct runs_list *p, const char *where)
{
	static const struct {
		const char *name;
		long by;
	} steps[] = { { "up", -1 }, { "down", 1 }, { "page-up", -10 }, { "page-down", 10 },
		{ "first", -(1L << 30) }, { "last", 1L << 30 } };
	long to = (long)p->at;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		if (!strcmp(steps[i].name, where))
			to += steps[i].by;
	if (to > (long)p->n - 1)
		to = (long)p->n - 1;
	p->at = to < 0 ? 0 : (size_t)to;
	remember(p);
	return true;
}

static void unmark(struct runs_list *p, int which)
{
	if (!which)
		memcpy(p->mark[0], p->mark[1], RUNS_ID);
	p->mark[1][0] = '\0';
}

/* One more or one less; of three the oldest goes.  Then the next row. */
static bool mark(struct runs_list *p, const char *id)
{
	for (int i = 0; i < RUNS_MARKS; i++)
		if (!strcmp(p->mark[i], id)) {
			unmark(p, i);
			return true;
		}
	if (p->mark[1][0])
		unmark(p, 0);
	snprintf(p->mark[p->mark[0][0] ? 1 : 0], RUNS_ID, "%s", id);
	return true;
}

static bool select_run(struct runs_list *p, const char *arg)
{
	const struct run_entry *r = runs_list_at(p, p->at);

	if (*arg) {
		r = p->snap ? runs_find(&p->snap->all, arg, NULL) : NULL;
		return r && mark(p, r->id);
	}
	if (r) {
		mark(p, r->id);
		move(p, "down");
	}
	return true;
}

/* The next column, the other way round, or a column by name. */
static bool sort(struct runs_list *p, const char *arg)
{
	static const char *const column[] = { "began", "kind", "state", "bpw", "kl", "seconds",
		"model" };
	enum { COLUMNS = sizeof column / sizeof *column };
	char next[sizeof p->sort], before[sizeof p->sort];
	bool back = p->sort[0] == '-';
	size_t at = 0;

	snprintf(before, sizeof before, "%s", p->sort);
	while (at < COLUMNS && strcmp(column[at], p->sort + back) != 0)
		at++;
	if (!*arg || !strcmp(arg, "next"))
		snprintf(next, sizeof next, "%s", column[(at + 1) % COLUMNS]);
	else if (!strcmp(arg, "reverse"))
		snprintf(next, sizeof next, "%s%s", back ? "" : "-", before + back);
	else
		snprintf(next, sizeof next, "%s", arg);
	if (*arg) {
		struct runs none = { 0 };

		if (runs_sort(&none, next, NULL))
			return false;
	}
	snprintf(p->sort, sizeof p->sort, "%s", next);
	pick(p);
	return true;
}

static bool show(struct runs_list *p, enum runs_view view)
{
	p->view = p->view == view ? RUNS_FACTS : view;
	return true;
}

/* "A B": marks those two first. */
static bool diff(struct runs_list *p, const char *arg)
{
	char a[RUNS_ID], b[RUNS_ID];
	const struct run_entry *x, *y;

	if (!*arg)
		return show(p, RUNS_DIFF);
	if (!p->snap || sscanf(arg, "%127s %127s", a, b) != 2 ||
		!(x = runs_find(&p->snap->all, a, NULL)) ||
		!(y = runs_find(&p->snap->all, b, NULL)))
		return false;
	snprintf(p->mark[0], RUNS_ID, "%s", x->id);
	snprintf(p->mark[1], RUNS_ID, "%s", y->id);
	p->view = RUNS_DIFF;
	return true;
}

static bool filter(struct runs_list *p, const char *arg)
{
	snprintf(p->filter, sizeof p->filter, "%s", arg);
	pick(p);
	return true;
}

static bool on_command(void *self, const char *word, const char *arg)
{
	struct runs_list *p = self;

	if (!strcmp(word, "move"))
		return move(p, arg);
	if (!strcmp(word, "select"))
		return select_run(p, arg);
	if (!strcmp(word, "sort"))
		return sort(p, arg);
	if (!strcmp(word, "diff"))
		return diff(p, arg);
	if (!strcmp(word, "parents"))
		return show(p, RUNS_PARENTS);
	if (!strcmp(word, "filter"))
		return filter(p, arg);
	return false;
}

static const char *on_mouse(void *self, int x, int y, int button, int w, int h)
{
	struct runs_list *p = self;
	long row = runs_list_row(p, h, y);

	(void)x, (void)w;
	if (button == MOUSE_WHEEL_UP || button == MOUSE_WHEEL_DOWN)
		return button == MOUSE_WHEEL_UP ? "move up" : "move down";
	if (button == MOUSE_LEFT && row >= 0) {
		p->at = (size_t)row;
		remember(p);
	}
	return NULL;
}

/* The id: what each command about a run takes where none is typed. */
static char *copy(const void *self)
{
	const struct run_entry *r = runs_list_at(self, ((const struct runs_list *)self)->at);

	return r ? xstrdup(r->id) : NULL;
}

static const char *note(const void *self)
{
	struct runs_list *p = (struct runs_list *)self;
	size_t all = p->snap ? p->snap->all.n : 0;

	if (!all)
		return NULL;
	if (p->filter[0])
		snprintf(p->note, sizeof p->note, "/%s  %zu of %zu, by %s", p->filter, p->n, all,
			p->sort);
	else
		snprintf(p->note, sizeof p->note, "%zu runs, by %s", all, p->sort);
	return p->note;
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	(void)focus;
	runs_list_draw(self, c, (int64_t)time(NULL));
}

static const struct binding keys[] = {
	{ "Enter", "open", "the run's layout under the dial" },
	{ "Space", "select", "mark it, or no longer; of three the first goes" },
	{ "D", "diff", "what differs between the two that are marked" },
	{ "s S", "sort next | sort reverse", "by the next column, the other way round" },
	{ "e", "edit", "its notes in $EDITOR" },
	{ "t", "tag", "tags: words, no-word takes one away" },
	{ "P", "parents", "what it was made from" },
	{ "Del", "trash", "to the trash" },
	{ "u", "restore", "the last one back from the trash" },
	{ NULL, NULL, NULL },
};

const struct panel_class panel_runs = {
	.name = "runs",
	.title = "Runs",
	.min_w = 50,
	.min_h = 5,
	.events = 1u << EV_RUNS,
	.keys = keys,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.on_command = on_command,
	.on_mouse = on_mouse,
	.copy = copy,
	.note = note,
	.draw = draw,
};

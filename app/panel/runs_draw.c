/* runs_draw - the table of runs, and below it the one under the cursor, two compared, or the
 * chain that one was made from. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/panel/common.h"
#include "app/panel/runs_list.h"
#include "core/base/text.h"

enum { LOWER_LEAST = 12, LOWER_MOST = 18, CHAIN = 16, NAME_W = 13, RUN_X = 3 };

static int columns(const char *s)
{
	return text_width(s, strlen(s));
}

/* ---- where what is */

/* Lines of the lower part, its rule included. */
static int lower_height(const struct runs_list *p, int h)
{
	int lower = h / 2 < LOWER_MOST ? h / 2 : LOWER_MOST, table = (int)p->n + 1;

	if (!p->n)
		return 0;
	if (h < LOWER_LEAST)
		return p->view == RUNS_FACTS ? 0 : h;
	return h - table > lower ? h - table : lower;
}

static size_t table_rows(const struct runs_list *p, int h)
{
	int rows = h - lower_height(p, h) - 1;

	return rows > 0 ? (size_t)rows : 0;
}

long runs_list_row(const struct runs_list *p, int h, int y)
{
	size_t rows = table_rows(p, h), row;

	if (y < 1 || (size_t)y > rows)
		return -1;
	row = panel_scrolled(p->n, rows, p->at) + (size_t)y - 1;
	return row < p->n ? (long)row : -1;
}

/* ---- a row */

static enum role state_role(const char *state)
{
	if (!strcmp(state, "running"))
		return ROLE_ACCENT;
	if (!strcmp(state, "crashed") || !strcmp(state, "failed"))
		return ROLE_BAD;
	return !strcmp(state, "stopped") ? ROLE_WARN : ROLE_TEXT;
}

/* "now" while it is written, the time today, the day this week, the date before. */
static const char *when(const struct run_entry *r, int64_t now, char out[16])
{
	time_t t = (time_t)r->began, n = (time_t)now;
	struct tm began, today;
	const char *form = "%Y-%m-%d";

	if (!strcmp(r->state, "running"))
		return strcpy(out, "now");
	if (!r->began || !localtime_r(&t, &began) || !localtime_r(&n, &today))
		return strcpy(out, "-");
	if (began.tm_year == today.tm_year && began.tm_yday == today.tm_yday)
		form = "%H:%M";
	else if (now > r->began && now - r->began < 6 * 86400)
		form = "%a %H:%M";
	strftime(out, 16, form, &began);
	return out;
}

/* As it is known in the index; else without its time. */
static const char *parent_name(const struct runs_list *p, const char *id)
{
	const struct run_entry *r = runs_find(&p->snap->all, id, NULL);

	return r ? runs_short(&p->snap->all, r) : id;
}

/* The first parent; "-": none. */
static const char *parent_of(const struct runs_list *p, const struct run_entry *r, char id[RUNS_ID])
{
	snprintf(id, RUNS_ID, "%.*s", (int)strcspn(r->parents, " "), r->parents);
	return *id ? parent_name(p, id) : "-";
}

enum { COLUMNS = 9, PARENT_W = 11, MODEL_W = 24 };

/* Columns: x where each begins, -1 where there is no room for it. */
struct form {
	int run_w, kind, state, bpw, size, kl, when, parent, model, tags;
};

static struct form form_of(const struct runs_list *p, size_t top, size_t rows, int w)
{
	struct form f = { 11, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	/* state bpw KL size when kind parent model tags */
	int x, want[COLUMNS] = { 7, 5, 6, 5, 10, 6, PARENT_W, MODEL_W, 8 };
	int *at[COLUMNS] = { &f.state, &f.bpw, &f.kl, &f.size, &f.when, &f.kind, &f.parent,
		&f.model, &f.tags };
	bool has[COLUMNS] = { false };
	/* In which order they stand; state and KL matter most where there is little room. */
	static const int stands[COLUMNS] = { 5, 0, 1, 3, 2, 4, 6, 7, 8 };

	for (size_t i = top; i < top + rows && i < p->n; i++) {
		int n = columns(runs_short(&p->snap->all, runs_list_at(p, i)));

		if (n > f.run_w)
			f.run_w = n;
	}
	if (f.run_w > 30)
		f.run_w = 30;
	if (f.run_w > w - RUN_X)
		f.run_w = w > RUN_X ? w - RUN_X : 0;
	x = RUN_X + f.run_w;
	for (int i = 0; i < COLUMNS; i++) {
		has[i] = x + 2 + want[i] <= w;
		if (!has[i])
			break;
		x += 2 + want[i];
	}
	x = RUN_X + f.run_w;
	for (int i = 0; i < COLUMNS; i++) {
		int k = stands[i];

		if (!has[k])
			continue;
		*at[k] = x + 2;
		x += 2 + want[k];
	}
	return f;
}

static void put(struct canvas *c, int x, int y, int w, enum role r, const char *s)
{
	if (x >= 0)
		panel_cut(c, x, y, w, r, s);
}

static void put_right(struct canvas *c, int x, int y, int w, enum role r, const char *s)
{
	if (x >= 0)
		canvas_right(c, x + w, y, r, s);
}

static void draw_head(const struct form *f, struct canvas *c)
{
	canvas_text(c, RUN_X, 0, ROLE_DIM, "run");
	put(c, f->kind, 0, 6, ROLE_DIM, "kind");
	put(c, f->state, 0, 7, ROLE_DIM, "state");
	put_right(c, f->bpw, 0, 5, ROLE_DIM, "bpw");
	put_right(c, f->size, 0, 5, ROLE_DIM, "size");
	put_right(c, f->kl, 0, 6, ROLE_DIM, "KL");
	put(c, f->when, 0, 10, ROLE_DIM, "when");
	put(c, f->parent, 0, PARENT_W, ROLE_DIM, "parent");
	put(c, f->model, 0, MODEL_W, ROLE_DIM, "model");
	put(c, f->tags, 0, 8, ROLE_DIM, "tags");
}

static void draw_row(const struct runs_list *p, const struct form *f, struct canvas *c, int y,
	size_t row, int64_t now)
{
	const struct run_entry *r = runs_list_at(p, row);
	bool here = row == p->at, bad = state_role(r->state) == ROLE_BAD;
	enum role role = here ? ROLE_STRONG : ROLE_TEXT;
	char text[32], id[RUNS_ID];

	if (here)
		canvas_char(c, 0, y, ROLE_ACCENT, 0x25b8);
	if (runs_list_marked(p, 0) == r)
		canvas_char(c, 1, y, ROLE_ACCENT, 'A');
	else if (runs_list_marked(p, 1) == r)
		canvas_char(c, 1, y, ROLE_ACCENT, 'B');
	else if (bad)
		canvas_char(c, 1, y, ROLE_BAD, '!');
	else if (!strcmp(r->state, "running"))
		canvas_char(c, 1, y, ROLE_ACCENT, '*');
	panel_cut(c, RUN_X, y, f->run_w, role, runs_short(&p->snap->all, r));
	put(c, f->kind, y, 6, role, r->kind);
	put(c, f->state, y, 7, state_role(r->state), r->state);
	snprintf(text, sizeof text, isnan(r->bpw) ? "-" : "%.2f", r->bpw);
	put_right(c, f->bpw, y, 5, role, text);
	if (r->bytes)
		panel_bytes5(r->bytes, text);
	else
		snprintf(text, sizeof text, "-");
	put_right(c, f->size, y, 5, role, text);
	put_right(c, f->kl, y, 6, role, panel_kl(r->kl, text));
	put(c, f->when, y, 10, role, when(r, now, text));
	put(c, f->parent, y, PARENT_W, ROLE_DIM, parent_of(p, r, id));
	put(c, f->model, y, MODEL_W, ROLE_DIM, r->model);
	put(c, f->tags, y, c->w - f->tags, ROLE_ACCENT, r->tags);
}

/* ---- the lower part */

struct lines {
	struct canvas *c;
	int y;
	const char *const *only; /* names to draw, or to pass over */
	bool pass;
	int half; /* of a comparison: where the second value begins */
};

static bool listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

static void draw_fact(void *arg, const char *name, const char *x, const char *y)
{
	struct lines *l = arg;
	bool first = true;

	(void)y;
	if (listed(l->only, name) == l->pass)
		return;
	while (*x && l->y < l->c->h) { /* notes have several lines */
		char line[512];
		size_t n = strcspn(x, "\n");

		snprintf(line, sizeof line, "%.*s", (int)(n < 500 ? n : 500), x);
		if (first)
			panel_cut(l->c, 1, l->y, NAME_W - 2, ROLE_DIM, name);
		panel_cut(l->c, NAME_W, l->y++, l->c->w - NAME_W, ROLE_TEXT, line);
		first = false;
		x += n + (x[n] == '\n');
	}
}

/* What one wants to know of it first; hashes and places come last. */
static void draw_facts(const struct runs_list *p, struct canvas *c)
{
	static const char *const first[] = { "summary", "notes", "tags", "KL", "made from", "model",
		"text", "options", NULL };
	static const char *const not_again[] = { "run", "kind", "status", "summary", "notes",
		"tags", "KL", "made from", "model", "text", "options", "folder", "file", "header",
		"sha256", "script is", "predicted_kl", "predicted_se", "bpw", NULL };
	static const char *const last[] = { "folder", "file", "header", "sha256", "script is",
		NULL };
	const struct run_entry *r = runs_list_at(p, p->at);
	struct lines l = { .c = c, .y = 0, .only = first };

	if (!r)
		return;
	run_facts(r, draw_fact, &l);
	l.only = not_again;
	l.pass = true;
	run_facts(r, draw_fact, &l);
	l.only = last;
	l.pass = false;
	run_facts(r, draw_fact, &l);
}

static void draw_difference(void *arg, const char *name, const char *x, const char *y)
{
	struct lines *l = arg;
	char a[256], b[256];

	if (l->y >= l->c->h)
		return;
	snprintf(a, sizeof a, "%.*s", (int)strcspn(*x ? x : "-", "\n"), *x ? x : "-");
	snprintf(b, sizeof b, "%.*s", (int)strcspn(*y ? y : "-", "\n"), *y ? y : "-");
	panel_cut(l->c, 1, l->y, NAME_W - 2, ROLE_DIM, name);
	panel_cut(l->c, NAME_W, l->y, l->half - NAME_W - 1, ROLE_TEXT, a);
	panel_cut(l->c, l->half, l->y++, l->c->w - l->half, ROLE_TEXT, b);
}

static void draw_diff(const struct runs_list *p, struct canvas *c)
{
	const struct run_entry *a = runs_list_marked(p, 0), *b = runs_list_marked(p, 1);
	struct lines l = { .c = c, .y = 0, .half = NAME_W + (c->w - NAME_W) / 2 };

	if (!a || !b) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM,
			"mark two runs with Space, then D shows what differs");
		return;
	}
	run_differences(a, b, draw_difference, &l);
	if (!l.y)
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "nothing that is known differs");
}

/* From the run under the cursor back to what it was made from, the first parent of each. */
static void draw_parents(const struct runs_list *p, struct canvas *c)
{
	const struct run_entry *r = runs_list_at(p, p->at);
	char id[RUNS_ID], text[512], kl[16];
	int y = 0;

	for (; r && y < c->h && y < CHAIN; y++) {
		snprintf(text, sizeof text, "%*s%s%s  %s%s%s%s", 2 * y, "", y ? "from " : "",
			runs_short(&p->snap->all, r), r->state, isnan(r->kl) ? "" : "  KL ",
			isnan(r->kl) ? "" : panel_kl(r->kl, kl), "");
		panel_cut(c, 1, y, c->w - 1, y ? ROLE_TEXT : ROLE_STRONG, text);
		snprintf(id, sizeof id, "%.*s", (int)strcspn(r->parents, " "), r->parents);
		r = *id ? runs_find(&p->snap->all, id, NULL) : NULL;
		if (*id && !r && y + 1 < c->h) {
			snprintf(text, sizeof text, "%*sfrom %s, which is not here", 2 * y + 2, "",
				id);
			panel_cut(c, 1, ++y, c->w - 1, ROLE_DIM, text);
		}
	}
	if (y == 1 && c->h > 1)
		panel_cut(c, 1, 1, c->w - 1, ROLE_DIM, "made from no other run");
}

static void draw_lower(const struct runs_list *p, struct canvas *c)
{
	const struct run_entry *r = runs_list_at(p, p->at);
	struct canvas in = canvas_sub(c, 0, 1, c->w, c->h - 1);
	char title[RUNS_ID + 32];

	snprintf(title, sizeof title, " %s ",
		p->view == RUNS_DIFF ? "A and B: what differs"
		: r                  ? runs_short(&p->snap->all, r)
				     : "");
	canvas_fill(c, 0, 0, c->w, 1, ROLE_DIM, 0x2500);
	panel_cut(c, 1, 0, c->w - 2, ROLE_STRONG, title);
	if (p->view == RUNS_DIFF)
		draw_diff(p, &in);
	else if (p->view == RUNS_PARENTS)
		draw_parents(p, &in);
	else
		draw_facts(p, &in);
}

/* ---- all */

static void draw_empty(const struct runs_list *p, struct canvas *c)
{
	static const char *const how[] = { "there are no runs yet",
		"S on the Search screen keeps the layout under the dial as one; a scan leaves one,",
		"and so do bitdial scan, search, eval --layout and export" };

	if (p->snap->err.st) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_BAD, p->snap->err.msg);
		return;
	}
	if (p->snap->all.n) {
		canvas_printf(c, 1, 0, ROLE_DIM, "none of %zu runs: /%s (Esc: all)", p->snap->all.n,
			p->filter);
		return;
	}
	for (int i = 0; i < 3; i++)
		panel_cut(c, 1, i, c->w - 1, i ? ROLE_DIM : ROLE_TEXT, how[i]);
	panel_cut(c, 1, 4, c->w - 1, ROLE_DIM, p->snap->dir);
}

void runs_list_draw(const struct runs_list *p, struct canvas *c, int64_t now)
{
	int lower = p->snap ? lower_height(p, c->h) : 0;
	size_t rows = table_rows(p, c->h), top = panel_scrolled(p->n, rows, p->at);
	struct canvas table = canvas_sub(c, 0, 0, c->w, c->h - lower);
	struct canvas under = canvas_sub(c, 0, c->h - lower, c->w, lower);
	struct form f;

	if (!p->snap) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "looking for runs");
		return;
	}
	if (!p->n) {
		draw_empty(p, c);
		return;
	}
	if (lower < c->h) {
		f = form_of(p, top, rows, table.w);
		if (p->bad[0]) /* as it is typed; all of them are shown meanwhile */
			panel_cut(&table, 1, 0, table.w - 1, ROLE_WARN, p->bad);
		else
			draw_head(&f, &table);
		for (size_t i = 0; i < rows && top + i < p->n; i++)
			draw_row(p, &f, &table, (int)i + 1, top + i, now);
	}
	if (lower > 0)
		draw_lower(p, &under);
}

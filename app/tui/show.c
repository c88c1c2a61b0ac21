/* show - the command: its topics, and those of a few lines. */
#include "app/tui/show.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/map.h"
#include "app/tui/commands.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

const char *show_kl(double v, char out[24])
{
	char kl[16];

	if (v > 0 && v < 0.00005)
		snprintf(out, 24, "under .0001");
	else
		snprintf(out, 24, "%s", num_kl(v, kl));
	return out;
}

const char *show_answer(const struct tui *t, char out[SHOW_LINE])
{
	const struct snap_answer *a = t->answer;
	char kl[16], bytes[16], asked[32] = "";
	bool measured;

	*out = 0;
	if (!a)
		return out;
	measured = isfinite(a->measured_kl);
	if (a->asked_bpw > 0 && fabs(a->asked_bpw - a->stored_bpw) > 0.005)
		snprintf(asked, sizeof asked, " (asked %.2f)", a->asked_bpw);
	snprintf(out, SHOW_LINE, "search: %.2f bpw%s, %s %s, %s, %s", a->stored_bpw, asked,
		measured || a->in_nats ? "damage" : "score",
		num_kl(measured ? a->measured_kl : a->kl, kl), text_bytes(a->bytes, bytes),
		measured     ? "measured"
		: a->in_nats ? "predicted"
			     : "first score");
	return out;
}

/* ---- the model, the dial, what runs */

static enum st model(struct tui *t, const char *arg, struct err *e)
{
	const struct snap_model *m = t->model;
	char params[16], bytes[16], name[FORMAT_NAME], list[256] = "";

	(void)arg, (void)e;
	if (!m) {
		list_add(t, ROLE_TEXT, "model: none open");
		return ST_OK;
	}
	list_add(t, ROLE_TEXT, "model: %s, %s, %s parameters, %s", m->name, m->arch,
		num_count(m->params, params), text_bytes(m->file_bytes, bytes));
	list_add(t, ROLE_TEXT, "file: %s", m->path);
	list_add(t, ROLE_TEXT, "reference: %s", m->reference);
	list_add(t, ROLE_TEXT, "text: %s", m->text);
	list_add(t, ROLE_TEXT, "device: %s", m->device);
	list_add(t, ROLE_TEXT, "shape: %zu layers, %zu linears, context of %zu tokens, %zu words",
		m->layers, m->n, m->ctx, m->vocab);
	for (size_t k = 0; k < m->k; k++)
		if (!format_is_mix(m->format[k]))
			snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
				*list ? ", " : "", format_name(m->format[k], name));
	list_add(t, ROLE_TEXT, "formats of the dial: %s", list);
	return ST_OK;
}

static void say_measures(struct tui *t, const struct snap_answer *a)
{
	char kl[24], se[24];

	if (a->in_nats && isfinite(a->kl))
		list_add(t, ROLE_TEXT, "predicted damage: %s%s%s nats a token", show_kl(a->kl, kl),
			a->se > 0 ? ", give or take " : "", a->se > 0 ? show_kl(a->se, se) : "");
	else if (isfinite(a->kl))
		list_add(t, ROLE_TEXT, "first score: %s, not in nats yet", show_kl(a->kl, kl));
	if (isfinite(a->measured_kl))
		list_add(t, ROLE_TEXT, "measured damage: %s%s%s nats a token",
			show_kl(a->measured_kl, kl), a->measured_se > 0 ? ", give or take " : "",
			a->measured_se > 0 ? show_kl(a->measured_se, se) : "");
	else
		list_add(t, ROLE_TEXT, "measured damage: not yet, the command measure does it");
	if (isfinite(a->better.kl))
		list_add(t, ROLE_WARN,
			"better: %s, measured damage %s at %.2f bpw; the command "
			"better takes it",
			a->better.what, show_kl(a->better.kl, kl), a->better.bpw);
}

static void say_mark(struct tui *t, const struct snap_answer *a)
{
	struct map_change c;
	char kl[24], bytes[16];

	if (!map_change_of(a, &c))
		return;
	list_add(t, ROLE_TEXT, "mark A: %.2f bpw; here %zu linears have more bits and %zu fewer",
		a->a_bpw, c.up, c.down);
	if (isfinite(c.kl))
		list_add(t, ROLE_TEXT, "against the mark A: damage %s%s, %s; %s %s",
			c.kl < 0 ? "less by " : "more by ", show_kl(fabs(c.kl), kl),
			c.measured ? "both measured" : "predicted",
			text_bytes((uint64_t)(c.bytes < 0 ? -c.bytes : c.bytes), bytes),
			c.bytes < 0 ? "less" : "more");
}

static void say_known(struct tui *t)
{
	const struct snap_map *m = t->map;

	if (t->front && t->front->n)
		list_add(t, ROLE_TEXT, "the dial goes from %.2f to %.2f bpw", t->front->least_bpw,
			t->front->most_bpw);
	if (m && m->wanted)
		list_add(t, ROLE_TEXT,
			"cells: %zu to know; %zu scored, %zu by the fast pass, %zu scanned",
			m->wanted, m->scored, m->fast, m->scanned);
	if (t->variants && t->variants->total)
		list_add(t, ROLE_TEXT, "variants: %zu of %zu are made, %zu are their best",
			t->variants->ready, t->variants->total, t->variants->best);
	if (t->odds && t->answer && t->odds->generation == t->answer->generation)
		list_add(t, ROLE_TEXT, "sure: %.0f percent, %zu linears undecided",
			100 * t->odds->stability, t->odds->undecided);
}

static enum st dial(struct tui *t, const char *arg, struct err *e)
{
	const struct snap_answer *a = t->answer;
	char line[SHOW_LINE], file[16];

	(void)arg, (void)e;
	if (!a) {
		list_add(t, ROLE_TEXT, "search: no layout yet");
		say_known(t);
		return ST_OK;
	}
	list_add(t, ROLE_STRONG, "%s", show_answer(t, line));
	list_add(t, ROLE_TEXT, "bits a weight: %.2f stored, %.2f nominal; the file would have %s",
		a->stored_bpw, a->nominal_bpw, text_bytes(a->file_bytes, file));
	say_measures(t, a);
	say_mark(t, a);
	say_known(t);
	return ST_OK;
}

static enum st jobs(struct tui *t, const char *arg, struct err *e)
{
	char left[16];

	(void)arg, (void)e;
	for (size_t i = 0; i < t->n_jobs; i++) {
		const struct job_line *j = &t->job[i];

		if (j->stopping)
			list_add(t, ROLE_TEXT, "job %u: %s, stopping", j->id, j->name);
		else if (j->total > 0)
			list_add(t, ROLE_TEXT, "job %u: %s, %d %%, %.0f of %.0f%s%s%s", j->id,
				j->name, (int)(100 * j->done / j->total), j->done, j->total,
				isfinite(j->left) ? ", " : "",
				isfinite(j->left) ? num_time(j->left, left) : "",
				isfinite(j->left) ? " left" : "");
		else
			list_add(t, ROLE_TEXT, "job %u: %s, working", j->id, j->name);
	}
	if (!t->n_jobs)
		list_add(t, ROLE_TEXT, "jobs: nothing runs");
	return ST_OK;
}

/* ---- the table */

const struct show_topic show_topics[] = {
	{ "dial", "", "the layout under the dial, its damage, the mark", dial },
	{ "map", "[N|all] [FILTER]", "the most sensitive linears, the worst first", show_map },
	{ "layout", "[all|KIND]", "how many linears have which format, and which", show_layout },
	{ "cell", "LINEAR", "a linear in every format: damage, bytes, quantizer", show_cell },
	{ "front", "[all]", "what was measured, and damage by bits", show_front },
	{ "model", "", "the model that is open", model },
	{ "jobs", "", "what runs", jobs },
	{ "device", "", "what computes: its memory and use, and where the model is", show_device },
	{ "chat", "", "the conversation", show_chat },
	{ "ab", "", "the two answers by A and B, and how far they differ", show_ab },
	{ "runs", "[FILTER]", "what was done: runs kind:search bpw<4", show_runs },
	{ NULL, NULL, NULL, NULL },
};

static const struct show_topic *topic_of(const char *name)
{
	/* As the panels are called. */
	static const char *const other[][2] = { { "search", "dial" }, { "slider", "dial" },
		{ "budget", "dial" }, { "heatmap", "map" } };

	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
		if (!strcmp(other[i][0], name))
			name = other[i][1];
	for (const struct show_topic *s = show_topics; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/* A panel that has no lines of its own: as it is drawn, without its blank lines. */
static void panel_lines(struct tui *t, size_t panel)
{
	char *text = compose_panel(t, panel), *save;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (l[strspn(l, " ")])
			list_add(t, ROLE_TEXT, "%s", l + strspn(l, " "));
	if (!t->list.n)
		list_add(t, ROLE_TEXT, "%s: nothing to show", t->class[panel] -> name);
	xfree(text);
}

static enum st unknown(const struct tui *t, const char *name, struct err *e)
{
	const char *names[64] = { NULL }, *near;
	size_t n = 0;

	for (const struct show_topic *s = show_topics; s->name; s++)
		names[n++] = s->name;
	for (size_t i = 0; i < t->n_panels && n < 63; i++)
		names[n++] = t->class[i]->name;
	near = text_suggest(name, names);
	if (near)
		return err_set(e, ST_INVALID, "show: no topic \"%s\"; did you mean %s", name, near);
	return err_set(e, ST_INVALID, "show: no topic \"%s\" (show lists them)", name);
}

/* Alone: the facts, and which topics there are. */
static enum st all_topics(struct tui *t, struct err *e)
{
	enum st st = model(t, "", e);

	if (!st)
		st = dial(t, "", e);
	if (!st)
		st = jobs(t, "", e);
	for (const struct show_topic *s = show_topics; s->name; s++)
		list_add(t, ROLE_TEXT, "show %s%s%s: %s", s->name, *s->args ? " " : "", s->args,
			s->help);
	return st;
}

enum st cmd_show(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	const struct show_topic *s = argc > 1 ? topic_of(argv[1]) : NULL;
	const char *arg = rest + strcspn(rest, " ");
	char title[48];
	enum st st;
	long panel = -1;

	arg += strspn(arg, " ");
	if (argc > 1 && !s && (panel = panel_find(t, argv[1])) < 0)
		return unknown(t, argv[1], e);
	snprintf(title, sizeof title, "%s", argc > 1 ? argv[1] : "Show");
	list_open(t, title);
	if (panel >= 0) {
		panel_lines(t, (size_t)panel);
		return ST_OK;
	}
	st = s ? s->lines(t, arg, e) : all_topics(t, e);
	if (st)
		list_close(t);
	return st;
}

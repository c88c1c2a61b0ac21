/* tui - making it, ending it, and what it looks like and remembers. */
#include "app/tui/tui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/acts.h"
#include "app/tui/config.h"
#include "app/tui/scripting.h"
#include "app/tui/themes.h"
#include "app/tui/tour.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"

char *state_path(const struct tui *t, const char *name)
{
	char *dir = t->o->state_dir ? xstrdup(t->o->state_dir) : fs_place(FS_STATE);
	char *path = xprintf("%s/%s", dir, name);

	xfree(dir);
	return path;
}

/* "arranged": {"1": "console"}: which arrangement of a screen was used last. */
static void arranged_load(struct tui *t, const struct json *j)
{
	const cJSON *all = json_member(j->root, "arranged");
	const char *name;

	for (int k = 1; all && k <= SCREENS; k++)
		if (!json_get_str(j, all, "arranged", (char[]){ (char)('0' + k), 0 }, &name, NULL))
			snprintf(t->arranged[k], ARR_NAME, "%s", name);
}

static void arranged_save(const struct tui *t, struct json_out *o)
{
	json_open(o, "arranged", '{');
	for (int k = 1; k <= SCREENS; k++)
		if (t->arranged[k][0])
			json_put_str(o, (char[]){ (char)('0' + k), 0 }, t->arranged[k]);
	json_close(o, '}');
}

static void state_load(struct tui *t)
{
	char *path = state_path(t, "state.json");
	struct json j;
	bool seen = false;

	t->hint = true;
	/* Whatever is wrong with it: the hint is shown once more. */
	if (fs_is_file(path) && !json_load(&j, path, 1 << 16, NULL)) {
		if (!json_get_bool(&j, j.root, "", "hint_seen", &seen, NULL))
			t->hint = !seen;
		arranged_load(t, &j);
		json_release(&j);
	}
	xfree(path);
	path = state_path(t, "history");
	history_load(&t->history, path);
	xfree(path);
}

static void state_save(struct tui *t)
{
	char *dir = t->o->state_dir ? xstrdup(t->o->state_dir) : fs_place(FS_STATE);
	char *path = state_path(t, "state.json"), *history = state_path(t, "history");
	struct json_out o;
	struct err e;

	json_out_init(&o, true);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", 1);
	json_put_bool(&o, "hint_seen", !t->hint);
	arranged_save(t, &o);
	json_close(&o, '}');
	if (fs_mkdirs(dir, &e) || fs_write_all(path, o.s, o.n, &e) ||
		(t->history.changed && history_save(&t->history, history, &e)))
		log_at(LOG_WARN, "tui", "%s", e.msg);
	json_out_release(&o);
	xfree(dir);
	xfree(path);
	xfree(history);
}

struct sub *tui_subscribe(struct bus *b)
{
	uint64_t all = 0;

	for (int k = 0; k < EV_KINDS; k++)
		all |= 1ull << k;
	return bus_subscribe(b, all);
}

static void sampler_options(struct tui *t)
{
	const struct sampler_options *s = t->o->sampler ? t->o->sampler : &sampler_default;

	t->sampler = *s;
	snprintf(t->opt.value[OPT_TEMPERATURE], OPT_VALUE, "%.10g", s->temperature);
	snprintf(t->opt.value[OPT_TOP_K], OPT_VALUE, "%d", s->top_k);
	snprintf(t->opt.value[OPT_TOP_P], OPT_VALUE, "%.10g", s->top_p);
	snprintf(t->opt.value[OPT_MIN_P], OPT_VALUE, "%.10g", s->min_p);
	snprintf(t->opt.value[OPT_REPEAT_PENALTY], OPT_VALUE, "%.10g", s->repeat_penalty);
	snprintf(t->opt.value[OPT_REPEAT_LAST], OPT_VALUE, "%d", s->repeat_last);
	snprintf(t->opt.value[OPT_SEED], OPT_VALUE, "%llu", (unsigned long long)s->seed);
}

static void first_options(struct tui *t)
{
	const struct tui_options *o = t->o;
	struct err e;

	options_init(&t->opt);
	if (getenv("COLORFGBG") && strstr(getenv("COLORFGBG"), ";15"))
		snprintf(t->opt.value[OPT_BACKGROUND], OPT_VALUE, "light");
	for (int i = 0; o->config && i < OPTS; i++)
		if (o->config->given[i])
			memcpy(t->opt.value[i], o->config->opt.value[i], OPT_VALUE);
	sampler_options(t);
	if (o->color && options_set(&t->opt, OPT_COLOR, o->color, &e))
		tui_notice(t, LOG_ERROR, "%s", e.msg);
	if (o->theme && options_set(&t->opt, OPT_THEME, o->theme, &e))
		tui_notice(t, LOG_ERROR, "%s", e.msg);
	if (o->ascii || !t->utf8)
		snprintf(t->opt.value[OPT_ASCII], OPT_VALUE, "on");
	if (o->no_mouse)
		snprintf(t->opt.value[OPT_MOUSE], OPT_VALUE, "off");
	if (o->no_sync)
		snprintf(t->opt.value[OPT_SYNC], OPT_VALUE, "off");
	if (tui_theme(t, t->opt.value[OPT_THEME], &e)) {
		tui_notice(t, LOG_ERROR, "%s; the default theme is used", e.msg);
		snprintf(t->opt.value[OPT_THEME], OPT_VALUE, "%s", option_table[OPT_THEME].def);
	}
	if (o->config)
		binds_copy(&t->binds, &o->config->binds);
}

/* Of init.lua: which arrangements the screens begin with, and what was wrong with it. */
static void first_arrangements(struct tui *t)
{
	const struct config *c = t->o->config;
	struct err e;

	for (size_t i = 0; c && !t->o->arrange && i < c->n_arrange; i++)
		if (screen_arrange(t, c->arrange[i].name, &e))
			tui_notice(t, LOG_ERROR, "%s: %s", c->arrange[i].where, e.msg);
	for (size_t i = 0; c && i < c->n_notices; i++)
		tui_notice(t, LOG_ERROR, "%s", c->notice[i]);
}

struct tui *tui_new(
	struct session *s, struct bus *b, const struct tui_options *o, int colors, bool utf8)
{
	struct tui *t = xalloc(sizeof *t);

	t->s = s;
	t->bus = b;
	t->o = o;
	t->terminal_colors = colors;
	t->utf8 = utf8;
	t->now = t->started = clock_now();
	t->stopped_at = -1e9;
	t->view = VIEW_LOG;
	t->lag = xarray(LAGS, sizeof *t->lag);
	t->frame_ms = o->tour ? xarray(FRAMES, sizeof *t->frame_ms) : NULL;
	t->screen = surface_new(0, 0);
	t->class = o->panels ? o->panels : panel_table;
	t->sub = o->sub ? o->sub : tui_subscribe(b);
	first_options(t);
	state_load(t);
	while (t->n_panels < PANELS && t->class[t->n_panels]) {
		t->panel[t->n_panels] = t->class[t->n_panels]->create();
		t->n_panels++;
	}
	screens_load(t);
	first_arrangements(t);
	if (o->screen && !screen_go(t, o->screen))
		tui_notice(t, LOG_WARN, "there is no screen \"%s\"", o->screen);
	tui_apply_theme(t);
	tui_publish_view(t);
	t->scripting = o->script ? NULL : scripting_new(t, NULL);
	t->acts = o->script ? NULL : acts_new(&t->opt, o->began);
	if (o->filter && panels_command(t, "filter", o->filter)) {
		snprintf(t->filter, sizeof t->filter, "%s", o->filter);
		t->filtering = true;
	}
	t->dirty = true;
	return t;
}

void tui_free(struct tui *t)
{
	scripting_free(t->scripting);
	acts_free(t->acts);
	runs_io_free(t->runs_io);
	tour_end(t); /* before what it gives back is written down */
	if (!t->o->read_only && !t->o->tour) /* nobody has seen anything yet */
		state_save(t);
	for (size_t i = 0; i < t->n_panels; i++)
		if (t->class[i] -> destroy)
			t->class[i]->destroy(t->panel[i]);
	snap_unref((struct snap *)t->model);
	snap_unref((struct snap *)t->answer);
	snap_unref((struct snap *)t->front);
	snap_unref((struct snap *)t->map);
	snap_unref((struct snap *)t->variants);
	snap_unref((struct snap *)t->odds);
	snap_unref((struct snap *)t->talk);
	snap_unref((struct snap *)t->ab);
	snap_unref((struct snap *)t->training);
	snap_unref((struct snap *)t->runs);
	xfree(t->want_edit);
	list_close(t);
	picture_release(t);
	history_release(&t->history);
	binds_release(&t->binds);
	surface_free(t->screen);
	xfree(t->clipboard);
	xfree(t->lag);
	xfree(t->frame_ms);
	xfree(t);
}

void tui_resize(struct tui *t, int w, int h)
{
	if (w < 1)
		w = 1;
	if (h < 1)
		h = 1;
	if (t->screen->w == w && t->screen->h == h)
		return;
	surface_free(t->screen);
	t->screen = surface_new(w, h);
	t->dirty = true;
}

void tui_apply_theme(struct tui *t)
{
	enum color_when when = COLOR_AUTO;
	bool light = !strcmp(t->opt.value[OPT_BACKGROUND], "light");

	color_when_parse(t->opt.value[OPT_COLOR], &when);
	if (t->theme_file)
		theme_make(&t->theme, &t->theme_def, color_depth(when, t->terminal_colors),
			(enum ramp)(t->view & VIEW_RAMP), light);
	else
		theme_init(&t->theme, t->opt.value[OPT_THEME],
			color_depth(when, t->terminal_colors), (enum ramp)(t->view & VIEW_RAMP),
			light);
	t->dirty = true;
}

enum st tui_theme(struct tui *t, const char *name, struct err *e)
{
	const struct config *c = t->o->config;
	struct theme_def def;
	bool file = c && c->has_theme && !strcmp(c->theme.name, name);
	enum st st = ST_OK;

	if (file)
		def = c->theme;
	else
		st = themes_find(&def, &file, name, e);
	if (st)
		return err_at(e, st, "set theme");
	t->theme_file = file;
	if (file)
		t->theme_def = def;
	return ST_OK;
}

void tui_publish_view(struct tui *t)
{
	t->view &= ~(int64_t)(VIEW_MOTION | VIEW_ASCII);
	t->view |= opt_on(&t->opt, OPT_MOTION) ? VIEW_MOTION : 0;
	t->view |= opt_on(&t->opt, OPT_ASCII) ? VIEW_ASCII : 0;
	bus_publish(t->bus, (struct event){ .kind = EV_VIEW, .n = t->view });
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void tui_key_shown(struct tui *t, double ms)
{
	size_t n;
	double *sorted;

	t->lag[t->n_lag++ % LAGS] = ms;
	t->stats.keys++;
	if (ms > t->stats.worst_ms)
		t->stats.worst_ms = ms;
	n = t->n_lag < LAGS ? t->n_lag : LAGS;
	/* Sorting each time would cost more than what is measured. */
	if (!t->quit && t->n_lag % 64 && t->n_lag > 64)
		return;
	sorted = xarray(n, sizeof *sorted);
	memcpy(sorted, t->lag, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_value);
	t->stats.p50_ms = sorted[n / 2];
	t->stats.p99_ms = sorted[n - 1 - n / 100];
	xfree(sorted);
}

void tui_complain(const struct err *e)
{
	char clean[4 * sizeof e->msg];

	text_clean(clean, sizeof clean, e->msg, strlen(e->msg), true);
	fprintf(stderr, "bitdial: %s\n", clean);
}

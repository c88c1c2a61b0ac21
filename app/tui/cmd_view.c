/* cmd_view - commands that change what is seen, and how. */
#include "app/tui/commands.h"

#include <stdio.h>
#include <string.h>

#include "app/panel/map.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"

enum st cmd_screen(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)rest;
	if (argc < 2 || !screen_go(t, argv[1]))
		return err_set(e, ST_INVALID, "screen: no screen \"%s\"", argc > 1 ? argv[1] : "");
	return ST_OK;
}

enum st cmd_arrange(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc < 2)
		return err_set(e, ST_INVALID,
			"arrange: name an arrangement or a file, or next, prev, reload, save NAME");
	return screen_arrange(t, rest, e);
}

enum st cmd_focus(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	const char *what = argc > 1 ? argv[1] : "next";

	(void)rest;
	if (!strcmp(what, "next"))
		focus_step(t, 1);
	else if (!strcmp(what, "prev"))
		focus_step(t, -1);
	else if (!focus_on(t, panel_find(t, what)))
		return err_set(e, ST_INVALID, "focus: no panel \"%s\" on this screen", what);
	return ST_OK;
}

enum st cmd_zoom(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	t->zoom = !t->zoom;
	return ST_OK;
}

enum st cmd_bare(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	t->bare = !t->bare;
	return ST_OK;
}

enum st cmd_filter(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc < 2) {
		t->filter_panel = focus_now(t);
		prompt_open(&t->prompt, PROMPT_FILTER, &t->history, "");
		return ST_OK;
	}
	if (!panels_command(t, "filter", rest))
		return err_set(e, ST_INVALID, "filter: the panels of this screen have none");
	snprintf(t->filter, sizeof t->filter, "%s", rest);
	t->filtering = true;
	return ST_OK;
}

enum st cmd_next(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	if (!panels_command(t, "next", ""))
		return err_set(e, ST_INVALID, "next: nothing to step through here");
	return ST_OK;
}

enum st cmd_prev(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest;
	if (!panels_command(t, "prev", ""))
		return err_set(e, ST_INVALID, "prev: nothing to step through here");
	return ST_OK;
}

enum st cmd_follow(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv;
	if (!panels_command(t, "follow", rest))
		return err_set(e, ST_INVALID, "follow: there is no log on this screen (5 has one)");
	return ST_OK;
}

enum st cmd_move(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	static const char *const words[] = { "move", "cursor", "scroll" };
	long at = focus_now(t);

	(void)argv;
	if (argc < 2)
		return err_set(
			e, ST_INVALID, "move: left right up down first last page-up page-down");
	if (at < 0 || !t->class[at] -> on_command)
		return ST_OK;
	/* A panel has a cursor, or it scrolls, or there is nowhere to go. */
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (t->class[at] -> on_command(t->panel[at], words[i], rest))
			break;
	tell_cursor(t);
	return ST_OK;
}

enum st cmd_view(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (panels_command(t, "view", argc > 1 ? rest : "next"))
		return ST_OK;
	if (argc < 2 || !strcmp(rest, "next"))
		return err_set(e, ST_INVALID, "view: no panel of this screen has another view now");
	return err_set(e, ST_INVALID, "view: no panel of this screen has a view \"%s\"", rest);
}

enum st cmd_ramp(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	int ramp = (int)(t->view & VIEW_RAMP);

	(void)rest;
	if (argc < 2 || !strcmp(argv[1], "next")) {
		ramp = (ramp + 1) % RAMPS;
	} else {
		for (ramp = 0; ramp < RAMPS && strcmp(ramp_name[ramp], argv[1]); ramp++)
			;
		if (ramp == RAMPS)
			return err_set(e, ST_INVALID,
				"ramp: expected viridis, cividis, PuOr or grey, got \"%s\"",
				argv[1]);
	}
	t->view = (t->view & ~(int64_t)VIEW_RAMP) | ramp;
	tui_apply_theme(t);
	tui_publish_view(t);
	return ST_OK;
}

enum st cmd_log_axis(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	if (panels_command(t, "log-axis", ""))
		return ST_OK;
	t->view ^= VIEW_LOG;
	tui_publish_view(t);
	return ST_OK;
}

enum st cmd_copy(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	long at = focus_now(t);
	char *raw = NULL;
	size_t n;

	(void)rest;
	if (at < 0)
		return err_set(e, ST_INVALID, "copy: no panel is in focus");
	if (argc > 1 && !strcmp(argv[1], "panel"))
		raw = compose_panel(t, (size_t)at);
	else if (t->class[at] -> copy)
		raw = t->class[at]->copy(t->panel[at]);
	if (!raw)
		return err_set(e, ST_INVALID, "copy: %s has no value to copy (Y copies it as text)",
			t->class[at] -> name);
	n = strlen(raw) * 4 + 1;
	xfree(t->clipboard);
	t->clipboard = xalloc(n);
	text_clean(t->clipboard, n, raw, strlen(raw), false);
	xfree(raw);
	log_at(LOG_INFO, "copy", "%s", t->clipboard);
	tui_notice(t, LOG_INFO, "copied %zu bytes", strlen(t->clipboard));
	return ST_OK;
}

bool is_open_model(const struct tui *t, const char *path)
{
	struct fs_id a, b;

	return t->model && !fs_identify(path, &a, NULL) && !fs_identify(t->model->path, &b, NULL) &&
	       a.dev == b.dev && a.ino == b.ino;
}

enum st cmd_dump_screen(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	size_t n = strlen(rest);
	bool ansi = n > 5 && !strcmp(rest + n - 5, ".ansi"), ascii;
	enum st st;
	char *text;

	(void)argv;
	if (argc < 2)
		return err_set(e, ST_INVALID, "dump-screen: name a file (.ansi: with colours)");
	if (is_open_model(t, rest))
		return err_set(e, ST_INVALID, "dump-screen: %s is the model that is open", rest);
	ascii = opt_on(&t->opt, OPT_ASCII);
	compose(t);
	text = ansi ? surface_dump_ansi(t->screen, ascii, &t->theme)
		    : surface_dump(t->screen, ascii);
	st = fs_write_all(rest, text, strlen(text), e);
	xfree(text);
	if (!st)
		tui_notice(t, LOG_INFO, "wrote %s", rest);
	return st;
}

enum st cmd_prompt(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	char *line = argc > 1 ? xprintf("%s ", rest) : xstrdup("");

	(void)argv, (void)e;
	prompt_open(&t->prompt, PROMPT_COMMAND, &t->history, line);
	xfree(line);
	tui_complete(t);
	return ST_OK;
}

/* ---- options */

static enum st apply_sampler(struct tui *t)
{
	t->sampler.temperature = opt_num(&t->opt, OPT_TEMPERATURE);
	t->sampler.top_k = (int)opt_num(&t->opt, OPT_TOP_K);
	t->sampler.top_p = opt_num(&t->opt, OPT_TOP_P);
	t->sampler.min_p = opt_num(&t->opt, OPT_MIN_P);
	t->sampler.repeat_penalty = opt_num(&t->opt, OPT_REPEAT_PENALTY);
	t->sampler.repeat_last = (int)opt_num(&t->opt, OPT_REPEAT_LAST);
	t->sampler.seed = (uint64_t)opt_num(&t->opt, OPT_SEED);
	session_chat_sampler(t->s, &t->sampler);
	return ST_OK;
}

/* What was typed becomes the source's number, or all. */
static enum st apply_source(struct tui *t, struct err *e)
{
	char *value = t->opt.value[OPT_SOURCE];
	size_t n = t->map ? t->map->sources : 0;
	int now = (int)((t->view & VIEW_SOURCE) >> VIEW_SOURCE_SHIFT);
	int which = !strcmp(value, "next") ? (int)((size_t)(now < (int)n ? now + 1 : 0))
					   : map_source_named(t->map, value);

	if (!n && strcmp(value, "all"))
		return err_set(
			e, ST_INVALID, "set source: the map is of one text (:text names several)");
	if (which < 0)
		return err_set(
			e, ST_INVALID, "set source: there is no text \"%s\" (:sources)", value);
	snprintf(value, OPT_VALUE, "all");
	if (which)
		snprintf(value, OPT_VALUE, "%d", which);
	t->view = (t->view & ~(int64_t)VIEW_SOURCE) | (int64_t)which << VIEW_SOURCE_SHIFT;
	tui_publish_view(t);
	return ST_OK;
}

static enum st apply(struct tui *t, enum opt which, struct err *e)
{
	const struct option *o = &option_table[which];

	if (which == OPT_FORMATS)
		return session_formats(t->s, t->opt.value[which], e);
	if (o->holder == OPT_SESSION)
		return session_set(t->s, o->name, t->opt.value[which], e);
	if (o->holder == OPT_SAMPLER)
		return apply_sampler(t);
	if (which == OPT_SOURCE)
		return apply_source(t, e);
	if (which == OPT_THEME && tui_theme(t, t->opt.value[which], e))
		return e->st;
	if (which == OPT_THEME && t->theme_file && t->theme_def.left_out[0])
		tui_notice(t, LOG_WARN, "%s", t->theme_def.left_out);
	tui_apply_theme(t);
	tui_publish_view(t);
	t->want_redraw = true;
	return ST_OK;
}

/* What is now so; a value that this model cannot follow is said to be one. */
static void tell_set(struct tui *t, const char *name, enum opt which)
{
	size_t most = which == OPT_CTX && t->model ? t->model->ctx : 0;

	if (most && opt_num(&t->opt, which) > (double)most)
		tui_notice(t, LOG_INFO, "%s = %s; %s was trained on %zu, the chat keeps no more",
			name, t->opt.value[which], t->model->name, most);
	else
		tui_notice(t, LOG_INFO, "%s = %s", name, t->opt.value[which]);
}

enum st cmd_set(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	struct options before = t->opt;
	char range[96];
	enum opt which;
	enum st st;

	(void)rest;
	if (argc < 2) {
		list_options(t);
		return ST_OK;
	}
	if ((st = options_find(argv[1], &which, e)))
		return st;
	if (argc < 3) {
		tui_notice(t, LOG_INFO, "%s = %s (%s): %s", argv[1], t->opt.value[which],
			opt_range(which, range, sizeof range), option_table[which].help);
		return ST_OK;
	}
	if ((st = options_set(&t->opt, which, argv[2], e)))
		return st;
	st = apply(t, which, e);
	if (st)
		t->opt = before;
	else
		tell_set(t, argv[1], which);
	return st;
}

/* ---- lists and the rest */

enum st cmd_notices(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	list_notices(t);
	return ST_OK;
}

enum st cmd_sources(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	list_sources(t);
	return ST_OK;
}

enum st cmd_help(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv, (void)e;
	list_help(t, argc > 1 ? rest : "");
	return ST_OK;
}

enum st cmd_doctor(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	list_doctor(t);
	return ST_OK;
}

enum st cmd_hud(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	t->hud = !t->hud;
	session_rates(t->s, t->hud);
	return ST_OK;
}

enum st cmd_redraw(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	t->want_redraw = true;
	return ST_OK;
}

enum st cmd_suspend(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	t->want_suspend = true;
	return ST_OK;
}

/* Only one that the status line shows: behind another notice it was not meant. */
static bool leave_offer(struct tui *t)
{
	char what[48];

	if (!t->offer_shown || !session_offer(t->s, what) || !session_leave(t->s))
		return false;
	tui_notice(t, LOG_INFO, "the %s is left as it is, and not offered again", what);
	return true;
}

enum st cmd_back(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	if (t->list.open) {
		list_close(t);
	} else if (t->filtering) {
		t->filtering = false;
		t->filter[0] = 0;
		panels_command(t, "filter", "");
	} else if (t->zoom) {
		t->zoom = false;
	} else if (t->bare) {
		t->bare = false;
	} else if (!(t->streaming && session_chat_stop(t->s)) && !leave_offer(t)) {
		panels_command(t, "back", "");
	}
	return ST_OK;
}

enum st cmd_close(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	if (t->list.open)
		list_close(t);
	else if (t->zoom)
		t->zoom = false;
	else
		return cmd_quit(t, argc, argv, rest, e);
	return ST_OK;
}

enum st cmd_quit(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	if (!tui_idle(t))
		t->question = ASK_QUIT;
	else
		t->quit = true;
	return ST_OK;
}

enum st cmd_quit_now(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	t->quit = true;
	return ST_OK;
}

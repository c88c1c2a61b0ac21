/* cmd_plot - what a panel shows, as a picture and as numbers. */
#include "app/tui/commands.h"

#include <stdio.h>
#include <string.h>

#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/figure.h"

static bool ends(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n > k && !strcmp(s + n - k, tail);
}

static bool is_picture(const char *s)
{
	return ends(s, ".png") || ends(s, ".svg") || ends(s, ".pdf") || ends(s, ".gp");
}

/* The panel's own, or where it has none the first of the screen that has; NULL: there is none. */
static struct figure *figure_of(struct tui *t, long at, bool others, struct err *e)
{
	const char *name = at >= 0 ? t->class[at]->name : "this screen";
	struct figure *f = NULL;

	if (at >= 0 && t->class[at] -> figure)
		f = t->class[at]->figure(t->panel[at]);
	for (size_t i = 0; !f && others && i < t->n_panels; i++)
		if (t->class[i] -> figure && panel_on_screen(t, i))
			f = t->class[i]->figure(t->panel[i]);
	if (!f)
		(void)err_set(e, ST_INVALID, "%s has no numbers to draw or write yet", name);
	return f;
}

enum st cmd_plot(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	struct plot_ask ask = { 0 };
	const char *word[COMMAND_ARGS];
	long at = focus_now(t);
	bool named = false;

	(void)rest;
	for (int i = 1; i < argc; i++) {
		long panel = panel_find(t, argv[i]);

		if (is_picture(argv[i])) {
			ask.path = argv[i];
		} else if (panel >= 0 && !ask.n) {
			at = panel;
			named = true;
		} else {
			word[ask.n++] = argv[i];
		}
	}
	if (ask.n && named)
		return err_set(e, ST_INVALID,
			"plot: a panel, or runs: %s is no file of a picture "
			"(.png, .svg, .pdf, .gp)",
			word[0]);
	if (ask.n)
		ask.word = word;
	else if (!(ask.figure = figure_of(t, at, !named, e)))
		return ST_INVALID;
	picture_want(t, &ask.w, &ask.h);
	return session_plot(t->s, &ask, e);
}

/* ---- export: a panel's data by the ending of the file */

static enum st write_figure(struct tui *t, long at, const char *path, struct err *e)
{
	struct figure *f = figure_of(t, at, false, e);
	struct plot_ask ask = { .figure = f, .path = path };
	enum st st;

	if (!f)
		return ST_INVALID;
	if (ends(path, ".gp")) /* it comes with a .tsv that nobody named: not over another */
		return session_plot(t->s, &ask, e);
	st = figure_write(f, path, e);
	if (!st)
		tui_notice(t, LOG_INFO, "%s: %zu rows written", path, f->rows);
	figure_free(f);
	return st;
}

static enum st write_text(struct tui *t, long at, const char *path, struct err *e)
{
	char *text = compose_panel(t, (size_t)at);
	enum st st = fs_write_all(path, text, strlen(text), e);

	xfree(text);
	if (!st)
		tui_notice(t, LOG_INFO, "%s written", path);
	return st;
}

static enum st export_panel(struct tui *t, long at, const char *path, struct err *e)
{
	if (at < 0)
		return err_set(e, ST_INVALID, "export: no panel is in focus");
	if (is_open_model(t, path))
		return err_set(e, ST_INVALID, "export: %s is the model that is open", path);
	return ends(path, ".txt") ? write_text(t, at, path, e) : write_figure(t, at, path, e);
}

enum st cmd_export(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	long named = argc == 3 ? panel_find(t, argv[1]) : -1;

	if (argc < 2)
		return err_set(e, ST_INVALID,
			"export: name a folder for the model, FILE.json for "
			"the layout, or FILE.csv .tsv .gp .txt for what the panel shows");
	if (named >= 0 && (figure_writes(argv[2]) || ends(argv[2], ".txt")))
		return export_panel(t, named, argv[2], e);
	if (ends(rest, ".json"))
		return session_layout_write(t->s, rest, e);
	if (figure_writes(rest) || ends(rest, ".txt"))
		return export_panel(t, focus_now(t), rest, e);
	return session_export(t->s, rest, e);
}

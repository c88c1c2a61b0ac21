/* session_plot.c - pictures, as jobs: what is on the screen, and what runs wrote down.
 *
 * In the lane of what a person waits for: gnuplot takes tenths of a second, is polled every 20 ms,
 * and is killed by a stop. */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/figure.h"
#include "core/work/session_private.h"

enum { WORDS = 16 };

struct plot_deed {
	struct session *s;
	struct figure *figure;
	char *word[WORDS], *path;
	size_t n;
	int w, h;
};

/* Where to: a free name in plots/, or the one that was asked for, numbered where it is taken. */
static enum st place(const struct plot_deed *d, char **path, struct err *e)
{
	const char *slash = d->path ? strrchr(d->path, '/') : NULL, *dot;
	char *dir, *name;
	enum st st = ST_OK;

	if (!d->path) {
		dir = figure_dir();
		st = fs_mkdirs(dir, e);
		*path = figure_free_name(dir, d->figure->name, ".png");
		xfree(dir);
		return st;
	}
	dot = strrchr(slash ? slash : d->path, '.');
	if (!dot)
		return err_set(e, ST_INVALID,
			"plot %s: expected a name that ends in .png, .svg, .pdf or .gp", d->path);
	dir = slash ? xprintf("%.*s", (int)(slash - d->path), d->path) : xstrdup(".");
	name = xprintf(
		"%.*s", (int)(dot - (slash ? slash + 1 : d->path)), slash ? slash + 1 : d->path);
	*path = figure_free_name(slash && slash == d->path ? "/" : dir, name, dot);
	xfree(name);
	xfree(dir);
	return st;
}

static bool is_of(const char *path, const char *ending)
{
	const char *dot = strrchr(path, '.');

	return dot && !strcmp(dot, ending);
}

static void tell(const struct plot_deed *d, const char *path)
{
	const char *as = !strncmp(path, "./", 2) ? path + 2 : path;
	bool other = d->path && strcmp(as, d->path) && strcmp(path, d->path);

	notice(d->s, LOG_INFO, "%s written, beside it %s%s", as,
		is_of(path, ".gp") ? "its .tsv" : "a .gp and a .tsv that draw it again",
		other ? " (a file of that name was there)" : "");
}

static enum st work_plot(struct job *j, struct err *e)
{
	struct plot_deed *d = j->arg;
	char *path = NULL, *sixel = NULL;
	struct err quiet;
	size_t n = 0;
	enum st st = ST_OK;

	if (!d->figure)
		st = figure_runs(&d->figure, (const char *const *)d->word, d->n, NULL, &j->sink, e);
	if (!st)
		st = place(d, &path, e);
	if (!st)
		st = plot_write(&d->figure->plot, path, &j->sink, e);
	if (st == ST_UNSUPPORTED) /* and where they are */
		notice(d->s, LOG_INFO, "%.*s.gp and .tsv are written",
			(int)(strrchr(path, '.') - path), path);
	if (!st && d->w > 0 &&
		plot_sixel(&d->figure->plot, d->w, d->h, &sixel, &n, &j->sink, &quiet))
		sixel = NULL; /* a gnuplot without that terminal: there is the file */
	if (!st) {
		struct snap_plot *p = snap_plot_new(path, sixel, n);

		tell(d, path);
		bus_publish(d->s->bus,
			(struct event){ .kind = EV_PLOT, .key = j->id, .snap = &p->snap });
	}
	xfree(path);
	return st;
}

static void done_plot(struct job *j)
{
	struct plot_deed *d = j->arg;

	job_failed(d->s, j);
	figure_free(d->figure);
	for (size_t i = 0; i < d->n; i++)
		xfree(d->word[i]);
	xfree(d->path);
	xfree(d);
}

static const struct job_class job_plot = { "plot", NULL, LANE_INTERACTIVE, work_plot, done_plot };

enum st session_plot(struct session *s, const struct plot_ask *a, struct err *e)
{
	struct plot_deed *d;

	if (s->read_only && !a->path) {
		figure_free(a->figure);
		return err_set(e, ST_INVALID,
			"plot: --read-only writes no runs and no plots; name a FILE");
	}
	if (!a->figure && (!a->n || a->n > WORDS))
		return err_set(e, ST_INVALID, "plot: expected 1 to %d runs", WORDS);
	d = xalloc(sizeof *d);
	d->s = s;
	d->figure = a->figure;
	d->path = a->path ? xstrdup(a->path) : NULL;
	for (; !a->figure && d->n < a->n; d->n++)
		d->word[d->n] = xstrdup(a->word[d->n]);
	d->w = a->w;
	d->h = a->h;
	jobs_submit(s->jobs, &job_plot, d, NULL);
	return ST_OK;
}

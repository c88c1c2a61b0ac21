/* plot.c - what gnuplot is told, and where the picture goes.  Running it: plot_run.c. */
#include "core/work/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/work/plot_private.h"

enum { LABEL = 200 };

/* A label between single quotes: printable, one line, no longer than LABEL.  Single quotes are the
 * only ones in which gnuplot runs nothing; one inside becomes an apostrophe as printers have it,
 * since gnuplot does not understand a doubled one everywhere. */
static void put_label(FILE *f, const char *s)
{
	char clean[4 * LABEL];
	size_t n = s ? strlen(s) : 0;

	text_clean(clean, sizeof clean, s ? s : "", n < LABEL ? n : LABEL, true);
	fputc('\'', f);
	for (const char *p = clean; *p; p++) {
		if (*p == '\'')
			fputs("\u2019", f);
		else if ((unsigned char)*p >= ' ' && *p != 0x7f)
			fputc(*p, f);
	}
	fputc('\'', f);
}

static void put_number(FILE *f, double v, char after)
{
	if (isfinite(v))
		fprintf(f, "%.9g%c", v, after);
	else
		fprintf(f, "NaN%c", after);
}

/* Blocks with two empty lines between, as gnuplot's `index` counts them. */
static void put_data(FILE *f, const struct plot *p)
{
	if (p->value) {
		for (size_t r = 0; r < p->rows; r++) {
			for (size_t c = 0; c < p->cols; c++) {
				put_number(f, (double)c, '\t');
				put_number(f, (double)r, '\t');
				put_number(f, p->value[r * p->cols + c], '\n');
			}
			fputc('\n', f);
		}
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct plot_series *s = &p->series[i];

		for (size_t k = 0; k < s->n; k++) {
			put_number(f, s->x[k], '\t');
			put_number(f, s->y[k], '\t');
			put_number(f, s->error ? s->error[k] : 0, '\n');
		}
		if (!s->n)
			fputs("NaN\tNaN\tNaN\n", f); /* or the blocks behind it would move up */
		fputs("\n\n", f);
	}
}

static void put_curves(FILE *f, const struct plot *p, const char *source)
{
	fprintf(f, "set grid\nset key top right\n");
	if (p->log_x)
		fprintf(f, "set logscale x\n");
	if (p->log_y)
		fprintf(f, "set logscale y\n");
	for (size_t i = 0; i < p->n; i++) {
		const struct plot_series *s = &p->series[i];

		fprintf(f, "%s %s index %zu using 1:2%s with %s lc %zu title ", i ? "," : "plot",
			source, i, s->error ? ":3" : "",
			s->error    ? "yerrorbars pt 7 ps 0.6"
			: s->points ? "points pt 7 ps 0.6"
				    : "lines lw 2",
			i + 1);
		put_label(f, s->label);
	}
	fputc('\n', f);
}

static void put_map(FILE *f, const struct plot *p, const char *source)
{
	fprintf(f, "set yrange [%zu.5:-0.5]\nset xrange [-0.5:%zu.5]\nunset key\n",
		p->rows ? p->rows - 1 : 0, p->cols ? p->cols - 1 : 0);
	fprintf(f, "set xtics 0,%zu\nset format cb '%%g'\n", p->cols / 32 + 1);
	fprintf(f, "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 "
		   "'#fde725')\n");
	if (p->log_y)
		fprintf(f, "set logscale cb\n");
	fprintf(f, "set cblabel ");
	put_label(f, p->y_label);
	fprintf(f, "\nset ytics (");
	for (size_t r = 0; p->row_name && r < p->rows; r++) {
		fputs(r ? ", " : "", f);
		put_label(f, p->row_name[r]);
		fprintf(f, " %zu", r);
	}
	fprintf(f, ")\nplot %s using 1:2:3 with image\n", source);
}

static void put_script(FILE *f, const struct plot *p, const char *source)
{
	fprintf(f, "set encoding utf8\nset title noenhanced ");
	put_label(f, p->title);
	fprintf(f, "\nset xlabel noenhanced ");
	put_label(f, p->x_label);
	fputc('\n', f);
	if (p->value) {
		put_map(f, p, source);
		return;
	}
	fprintf(f, "set ylabel noenhanced ");
	put_label(f, p->y_label);
	fputc('\n', f);
	put_curves(f, p, source);
}

static char *whole_script(const struct plot *p, const char *terminal)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	fprintf(f, "set terminal %s noenhanced\n$data << EOD\n", terminal);
	put_data(f, p);
	fprintf(f, "EOD\n");
	put_script(f, p, "$data");
	fclose(f);
	return text;
}

/* ---- files */

static const struct ending {
	const char *ending, *terminal;
} endings[] = {
	{ ".png", "pngcairo size 1200,800" }, { ".svg", "svg size 1200,800 dynamic" },
	{ ".pdf", "pdfcairo size 8,5.33" }, { ".gp", NULL }, /* no picture, but what draws one */
};

static const struct ending *ending_of(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (n > strlen(endings[i].ending) &&
			!strcmp(path + n - strlen(endings[i].ending), endings[i].ending))
			return &endings[i];
	return NULL;
}

static enum st write_stream(
	const char *path, const struct plot *p, const char *source, struct err *e)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	enum st st;

	if (source) {
		fprintf(f, "# gnuplot -p -e \"set terminal png; set output 'picture.png'\" this\n");
		put_script(f, p, source);
	} else {
		fprintf(f, "# %s\n", p->value ? "column\trow\tvalue" : "x\ty\terror");
		put_data(f, p);
	}
	fclose(f);
	st = fs_write_all(path, text, n, e);
	free(text);
	return st;
}

/* What draws it again: NAME.tsv and NAME.gp. */
static enum st write_beside(
	const struct plot *p, const char *path, const char *ending, struct err *e)
{
	size_t n = strlen(path) - strlen(ending);
	const char *name = fs_name(path);
	char *tsv = xprintf("%.*s.tsv", (int)n, path), *gp = xprintf("%.*s.gp", (int)n, path);
	char *quoted = NULL,
	     *label = xprintf("%.*s.tsv", (int)(strlen(name) - strlen(ending)), name);
	size_t len = 0;
	FILE *f = open_memstream(&quoted, &len);
	enum st st = write_stream(tsv, p, NULL, e);

	put_label(f, label);
	fclose(f);
	if (!st)
		st = write_stream(gp, p, quoted, e);
	free(quoted);
	xfree(label);
	xfree(tsv);
	xfree(gp);
	return st;
}

static enum st check(const struct plot *p, struct err *e)
{
	if (!p->value && !p->n)
		return err_set(e, ST_INVALID, "plot: there is nothing to draw");
	if (p->n > PLOT_SERIES)
		return err_set(
			e, ST_INVALID, "plot: %zu series, and %d are the most", p->n, PLOT_SERIES);
	return ST_OK;
}

enum st plot_write(const struct plot *p, const char *path, const struct sink *s, struct err *e)
{
	const struct ending *as = ending_of(path);
	char *script, *out = NULL;
	size_t n = 0;
	enum st st = check(p, e);

	if (st)
		return st;
	if (strpbrk(path, "'\"`\n\r"))
		return err_set(e, ST_INVALID,
			"plot %s: a name without quotes, please: NAME.gp names it", path);
	if (!as)
		return err_set(e, ST_INVALID,
			"plot %s: expected a name that ends in .png, .svg, .pdf or .gp", path);
	st = write_beside(p, path, as->ending, e);
	if (st || !as->terminal)
		return st;
	script = whole_script(p, as->terminal);
	st = plot_run(script, &out, &n, s, e);
	free(script);
	if (!st)
		st = fs_write_all(path, out, n, e);
	xfree(out);
	return st;
}

enum st plot_sixel(const struct plot *p, int w, int h, char **out, size_t *n, const struct sink *s,
	struct err *e)
{
	char terminal[64], *script;
	enum st st = check(p, e);

	if (st)
		return st;
	snprintf(terminal, sizeof terminal, "sixelgd size %d,%d", w, h);
	script = whole_script(p, terminal);
	st = plot_run(script, out, n, s, e);
	free(script);
	return st;
}

/* figure_write.c - figures as files of numbers, and the names of files that are free. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/work/figure.h"
#include "core/work/run.h"

static bool ends(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n > k && !strcmp(s + n - k, tail);
}

bool figure_writes(const char *path)
{
	return ends(path, ".csv") || ends(path, ".tsv") || ends(path, ".json") || ends(path, ".gp");
}

/* Words stay on their line and in their cell. */
static void put_word(FILE *to, const char *s, bool csv)
{
	char clean[1024];
	size_t n = strlen(s);

	text_clean(clean, sizeof clean, s, n < 250 ? n : 250, true);
	for (char *p = clean; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	if (!csv || !strpbrk(clean, ",\"")) {
		fputs(clean, to);
		return;
	}
	fputc('"', to);
	for (const char *p = clean; *p; p++) {
		if (*p == '"')
			fputc('"', to);
		fputc(*p, to);
	}
	fputc('"', to);
}

/* A number that is none: nothing in a csv, "nan" where gnuplot reads it. */
static void put_value(FILE *to, const struct figure_value *v, bool csv)
{
	if (v->text)
		put_word(to, v->text, csv);
	else if (isfinite(v->number))
		fprintf(to, "%.12g", v->number);
	else if (!csv)
		fputs("nan", to);
}

static char *as_table(const struct figure *f, bool csv)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	if (!csv)
		fputs("# ", to);
	for (size_t c = 0; c < f->cols; c++) {
		put_word(to, f->col[c], csv);
		fputs(c + 1 < f->cols ? csv ? "," : "\t" : csv ? "\r\n" : "\n", to);
	}
	for (size_t i = 0; i < f->rows * f->cols; i++) {
		put_value(to, &f->value[i], csv);
		fputs((i + 1) % f->cols ? csv ? "," : "\t" : csv ? "\r\n" : "\n", to);
	}
	fclose(to);
	return text;
}

static char *as_json(const struct figure *f)
{
	struct json_out o;
	char *text;

	json_out_init(&o, true);
	json_open(&o, NULL, '[');
	for (size_t r = 0; r < f->rows; r++) {
		json_open(&o, NULL, '{');
		for (size_t c = 0; c < f->cols; c++) {
			const struct figure_value *v = &f->value[r * f->cols + c];

			if (v->text)
				json_put_str(&o, f->col[c], v->text);
			else
				json_put_f64(&o, f->col[c], v->number);
		}
		json_close(&o, '}');
	}
	json_close(&o, ']');
	text = strndup(o.s, o.n);
	json_out_release(&o);
	if (!text)
		abort();
	return text;
}

enum st figure_write(const struct figure *f, const char *path, struct err *e)
{
	char *text;
	enum st st;

	if (ends(path, ".gp"))
		return plot_write(&f->plot, path, NULL, e);
	if (!figure_writes(path))
		return err_set(e, ST_INVALID,
			"%s: expected a name that ends in .csv, .tsv, .json or .gp", path);
	if (!f->cols || !f->rows)
		return err_set(e, ST_INVALID, "%s: there are no numbers to write yet", path);
	text = ends(path, ".json") ? as_json(f) : as_table(f, ends(path, ".csv"));
	st = fs_write_all(path, text, strlen(text), e);
	free(text);
	return st;
}

char *figure_dir(void)
{
	char *runs = runs_dir(), *dir = xprintf("%s/plots", runs);

	xfree(runs);
	return dir;
}

static bool is_there(const char *dir, const char *name, int i, const char *ending)
{
	char *path = i > 1 ? xprintf("%s/%s-%d%s", dir, name, i, ending)
			   : xprintf("%s/%s%s", dir, name, ending);
	bool there = fs_is_file(path) || fs_is_dir(path);

	xfree(path);
	return there;
}

char *figure_free_name(const char *dir, const char *name, const char *ending)
{
	int i = 1;

	while (is_there(dir, name, i, ending) || is_there(dir, name, i, ".gp") ||
		is_there(dir, name, i, ".tsv"))
		i++;
	return i > 1 ? xprintf("%s/%s-%d%s", dir, name, i, ending)
		     : xprintf("%s/%s%s", dir, name, ending);
}

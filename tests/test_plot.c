/* test_plot.c - pictures by gnuplot: drawn, harmless, and without it a sentence. */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/work/plot.h"
#include "tests/lib_base.h"

static const double xs[] = { 1, 2, 3, 4 }, ys[] = { 4, 2, 1, 0.5 }, errors[] = { 1, 0.5, 0.2, 0.1 };

static struct plot plain(const char *title)
{
	struct plot p = { .title = title, .x_label = "x", .y_label = "y", .n = 2 };

	p.series[0] = (struct plot_series){ .label = "line", .x = xs, .y = ys, .n = 4 };
	p.series[1] = (struct plot_series){
		.label = "points", .x = xs, .y = ys, .error = errors, .n = 4
	};
	return p;
}

static bool missing(void)
{
	if (plot_possible())
		return false;
	fprintf(stderr, "skipped: there is no gnuplot\n");
	return true;
}

/* A program of this text, first in PATH, under the name of gnuplot. */
static void pretend(const char *text)
{
	const char *path = tmp_path("gnuplot");
	char *with = xprintf("%s:/usr/bin:/bin", tmp_dir());

	tmp_write(path, text, strlen(text));
	cr_assert_eq(chmod(path, 0755), 0);
	setenv("PATH", with, 1);
	xfree(with);
}

static void begin(void)
{
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	tmp_dir();
}

TestSuite(plot, .init = begin, .timeout = 60);

Test(plot, a_picture_of_each_kind_is_what_its_name_says)
{
	static const struct {
		const char *name, *magic;
		size_t n;
	} kinds[] = { { "a.png", "\x89PNG", 4 }, { "a.svg", "<?xml", 5 }, { "a.pdf", "%PDF", 4 } };
	struct plot p = plain("title");
	struct err e = { 0 };

	if (missing())
		return;
	for (size_t i = 0; i < 3; i++) {
		const char *path = tmp_path(kinds[i].name);
		char *s;
		size_t n;

		cr_assert_eq(plot_write(&p, path, NULL, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(fs_read(path, 8 << 20, &s, &n, &e), ST_OK, "%s", e.msg);
		cr_assert(n > 500 && !memcmp(s, kinds[i].magic, kinds[i].n), "%s", kinds[i].name);
		big_free(s);
	}
}

Test(plot, what_lies_beside_a_picture_draws_it_again)
{
	struct plot p = plain("title");
	char *command, *s;
	struct err e = { 0 };
	size_t n;

	if (missing())
		return;
	cr_assert_eq(plot_write(&p, tmp_path("a.png"), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(fs_read(tmp_path("a.tsv"), 1 << 20, &s, &n, &e), ST_OK);
	cr_assert(strstr(s, "1\t4\t0\n") && strstr(s, "4\t0.5\t0.1\n"), "%s", s);
	big_free(s);
	command = xprintf(
		"cd %s && gnuplot -e \"set terminal svg; set output 'again.svg'\" a.gp", tmp_dir());
	cr_assert_eq(system(command), 0);
	cr_assert(fs_is_file(tmp_path("again.svg")));
	xfree(command);
}

Test(plot, a_heat_map_is_drawn_with_its_empty_cells)
{
	static const double v[] = { 1, 2, NAN, 4, 5, 6 };
	static const char *const names[] = { "q", "it's" };
	struct plot p = { .title = "map", .rows = 2, .cols = 3, .value = v, .row_name = names };
	struct err e = { 0 };

	if (missing())
		return;
	cr_assert_eq(plot_write(&p, tmp_path("m.svg"), NULL, &e), ST_OK, "%s", e.msg);
}

Test(plot, labels_from_outside_run_nothing)
{
	static const char *const parts[] = { "`touch %s`", "'; system('touch %s'); '",
		"\\n!touch %s\n", "$(touch %s)", "\" ; system(\"touch %s\") ; \"",
		"'.system('touch %s').'", "EOD\nsystem('touch %s')\n",
		"'\nset output '|touch %s'\n'", "@touch %s {/Bold x}", "%%s '' ' `touch %s` '" };
	char *mark = xstrdup(tmp_path("ran"));
	size_t before;

	if (missing())
		return;
	before = tmp_entries();
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		char hostile[512];
		struct plot p = plain(hostile);
		struct err e = { 0 };
		char *out;
		size_t n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(hostile, sizeof hostile, parts[i], mark);
#pragma GCC diagnostic pop
		p.x_label = p.y_label = p.series[0].label = hostile;
		cr_assert_eq(plot_sixel(&p, 200, 150, &out, &n, NULL, &e), ST_OK, "%s: %s", hostile,
			e.msg);
		cr_assert(n > 10 && out[0] == '\033');
		xfree(out);
		cr_assert_not(fs_is_file(mark), "%s", hostile);
	}
	cr_assert_eq(tmp_entries(), before);
	xfree(mark);
}

Test(plot, numbers_that_are_none_leave_gaps)
{
	double x[] = { 1, 2, 3 }, y[] = { 1, NAN, INFINITY };
	struct plot p = plain("gaps");
	struct err e = { 0 };

	if (missing())
		return;
	p.series[0].x = x;
	p.series[0].y = y;
	p.series[0].n = 3;
	p.log_y = true;
	cr_assert_eq(plot_write(&p, tmp_path("g.svg"), NULL, &e), ST_OK, "%s", e.msg);
}

Test(plot, without_gnuplot_there_is_a_sentence)
{
	struct plot p = plain("x");
	struct err e = { 0 };

	setenv("PATH", "/no/such", 1);
	cr_assert_not(plot_possible());
	cr_assert_eq(plot_write(&p, tmp_path("a.png"), NULL, &e), ST_UNSUPPORTED);
	cr_assert(strstr(e.msg, "gnuplot is not installed"), "%s", e.msg);
	cr_assert_not(fs_is_file(tmp_path("a.png")));
}

Test(plot, another_ending_and_an_empty_plot_are_refused)
{
	struct plot p = plain("x"), none = { .title = "x" };
	struct err e = { 0 };

	cr_assert_eq(plot_write(&p, tmp_path("a.txt"), NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, ".png, .svg, .pdf or .gp"), "%s", e.msg);
	cr_assert_eq(plot_write(&none, tmp_path("a.png"), NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "nothing to draw"), "%s", e.msg);
}

Test(plot, what_gnuplot_complains_of_is_told)
{
	struct plot p = plain("x");
	struct err e = { 0 };

	pretend("#!/bin/sh\necho 'line 3: no such terminal' >&2\nexit 1\n");
	cr_assert_eq(plot_write(&p, tmp_path("a.png"), NULL, &e), ST_IO);
	cr_assert(strstr(e.msg, "no such terminal"), "%s", e.msg);
}

static bool soon(const struct sink *s)
{
	return clock_now() > *(const double *)s->self;
}

Test(plot, a_gnuplot_that_does_not_end_is_stopped)
{
	struct plot p = plain("x");
	double at = clock_now() + 0.3, began = clock_now();
	struct sink sink = { .poll = soon, .self = &at };
	struct err e = { 0 };

	pretend("#!/bin/sh\nsleep 100\n");
	cr_assert_eq(plot_write(&p, tmp_path("a.png"), &sink, &e), ST_CANCELLED);
	cr_assert_lt(clock_now() - began, 20);
}

Test(plot, a_gnuplot_that_writes_without_end_is_stopped)
{
	struct plot p = plain("x");
	struct err e = { 0 };

	pretend("#!/bin/sh\nyes\n");
	cr_assert_eq(plot_write(&p, tmp_path("a.png"), NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "more than 64 MiB"), "%s", e.msg);
}

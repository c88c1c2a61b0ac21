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

/* The real one under strace, which writes down what is executed; NULL: there is none. */
static char *traced(void)
{
	char *log = xstrdup(tmp_path("trace")), *dir = xprintf("%s/bin", tmp_dir()), *path, *text,
	     *with;
	struct err e = { 0 };

	if (system("strace -o /dev/null true 2>/dev/null")) {
		fprintf(stderr, "not traced: strace does not work here\n");
		xfree(dir);
		xfree(log);
		return NULL;
	}
	cr_assert_eq(fs_mkdirs(dir, &e), ST_OK);
	path = xprintf("%s/gnuplot", dir);
	text = xprintf(
		"#!/bin/sh\nexec strace -f -A -e trace=execve,execveat,unlink,rename,openat -o %s "
		"/usr/bin/gnuplot \"$@\"\n",
		log);
	tmp_write(path, text, strlen(text));
	cr_assert_eq(chmod(path, 0755), 0);
	with = xprintf("%s:/usr/bin:/bin", dir);
	setenv("PATH", with, 1);
	xfree(with);
	xfree(text);
	xfree(path);
	xfree(dir);
	return log;
}

/* Lines of the trace with both words, but for `but`. */
static size_t lines_with(const char *log, const char *a, const char *b, const char *but)
{
	char *text, *save = NULL;
	size_t n, count = 0;
	struct err e = { 0 };

	cr_assert_eq(fs_read(log, 64 << 20, &text, &n, &e), ST_OK, "%s", e.msg);
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		count += strstr(l, a) && strstr(l, b) && !(but && strstr(l, but));
	big_free(text);
	return count;
}

/* 20 beginnings and 20 endings about one command: 400 labels, each in every place there is. */
Test(plot, four_hundred_hostile_labels_execute_nothing_and_write_nowhere, .timeout = 300)
{
	static const char *const before[] = { "", "'", "''", "\"", "`", "$(", "';", "\n", "\r\n",
		"EOD\n", "'\nset output '|", "@", "{/Bold ", "\\", "\\'", "| ", "< ", "!",
		"\xff\xfe'", "\u2019'" };
	static const char *const behind[] = { "", "'", "''", "\"", "`", ")", ";'", "\n", "\r\n",
		"\nEOD\n", "'\nset print '|cat'\n", "@", "}", "\\", "\\'", " |", " >", "#", "\xc3",
		"$" };
	char *mark = xstrdup(tmp_path("ran")), *log, *name[20];
	double v[20] = { 1, 2, 3 };
	size_t runs = 0, entries;

	if (missing())
		return;
	log = traced();
	tmp_write(tmp_path("trace"), "", 0);
	entries = tmp_entries();
	for (size_t b = 0; b < 20; b++) {
		struct plot p = { .n = PLOT_SERIES }, map = { .rows = 20, .cols = 1, .value = v };
		struct err e = { 0 };
		char *out;
		size_t n;

		for (size_t i = 0; i < 20; i++)
			name[i] = xprintf(i % 3 ? "%ssystem('touch %s')%s" : "%stouch %s%s",
				before[b], mark, behind[i]);
		for (size_t i = 0; i < PLOT_SERIES; i++)
			p.series[i] =
				(struct plot_series){ .label = name[i], .x = xs, .y = ys, .n = 4 };
		p.title = name[16];
		p.x_label = name[17];
		p.y_label = name[18];
		map.title = map.x_label = map.y_label = name[19];
		map.row_name = (const char *const *)name;
		cr_assert_eq(
			plot_sixel(&p, 200, 150, &out, &n, NULL, &e), ST_OK, "%zu: %s", b, e.msg);
		xfree(out);
		cr_assert_eq(
			plot_sixel(&map, 200, 150, &out, &n, NULL, &e), ST_OK, "%zu: %s", b, e.msg);
		xfree(out);
		runs += 2;
		for (size_t i = 0; i < 20; i++)
			xfree(name[i]);
		cr_assert_not(fs_is_file(mark), "beginning %zu", b);
	}
	cr_assert_eq(tmp_entries(), entries);
	if (log) {
		cr_assert_eq(
			lines_with(log, "execve", "(", NULL), runs, "one each: gnuplot itself");
		cr_assert_eq(lines_with(log, "execve", "/usr/bin/gnuplot", NULL), runs);
		cr_assert_eq(lines_with(log, "openat", "O_CREAT", "/tmp/"), 0);
		cr_assert_eq(lines_with(log, "rename", "", NULL), 0);
	}
	xfree(log);
	xfree(mark);
}

Test(plot, without_gnuplot_what_draws_it_is_there_all_the_same)
{
	struct plot p = plain("x");
	struct err e = { 0 };

	setenv("PATH", "/no/such", 1);
	cr_assert_eq(plot_write(&p, tmp_path("b.png"), NULL, &e), ST_UNSUPPORTED);
	cr_assert(fs_is_file(tmp_path("b.gp")) && fs_is_file(tmp_path("b.tsv")));
	cr_assert_eq(plot_write(&p, tmp_path("c.gp"), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert(fs_is_file(tmp_path("c.gp")) && fs_is_file(tmp_path("c.tsv")));
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

Test(plot, a_gnuplot_that_closes_its_outputs_and_stays_is_stopped)
{
	struct plot p = plain("x");
	double at = clock_now() + 0.3;
	struct sink sink = { .poll = soon, .self = &at };
	struct err e = { 0 };
	size_t before;

	pretend("#!/bin/sh\nexec >&- 2>&-\nsleep 100\n");
	setenv("TMPDIR", tmp_dir(), 1);
	before = tmp_entries();
	cr_assert_eq(plot_write(&p, tmp_path("a.png"), &sink, &e), ST_CANCELLED);
	cr_assert_eq(tmp_entries(), before + 2, "the .gp and the .tsv, and no folder");
}

/* Its 40 s are more than a gnuplot may take. */
Test(plot, what_gnuplot_left_behind_outside_its_group_keeps_nobody_waiting)
{
	struct plot p = plain("x");
	struct err e = { 0 };

	if (system("setsid true")) {
		fprintf(stderr, "skipped: there is no setsid\n");
		return;
	}
	pretend("#!/bin/sh\nsetsid sleep 40 &\necho picture\n");
	cr_assert_eq(plot_write(&p, tmp_path("a.png"), NULL, &e), ST_OK, "%s", e.msg);
	pretend("#!/bin/sh\nsetsid sleep 40 &\necho sorry >&2\nexit 3\n");
	cr_assert_eq(plot_write(&p, tmp_path("b.png"), NULL, &e), ST_IO);
	cr_assert(strstr(e.msg, "sorry"), "%s", e.msg);
}

Test(plot, a_gnuplot_that_writes_without_end_is_stopped)
{
	struct plot p = plain("x");
	struct err e = { 0 };

	pretend("#!/bin/sh\nyes\n");
	cr_assert_eq(plot_write(&p, tmp_path("a.png"), NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "more than 64 MiB"), "%s", e.msg);
}

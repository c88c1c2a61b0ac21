/* test_session_plot.c - pictures as jobs: where they go, and that a stop ends them. */
#include "tests/session_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/work/figure.h"

static struct figure *curve(void)
{
	struct figure *f = figure_new("curve", "t", "x", "y");
	struct plot_series *c = figure_series(f, "c", 2, false);

	figure_point(c, 0, 1, 1, 0);
	figure_point(c, 1, 2, 2, 0);
	return f;
}

/* A gnuplot of this text, and no other. */
static void pretend(const char *text)
{
	char *with = xprintf("%s:/usr/bin:/bin", tmp_dir());

	tmp_write(tmp_path("gnuplot"), text, strlen(text));
	cr_assert_eq(chmod(tmp_path("gnuplot"), 0755), 0);
	setenv("PATH", with, 1);
	xfree(with);
}

static void open_all(void)
{
	signal(SIGPIPE, SIG_IGN);
	work_home();
	begin((struct session_options){ .auto_scan = false });
	pretend("#!/bin/sh\ncat > /dev/null; echo a picture\n");
}

TestSuite(session_plot, .init = open_all, .fini = end, .timeout = 60);

Test(session_plot, pictures_go_to_plots_and_never_over_another_file)
{
	char *dir = figure_dir();

	for (int i = 1; i < 4; i++) {
		char *path =
			i > 1 ? xprintf("%s/curve-%d.png", dir, i) : xprintf("%s/curve.png", dir);

		ok(session_plot(s, &(struct plot_ask){ .figure = curve() }, &e));
		settle();
		cr_assert(fs_is_file(path), "%s: %s", path, w.said);
		cr_assert(strstr(w.said, path), "%s", w.said);
		xfree(path);
	}
	tmp_write(tmp_path("mine.svg"), "mine", 4);
	ok(session_plot(
		s, &(struct plot_ask){ .figure = curve(), .path = tmp_path("mine.svg") }, &e));
	settle();
	cr_assert(tmp_holds(tmp_path("mine.svg"), "mine", 4));
	cr_assert(fs_is_file(tmp_path("mine-2.svg")) && fs_is_file(tmp_path("mine-2.gp")), "%s",
		w.said);
	xfree(dir);
}

Test(session_plot, a_stop_kills_gnuplot_and_leaves_no_picture)
{
	double began = clock_now();

	pretend("#!/bin/sh\nexec sleep 100\n");
	ok(session_plot(s, &(struct plot_ask){ .figure = curve(), .path = tmp_path("x.png") }, &e));
	while (!session_stop(s, 0) && clock_now() - began < 10)
		work_read(&w);
	settle();
	cr_assert_lt(clock_now() - began, 20);
	cr_assert_not(fs_is_file(tmp_path("x.png")));
}

Test(session_plot, what_cannot_be_drawn_says_why)
{
	const char *none = "nosuch";

	ok(session_plot(s, &(struct plot_ask){ .word = &none, .n = 1 }, &e));
	settle();
	cr_assert(strstr(w.said, "nosuch"), "%s", w.said);
	cr_assert_eq(session_plot(s, &(struct plot_ask){ .n = 0 }, &e), ST_INVALID);
	setenv("PATH", "/no/such", 1);
	ok(session_plot(s, &(struct plot_ask){ .figure = curve(), .path = tmp_path("y.png") }, &e));
	settle();
	cr_assert(strstr(w.said, "gnuplot is not installed"), "%s", w.said);
	cr_assert(fs_is_file(tmp_path("y.gp")) && fs_is_file(tmp_path("y.tsv")));
}

/* test_session_points.c - measured layouts in a sitting: the ends, the layout under the dial,
 * guards, and what is kept of them for the next sitting. */
#include "tests/session_fixture.h"

#include <time.h>

#include "core/base/fs.h"

static size_t points(const char *what)
{
	size_t n = 0;

	for (size_t i = 0; i < w.front->n_points; i++)
		n += !strcmp(w.front->point[i].what, what);
	return n;
}

/* Lets the dial rest and all that comes of it end. */
static void rest(void)
{
	const struct timespec pause = { 0, 850000000 };

	nanosleep(&pause, NULL);
	for (int i = 0; i < 4; i++) {
		session_tick(s);
		settle();
	}
}

TestSuite(session_points, .init = work_home_texts, .timeout = 120);

Test(session_points, a_scan_measures_the_smallest_layout_as_an_end_of_the_prediction)
{
	open_demo(true);
	cr_assert_geq(points("measured"), 1);
	ok(session_budget(s, 0.1, &e)); /* the least there is */
	work_read(&w);
	cr_assert(isfinite(w.answer->measured_kl));
	cr_assert_float_eq(w.answer->kl, w.answer->measured_kl, 0.2 * w.answer->measured_kl);
	end();
}

Test(session_points, measuring_adds_a_point_to_the_front)
{
	size_t before;

	open_demo(true);
	before = w.front->n_points;
	ok(session_budget(s, 4, &e));
	ok(session_measure(s, &e));
	settle();
	cr_assert_eq(w.front->n_points, before + 1);
	cr_assert_str_eq(w.front->point[before].what, "measured");
	cr_assert_eq(w.front->point[before].bytes, w.answer->bytes);
	cr_assert_float_eq(w.answer->measured_kl, w.front->point[before].kl, 0);
	cr_assert_geq(w.answer->measured_kl, 0);
	cr_assert(strstr(w.said, "measured 4.0") || strstr(w.said, "measured 3."), "%s", w.said);
	end();
}

Test(session_points, a_layout_that_rests_is_measured_by_itself_and_then_the_guards_at_its_bytes)
{
	size_t before;

	open_demo(true);
	before = w.front->n_points;
	ok(session_budget(s, 4, &e));
	cr_assert_gt(session_tick(s), 0, "it was moved just now");
	work_read(&w);
	cr_assert_not(isfinite(w.answer->measured_kl));
	rest();
	cr_assert(isfinite(w.answer->measured_kl));
	cr_assert_gt(w.front->n_points, before + 1, "guards, too");
	for (size_t i = before + 1; i < w.front->n_points; i++) {
		cr_assert_str_neq(w.front->point[i].what, "measured");
		cr_assert_leq(w.front->point[i].bytes, w.answer->bytes);
		if (!(w.front->point[i].kl >= w.answer->measured_kl))
			cr_assert_leq(w.answer->better.kl, w.front->point[i].kl, "and said so");
	}
	before = w.front->n_points;
	rest();
	cr_assert_eq(w.front->n_points, before, "once is enough");
	ok(session_set(s, "auto_measure", "off", &e));
	ok(session_budget(s, 3, &e));
	rest();
	cr_assert_not(isfinite(w.answer->measured_kl));
	cr_assert_neq(session_set(s, "auto_measure", "perhaps", &e), ST_OK);
	end();
}

Test(session_points, guards_that_were_all_measured_before_are_asked_for_once)
{
	int began;

	open_demo(true);
	ok(session_budget(s, 0.1, &e)); /* uniform, ends and random are this one layout */
	rest();
	began = w.began;
	rest();
	cr_assert_eq(w.began, began);
	end();
}

Test(session_points, they_are_kept_for_the_next_sitting_under_the_same_formats)
{
	size_t n;
	double kl;

	open_demo(true);
	ok(session_budget(s, 4, &e));
	rest();
	n = w.front->n_points;
	kl = w.answer->measured_kl;
	end();
	open_demo(false);
	ok(session_budget(s, 4, &e));
	work_read(&w);
	cr_assert_eq(w.front->n_points, n);
	cr_assert_float_eq(w.answer->measured_kl, kl, 1e-8 * kl);
	ok(session_formats(s, "int3g64,keep", &e));
	settle();
	cr_assert_eq(w.front->n_points, 0, "of another dial");
	ok(session_formats(s, "int2g64,int4g64,keep", &e));
	settle();
	cr_assert_eq(w.front->n_points, n);
	end();
}

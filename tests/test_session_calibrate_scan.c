/* test_session_calibrate_scan.c - a calibration beside the scan: which has the engine, what is
 * measured again, when one is offered, and how it comes off the dial. */
#include <stdatomic.h>
#include <time.h>

#include "core/work/desk_private.h"
#include "core/work/rates.h"
#include "core/work/session_private.h"
#include "tests/train_session_fixture.h"

/* A sitting that scans when it is told to. */
static void set_up_hold(void)
{
	work_home_texts();
	open_demo(false);
	write_data();
}

TestSuite(calibrate_scan, .init = set_up_hold, .fini = end, .timeout = 120);

/* Cells of a dial's formats that are measured on other variants than stand there, or not yet. */
static size_t not_measured(void)
{
	const struct desk *d = s->desk;
	char by[CACHE_BY];
	size_t n = 0;

	for (size_t i = 0; i < d->set.n * d->set.k; i++) {
		const struct variant *v = variant_at(&d->set, i / d->set.k, i % d->set.k);

		if (!desk_staged(d, i / d->set.k, i % d->set.k))
			continue;
		desk_cell_by(d, v->by, by);
		n += d->cell[i].state != CELL_SCANNED || strcmp(by, d->cell_by[i]) != 0;
	}
	return n;
}

/* ---- while it scans */

/* The engine waits at the beginning of a stage, or behind the second cell that the scan measured,
 * until it is let go. */
static struct {
	enum stage stage;
	void (*measured)(void *arg, const struct scan_cell *c, const char *stage);
	int cells; /* to come; 0: it waits at the stage */
	atomic_bool there, go;
} hold;

static void wait_here(void)
{
	atomic_store(&hold.there, true);
	while (!atomic_load(&hold.go))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void at_stage(void *arg, enum stage g)
{
	(void)arg;
	if (g == hold.stage && !hold.cells)
		wait_here();
}

static void at_cell(void *arg, const struct scan_cell *c, const char *stage)
{
	hold.measured(arg, c, stage);
	if (!strcmp(stage, "scan") && hold.cells && !--hold.cells)
		wait_here();
}

static bool is_there(const struct work_seen *seen)
{
	(void)seen;
	return atomic_load(&hold.there);
}

/* A scan that is held in this stage; cells: behind so many of it. */
static void hold_scan(enum stage g, int cells)
{
	hold.stage = g;
	hold.cells = cells;
	hold.measured = s->desk->measured;
	atomic_store(&hold.there, false);
	atomic_store(&hold.go, false);
	s->desk->began = at_stage;
	s->desk->measured = at_cell;
	ok(session_scan(s, &e));
	cr_assert(work_until(s, &w, is_there), "said: %s", w.said);
}

/* Was one of them under way when the other began? */
static bool within(struct sub *jobs, const char *outer, const char *inner)
{
	uint32_t open = 0;
	bool is = false;
	struct event ev;

	while (sub_next(jobs, &ev)) {
		const char *name = ev.snap ? ((const struct snap_text *)ev.snap)->text : "";

		if (ev.kind == EV_JOB_BEGAN && !strcmp(name, outer))
			open = ev.key;
		else if (ev.kind == EV_JOB_BEGAN && !strcmp(name, inner))
			is |= open != 0;
		else if (ev.kind == EV_JOB_ENDED && ev.key == open)
			open = 0;
		snap_unref(ev.snap);
	}
	return is;
}

static void calibrates_in(enum stage g, int cells, const char *dial)
{
	struct train_ask a = ask_of(10);
	struct sub *jobs = bus_subscribe(bus, 1ull << EV_JOB_BEGAN | 1ull << EV_JOB_ENDED);

	hold_scan(g, cells);
	a.calibrate = true;
	a.dial = dial;
	ok(session_train(s, &a, &e));
	atomic_store(&hold.go, true);
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
	cr_expect_not(within(jobs, "scan", "train"), "it trains within the scan");
	cr_expect_gt(made_by("dial"), 0);
	cr_expect_eq(not_measured(), 0, "the scan goes on by itself with what is worn");
	bus_unsubscribe(bus, jobs);
}

Test(calibrate_scan, waits_for_a_scan_in_its_cells_which_then_measures_what_is_worn)
{
	calibrates_in(STAGE_SCAN, 2, NULL);
}

Test(calibrate_scan, begins_when_a_scan_has_left_its_moments)
{
	calibrates_in(STAGE_CALIB, 0, NULL);
}

Test(calibrate_scan, brings_other_formats_only_when_a_scan_has_left_its_variants)
{
	calibrates_in(STAGE_GPTQ, 0, "int2g32,int4g64");
}

Test(calibrate_scan, that_is_stopped_before_its_first_step_leaves_the_scan_to_go_on)
{
	struct train_ask a = ask_of(10);

	hold_scan(STAGE_SCAN, 2);
	a.calibrate = true;
	ok(session_train(s, &a, &e));
	cr_assert(session_stop(s, session_training(s)));
	atomic_store(&hold.go, true);
	settle();
	cr_expect_eq(w.train->step, 0, "said: %s", w.said);
	cr_expect_eq(made_by("dial"), 0);
	cr_expect_eq(w.map->scanned, w.map->wanted, "said: %s", w.said);
}

/* ---- what is measured again */

static size_t stale_at_scan;

/* Engine thread. */
static void count_stale(void *arg, enum stage g)
{
	const struct desk *d = s->desk;

	(void)arg;
	for (size_t i = 0; g == STAGE_SCAN && i < d->set.n * d->set.k; i++)
		stale_at_scan += d->cell[i].stale;
}

Test(calibrate_scan, what_the_layout_hangs_on_is_measured_again_before_the_rest,
	.init = set_up_scan)
{
	struct train_ask a = ask_of(10);

	s->desk->began = count_stale;
	a.calibrate = true;
	ok(session_train(s, &a, &e));
	settle();
	cr_expect_not_null(strstr(w.said, " linears are undecided"), "said: %s", w.said);
	cr_expect_gt(stale_at_scan, 0);
	cr_expect_lt(stale_at_scan, w.map->wanted, "said: %s", w.said);
	cr_expect_eq(w.map->stale, 0);
	cr_expect_eq(w.map->scanned, w.map->wanted);
}

/* ---- the offer */

static size_t offers(void)
{
	size_t n = 0;

	for (const char *at = w.said; (at = strstr(at, "K calibrates the dial")); at++)
		n++;
	return n;
}

/* A scan from the first cell on, where a calibration would take `seconds` a weight and token. */
static void scan_where(double seconds)
{
	static const double long_enough = 100; /* to tell anything */

	rates_learn("train", s->desk->m->weights, long_enough / seconds, long_enough);
	ok(session_scan(s, &e));
	settle();
	cr_assert_eq(w.map->scanned, w.map->wanted, "said: %s", w.said);
}

Test(calibrate_scan, is_offered_after_a_first_scan_with_its_minutes)
{
	scan_where(1e-3);
	cr_expect_eq(offers(), 1, "said: %s", w.said);
	cr_expect_not_null(
		strstr(w.said, "for the budgets below 4 bits: about "), "said: %s", w.said);
	ok(session_scan(s, &e));
	settle();
	cr_expect_eq(offers(), 1, "nothing was measured; said: %s", w.said);
}

Test(calibrate_scan, that_takes_seconds_is_not_offered)
{
	scan_where(1e-12);
	cr_expect_eq(offers(), 0, "said: %s", w.said);
}

Test(calibrate_scan, is_not_offered_where_one_is_there)
{
	struct train_ask a = ask_of(4);

	a.calibrate = true;
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_gt(made_by("dial"), 0, "said: %s", w.said);
	scan_where(1e-3);
	cr_expect_eq(offers(), 0, "said: %s", w.said);
}

/* ---- off and on again */

Test(calibrate_scan, comes_off_the_dial_and_is_put_on_again, .init = set_up_scan)
{
	struct train_ask a = ask_of(10);

	ok(session_wear(s, false, NULL, &e));
	settle();
	cr_expect(strstr(w.said, "own variants already"), "said: %s", w.said);
	ok(session_wear(s, true, NULL, &e));
	settle();
	cr_expect(strstr(w.said, "none came off in this sitting"), "said: %s", w.said);
	a.calibrate = true;
	ok(session_train(s, &a, &e));
	cr_expect_neq(session_wear(s, false, NULL, &e), ST_OK, "while it trains");
	settle();
	cr_assert_gt(made_by("dial"), 0, "said: %s", w.said);
	ok(session_wear(s, false, NULL, &e));
	settle();
	cr_expect_eq(made_by("dial"), 0, "said: %s", w.said);
	cr_expect_eq(w.map->scanned, w.map->wanted, "what was measured before is known still");
	cr_expect_eq(w.map->stale, 0);
	cr_expect_eq(not_measured(), 0);
	ok(session_wear(s, true, NULL, &e));
	settle();
	cr_expect_gt(made_by("dial"), 0, "said: %s", w.said);
	cr_expect_eq(not_measured(), 0);
}

Test(calibrate_scan, a_run_is_put_on_by_name_where_it_fits, .init = set_up_scan)
{
	struct train_ask a = ask_of(10);
	char id[64];

	a.calibrate = true;
	ok(session_train(s, &a, &e));
	settle();
	snprintf(id, sizeof id, "%s", w.train->run);
	ok(session_open(s, work_demo(1), &e)); /* without it */
	settle();
	cr_assert_eq(made_by("dial"), 0);
	ok(session_wear(s, true, "nosuch", &e));
	settle();
	cr_expect(strstr(w.said, "nosuch"), "said: %s", w.said);
	ok(session_wear(s, true, id, &e));
	settle();
	cr_expect_gt(made_by("dial"), 0, "said: %s", w.said);
	ok(session_formats(s, "int3g64,keep", &e));
	settle();
	ok(session_wear(s, true, id, &e));
	settle();
	cr_expect(strstr(w.said, "none of the dial's formats"), "said: %s", w.said);
	ok(session_open(s, work_demo(2), &e));
	settle();
	ok(session_wear(s, true, id, &e));
	settle();
	cr_expect(strstr(w.said, "made of another model"), "said: %s", w.said);
}

/* test_session_calibrate.c - a calibration in a sitting: every format of the dial at once, and what
 * it leaves behind. */
#include "tests/train_session_fixture.h"

static void set_up(void)
{
	open_chat();
	write_data();
	ok(session_budget(s, 3.5, &e));
	settle();
}

TestSuite(session_calibrate, .init = set_up, .fini = end, .timeout = 120);

static bool is_worn(const struct work_seen *seen)
{
	return seen->train && seen->train->saved && seen->variants && made_by("dial");
}

Test(session_calibrate, a_calibration_gives_the_dial_its_variants_at_every_checkpoint)
{
	struct train_ask a = ask_of(30);
	const struct train_look *last;

	a.calibrate = true;
	a.method = NULL;
	cr_assert_eq(made_by("dial"), 0);
	ok(session_train(s, &a, &e));
	cr_assert(work_until(s, &w, is_worn), "said: %s", w.said);
	cr_expect_lt(w.train->step, 30, "while it runs");
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
	cr_expect_str_eq(w.train->method, "flips");
	cr_expect_eq(w.train->points, TRAIN_POINTS);
	cr_expect(w.train->taught);
	cr_expect_not(w.train->chat, "the chat has the dial's model, which is the run's");
	last = &w.train->look[w.train->n_looks - 1];
	for (size_t p = 0; p < TRAIN_POINTS; p++) {
		cr_expect(isfinite(last->point[p]));
		cr_expect(p == 0 || w.train->point_bpw[p] > w.train->point_bpw[p - 1]);
	}
	cr_expect_lt(last->point[0], w.train->look[0].point[0]);
	cr_expect_not_null(strstr(w.said, "calibrating int2g"), "said: %s", w.said);
	cr_expect_not_null(strstr(w.said, "held out KL"), "said: %s", w.said);
}

Test(session_calibrate, a_second_calibration_goes_on_from_the_first)
{
	struct train_ask a = ask_of(10);
	float first;

	a.calibrate = true;
	ok(session_train(s, &a, &e));
	settle();
	first = w.train->look[0].point[0];
	cr_assert_neq(made_by("dial"), 0, "said: %s", w.said);
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
	cr_expect_lt(w.train->look[0].point[0], first);
}

Test(session_calibrate, a_dial_of_one_format_has_one_budget)
{
	struct train_ask a = ask_of(10);

	ok(session_formats(s, "int2g64,keep", &e));
	settle();
	a.calibrate = true;
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
	cr_expect_eq(w.train->points, 1);
	cr_expect(isfinite(w.train->look[0].point[0]));
	cr_expect(isnan(w.train->look[0].point[1]));
	cr_expect_eq(w.train->look[0].kl, w.train->look[0].point[0]);
}

Test(session_calibrate, what_is_no_format_is_refused_before_anything_begins)
{
	static const char *const word[] = { "3.6", "foo", "keep" };
	struct train_ask a = ask_of(10);
	char dial[32];

	a.calibrate = true;
	a.dial = dial;
	for (size_t i = 0; i < sizeof word / sizeof word[0]; i++) {
		snprintf(dial, sizeof dial, "int2g64,%s", word[i]);
		cr_assert_neq(session_train(s, &a, &e), ST_OK, "%s", dial);
		cr_expect_not_null(strstr(e.msg, word[i]), "%s", e.msg);
		cr_expect_not_null(strstr(e.msg, "format"), "%s", e.msg);
	}
	cr_expect_eq(session_training(s), 0);
}

/* ---- what it learns from */

static void calibrates_on(const char *const *word, size_t n)
{
	struct train_ask a = ask_of(4);
	struct sources src = work_sources(word, n);

	ok(session_sources(s, &src, 64, &e));
	sources_release(&src);
	settle();
	a.calibrate = true;
	a.data = NULL;
	ok(session_train(s, &a, &e));
	settle();
}

static bool is_noted(const char *text)
{
	for (size_t i = 0; i < w.train->n_notes; i++)
		if (strstr(w.train->note[i].text, text))
			return true;
	return false;
}

Test(session_calibrate, says_that_it_learns_from_all_of_the_text_that_is_measured_on)
{
	const char *const word[] = { work_file("prose.txt", 6000) };

	calibrates_on(word, 1);
	cr_expect_str_eq(w.train->data, "prose.txt", "said: %s", w.said);
	cr_expect(is_noted("learns from all of prose.txt: measure on another text"), "said: %s",
		w.said);
}

Test(session_calibrate, of_several_texts_says_which_it_takes)
{
	const char *const word[] = { work_file("one.txt", 6000), work_file("two.txt", 6000) };

	calibrates_on(word, 2);
	cr_expect_str_eq(w.train->data, "self", "said: %s", w.said);
	cr_expect(is_noted("learns from what the model writes, not from the 2 texts"), "said: %s",
		w.said);
	cr_expect_not(is_noted("measure on another text"));
}

Test(session_calibrate, on_text_that_nothing_is_measured_on_has_nothing_to_say)
{
	calibrates_on(NULL, 0);
	cr_expect_str_eq(w.train->data, "self", "said: %s", w.said);
	cr_expect_not(is_noted("learns from"));
}

/* ---- stopped */

static void stop_when_worn(void)
{
	struct train_ask a = ask_of(60);

	a.calibrate = true;
	a.method = NULL;
	ok(session_train(s, &a, &e));
	cr_assert(work_until(s, &w, is_worn), "said: %s", w.said);
	cr_assert(session_stop(s, session_training(s)));
}

Test(session_calibrate, one_that_is_stopped_is_scanned_as_one_that_ends, .init = set_up_scan)
{
	cr_assert_eq(w.map->scanned, w.map->wanted, "said: %s", w.said);
	stop_when_worn();
	settle();
	cr_assert_eq(w.train->state, TRAINING_STOPPED, "said: %s", w.said);
	cr_assert_gt(made_by("dial"), 0);
	cr_expect_eq(w.map->scanned, w.map->wanted, "%zu of %zu are of what is worn; said: %s",
		w.map->scanned, w.map->wanted, w.said);
	cr_expect_not_null(strstr(w.said, " opens it\n"), "said: %s", w.said);
}

static bool is_doubted(const struct work_seen *seen)
{
	return is_worn(seen) && seen->map->scanned == 0 && seen->map->fast == seen->map->wanted &&
	       seen->map->stale == seen->map->wanted &&
	       !strcmp(seen->map->source, "measured before");
}

Test(session_calibrate, what_was_measured_before_is_a_first_guess_from_the_first_checkpoint_on,
	.init = set_up_scan)
{
	struct train_ask a = ask_of(60);

	a.calibrate = true;
	ok(session_train(s, &a, &e));
	cr_assert(work_until(s, &w, is_doubted), "%zu of %zu; said: %s", w.map->scanned,
		w.map->wanted, w.said);
	cr_assert_lt(w.train->step, 60, "while it runs");
	session_stop(s, session_training(s));
	settle();
}

/* ---- progress */

static struct sub *progress;
static uint64_t wrong_total, steps_told;

static bool watches_progress(const struct work_seen *seen)
{
	const struct snap_progress *p;
	struct event ev;

	while (sub_next(progress, &ev)) {
		p = (const struct snap_progress *)ev.snap;
		if (!strcmp(p->name, "train") && p->total > 0) {
			steps_told++;
			wrong_total += p->total != 24;
		}
		snap_unref(ev.snap);
	}
	return seen->train && seen->train->state == TRAINING_DONE && !session_training(s);
}

Test(session_calibrate, its_progress_is_its_steps_also_where_a_checkpoint_is_put_on)
{
	struct train_ask a = ask_of(24);

	a.calibrate = true;
	a.save_every = 4;
	progress = bus_subscribe(bus, 1ull << EV_JOB_PROGRESS);
	ok(session_train(s, &a, &e));
	cr_assert(work_until(s, &w, watches_progress), "said: %s", w.said);
	cr_expect_gt(steps_told, 0);
	cr_expect_eq(wrong_total, 0, "%llu of %llu", (unsigned long long)wrong_total,
		(unsigned long long)steps_told);
	bus_unsubscribe(bus, progress);
	settle();
}

Test(session_calibrate, its_end_says_how_to_open_it_and_what_it_takes_in_seconds)
{
	struct train_ask a = ask_of(10);
	const char *said, *id;
	char line[96];

	a.calibrate = true;
	ok(session_train(s, &a, &e));
	settle();
	cr_expect_not_null(strstr(w.said, " s (x stops it)"), "said: %s", w.said);
	id = strstr(w.train->run, "train-");
	snprintf(line, sizeof line, "; bitdial %s opens it\n", id);
	said = strstr(w.said, ": 10 steps; held out KL ");
	cr_assert_not_null(said, "said: %s", w.said);
	cr_expect_not_null(strstr(said, line), "said: %s", w.said);
	cr_expect_leq(strlen(id) + strcspn(said, "\n"), 79, "said: %s", w.said);
	snprintf(line, sizeof line, "bitdial %s opens it", id);
	cr_assert_gt(w.train->n_notes, 0, "the scan that follows covers the notice");
	cr_expect_str_eq(w.train->note[w.train->n_notes - 1].text, line);
}

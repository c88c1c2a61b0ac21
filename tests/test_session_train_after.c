/* test_session_train_after.c - what is left of a run of training: an offer to go on with it at the
 * next start, and a ghost behind another. */
#include "tests/train_session_fixture.h"

static void set_up(void)
{
	open_chat();
	write_data();
	ok(session_budget(s, 3.5, &e));
	settle();
}

TestSuite(session_train_after, .init = set_up, .fini = end, .timeout = 120);

/* ---- ghosts */

static bool has_ghost(const struct work_seen *seen)
{
	return seen->train && seen->train->ghost.n;
}

Test(session_train_after, an_earlier_run_is_a_ghost_behind_the_next)
{
	char id[64];

	begin_run(12);
	settle();
	snprintf(id, sizeof id, "%s", w.train->run);
	ok(session_train_ghost(s, id, &e));
	cr_assert(work_until(s, &w, has_ghost), "said: %s", w.said);
	settle();
	cr_expect(strstr(w.said, " is drawn behind the run"), "said: %s", w.said);
	cr_expect_eq(train_history_steps(&w.train->ghost), 12);
	cr_expect_float_eq(w.train->ghost.bucket[11].v[SERIES_LOSS].mean,
		w.train->seen.bucket[11].v[SERIES_LOSS].mean, 1e-4);
	begin_run(3);
	settle();
	cr_expect_eq(train_history_steps(&w.train->ghost), 12, "it stays behind the next");
	ok(session_train_ghost(s, NULL, &e));
	settle();
	cr_expect_eq(w.train->ghost.n, 0);
	ok(session_train_ghost(s, "nosuch", &e));
	settle();
	cr_expect(strstr(w.said, "nosuch"), "said: %s", w.said);
}

static void calibrate(uint64_t steps)
{
	struct train_ask a = ask_of(steps);

	a.calibrate = true;
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
}

Test(session_train_after, no_ghost_is_on_an_axis_that_is_not_its_own)
{
	char kl[64];

	calibrate(3);
	snprintf(kl, sizeof kl, "%s", w.train->run);
	begin_run(3);
	settle();
	ok(session_train_ghost(s, kl, &e));
	settle();
	cr_expect_eq(w.train->ghost.n, 0);
	cr_expect(strstr(w.said, " has KL, which is not on the axis of a loss in nats"), "said: %s",
		w.said);
}

Test(session_train_after, a_ghost_goes_where_a_run_of_another_kind_begins)
{
	begin_run(3);
	settle();
	ok(session_train_ghost(s, w.train->run, &e));
	cr_assert(work_until(s, &w, has_ghost), "said: %s", w.said);
	settle();
	calibrate(3);
	cr_expect_eq(w.train->ghost.n, 0);
	cr_expect_str_eq(w.train->ghost_name, "");
	cr_expect(strstr(w.said, "is no ghost of this run"), "said: %s", w.said);
}

/* ---- the next start */

/* Another sitting, after this one ended. */
static void sit_again(void)
{
	session_free(s);
	work_unwatch(&w);
	bus_free(bus);
	memset(&w, 0, sizeof w);
	begin((struct session_options){ .template = "chatml" });
	ok(session_open(s, work_demo(1), &e));
	settle();
}

static void cut_short(void)
{
	begin_run(600);
	until_step(12);
	sit_again();
	cr_assert(strstr(w.said, "the training of "), "said: %s", w.said);
}

Test(session_train_after, a_sitting_that_ends_in_the_middle_offers_to_go_on_at_the_next)
{
	cut_short();
	ok(session_resume(s, &e));
	until_step(13);
	cr_expect(session_stop(s, session_training(s)));
	settle();
	sit_again();
	cr_expect_null(strstr(w.said, "cut short"), "it was answered; said: %s", w.said);
}

Test(session_train_after, what_nobody_answered_is_offered_at_every_start)
{
	char what[48];

	cut_short();
	cr_expect(session_offer(s, what));
	cr_expect_eq(strncmp(what, "training of ", 12), 0, "%s", what);
	sit_again();
	cr_assert(strstr(w.said, "the training of "), "said: %s", w.said);
	ok(session_resume(s, &e));
	until_step(13);
	cr_expect_not(session_offer(s, what));
	cr_expect(session_stop(s, session_training(s)));
	settle();
}

Test(session_train_after, what_was_left_is_not_offered_again)
{
	char what[48];

	cut_short();
	cr_expect(session_leave(s));
	cr_expect_not(session_offer(s, what));
	sit_again();
	cr_expect_null(strstr(w.said, "cut short"), "said: %s", w.said);
}

/* test_session_train.c - a run of training in a sitting: it begins, holds, is talked to, stops with
 * a checkpoint and goes on. */
#include "tests/train_session_fixture.h"

#include <errno.h>
#include <time.h>

#include "core/base/fs.h"
#include "core/work/train_run.h"

static void set_up(void)
{
	open_chat();
	write_data();
	ok(session_budget(s, 3.5, &e));
	settle();
}

TestSuite(session_train, .init = set_up, .fini = end, .timeout = 120);

static bool has_answered(const struct work_seen *seen)
{
	return seen->chat && seen->chat->n > 1 && !seen->chat->stats.streaming &&
	       seen->chat->stats.answer_tokens > 0;
}

static void go_on(void)
{
	bool paused;

	ok(session_train_pause(s, SWITCH_OFF, &paused, &e));
}

Test(session_train, steps_arrive_and_the_run_ends_well)
{
	const struct snap_train *t;
	const char *said;

	begin_run(24);
	settle();
	t = w.train;
	cr_assert_not_null(t, "said: %s", w.said);
	cr_assert_eq(t->state, TRAINING_DONE, "said: %s", w.said);
	cr_expect_eq(t->step, 24);
	cr_expect_eq(t->steps, 24);
	cr_expect_eq(train_history_steps(&t->seen), 24);
	cr_expect_geq(t->n_looks, 3);
	cr_expect_lt(t->seen.bucket[23].v[SERIES_LOSS].mean, t->seen.bucket[0].v[SERIES_LOSS].mean);
	cr_expect_gt(t->last[SERIES_CHANGED], 0);
	cr_expect_neq(t->widths, 0);
	cr_expect_eq(t->saved, 24);
	cr_expect_str_eq(t->method, "rank");
	cr_expect_str_eq(t->data, "rows.jsonl");
	cr_expect_eq(session_training(s), 0);
	said = strstr(w.said, ": 24 steps; held out ");
	cr_assert_not_null(said, "said: %s", w.said);
	while (said > w.said && said[-1] != '\n')
		said--;
	cr_expect_eq(strncmp(said, "train-", 6), 0, "said: %s", w.said);
	cr_expect_leq(strcspn(said, "("), 79, "on one line of 80 columns: %s", w.said);
}

Test(session_train, a_lean_run_counts_no_codes_that_ever_moved)
{
	struct train_ask a = ask_of(10);

	a.lean = true;
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
	cr_expect(isfinite(w.train->last[SERIES_FLIPS]));
	cr_expect(isnan(w.train->last[SERIES_CHANGED]), "%g", w.train->last[SERIES_CHANGED]);
}

Test(session_train, a_pause_holds_and_what_is_paused_goes_on)
{
	uint64_t held;

	begin_run(60);
	until_step(3);
	pause_run();
	held = w.train->step;
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	work_read(&w);
	cr_expect_eq(w.train->step, held);
	cr_expect_lt(held, 60);
	cr_expect_neq(session_training(s), 0);
	go_on();
	until_step(held + 1);
	settle();
	cr_expect_eq(w.train->step, 60);
}

static bool is_saved(const struct work_seen *seen)
{
	return seen->train && seen->train->saved == seen->train->step && is_paused(seen);
}

Test(session_train, a_checkpoint_in_the_pause_is_written_and_the_pause_goes_on)
{
	uint64_t held;

	begin_run(60);
	until_step(3);
	pause_run();
	held = w.train->step;
	ok(session_train_save(s, &e));
	cr_assert(work_until(s, &w, is_saved), "said: %s", w.said);
	cr_expect_eq(w.train->step, held);
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	work_read(&w);
	cr_expect_eq(w.train->step, held);
	cr_expect(session_stop(s, session_training(s)));
	settle();
}

static bool has_failed(const struct work_seen *seen)
{
	return strstr(seen->said, "no checkpoint at step") != NULL;
}

Test(session_train, a_checkpoint_that_fails_in_the_pause_ends_it_not)
{
	uint64_t held;

	begin_run(60);
	until_step(3);
	pause_run();
	held = w.train->step;
	fs_fail_at(1, ENOSPC);
	ok(session_train_save(s, &e));
	cr_assert(work_until(s, &w, has_failed), "said: %s", w.said);
	fs_fail_at(0, 0);
	ok(session_train_save(s, &e));
	cr_assert(work_until(s, &w, is_saved), "said: %s", w.said);
	cr_expect_eq(w.train->step, held, "a step was made in the pause");
	cr_expect(session_stop(s, session_training(s)));
	settle();
}

Test(session_train, the_chat_answers_from_the_last_finished_step_and_says_which)
{
	const struct chat_piece *p;
	bool on;

	begin_run(60);
	until_step(4);
	pause_run();
	ok(session_say(s, "what is 3", &e));
	cr_assert(work_until(s, &w, has_answered), "said: %s", w.said);
	p = &w.chat->piece[1];
	cr_expect_eq(p->who, CHAT_MODEL);
	cr_assert_geq(p->layout, LAYOUT_OF_STEP);
	cr_expect_eq(p->layout - LAYOUT_OF_STEP, w.train->step);
	cr_expect_eq(w.train->chat_step, w.train->step);
	cr_expect_eq(w.chat->n, 2, "an answer is of one step alone");
	go_on();
	settle();
	ok(session_say(s, "what is 4", &e));
	settle();
	cr_expect_eq(w.chat->piece[w.chat->n - 1].layout - LAYOUT_OF_STEP, 60,
		"what was trained still answers");
	ok(session_train_chat(s, SWITCH_OFF, &on, &e));
	cr_expect_not(on);
	ok(session_say(s, "what is 5", &e));
	settle();
	cr_expect_lt(w.chat->piece[w.chat->n - 1].layout, LAYOUT_OF_STEP);
}

Test(session_train, a_stopped_run_has_a_checkpoint_and_goes_on_where_it_was)
{
	struct train_ask a;
	char id[64];
	uint64_t kept;

	begin_run(60);
	until_step(12);
	cr_expect(session_stop(s, session_training(s)));
	settle();
	cr_assert_eq(w.train->state, TRAINING_STOPPED, "said: %s", w.said);
	kept = w.train->saved;
	cr_assert_gt(kept, 10, "not the one of step 10");
	cr_assert_eq(kept, w.train->step, "no step that was done is lost");
	snprintf(id, sizeof id, "%s", w.train->run);
	train_ask_init(&a);
	a.resume = id;
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
	cr_expect_eq(w.train->step, 60);
	cr_expect_str_eq(w.train->run, id);
	cr_expect_eq(w.train->seen.first, 0, "its curve begins where the run did");
	cr_expect_eq(train_history_steps(&w.train->seen), 60);
}

Test(session_train, what_of_the_rows_does_not_take_part_is_on_the_screen_of_the_run)
{
	static const char rows[] = "{\"prompt\": \"a\", \"completion\": \"b\"}\n"
				   "{\"prompt\": \"a\", \"completion\": \"b\"}\n";
	struct train_ask a = ask_of(2);

	a.data = tmp_path("same.jsonl");
	tmp_write(a.data, rows, sizeof rows - 1);
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
	cr_assert_eq(w.train->n_notes, 1);
	cr_expect_eq(w.train->note[0].step, 0);
	cr_expect(strstr(w.train->note[0].text, "same.jsonl: its 2 rows are all the same"), "%s",
		w.train->note[0].text);
	cr_expect_eq(w.train->n_looks, 0);
}

Test(session_train, what_cannot_begin_says_why)
{
	struct train_ask a = ask_of(5);
	bool on;

	cr_expect_neq(session_train_pause(s, SWITCH_ON, &on, &e), ST_OK);
	cr_expect(strstr(e.msg, "nothing is in training"), "%s", e.msg);
	cr_expect_neq(session_train_save(s, &e), ST_OK);
	a.method = "alchemy";
	cr_expect_neq(session_train(s, &a, &e), ST_OK);
	cr_expect(strstr(e.msg, "alchemy"), "%s", e.msg);
	a = ask_of(5);
	a.data = "nosuch.jsonl";
	cr_expect_neq(session_train(s, &a, &e), ST_OK);
	cr_expect(strstr(e.msg, "nosuch.jsonl"), "%s", e.msg);
	a = ask_of(60);
	ok(session_train(s, &a, &e));
	cr_expect_neq(session_train(s, &a, &e), ST_OK, "one at a time");
	cr_expect_neq(session_open(s, "another.gguf", &e), ST_OK);
	cr_expect(strstr(e.msg, "in training"), "%s", e.msg);
	cr_expect_neq(session_device(s, "cpu", &e), ST_OK);
	cr_expect(session_stop(s, session_training(s)));
	settle();
	a = ask_of(5);
	a.window = 1 << 20;
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_eq(w.train->state, TRAINING_FAILED, "said: %s", w.said);
	cr_assert_gt(w.train->n_notes, 0, "the screen of the run says it, too");
	cr_expect(strstr(w.train->note[w.train->n_notes - 1].text, "longer than the model's"));
}

Test(session_train, a_run_that_ends_early_says_why)
{
	struct train_ask a = ask_of(30);

	a.method = "stats";
	a.lr_s = a.lr_gain = 0; /* no look is better than the first */
	a.held_every = 1;
	a.patience = 2;
	ok(session_train(s, &a, &e));
	settle();
	cr_assert_eq(w.train->state, TRAINING_DONE, "said: %s", w.said);
	cr_expect_lt(w.train->step, 30);
	cr_expect_not_null(strstr(w.said, "was lowest at step"), "said: %s", w.said);
	cr_expect_not_null(strstr(w.train->note[w.train->n_notes - 1].text, "ended at step"));
}

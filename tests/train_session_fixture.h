/* train_session_fixture.h - a sitting in which a run of training is begun, with rows to train on;
 * for suites of core/work/session_train*.  Include in one file of a binary.
 */
#ifndef BD_TESTS_TRAIN_SESSION_FIXTURE_H
#define BD_TESTS_TRAIN_SESSION_FIXTURE_H

#include "core/work/train_ask.h"
#include "tests/session_fixture.h"

static char data[256];

/* Forty questions that all have the same kind of answer. */
HELPER void write_data(void)
{
	FILE *f;

	snprintf(data, sizeof data, "%s/rows.jsonl", tmp_dir());
	f = fopen(data, "w");
	cr_assert_not_null(f);
	for (int i = 0; i < 40; i++)
		fprintf(f, "{\"prompt\": \"what is %d\", \"completion\": \"it is number %d\"}\n", i,
			i * 7 % 40);
	fclose(f);
}

HELPER struct train_ask ask_of(uint64_t steps)
{
	struct train_ask a;

	train_ask_init(&a);
	a.data = data;
	a.steps = steps;
	a.window = 48;
	a.windows = 2;
	a.held = 0.1;
	a.held_every = 10;
	a.save_every = 10;
	return a;
}

static uint64_t wanted_step;

HELPER bool is_at(const struct work_seen *seen)
{
	return seen->train && seen->train->step >= wanted_step;
}

HELPER void until_step(uint64_t step)
{
	wanted_step = step;
	cr_assert(work_until(s, &w, is_at), "step %llu never came; said: %s",
		(unsigned long long)step, w.said);
}

HELPER bool is_paused(const struct work_seen *seen)
{
	return seen->train && seen->train->state == TRAINING_PAUSED;
}

HELPER void begin_run(uint64_t steps)
{
	struct train_ask a = ask_of(steps);

	ok(session_train(s, &a, &e));
}

HELPER void pause_run(void)
{
	bool paused;

	ok(session_train_pause(s, SWITCH_ON, &paused, &e));
	cr_assert(paused);
	cr_assert(work_until(s, &w, is_paused), "said: %s", w.said);
}

/* Slots that say who made them. */
HELPER size_t made_by(const char *by)
{
	size_t n = 0;

	for (size_t i = 0; i < w.variants->n * w.variants->k; i++)
		n += !strcmp(w.variants->at[i].by, by);
	return n;
}

/* A sitting that scans by itself. */
HELPER void set_up_scan(void)
{
	work_home_texts();
	open_demo(true);
	write_data();
}

#endif

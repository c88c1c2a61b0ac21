/* test_calibrate.c - what is asked of a calibration, where some of it is left open. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/work/calibrate.h"
#include "core/work/rates.h"
#include "tests/lib_work.h"

static struct train_ask filled(const char *data, const char *text, const char *desk)
{
	struct train_ask open;

	train_ask_init(&open);
	open.data = data;
	open.text = text;
	return calibrate_ask(&open, "int2g64,int4g128,keep", desk);
}

/* NULL: it has none. */
static void reads(struct train_ask a, const char *data, const char *text)
{
	cr_expect_str_eq(a.data, data);
	cr_expect(text ? a.text && !strcmp(a.text, text) : !a.text, "text %s", a.text);
	train_ask_release(&a);
}

Test(calibrate, a_text_without_data_is_what_it_learns_from)
{
	reads(filled(NULL, "wiki.txt", NULL), "wiki.txt", NULL);
	reads(filled(NULL, "wiki.txt", "scanned.txt"), "wiki.txt", NULL);
}

Test(calibrate, a_text_beside_data_is_still_measured_at_the_end)
{
	reads(filled("rows.jsonl", "wiki.txt", "scanned.txt"), "rows.jsonl", "wiki.txt");
}

Test(calibrate, without_both_it_learns_from_the_text_of_the_desk_or_what_the_model_writes)
{
	reads(filled(NULL, NULL, "scanned.txt"), "scanned.txt", NULL);
	reads(filled(NULL, NULL, NULL), calibrate_self, NULL);
}

/* Its looks are every twelfth step, and no more of them are counted. */
Test(calibrate, checkpoints_fall_on_looks_so_that_patience_is_a_quarter_of_the_run)
{
	struct train_ask a = filled(NULL, NULL, NULL), b = train_ask_copy(&a),
			 c = train_ask_copy(&a);

	train_ask_fill(&a);
	cr_expect_eq(a.save_every, 24);
	cr_expect_eq(a.save_every % a.held_every, 0);
	cr_expect_eq(CALIBRATE_PATIENCE * a.held_every, a.steps / 4);
	b.held_every = 40;
	train_ask_fill(&b);
	cr_expect_eq(b.save_every, 40);
	c.held_every = 7;
	c.save_every = 25; /* as it was asked for */
	train_ask_fill(&c);
	cr_expect_eq(c.save_every, 25);
	train_ask_release(&a);
	train_ask_release(&b);
	train_ask_release(&c);
}

/* ---- time */

static double seconds(struct train_ask a)
{
	bool guessed;

	return calibrate_seconds(1000, &a, &guessed);
}

/* A step of 1,024 tokens is four passes under a teacher, a look one pass through 2,048 at each of
 * five budgets, and the reference once: 21 looks of 240 steps are more than a fifth of the time. */
Test(calibrate, how_long_it_takes_is_its_steps_and_its_looks, .init = work_home)
{
	struct train_ask a = filled(NULL, NULL, NULL), none = a, fewer = a, uneven = a;
	double step = 4 * 1024, look = 5 * 2048, all;

	rates_forget();
	none.held = 0;
	all = seconds(none);
	cr_expect_float_eq(seconds(a) / all, 1 + (21 * look + 2048) / (240 * step), 1e-9);
	fewer.held_every = 60; /* and saves with it, each fourth of it */
	cr_expect_float_eq(seconds(fewer) / all, 1 + (5 * look + 2048) / (240 * step), 1e-9);
	uneven.held_every = 100; /* 0, 90, 100, 180, 200, 240 */
	uneven.save_every = 90;
	cr_expect_float_eq(seconds(uneven) / all, 1 + (6 * look + 2048) / (240 * step), 1e-9);
	train_ask_release(&a);
}

Test(calibrate, a_text_that_is_there_is_not_written_and_what_is_takes_as_long_as_one_of_a_scan,
	.init = work_home)
{
	struct train_ask a = filled(NULL, NULL, NULL), of_a_file = filled("rows.jsonl", NULL, NULL);

	rates_forget();
	cr_expect_eq(calibrate_writes(NULL, &of_a_file), 0);
	cr_expect_eq(calibrate_writes(NULL, &a), 256 * 250);
	cr_expect(isnan(calibrate_write_seconds(1000, 500, 100)), "none was written here yet");
	rates_learn("text", 1000, 1e6, 10); /* seconds */
	cr_expect_float_eq(calibrate_write_seconds(1000, 500, 100), 2 * 100 * 1500.0 * 1e-5, 1e-9);
	cr_expect_eq(calibrate_write_seconds(1000, 500, 0), 0);
	train_ask_release(&a);
	train_ask_release(&of_a_file);
}

/* test_calibrate.c - what is asked of a calibration, where some of it is left open. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/work/calibrate.h"

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
	struct train_ask a = filled(NULL, NULL, NULL), b = train_ask_copy(&a), c = train_ask_copy(&a);

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

/* test_panel_train_screen.c - the whole Train screen of a run that trains a dial, as golden files.
 */
#include "tests/tui_fixture.h"

#include "tests/lib_panel.h"

TestSuite(train_screen, .init = fixture_open, .fini = fixture_close);

extern const struct panel_class panel_loss, panel_facts, panel_spark, panel_jobs;

static void is_golden(int w, int h, const char *keys, const char *file)
{
	static const struct panel_class *const panels[] = { &panel_loss, &panel_facts, &panel_spark,
		&panel_jobs, NULL };
	struct tui_options o = { .panels = panels, .screen = "train" };
	char *f, *golden;
	struct err e;
	size_t n;

	publish_model();
	publish(EV_TRAIN, &made_dial(140)->snap);
	f = play_with(o, w, h, keys);
	if (getenv("UPDATE_GOLDEN"))
		cr_assert_not(fs_write_all(file, f, strlen(f), &e), "%s", e.msg);
	cr_assert_not(fs_read(file, 1 << 20, &golden, &n, &e), "%s: run from the root of the tree",
		e.msg);
	cr_expect_str_eq(f, golden, "UPDATE_GOLDEN=1 rewrites %s; got\n%s", file, f);
	big_free(golden);
	big_free(f);
}

Test(train_screen, a_dial_in_training_at_120x36)
{
	is_golden(120, 36, "2", "tests/golden/train_dial_120x36.txt");
}

Test(train_screen, a_dial_in_training_at_80x24)
{
	is_golden(80, 24, "2", "tests/golden/train_dial_80x24.txt");
}

Test(train_screen, before_and_now_of_a_dial_at_80x24)
{
	is_golden(80, 24, "2\nv", "tests/golden/train_dial_front_80x24.txt");
}

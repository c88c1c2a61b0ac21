/* test_acts.c - the command log: what is an act, what is written of it. */
#include "tests/tui_fixture.h"

TestSuite(acts, .init = fixture_open, .fini = fixture_close);

/* The log that a key script leaves. */
static char *log_of(const char *keys)
{
	char *script = xprintf("%s\n:history write %s/log.lua\n", keys, dir);
	char *text;

	big_free(play(100, 30, script));
	xfree(script);
	text = read_text("log.lua");
	remove(path_of("log.lua"));
	return text;
}

Test(acts, what_changes_something_is_an_act_and_what_only_looks_is_none)
{
	char *log;

	publish_model();
	log = log_of(":measure\n:screen 3\n:keep one\n:focus next\n:notices\nEsc\n:set theme dark\n"
		     ":set top_k 7\n:set auto_measure off\n:budgt 3\n:mark A");
	cr_expect(strstr(log, "act(0, 0, \"measure\")\nact(0, 0, \"keep one\")\n"
			      "act(0, 0, \"set top_k 7\")\nact(0, 0, \"mark A\")\n"),
		"%s", log);
	cr_expect_not(strstr(log, "screen"), "%s", log);
	cr_expect_not(strstr(log, "theme"), "%s", log);
	cr_expect_not(strstr(log, "budgt"), "a line that failed");
	big_free(log);
}

Test(acts, moves_that_one_undo_takes_back_are_one_act_with_where_they_led)
{
	char *log;

	publish_model();
	fake.acted = (struct dial_acted){ .acted_cells = 7, .acted_points = 2, .bpw = 3.1 };
	log = log_of(":budget +0.05\n:budget +0.05\n:budget 3\n:measure\n:budget +0.05");
	cr_expect(strstr(log, "act(7, 2, \"budget 3.1\")\nact(0, 0, \"measure\")\n"
			      "act(7, 2, \"budget +0.05\")\n"),
		"%s", log);
	big_free(log);
}

Test(acts, a_budget_by_speed_is_logged_as_where_it_led)
{
	char *log;

	publish_model();
	fake.acted.bpw = 1.0 / 3 + 3;
	log = log_of(":budget 60tok/s");
	cr_expect(strstr(log, "\"budget 3.3333333333333335\""), "%s", log);
	big_free(log);
}

Test(acts, free_without_a_pattern_names_the_linear_and_a_prompt_is_no_act)
{
	char *log;

	publish_model();
	log = log_of("l\n:free\n:budget\nEsc\n:pin\nEsc");
	cr_expect(strstr(log, "\"free layers.0.k\")\n"), "%s", log);
	cr_expect_not(strstr(log, "\"budget"), "%s", log);
	cr_expect_not(strstr(log, "\"pin"), "%s", log);
	big_free(log);
}

Test(acts, the_log_begins_with_the_options_that_are_not_as_they_come)
{
	static const char *const began[] = { "open a \"b\".gguf", "text \"x\ty\"", NULL };
	struct tui_options o = { .began = began };
	char *keys = xprintf(":measure\n:history write %s/log.lua\n", dir), *log;
	struct sampler_options s = sampler_default;

	s.seed = 5;
	o.sampler = &s;
	big_free(play_with(o, 80, 24, keys));
	log = read_text("log.lua");
	cr_expect(strstr(log, "act(\"set seed 5\")\nact(\"open a \\\"b\\\".gguf\")\n"
			      "act(\"text \\\"x\\009y\\\"\")\nact(\"measure\")"),
		"%s", log);
	big_free(log);
	xfree(keys);
}

Test(acts, a_log_is_never_written_over_a_file)
{
	char *frame, *keys = xprintf(":measure\n:history write %s\n", path_of("mine.lua"));
	char *text;

	write_text("mine.lua", "mine");
	frame = play(120, 30, keys);
	cr_expect(strstr(frame, "exists already"), "%s", frame);
	text = read_text("mine.lua");
	cr_expect_str_eq(text, "mine");
	big_free(text);
	big_free(frame);
	xfree(keys);
}

Test(acts, enter_does_one_again_and_w_asks_for_a_name)
{
	char *frame;

	publish_model();
	frame = play(100, 30, ":measure\n:keep one\n@\nUp\nEnter\n@\nw");
	cr_expect_str_eq(fake.log, "measure\nkeep one\nmeasure\n", "%s", fake.log);
	cr_expect(strstr(frame, ":history write acts-"), "%s", frame);
	big_free(frame);
}

Test(acts, the_list_of_an_idle_sitting_says_what_there_would_be)
{
	char *frame = play(80, 24, "@");

	cr_expect(strstr(frame, "nothing yet"), "%s", frame);
	big_free(frame);
}

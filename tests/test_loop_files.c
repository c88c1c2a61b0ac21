/* test_loop_files.c - what the workbench reads and writes beside the screen: lines, one frame, panels
 * as text, its state, screens of the user, scripts, statistics. */
#include "tests/tui_fixture.h"

#include <sys/stat.h>

#include "app/tui/tui.h"

TestSuite(files, .init = fixture_open, .fini = fixture_close, .timeout = 20);

/* ---- lines and one frame */

static char *said(struct tui_options o)
{
	int was;

	o.panels = spies;
	o.state_dir = dir;
	o.sub = sub;
	sub = tui_subscribe(bus);
	fflush(stdout);
	was = dup(1);
	cr_assert(freopen(path_of("stdout"), "w", stdout));
	cr_assert(freopen("/dev/null", "r", stdin)); /* no lines of anybody's */
	cr_expect_eq(tui_run(&fake, bus, &o), 0);
	fflush(stdout);
	dup2(was, 1);
	close(was);
	return read_text("stdout");
}

Test(files, plain_says_the_facts_in_lines)
{
	char *f;

	publish_model();
	publish_answer();
	f = said((struct tui_options){ .plain = true });
	cr_assert_str_eq(f, "model: tiny, llama, 135 M parameters, 93.8 MiB\n"
			    "reference: Q4_1 file, dequantized\ntext: self-sampled, seed 1\n"
			    "device: cpu, 2 threads\n"
			    "search: 4.25 bpw, damage .0131, 59.0 MiB, predicted\n");
	big_free(f);
	f = said((struct tui_options){ .plain = true });
	cr_assert_str_eq(f, "model: none open\n");
	big_free(f);
}

Test(files, once_prints_one_frame_without_colours_into_a_file)
{
	char *f;

	publish_model();
	f = said((struct tui_options){ .once = true, .w = 80, .h = 24 });
	cr_assert_eq(rows(f), 24);
	cr_assert(strstr(row(f, 0), " bitdial tiny "));
	cr_assert_null(strstr(f, "First steps"));
	cr_assert_null(strchr(f, 033));
	big_free(f);
}

/* ---- files */

Test(files, panels_and_screens_are_written_as_text)
{
	char keys[256], *f;

	snprintf(keys, sizeof keys, ":sing it\n:|%s\n:dump-screen %s\n", path_of("panel.txt"),
		path_of("screen.txt"));
	big_free(play(80, 24, keys));
	f = read_text("panel.txt");
	cr_assert_eq(rows(f), 10);
	cr_assert_str_eq(row(f, 0), "sing it");
	big_free(f);
	f = read_text("screen.txt");
	cr_assert_eq(rows(f), 24);
	big_free(f);
}

Test(files, the_first_steps_are_shown_once)
{
	char *f = play(120, 36, "wait 0\n");

	cr_assert(strstr(f, "First steps"));
	big_free(f);
	f = play(120, 36, "wait 0\nl\n");
	cr_assert_null(strstr(f, "First steps"));
	big_free(f);
	f = play(120, 36, "wait 0\n");
	cr_assert_null(strstr(f, "First steps"), "they were remembered");
	big_free(f);
}

Test(files, history_is_kept_and_read_only_writes_nothing)
{
	char *f;

	big_free(play(80, 24, ":\ntype measure\nEnter\n"));
	f = play(80, 24, ":\nUp\n");
	cr_assert_str_eq(row(f, 23), ":measure");
	big_free(f);
	big_free(play_with(
		(struct tui_options){ .read_only = true }, 80, 24, ":\ntype scan\nEnter\n"));
	f = play(80, 24, ":\nUp\n");
	cr_assert_str_eq(row(f, 23), ":measure");
	big_free(f);
}

Test(files, a_file_of_the_user_replaces_a_screen_and_a_broken_one_does_not)
{
	static const char own[] = "return { name='search', key='1', { h='*', 'cell' } }";
	char *f;

	mkdir(path_of("bitdial"), 0700);
	mkdir(path_of("bitdial/layouts"), 0700);
	write_text("bitdial/layouts/search.lua", own);
	f = play(120, 36, "x\n");
	cr_assert(strstr(row(f, 1), "┏━ Cell ━"));
	cr_assert_null(strstr(f, "Budget ─"));
	big_free(f);
	write_text("bitdial/layouts/search.lua", "return {\n  name = ,\n}");
	f = play(120, 36, "wait 0\n");
	cr_assert(strstr(row(f, 34),
			  "! search.lua:2: unexpected symbol near ','; the built-in one is used"),
		"%s", row(f, 34));
	cr_assert(strstr(f, "┌─ Budget ─"));
	big_free(f);
	f = play_with((struct tui_options){ .arrange = "nosuch" }, 120, 36, "wait 0\n");
	cr_assert(strstr(f, "┌─ Budget ─"));
	big_free(f);
	write_text("mine.lua", own);
	f = play_with(
		(struct tui_options){ .arrange = path_of("mine.lua") }, 120, 36, "wait 0\nx\n");
	cr_assert(strstr(row(f, 1), "┏━ Cell ━"));
	big_free(f);
}

static void layouts(const char *under)
{
	char path[64];

	snprintf(path, sizeof path, "%s", under);
	for (char *s = path; (s = strchr(s, '/')) != NULL; *s++ = '/') {
		*s = 0;
		mkdir(path_of(path), 0700);
	}
	mkdir(path_of(path), 0700);
}

Test(files, one_steps_through_the_arrangements_of_a_screen_and_the_last_is_remembered)
{
	static const char mine[] = "return { name='other', key='1', { h='*', 'slider' } }";
	char *f;

	layouts("bitdial/layouts");
	write_text("bitdial/layouts/mine.lua", mine);
	f = play(120, 36, "[\n");
	cr_assert(strstr(row(f, 34), "arrangement mine, 3 of 3"), "%s", row(f, 34));
	cr_assert(strstr(row(f, 1), "┏━ Budget ━"), "it goes by the name of its file");
	cr_assert(strstr(row(f, 0), "[1]Search"), "the screen keeps its name");
	big_free(f);
	f = play(120, 36, ",\n");
	cr_assert(strstr(row(f, 1), "┏━ Budget ━"), "%s", f);
	big_free(f);
	f = play(120, 36, "]\n.\n");
	cr_assert(strstr(row(f, 1), "┏━ Sensitivity ━"), "%s", f);
	cr_assert_null(strstr(f, "Lua"));
	big_free(f);
	f = play(120, 36, "]\n1\n");
	cr_assert(strstr(row(f, 34), "arrangement console, 2 of 3"), "%s", row(f, 34));
	big_free(f);
	f = play(120, 36, ":arrange mien\n");
	cr_assert(
		strstr(row(f, 34), "no arrangement \"mien\"; did you mean mine"), "%s", row(f, 34));
	big_free(f);
	f = play(120, 36, "3\nEsc\n[\n");
	cr_assert(strstr(row(f, 34), "this screen has one arrangement"), "%s", row(f, 34));
	big_free(f);
}

Test(files, the_users_arrangement_goes_before_a_saved_one_and_is_never_written)
{
	static const char own[] = "return { name='mine', key='1', { h='*', 'cell' } }";
	char *f, *kept;

	/* dir is the folder of the state, dir/bitdial that of the configuration */
	f = play(120, 36, ":arrange save mine\n");
	cr_assert(strstr(row(f, 34), "/layouts/mine.lua"), "%s", row(f, 34));
	cr_assert_not(fs_is_dir(path_of("bitdial")), "nothing was made there");
	big_free(f);
	f = play(120, 36, ".\n");
	cr_assert(strstr(row(f, 1), "┏━ Sensitivity ━"), "%s", f);
	cr_assert(strstr(row(f, 34), " MINE "), "%s", row(f, 34));
	big_free(f);
	layouts("bitdial/layouts");
	write_text("bitdial/layouts/mine.lua", own);
	f = play(120, 36, ":arrange save mine\n:arrange reload\n:arrange mine\n.\n");
	cr_assert(strstr(row(f, 1), "┏━ Cell ━"), "%s", f);
	big_free(f);
	kept = read_text("bitdial/layouts/mine.lua");
	cr_assert_str_eq(kept, own);
	big_free(kept);
	f = play(120, 36, ":arrange save ../x\n");
	cr_assert(strstr(row(f, 34), "expected a name of lower-case letters"), "%s", row(f, 34));
	big_free(f);
	f = play_with((struct tui_options){ .read_only = true }, 120, 36, ":arrange save more\n");
	cr_assert(strstr(row(f, 34), "nothing is written"), "%s", row(f, 34));
	cr_assert_not(fs_is_file(path_of("layouts/more.lua")));
	big_free(f);
}

Test(files, a_broken_arrangement_of_a_name_of_its_own_is_left_out)
{
	char *f;

	layouts("bitdial/layouts");
	write_text("bitdial/layouts/mine.lua", "return {\n\n");
	f = play(120, 36, "wait 0\n");
	cr_assert(strstr(row(f, 34), "! mine.lua:3: unexpected symbol near <eof>; it is left out"),
		"%s", row(f, 34));
	big_free(f);
	write_text("bitdial/layouts/mine.lua", "return { name='x', key='1', { h='*', 'cell' } }");
	f = play(120, 36, ":arrange reload\n[\n");
	cr_assert(strstr(row(f, 1), "┏━ Cell ━"), "%s", f);
	big_free(f);
}

Test(files, a_script_with_a_mistake_names_the_line)
{
	struct tui_options o = { .headless = true,
		.w = 80,
		.h = 24,
		.panels = spies,
		.state_dir = dir,
		.keys = path_of("keys") };

	write_text("keys", "# fine\n.\nBogus\n");
	cr_assert_eq(tui_run(&fake, bus, &o), 2);
	o.keys = path_of("absent");
	cr_assert_eq(tui_run(&fake, bus, &o), 1);
}

Test(files, statistics_count_keys_frames_and_bytes)
{
	const struct tui_stats *s;

	big_free(play_with((struct tui_options){ .stats = true }, 120, 36, ". . . .\nwait 0\n"));
	s = tui_last_stats();
	cr_assert_eq(s->keys, 4);
	cr_assert_geq(s->frames, 5);
	cr_assert_gt(s->bytes, 2000);
	cr_assert(s->p50_ms > 0 && s->p50_ms <= s->p99_ms && s->p99_ms <= s->worst_ms);
}

Test(files, without_a_terminal_it_says_what_to_do)
{
	struct tui_options o = { .panels = spies, .state_dir = dir };
	char *text;
	int err;

	fflush(stderr);
	err = dup(2);
	cr_assert(freopen(path_of("stderr"), "w", stderr));
	setenv("TERM", "dumb", 1);
	cr_assert_eq(tui_run(&fake, bus, &o), 2);
	fflush(stderr);
	dup2(err, 2);
	text = read_text("stderr");
	cr_assert_str_eq(
		text, "bitdial: this is not a terminal; try bitdial --once or bitdial --plain\n");
	big_free(text);
}

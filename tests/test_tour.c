/* test_tour.c - the tour: its file, its stations one by one, and played by itself. */
#include "tests/tui_fixture.h"

#include <string.h>

#include "app/lua/tour_file.h"
#include "app/tui/commands.h"
#include "app/tui/tour.h"
#include "app/tui/tui.h"

static struct tour_script script; /* too large for a stack */

/* The heat map without keys of its own: those that move are everybody's. */
static struct panel_class map;
static const struct panel_class *panels[8];

static void open_with_panels(void)
{
	fixture_open();
	map = spy_map;
	map.keys = NULL;
	memcpy(panels, spies, sizeof spies);
	panels[0] = &map;
}

TestSuite(tour, .init = open_with_panels, .fini = fixture_close, .timeout = 60);

static char *take(const char *keys)
{
	return play_with((struct tui_options){ .panels = panels }, 120, 36, keys);
}

static void parse(void)
{
	struct err e = { 0 };

	cr_assert_not(tour_parse(&script, "tour.lua", tour_builtin, strlen(tour_builtin), &e), "%s",
		e.msg);
}

/* ---- the file */

Test(tour, the_built_in_one_equals_the_file)
{
	char *file;
	struct err e;
	size_t n;

	if (!fs_is_file("share/tour.lua"))
		cr_skip_test("no share/ in the working folder");
	cr_assert_not(fs_read("share/tour.lua", 1 << 16, &file, &n, &e), "%s", e.msg);
	cr_assert_str_eq(file, tour_builtin);
	big_free(file);
}

static bool bound_to(const char *context, uint32_t key, const char *command)
{
	char found[256];
	const char *const contexts[] = { context, "global" };

	for (size_t i = 0; i < 2; i++)
		if (keys_of(contexts[i]) &&
			keys_find(keys_of(contexts[i]), key, found, sizeof found))
			return !strncmp(found, command, strlen(command));
	return false;
}

Test(tour, its_six_stations_name_commands_and_the_keys_that_do_them)
{
	char names[TOUR_WORD], *save, word[TOUR_LINE];

	parse();
	cr_assert_eq(script.n, 6u);
	for (size_t i = 0; i < script.n; i++) {
		const struct tour_station *s = &script.station[i];

		cr_expect(command_find(s->waits), "no command %s", s->waits);
		snprintf(word, sizeof word, "%.*s", (int)strcspn(s->command, " "), s->command);
		cr_expect(command_find(word), "no command %s", word);
		cr_expect_gt(s->n_plays, 0u);
		snprintf(names, sizeof names, "%s", s->key);
		for (char *k = strtok_r(names, " ", &save); k; k = strtok_r(NULL, " ", &save)) {
			uint32_t key;

			cr_assert(key_parse(k, strlen(k), &key), "no key %s", k);
			if (strcmp(s->waits, "say") != 0) /* which is typed */
				cr_expect(bound_to("search", key, s->waits), "%s is not %s", k,
					s->waits);
		}
		/* One sentence each: a full stop at its end and none within. */
		cr_expect_null(strstr(s->say, ". "), "%s", s->say);
		cr_expect_eq(s->say[strlen(s->say) - 1], '.', "%s", s->say);
	}
}

static const struct {
	const char *text, *why;
} bad[] = {
	{ "return {", "x.lua:1: unexpected symbol near <eof>" },
	{ "return 5", "x.lua: the file must return a table, got a number" },
	{ "return {}", "x.lua: a tour needs stations and finish" },
	{ "return { finish = 'x', 5 }", "x.lua: a station is a table, got a number" },
	{ "return { finish = 'x', { say = 'a' } }",
		"x.lua: a station needs say, key, waits, plain and command" },
	{ "return { finish = 'x', { sing = 'a' } }",
		"x.lua: a station has say, key, waits, plain, command and play, not \"sing\"" },
	{ "return { finish = 'x', { say = 'a\\nb' } }",
		"x.lua: say: expected one line of 1 to 239 bytes" },
	{ "return { finish = 5 }", "x.lua: finish: expected a string, got a number" },
	{ "return { more = 'x' }", "x.lua: a tour has stations and finish, not \"more\"" },
	{ "return os.exit()", "x.lua:1: attempt to index a nil value (global 'os')" },
	{ "while true do end", "x.lua:1: a tour is data: this one computes too long" },
	{ "local t = {} for i = 1, 13 do t[i] = { say = 'a', key = 'a', waits = 'a', plain = 'a', "
	  "command = 'a' } end t.finish = 'x' return t",
		"x.lua: a tour has at most 12 stations" },
	{ "\033Lua", "x.lua: attempt to load a binary chunk (mode is 't')" },
};

Test(tour, a_broken_file_is_one_sentence)
{
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err e = { 0 };

		cr_expect_eq(tour_parse(&script, "x.lua", bad[i].text, strlen(bad[i].text), &e),
			ST_FORMAT, "%s", bad[i].text);
		cr_expect_str_eq(e.msg, bad[i].why);
	}
}

/* ---- taken by hand */

Test(tour, each_station_waits_for_its_command_and_other_keys_do_what_they_do)
{
	char *f;

	publish_model();
	f = take(":tour\nwait 0\n");
	cr_assert(strstr(f, "Tour 1 of 6"), "%s", f);
	cr_assert(strstr(f, "press , ."));
	cr_assert_null(strstr(f, "First steps"));
	big_free(f);
	publish_model();
	f = take(":tour\nm\nx\nwait 0\n");
	cr_expect(strstr(f, "Tour 1 of 6"), "another key passes nothing: %s", f);
	cr_expect(strstr(fake.log, "measure"), "but it works: %s", fake.log);
	big_free(f);
	publish_model();
	f = take(":tour\n.\nwait 0\n");
	cr_expect(strstr(f, "Tour 2 of 6"), "%s", f);
	big_free(f);
	publish_model();
	f = take(":tour\n.\nl\nwait 0\n");
	cr_expect(strstr(f, "Tour 3 of 6"), "%s", f);
	big_free(f);
	publish_model();
	f = take(":tour\n.\nl\np\nwait 0\n");
	cr_expect(strstr(f, "Tour 3 of 6"), "the line is open, nothing is pinned: %s", f);
	big_free(f);
	publish_model();
	f = take(":tour\n.\nl\np\ntype 4\nEnter\na\nm\nwait 0\n");
	cr_expect(strstr(f, "Tour 6 of 6"), "%s", f);
	big_free(f);
	publish_model();
	f = take(":tour\n.\nl\np\ntype 4\nEnter\na\nm\n3\ntype hi\nEnter\nwait 0\n");
	cr_expect_null(strstr(f, "Tour "), "%s", f);
	cr_expect(strstr(f, "that was the tour"), "%s", f);
	cr_expect(strstr(fake.log, "say hi\n"), "%s", fake.log);
	big_free(f);
}

Test(tour, esc_ends_it_once_what_is_innermost_is_closed)
{
	char *f = take(":tour\n?\nEsc\nwait 0\n");

	cr_expect(strstr(f, "Tour 1 of 6"), "Esc closed the list: %s", f);
	big_free(f);
	f = take(":tour\nEsc\nwait 0\n");
	cr_expect_null(strstr(f, "Tour 1"), "%s", f);
	cr_expect(strstr(f, "the tour is over"), "%s", f);
	big_free(f);
	f = take(":tour\n:tour\nwait 0\n");
	cr_expect(strstr(f, "Tour 1 of 6"));
	big_free(f);
}

static bool has_console(const char *f)
{
	return strstr(f, "─ Search ─") == NULL; /* that panel the default one has alone */
}

Test(tour, it_begins_in_the_default_arrangement_and_gives_the_former_one_back)
{
	char *f = take(":arrange console\nwait 0\n");

	cr_assert(has_console(f), "%s", f);
	big_free(f);
	f = take(":tour\nwait 0\n"); /* which is the one used last */
	cr_expect(!has_console(f) && strstr(f, "Tour 1 of 6"), "%s", f);
	big_free(f);
	f = take("wait 0\n"); /* it was in the tour when the program ended */
	cr_expect(has_console(f), "%s", f);
	big_free(f);
	f = take(":tour\n4\nEsc\n1\nwait 0\n");
	cr_expect(has_console(f), "%s", f);
	big_free(f);
	f = take(":tour\n:arrange search\n:arrange console\n:arrange search\nEsc\nwait 0\n");
	cr_expect(has_console(f), "%s", f);
	big_free(f);
}

Test(tour, any_size_of_screen_has_room_for_it_or_goes_without)
{
	char keys[4096] = ":tour\n";

	for (int w = 1; w < 130; w += 12)
		for (int h = 1; h < 40; h += 5)
			snprintf(keys + strlen(keys), sizeof keys - strlen(keys),
				"size %dx%d\nwait 0\n", w, h);
	big_free(play(1, 1, keys));
}

/* ---- by itself */

static const struct tui_stats *played(struct tui_options o, int *status)
{
	int was = dup(1);

	o.tour = true;
	o.headless = !o.plain;
	o.w = 100;
	o.h = 30;
	o.panels = panels;
	o.state_dir = dir;
	o.sub = sub;
	sub = tui_subscribe(bus);
	fflush(stdout);
	cr_assert(freopen("/dev/null", "r", stdin));
	cr_assert(freopen(path_of("stdout"), "w", stdout));
	publish_model();
	*status = tui_run(&fake, bus, &o);
	fflush(stdout);
	dup2(was, 1);
	close(was);
	return tui_last_stats();
}

Test(tour, by_itself_it_passes_every_station_and_says_what_to_do_next)
{
	const struct tui_stats *s;
	int status;
	char *text;

	s = played((struct tui_options){ 0 }, &status);
	text = read_text("stdout");
	cr_expect_eq(status, 0);
	cr_expect_eq(s->tour_stations, 6u);
	cr_expect_eq(s->tour_passed, 6u);
	cr_expect_not(strncmp(text, "that was the tour: ", 19), "%s", text);
	/* In the order of the stations; the dial was turned, then the chat was asked. */
	cr_assert(strstr(fake.log, "pin layers."), "%s", fake.log);
	cr_assert(strstr(fake.log, "mark"), "%s", fake.log);
	cr_expect_lt(
		strstr(fake.log, "pin layers."), strstr(fake.log, "measure\n"), "%s", fake.log);
	cr_expect_lt(
		strstr(fake.log, "measure\n"), strstr(fake.log, "say Tell me"), "%s", fake.log);
	cr_expect_not(fs_is_file(path_of("state.json")), "nobody has seen the first steps");
	big_free(text);
}

Test(tour, its_json_is_the_times_of_its_frames)
{
	int status;
	char *text;

	played((struct tui_options){ .json = true }, &status);
	text = read_text("stdout");
	cr_expect_eq(status, 0);
	cr_expect_eq(rows(text), 1, "%s", text);
	cr_expect_not(strncmp(text, "{\"stations\":6,\"passed\":6,\"frames\":", 34), "%s", text);
	cr_expect(strstr(text, "\"frame_p50_ms\":") && strstr(text, "\"frame_p99_ms\":") &&
		  strstr(text, "\"frame_worst_ms\":") && strstr(text, "\"bytes\":"));
	cr_expect_null(strstr(text, "\"bytes\":0,"), "%s", text);
	big_free(text);
}

Test(tour, a_station_that_is_not_passed_is_a_failure)
{
	const struct tui_stats *s;
	int status;

	fake.fail = "the dial is stuck"; /* its first move; the next ones are not */
	s = played((struct tui_options){ 0 }, &status);
	cr_expect_eq(s->tour_passed, 6u, "one of several moves is enough");
	cr_expect_eq(status, 0);
	s = played((struct tui_options){ .plain = true }, &status);
	cr_expect_eq(s->tour_passed, 6u);
	fake.fail = "the dial is stuck"; /* where there is one move */
	s = played((struct tui_options){ .plain = true }, &status);
	cr_expect_eq(s->tour_passed, 5u);
	cr_expect_neq(status, 0);
}

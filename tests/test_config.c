/* test_config.c - init.lua: what it sets, how it fails, who has the last word; keys of one's own.
 */
#include <stdio.h>
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/config.h"
#include "app/tui/tui.h"
#include "tests/tui_fixture.h"

static struct config c;

static void begin(void)
{
	fixture_open();
	config_init(&c);
}

static void end(void)
{
	config_release(&c);
	fixture_close();
}

TestSuite(config, .init = begin, .fini = end, .timeout = 60);

/* Loads text as init.lua; what was wrong, or "". */
static const char *load(const char *text)
{
	config_release(&c);
	config_init(&c);
	write_text("init.lua", text);
	config_load(&c, path_of("init.lua"), spies);
	return c.n_notices ? c.notice[0] : "";
}

Test(config, what_it_sets_is_checked_by_the_table_of_set)
{
	cr_assert_str_eq(load("set('temperature', 0.5) set('mouse', false) set('theme', 'dark')\n"
			      "set('formats', {'int2g64', 'int4g128', 'keep'})\n"
			      "for _, o in ipairs{'bell', 'motion'} do set(o, #o > 4) end\n"
			      "set('max_tokens', 64.0) set('kv', ('INT8'):lower())\n"),
		"");
	cr_assert_str_eq(c.opt.value[OPT_TEMPERATURE], "0.5");
	cr_assert_str_eq(c.opt.value[OPT_MOUSE], "off");
	cr_assert_str_eq(c.opt.value[OPT_THEME], "dark");
	cr_assert_str_eq(c.opt.value[OPT_FORMATS], "int2g64,int4g128,keep");
	cr_assert_str_eq(c.opt.value[OPT_BELL], "off");
	cr_assert_str_eq(c.opt.value[OPT_MOTION], "on");
	cr_assert_str_eq(c.opt.value[OPT_MAX_TOKENS], "64");
	cr_assert_str_eq(c.opt.value[OPT_KV], "int8");
	cr_assert(c.given[OPT_KV] && !c.given[OPT_TOP_K]);
}

Test(config, what_was_set_before_an_error_holds_and_the_error_has_its_line)
{
	cr_assert_str_eq(load("set('top_k', 7)\nset('temprature', 1)\nset('top_k', 8)\n"),
		"init.lua:2: set: no option \"temprature\"; did you mean temperature");
	cr_assert_str_eq(c.opt.value[OPT_TOP_K], "7");
}

static const struct {
	const char *text, *why;
} bad[] = {
	{ "set('temperature', 11)", "init.lua:1: set temperature: expected 0 to 10, got \"11\"" },
	{ "\nset('temperature')", "init.lua:2: set: expected a value, got no value" },
	{ "set('formats', 'int9g7')", "init.lua:1: format int9g7: bits" },
	{ "set('formats', {{}})", "init.lua:1: set: expected a list of words" },
	{ "set('source', '2')", "init.lua:1: set source: the texts are not known yet" },
	{ "x = = 1", "init.lua:1: unexpected symbol" },
	{ "\n\nlocal x = nil + 1", "init.lua:3: attempt to perform arithmetic on a nil value" },
	{ "while true do end", "init.lua:1: settings are soon said: this one computes too long" },
	{ "local t = {}\nfor i = 1, 1e9 do\n t[i] = 'x' .. i\nend",
		"init.lua:3: it takes more than" },
	{ "local s = 'x'\nwhile true do\n s = s .. s\nend",
		"init.lua:3: it takes more than the 4096 KiB of memory that it may" },
	{ "local function f() return f() + 1 end f()", "init.lua:1: it takes more than" },
	{ "for i = 1, 1e9 do local x = i end", "init.lua:1: settings are soon said" },
	{ "table.sort({1, 2, 3}, function() while true do end end)", "init.lua:1: settings are" },
	{ "\033LuaS", "init.lua: attempt to load a binary chunk" },
	{ "bind('global', 'Ctrl-x', 'measure')",
		"init.lua:1: bind: there is no key \"Ctrl-x\"; did you mean C-x" },
	{ "bind('global', 'PageUp', 'measure')", "did you mean PgUp" },
	{ "bind('global', 'abc', 'measure')", "a key is a character or Enter Esc Tab" },
	{ "bind('heatmpa', 'F5', 'measure')",
		"init.lua:1: bind: no place \"heatmpa\" for keys; expected global or a panel; did "
		"you mean heatmap" },
	{ "bind('global', 'F5', 'mesure')",
		"init.lua:1: bind F5: no command \"mesure\"; did you mean measure" },
	{ "bind('global', 'F5', 'measure; mesure')", "no command \"mesure\"" },
	{ "bind('global', 'F5 F6', 'measure | mesure')", "no command \"mesure\"" },
	{ "bind('global', 'F5', '')", "init.lua:1: bind F5: expected a command" },
	{ "bind('global', 'C-c', 'measure')", "init.lua:1: bind: C-c always stops what runs" },
	{ "theme 'solarized'", "init.lua:1: theme: there is no theme \"solarized\"" },
	{ "theme '../x'", "there is no theme" },
	{ "\ntheme { wran = 'red' }",
		"init.lua:2: a theme has no role \"wran\"; did you mean warn" },
	{ "theme { warn = 'rde' }", "init.lua:1: warn: \"rde\" is no colour" },
};

Test(config, a_broken_file_is_one_sentence_with_its_line)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *why = load(bad[i].text);

		cr_expect(strstr(why, bad[i].why), "%s\n  says %s\n  not  %s", bad[i].text, why,
			bad[i].why);
		cr_expect_not(strchr(why, '\n'), "%s", why);
	}
}

/* Nothing in it reaches a file or a process, and nothing in it goes on for ever in C. */
Test(config, it_has_no_more_than_it_needs)
{
	static const char *const absent[] = { "io", "os", "require", "load", "loadfile", "dofile",
		"loadstring", "debug", "package", "coroutine", "setmetatable", "getmetatable",
		"rawset", "pcall", "error", "print", "collectgarbage", "_G", "utf8", "bitdial",
		"string.rep", "string.find", "string.match", "string.gmatch", "string.gsub",
		"string.dump", "table.move", "('').rep", "('').find", "('').dump" };
	char text[128];

	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
		snprintf(text, sizeof text, "if %s ~= nil then set(\"%s\", 1) end", absent[i],
			absent[i]);
		cr_expect_str_eq(load(text), "", "%s is there", absent[i]);
	}
}

Test(config, no_file_is_no_trouble)
{
	config_load(&c, NULL, spies);
	cr_assert_eq(c.n_notices, 0);
	for (int i = 0; i < OPTS; i++)
		cr_assert_not(c.given[i]);
}

/* Uncommented as a person does: the -- before what is no sentence. */
static char *uncommented(const char *text)
{
	char *out = xalloc(strlen(text) + 1), *to = out;

	for (const char *s = text; *s;) {
		size_t n = strcspn(s, "\n");

		if (!strncmp(s, "--", 2) && s[2] != ' ')
			s += 2, n -= 2;
		else if (!strncmp(s, "--  ", 4)) /* within theme { } */
			s += 2, n -= 2;
		memcpy(to, s, n);
		to += n;
		*to++ = '\n';
		s += n + (s[n] == '\n');
	}
	return out;
}

Test(config, the_default_file_has_every_option_and_loads_uncommented)
{
	char *text = NULL, *live, want[64];
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	config_print(f);
	fclose(f);
	cr_assert_str_eq(load(text), "");
	for (int i = 0; i < OPTS; i++)
		cr_assert_not(c.given[i], "%s is not commented out", option_table[i].name);
	live = uncommented(text);
	cr_assert_str_eq(load(live), "", "%s", live);
	for (int i = 0; i < OPTS; i++) {
		snprintf(want, sizeof want, "\n--set(\"%s\", ", option_table[i].name);
		cr_assert(strstr(text, want), "%s", want);
		cr_assert(strstr(text, option_table[i].help), "%s", option_table[i].help);
		cr_assert(c.given[i], "%s", option_table[i].name);
		if (i != OPT_THEME && i != OPT_FORMATS)
			cr_assert_str_eq(c.opt.value[i], option_table[i].def);
	}
	cr_assert_eq(c.binds.n, 3);
	cr_assert_eq(c.n_arrange, 1);
	cr_assert_str_eq(c.theme.name, "mine");
	cr_assert_str_eq(c.opt.value[OPT_THEME], "mine");
	xfree(live);
	free(text);
}

Test(config, the_command_line_has_the_last_word)
{
	struct sampler_options s = sampler_default;

	cr_assert_str_eq(load("set('temperature', 0.25) set('top_k', 5) set('color', 'always') "
			      "set('formats', 'int2g64,keep') set('ascii', true)"),
		"");
	config_override(&c, OPT_FORMATS, "int4g128");
	config_override(&c, OPT_MIX, NULL);
	config_sampler(&c, &s);
	cr_assert_str_eq(config_value(&c, OPT_FORMATS), "int4g128");
	cr_assert_null(config_value(&c, OPT_MIX));
	cr_assert_eq(s.temperature, 0.25);
	cr_assert_eq(s.top_k, 5);
	cr_assert_eq(s.min_p, sampler_default.min_p);
	cr_assert(config_on(&c, OPT_ASCII, false) && config_on(&c, OPT_AUTO_SCAN, true));
}

Test(config, the_session_gets_the_options_that_were_given)
{
	cr_assert_str_eq(load("set('kv', 'int8') set('auto_measure', false) set('auto_scan', false)"
			      " set('bell', true)"),
		"");
	config_session(&c, &fake);
	cr_assert(strstr(fake.log, "auto_measure") && strstr(fake.log, "kv"), "%s", fake.log);
	cr_assert_null(strstr(fake.log, "bell"), "the screen's");
	cr_assert_null(strstr(fake.log, "auto_scan"), "it was made with that");
	cr_assert_null(strstr(fake.log, "max_tokens"), "not given");
	fake.fail = "no";
	config_session(&c, &fake);
	cr_assert_str_eq(c.notice[0], "init.lua: no");
}

/* ---- in the workbench */

static const char *frame_of(const char *init, const char *keys)
{
	static char *frame;

	load(init);
	big_free(frame);
	frame = play_with((struct tui_options){ .config = &c }, 100, 30, keys);
	return frame;
}

Test(config, an_error_is_a_notice_and_the_workbench_starts_with_the_rest)
{
	const char *f = frame_of("set('ascii', true)\nset('nosuch', 1)\n", "");

	cr_assert(strstr(f, "init.lua:2: set: no option \"nosuch\""), "%s", f);
	cr_assert(strstr(f, "#= Sensitivity"), "%s", f);
}

Test(config, what_is_no_file_is_one_sentence)
{
	char *init = xprintf("%s/bitdial/init.lua", dir), *layout, *f;
	struct err e;

	cr_assert_not(fs_mkdirs(init, &e));
	layout = xprintf("%s/bitdial/layouts/mine.lua", dir);
	cr_assert_not(fs_mkdirs(layout, &e));
	config_load(&c, NULL, spies);
	cr_assert_eq(c.n_notices, 1);
	cr_assert(strstr(c.notice[0], "init.lua is a folder, not a regular file"), "%s", c.notice[0]);
	f = play(120, 36, "wait 0\n");
	cr_assert(strstr(f, "mine.lua is a folder, not a regular file; it is left out"), "%s", f);
	big_free(f);
	f = play(120, 36, ":arrange mine\nwait 0\n");
	cr_assert(strstr(f, "arrange: ") && strstr(f, "mine.lua is a folder"), "%s", f);
	big_free(f);
	xfree(layout);
	xfree(init);
}

Test(config, an_arrangement_that_is_not_there_is_a_notice_with_its_line)
{
	const char *f = frame_of("\narrange 'nosuch'", "");

	cr_assert(strstr(f, "init.lua:2: arrange: no arrangement \"nosuch\""), "%s", f);
	f = frame_of("arrange 'chat'", "");
	cr_assert(strstr(f, "[3]Chat"), "%s", f);
}

Test(config, ones_own_keys_go_before_the_programs)
{
	frame_of(
		"bind('heatmap', 'v', 'measure')\nbind('global', 'm', 'budget 3; scan')", "v\nm\n");
	cr_assert(strstr(fake.log, "measure"), "%s", fake.log);
	cr_assert(strstr(fake.log, "scan"), "both commands of m: %s", fake.log);
}

Test(config, a_panels_key_goes_before_a_screens_and_that_before_a_global_one)
{
	static const char init[] =
		"bind('heatmap', 'F5', 'measure')\nbind('search', 'F5', 'scan')\n"
		"bind('global', 'F5', 'undo')\nbind('global', 'F6', 'undo')\n"
		"bind('global', 'F6', 'redo')\n";

	frame_of(init, "F5\n");
	cr_assert(strstr(fake.log, "measure") && !strstr(fake.log, "scan"), "%s", fake.log);
	fake.log[0] = 0;
	frame_of(init, ":focus slider\nF5\n");
	cr_assert(strstr(fake.log, "scan") && !strstr(fake.log, "undo"), "%s", fake.log);
	fake.log[0] = 0;
	frame_of(init, ":screen chat\n:focus slider\nF5\nF6\n");
	cr_assert(strstr(fake.log, "undo") && strstr(fake.log, "redo"), "%s", fake.log);
}

Test(config, keys_that_are_text_in_an_input_stay_text)
{
	const char *f = frame_of("bind('global', 'v C-x', 'measure')", ":screen chat\nv\n");

	cr_assert_null(strstr(fake.log, "measure"), "%s", fake.log);
	cr_assert(strstr(f, "v"), "%s", f);
	frame_of("bind('global', 'v C-x', 'measure')", ":screen chat\nC-x\n");
	cr_assert(strstr(fake.log, "measure"), "%s", fake.log);
}

Test(config, help_and_hints_show_them_and_what_they_stand_in_place_of)
{
	const char *f = frame_of("bind('heatmap', 'v', 'measure', 'how bad it is')", "");

	cr_assert(strstr(row(f, 28), "v measure"), "%s", row(f, 28));
	cr_assert_null(strstr(row(f, 28), "v view"), "%s", row(f, 28));
	f = frame_of("bind('heatmap', 'v', 'measure', 'how bad it is')", "?\n");
	cr_assert(strstr(f, "Your own"), "%s", f);
	cr_assert(strstr(f, "v                    how bad it is  (instead of view next)"), "%s", f);
	cr_assert_null(strstr(f, "bits, damage"), "the other one is not listed: %s", f);
}

Test(config, bind_binds_for_the_sitting_lists_and_takes_away)
{
	const char *f = frame_of("", ":bind F5 budget 3; measure\nF5\n:bind\n");

	cr_assert(strstr(fake.log, "measure"), "%s", fake.log);
	cr_assert(strstr(f, "global     F5           budget 3; measure"), "%s", f);
	fake.log[0] = 0;
	f = frame_of("",
		":bind heatmap \"F5 F6\" \"scan | measure\"\nF6\n:bind heatmap \"F5 F6\"\n:bind\n");
	cr_assert_str_eq(fake.log, "measure\n");
	cr_assert(strstr(f, "none yet"), "%s", f);
	f = frame_of("", ":bind F5 mesure\n");
	cr_assert(strstr(f, "bind F5: no command \"mesure\"; did you mean measure"), "%s", f);
	f = frame_of("", ":bind F5\n");
	cr_assert(strstr(f, "F5 is none of your keys"), "%s", f);
	f = frame_of("", ":bind Foo\n");
	cr_assert(strstr(f, "there is no key \"Foo\""), "%s", f);
	fake.log[0] = 0;
	frame_of("", ":bind \"F7 F8\" \"scan; measure\"\nF8\n");
	cr_assert_str_eq(fake.log, "scan\nmeasure\n");
}

Test(config, more_keys_than_there_is_room_for_are_refused)
{
	cr_assert(strstr(load("for i = 33, 126 do bind('global', string.char(i), 'measure') "
			      "bind('chat', string.char(i), 'measure') end"),
		"there are 128 already"));
	cr_assert_eq(c.binds.n, BINDS_MAX);
	/* One that is there may be changed still. */
	cr_assert_str_eq(load("for i = 1, 300 do bind('global', 'F5', 'measure') end"), "");
	cr_assert_eq(c.binds.n, 1);
}

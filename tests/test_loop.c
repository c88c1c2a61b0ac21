/* test_loop.c - whole sittings without a terminal: keys in, frames and verbs out. */
#include "tests/tui_fixture.h"

#include <sys/stat.h>

#include "app/tui/commands.h"
#include "app/tui/tui.h"
#include "core/base/log.h"

TestSuite(loop, .init = fixture_open, .fini = fixture_close, .timeout = 20);

/* ---- frames */

Test(loop, the_first_frame_has_header_panels_status_and_line)
{
	char *f;

	publish_model();
	publish_answer();
	f = play(120, 36, "x\nwait 0\n"); /* any key dismisses the first steps */
	cr_assert_eq(rows(f), 36);
	cr_assert_str_eq(row(f, 0), " bitdial tiny  135 M  ref Q4_1 file, dequantized  cpu, 2 "
				    "threads             [1]Search  2 Train  3 Chat  4 Runs  "
				    "5 Jobs");
	cr_assert(strstr(row(f, 1), "┏━ Sensitivity ━"), "%s", row(f, 1));
	cr_assert(strstr(row(f, 1), " 32 layers ━┓┌─ Cell ─"));
	cr_assert(strstr(row(f, 2), "┃focus "));
	cr_assert(strstr(row(f, 15), "┌─ Budget ─"));
	cr_assert(strstr(row(f, 19), "┌─ Front ─") && strstr(row(f, 19), "┌─ Search ─"));
	cr_assert(strstr(row(f, 31), "┌─ Jobs ─"));
	cr_assert_str_eq(row(f, 35), ":");
	big_free(f);
}

Test(loop, the_status_line_has_the_numbers_and_the_hints)
{
	char *f;

	publish_answer();
	f = play(120, 36, "");
	cr_assert_str_eq(row(f, 34), " SEARCH  4.25 bpw  KL .0131  59.0 MiB  predicted          , "
				     ". budget  hjkl cell  Tab"
				     " panel  / filter  : command  ? help");
	big_free(f);
}

Test(loop, small_screens_lose_panels_but_not_the_way)
{
	char *f;

	publish_answer();
	publish_job(7, "scan", 64, 100);
	f = play(80, 24, "x\n");
	cr_assert_eq(rows(f), 24);
	cr_assert(strstr(row(f, 0), "[1]Search 2 Train 3 Chat"));
	cr_assert(strstr(row(f, 17), "┌─ Front ─"));
	cr_assert(strncmp(row(f, 22), " SEARCH 4.25 KL .0131", 21) == 0, "%s", row(f, 22));
	big_free(f);
}

Test(loop, ten_by_five_shows_what_runs_and_the_help_key)
{
	char *f;

	publish_job(7, "scan", 64, 100);
	f = play(10, 5, "wait 0\n");
	cr_assert_eq(rows(f), 5);
	cr_assert_str_eq(row(f, 4), "? help  […");
	big_free(f);
	publish_job(7, "scan", 64, 100);
	f = play(29, 5, "wait 0\n");
	cr_assert_str_eq(row(f, 4), "? help  [scan 64 % 3 s]");
	big_free(f);
	publish_job(7, "scan", 64, 100);
	f = play(39, 9, "wait 0\n");
	cr_assert(strncmp(row(f, 8), " SEARCH  [scan 64 % 3 s]", 24) == 0, "%s", row(f, 8));
	big_free(f);
}

Test(loop, every_size_is_drawn)
{
	char keys[8192] = "x\n";

	publish_model();
	publish_answer();
	for (int w = 1; w < 130; w += 6)
		for (int h = 1; h < 40; h += 4) {
			size_t n = strlen(keys);

			snprintf(keys + n, sizeof keys - n, "size %dx%d\nwait 0\n", w, h);
		}
	big_free(play(1, 1, keys));
	big_free(play(1, 1, "?\n:\ntype set\nTab\nEsc\n!\nEsc\nz\n:bare\n3\nq\n"));
}

Test(loop, ascii_has_no_byte_above_126)
{
	char *f;

	publish_model();
	publish_answer();
	f = play_with((struct tui_options){ .ascii = true }, 120, 36, "?\n");
	for (const char *s = f; *s; s++)
		cr_assert((unsigned char)*s < 127);
	cr_assert(strstr(row(f, 1), "#= Help"));
	big_free(f);
}

Test(loop, no_color_leaves_attributes_only)
{
	char *f;

	setenv("NO_COLOR", "1", 1);
	snprintf(fake.log, sizeof fake.log, ":dump-screen %s\n", path_of("f.ansi"));
	f = play(80, 24, fake.log);
	big_free(f);
	f = read_text("f.ansi");
	cr_assert(strstr(f, "\033[0;1m"), "bold is there");
	cr_assert_null(strstr(f, ";38;5;"));
	cr_assert_null(strstr(f, ";36"));
	big_free(f);
}

/* ---- keys become verbs */

static const struct {
	const char *keys, *log;
} acts[] = {
	{ ". . , >", "budget 4.30\nbudget 4.35\nbudget 4.30\nbudget 4.80\n" },
	{ "<", "budget 3.75\n" },
	{ "= 3 . 6 Enter", "budget 3.60\n" },
	{ ":budget 3.2", "budget 3.20\n" },
	{ ":budget +0.1; measure", "budget 4.35\nmeasure\n" },
	{ ":budget 4.5GiB", "bytes 4831838208\n" },
	{ ":budget 60 MiB", "bytes 62914560\n" },
	{ ":search 4.0", "budget 4.00\n" },
	{ ":budget 0.2 GB", "bytes 200000000\n" },
	{ ":budget file 150MiB", "file 157286400\n" },
	{ ":budget kl<=0.02", "kl 0.02\n" },
	{ "=\ntype kl <= .2\nEnter", "kl 0.2\n" },
	{ ":budget 60tok/s", "speed 60\n" },
	{ ":floor layers.*.v 4", "floor layers.*.v int4g128\n" },
	{ ":floor layers.0.* any", "floor layers.0.* any\n" },
	{ ":tie qkv; tie layers.*.up; tie off", "tie qkv\ntie layers.*.up\ntie off\n" },
	{ ":price; price layers.0.*", "" },
	{ "a", "mark toggle\n" },
	{ ":mark A; mark off", "mark here\nmark off\n" },
	{ "A", "mark here\n" },
	{ "m S u C-r", "measure\nkeep NULL\nundo\nredo\n" },
	{ ":keep best one", "keep best one\n" },
	{ ":open \"a b.gguf\"", "open a b.gguf\n" },
	{ ":text corpus.txt 4096", "text corpus.txt 4096\n" },
	{ ":text", "text NULL 0\n" },
	{ ":scan", "scan\n" },
	{ ":pin layers.*.v 4", "pin layers.*.v int4g128\n" },
	{ ":pin layers.*.v int2g64", "pin layers.*.v int2g64\n" },
	{ ":pin layers.1.q", "pin layers.1.q as it is\n" },
	{ "p 4 Enter", "pin layers.0.q int4g128\n" },
	{ "p Enter", "pin layers.0.q as it is\n" },
	{ "f", "free layers.0.q\n" },
	{ ":free *", "free *\n" },
	{ ":export out", "export out\n" },
	{ ":export out.json", "layout_write out.json\n" },
	{ ":plot 20260101-a 20260102-b", "plot 20260101-a 2\n" },
	{ ":layout l.json", "layout_read l.json\n" },
	{ ":set formats int2g64,int4g128", "formats int2g64,int4g128\n" },
	{ ":set max_tokens 99", "set max_tokens 99\n" },
	{ ":set ctx 4096", "set ctx 4096\n" },
	{ ":temperature 0.2", "sampler 0.20\n" },
	{ ":set temperature 1", "sampler 1.00\n" },
	{ ":say hello; you", "say hello; you\n" },
	{ ":say \"hello; you\"; again", "say hello; you\nagain\n" },
	{ ":system be brief", "system be brief\n" },
	{ ":clear", "clear\n" },
	{ "3\ntype hi there\nEnter", "say hi there\n" },
	{ "3\ntype q?\nEnter", "say q?\n" },
	{ "3\nM-.\n", "budget 4.30\n" },
	{ "3\nEsc\nr , t 1 Enter", "again\nbudget 4.20\nsampler 1.00\n" },
	{ "3\nEsc\na b ( ) = -",
		"ab toggle\nset blind on\nvote left\nvote right\nvote tie\nvote bad\n" },
	{ ":ab off; ab; blind off; vote tie; votes",
		"ab off\nab toggle\nset blind off\nvote tie\nvotes\n" },
	{ ":ab perhaps", "" },
	{ ":vote", "" },
	{ ":stop 3", "stop 3\n" },
	{ "K", "calibrate - - 0\n" },
	{ "3\nEsc\nK", "calibrate - - 0\n" },
	{ "5\nK", "calibrate - - 0\n" },
	{ ":calibrate steps=8 data=a.txt", "calibrate a.txt - 8\n" },
	{ ":calibrate off", "wear off\n" },
	{ ":calibrate on", "wear the last\n" },
	{ ":calibrate on train-7f3a", "wear train-7f3a\n" },
};

Test(loop, keys_lines_and_scripts_become_the_same_verbs)
{
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
		fake.log[0] = 0;
		fake.bpw = 4.25;
		publish_model();
		big_free(play(120, 36, acts[i].keys));
		cr_assert_str_eq(fake.log, acts[i].log, "%s gave\n%s", acts[i].keys, fake.log);
	}
}

static const struct {
	const char *keys, *says;
} refusals[] = {
	{ ":budget many",
		"budget: expected 4.25, +0.05, 120MiB, file 150MiB, kl<=0.02 or 60tok/s" },
	{ ":budget 4 parsec", "budget: unit \"parsec\" is none of bpw, kB, MB, GB, KiB, MiB" },
	{ ":floor layers.0.q",
		"floor: expected a pattern and a format, such as floor layers.*.v 4" },
	{ ":floor layers.0.q 9", "floor: the dial has no format of 9 bits (:set formats)" },
	{ ":tie", "tie: expected qkv, gateup, off or a pattern" },
	{ ":mark B", "mark: expected A, off or nothing, got \"B\"" },
	{ ":goto B", "goto: there is one mark, A, not \"B\"" },
	{ ":mesure", "no command \"mesure\"; did you mean measure" },
	{ ":xyzzyxyzzy", "no command \"xyzzyxyzzy\" (? lists them)" },
	{ ":screen 6", "screen: no screen \"6\"" },
	{ "2", ":" },
	{ ":arrange nosuch", "arrange: no arrangement \"nosuch\"" },
	{ ":focus nosuch", "focus: no panel \"nosuch\" on this screen" },
	{ ":pin layers.*.v 9", "pin: the dial has no format of 9 bits (:set formats)" },
	{ ":text self nosuch.txt", "text nosuch.txt: there is no such file" },
	{ ":text self self", "text: self is named twice" },
	{ ":set source 2", "set source: the map is of one text" },
	{ "s", "set source: the map is of one text" },
	{ ":text a 5b", "text: expected a number of tokens, got \"5b\"" },
	{ ":train qqqqqqqq", "train: no \"qqqqqqqq\": start begins, data=FILE says on what (Tab)" },
	{ ":calibrate foo=1",
		"calibrate: there is no \"foo\", but data=, steps=, held= ... (Tab lists all)" },
	{ ":calibrate off now", "calibrate off: nothing follows" },
	{ ":calibrate on one two", "calibrate on: one run, or none" },
	{ ":calibrate stepz=1", "calibrate: there is no \"stepz\"; did you mean steps=" },
	{ ":train start foo=1",
		"train: there is no \"foo\", but data=, steps=, held= ... (Tab lists all)" },
	{ ":train start layout=int2g64",
		"train: the layout under the dial is trained; :layout FILE puts one there" },
	{ ":calibrate layout=int2g64", "calibrate: all formats of the dial are, no one layout" },
	{ ":stop x", "stop: expected a job's number, got \"x\"" },
	{ ":say", "say: there is no text to send" },
	{ ":export", "export: name a folder for the model, FILE.json for the layout" },
	{ ":export cell.csv", "heatmap has no numbers to draw or write yet" },
	{ ":export cell c.json", "cell has no numbers to draw or write yet" },
	{ "o", "heatmap has no numbers to draw or write yet" },
	{ ":plot heatmap run", "plot: a panel, or runs: run is no file of a picture" },
	{ ":set mouse maybe", "set mouse: expected on|off, got \"maybe\"" },
	{ ":set nosuch 1", "set: no option \"nosuch\"" },
	{ ":ramp red", "ramp: expected viridis, cividis, PuOr or grey, got \"red\"" },
	{ ":focus cell\ny", "copy: cell has no value to copy (Y copies it as text)" },
	{ ":|", "|FILE writes the focused panel: name a file" },
	{ ":dump-screen /nonexistent/x", "/nonexistent/x" },
};

Test(loop, what_cannot_be_done_says_why)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		char *f;

		publish_model();
		f = play(120, 36, refusals[i].keys);
		cr_assert(strstr(f, refusals[i].says), "%s showed\n%s\n%s", refusals[i].keys,
			row(f, 34), row(f, 35));
		big_free(f);
	}
}

Test(loop, a_verb_that_fails_ends_the_line)
{
	char *f;

	fake.fail = "measure: no text loaded (:text FILE)";
	f = play(120, 36, ":measure; scan");
	cr_assert_str_eq(fake.log, "measure\n");
	cr_assert(strstr(row(f, 34), "measure: no text loaded (:text FILE)"));
	big_free(f);
}

/* ---- what a verb led to is said */

static void says(const char *keys, const char *what)
{
	char *f;

	publish_model();
	f = play(120, 36, keys);
	cr_assert(strstr(row(f, 34), what), "%s showed\n%s", keys, row(f, 34));
	big_free(f);
}

Test(loop, an_ask_says_where_it_led)
{
	fake.reached = (struct dial_reached){ .bpw = 4.04,
		.kl = 0.198,
		.tok_s = 61.25,
		.bytes = 120 << 20,
		.file_bytes = 150 << 20,
		.in_nats = true };
	says(":budget kl<=0.2", "kl<=0.2: 4.04 bpw, predicted KL .1980");
	says(":budget 120MiB", "120MiB: 4.04 bpw, 120 MiB of linears, predicted KL .1980");
	says(":budget file 150MiB", "file 150MiB: 4.04 bpw, 150 MiB file, predicted KL .1980");
	says(":budget 4.1", "4.1: 4.04 bpw, predicted KL .1980");
	says(":budget 60tok/s", "60tok/s: 4.04 bpw, 61.2 tok/s expected, predicted KL .1980");
	fake.reached.in_nats = false;
	says(":budget 120MiB", "of linears, first score .1980");
	fake.reached.end = 1;
	says(":budget 40", "40: 4.04 bpw, first score .1980 (the most of this dial)");
	fake.reached.end = -1;
	says(":search 1kB", "(the least of this dial)");
}

Test(loop, a_rule_says_its_price)
{
	fake.price = (struct dial_price){
		.with = 0.2, .without = 0.187, .bpw = 4, .rules = 7, .in_nats = true
	};
	says(":pin layers.0.* int4g128", "pin layers.0.* int4g128 costs .0130 nats, predicted, at 4.00 bpw");
	says(":floor layers.0.* 4", "floor layers.0.* int4g128 costs .0130 nats, predicted, at 4.00 bpw");
	says(":tie qkv", "tie qkv costs .0130 nats, predicted, at 4.00 bpw (3 units)");
	says(":price", "the rules on 7 linears cost .0130 nats, predicted, at 4.00 bpw (.2000 with, "
		       ".1870 without)");
	fake.price.without = 0.2;
	says(":pin layers.0.q", "pin layers.0.q as it is costs nothing at 4.00 bpw");
	fake.price.rules = 0;
	says(":price", "nothing here is pinned, floored or tied");
	says(":price layers.0.q", "nothing of layers.0.q is pinned, floored or tied");
}

Test(loop, the_status_line_has_the_difference_to_the_mark)
{
	struct snap_answer *a = snap_answer_new(14, true);

	a->stored_bpw = 4;
	a->bytes = 100 << 20;
	a->kl = 0.2;
	a->in_nats = true;
	a->measured_kl = NAN;
	a->a_kl = 0.25;
	a->a_bytes = 98 << 20;
	a->choice[3] = 1;
	publish_model();
	publish(EV_ANSWER, snap_ref(&a->snap));
	says("", "A -.0500 +2.0 MiB");
	publish(EV_ANSWER, &a->snap);
	fake.log[0] = 0;
	big_free(play(120, 36, "A"));
	cr_assert_str_eq(fake.log, "to_mark\n", "with a mark A goes there: %s", fake.log);
}

Test(loop, a_better_layout_is_named_where_the_search_panel_is_not)
{
	struct snap_answer *a = snap_answer_new(14, false);
	char *f;

	a->stored_bpw = 4.25;
	a->kl = a->measured_kl = 0.4;
	a->in_nats = true;
	a->better = (struct front_point){ .bpw = 4.2, .kl = 0.3, .what = "uniform" };
	publish_model();
	publish(EV_ANSWER, snap_ref(&a->snap));
	f = play(80, 24, "");
	cr_assert(strstr(row(f, 22), " SEARCH 4.25 KL .4000  better: uniform .3000 (:better) "),
		"%s", row(f, 22));
	cr_assert(strstr(row(f, 22), "? help"), "%s", row(f, 22));
	big_free(f);
	publish(EV_ANSWER, snap_ref(&a->snap));
	publish_job(7, "scan", 64, 100);
	f = play(80, 24, "");
	cr_assert(strstr(row(f, 22), "uniform .3000  [scan 64 % 3 s]"), "%s", row(f, 22));
	big_free(f);
	publish(EV_ANSWER, snap_ref(&a->snap));
	f = play(40, 12, "");
	cr_assert(strstr(row(f, 10), "better: …"), "%s", row(f, 10));
	big_free(f);
	publish(EV_ANSWER, snap_ref(&a->snap));
	f = play(120, 36, "");
	cr_assert_null(strstr(row(f, 34), "better"), "%s", row(f, 34));
	big_free(f);
	publish(EV_ANSWER, &a->snap);
	f = play(120, 27, "");
	cr_assert(strstr(f, "─ Search ─"), "low, but it has that line");
	cr_assert_null(strstr(row(f, 25), "better"), "%s", row(f, 25));
	big_free(f);
}

/* ---- panels, focus, filter */

Test(loop, tab_goes_round_the_panels_one_sees)
{
	static const char *const order[] = { "Cell", "Budget", "Front", "Search", "Jobs",
		"Sensitivity" };
	char keys[64] = "";

	for (int i = 0; i < 6; i++) {
		char heavy[64], *f;

		strcat(keys, "Tab\n");
		f = play(120, 36, keys);
		snprintf(heavy, sizeof heavy, "┏━ %s ━", order[i]);
		cr_assert(strstr(f, heavy), "after %d: %s", i + 1, order[i]);
		big_free(f);
	}
}

Test(loop, a_word_no_command_knows_goes_to_the_panels)
{
	char *f = play(120, 36, ":sing loud\n");

	cr_assert(strstr(f, "focus sing loud"));
	big_free(f);
	/* Also when another panel has the focus. */
	f = play(120, 36, ":focus cell\n:sing low\n");
	cr_assert(strstr(f, "sing low"));
	big_free(f);
	f = play(120, 36, "l\n");
	cr_assert(strstr(f, "focus cursor right"));
	big_free(f);
	f = play(120, 36, "Left\nEnter\n");
	cr_assert(strstr(f, "focus open"));
	big_free(f);
}

Test(loop, the_filter_is_live_and_escape_clears_it)
{
	char *f = play(120, 36, "/ d o\n");

	cr_assert(strstr(f, "filter do"));
	cr_assert_str_eq(row(f, 35), "/do");
	big_free(f);
	f = play(120, 36, "/ d o Enter\n");
	cr_assert_str_eq(row(f, 35), "/do  (Esc clears it)");
	big_free(f);
	f = play(120, 36, "/ d o Enter Esc\n");
	cr_assert_null(strstr(f, "filter do"));
	big_free(f);
	f = play(120, 36, "/ d o Esc\n");
	cr_assert_null(strstr(f, "filter do"));
	cr_assert_str_eq(row(f, 35), ":");
	big_free(f);
}

Test(loop, zoom_and_bare_show_one_panel)
{
	char *f = play(80, 24, "z\n");

	cr_assert_null(strstr(f, "Budget ─"));
	cr_assert(strstr(row(f, 1), "┏━ Sensitivity ━"));
	cr_assert(strstr(row(f, 21), "┗━"));
	big_free(f);
	f = play(80, 24, "B\n");
	cr_assert_str_eq(row(f, 1), "focus");
	cr_assert_null(strstr(f, "┃"));
	big_free(f);
	f = play(80, 24, "z Esc B Esc\n");
	cr_assert(strstr(f, "┌─ Budget ─"));
	big_free(f);
}

Test(loop, text_is_text_in_the_chat_and_named_keys_still_work)
{
	char *f = play(120, 36, "3\ntype 1?:q/\n");

	cr_assert(strstr(row(f, 0), "1 Search  2 Train  [3]Chat"));
	cr_assert(strstr(f, "1?:q/"));
	big_free(f);
	f = play(120, 36, "3\nF1\n");
	cr_assert(strstr(f, "━ Help"));
	big_free(f);
	f = play(120, 36, "3\nM-1\n");
	cr_assert(strstr(row(f, 0), "[1]Search"));
	big_free(f);
	f = play(120, 36, "3\nM-:\ntype screen search\nEnter\n");
	cr_assert(strstr(row(f, 0), "[1]Search"));
	big_free(f);
	f = play(120, 36, "3\npaste some :q text\n");
	cr_assert(strstr(f, "some :q text"));
	big_free(f);
	f = play(120, 36, "paste nothing here\n");
	cr_assert(strstr(row(f, 34), "nothing here takes a paste"));
	big_free(f);
}

/* test_loop_desk.c - stopping, notices, lists, mouse, colours: sittings without a terminal. */
#include "tests/tui_fixture.h"

#include "app/tui/commands.h"
#include "app/tui/tui.h"
#include "core/base/log.h"

TestSuite(desk, .init = fixture_open, .fini = fixture_close, .timeout = 20);

/* ---- stopping and leaving */

Test(desk, escape_stops_an_answer_before_it_leaves_the_input)
{
	char *f;

	publish_chat(true);
	f = play(120, 36, "3\nwait 0\nEsc\ntype x\n");
	cr_assert_str_eq(fake.log, "chat_stop\n");
	cr_assert(strstr(f, "x"), "the input line still takes text");
	big_free(f);
}

Test(desk, control_c_stops_and_twice_asks)
{
	char *f;

	fake.busy = true;
	publish_job(3, "scan", 1, 10);
	f = play(120, 36, "wait 0\nC-c\n");
	cr_assert_str_eq(fake.log, "stop 0\n");
	cr_assert(strstr(row(f, 34), "[scan stopping…]"), "%s", row(f, 34));
	big_free(f);
	f = play(120, 36, "wait 0\nC-c C-c\n");
	cr_assert(strstr(row(f, 35), "quit? y: yes"), "%s", row(f, 35));
	big_free(f);
	f = play(120, 36, "wait 0\nC-c C-c n\n.\n");
	cr_assert_str_eq(row(f, 35), ":");
	cr_assert(strstr(fake.log, "budget"));
	big_free(f);
}

Test(desk, q_asks_only_when_something_runs)
{
	fake.busy = true;
	big_free(play(120, 36, "q\nn\n.\n")); /* stayed: the dial was turned */
	cr_assert_str_eq(fake.log, "budget 4.30\n");
	fake.log[0] = 0;
	big_free(play(120, 36, "q\ny\n.\n"));
	cr_assert_str_eq(fake.log, "");
	fake.busy = false;
	big_free(play(120, 36, "q\n.\n"));
	cr_assert_str_eq(fake.log, "");
	fake.busy = true;
	big_free(play(120, 36, ":quit!\n.\n"));
	cr_assert_str_eq(fake.log, "");
}

/* ---- notices */

static void publish_error(const char *text)
{
	bus_publish(bus,
		(struct event){
			.kind = EV_NOTICE, .n = LOG_ERROR, .snap = &snap_text_new(text)->snap });
}

Test(desk, an_error_goes_with_the_next_key_and_stays_counted_until_it_is_read)
{
	char *f;

	publish_error("open x.gguf: no such file");
	f = play(120, 36, "wait 0\n");
	cr_assert(strstr(row(f, 34), "! open x.gguf: no such file"));
	big_free(f);
	publish_error("open x.gguf: no such file");
	f = play(120, 36, "wait 0\nl\n");
	cr_assert_null(strstr(row(f, 34), "no such file"));
	cr_assert(strstr(row(f, 34), "! 1"), "%s", row(f, 34));
	big_free(f);
	publish_error("open x.gguf: no such file");
	f = play(120, 36, "wait 0\n!\nwait 40\nEsc\n");
	cr_assert_null(strstr(row(f, 34), "no such file"));
	cr_assert_null(strstr(row(f, 34), "! 1"), "%s", row(f, 34));
	big_free(f);
}

Test(desk, escape_takes_any_notice_from_the_line)
{
	char *f = play(120, 36, ":clear\n:mark A\n");

	cr_assert(strstr(row(f, 34), "mark A is here"), "%s", row(f, 34));
	big_free(f);
	f = play(120, 36, ":clear\n:mark A\nEsc\n");
	cr_assert_null(strstr(row(f, 34), "mark A"), "%s", row(f, 34));
	big_free(f);
}

Test(desk, a_long_notice_is_wrapped_in_the_list_not_cut)
{
	char *f;

	publish_error("open x.gguf: the tensor blk.3.attn_q.weight ends 512 bytes past the file; "
		      "the download may be cut short");
	f = play(60, 24, "wait 0\n!\n");
	cr_assert(strstr(f, "error  open x.gguf: the tensor "), "%s", f);
	cr_assert(strstr(f, "cut short"), "%s", f);
	big_free(f);
	publish_error("open x.gguf: the tensor blk.3.attn_q.weight ends");
	f = play(24, 16, "wait 0\n!\n");
	cr_assert(strstr(f, "open x.gguf: the"), "%s", f);
	cr_assert(strstr(f, " blk.3.attn_q.weight "), "%s", f);
	cr_assert(strstr(f, " ends "), "%s", f);
	big_free(f);
}

Test(desk, better_says_what_is_under_the_dial_now)
{
	struct snap_answer *a = snap_answer_new(14, false);
	char *f;

	a->better = (struct front_point){ .bpw = 4.2, .kl = 0.3, .what = "uniform" };
	publish_model();
	bus_publish(bus, (struct event){ .kind = EV_ANSWER, .snap = &a->snap });
	f = play(120, 36, "wait 0\n:better\n");
	cr_assert(strstr(row(f, 34), "under the dial now: uniform, 4.20 bpw, measured KL .3000"),
		"%s", row(f, 34));
	big_free(f);
}

Test(desk, a_warning_goes_with_the_next_key_and_a_long_one_is_cut)
{
	char *f = play(60, 24, ":xyzzyxyzzyxyzzyxyzzyxyzzyxyzzyxyzzyxyzzyxyzzyxyzzy\n");

	cr_assert(strstr(row(f, 22), "no command \"xyzzy"));
	cr_assert(strstr(row(f, 22), "…"));
	big_free(f);
	f = play(60, 24, ":xyzzyxyzzy\nl\n");
	cr_assert_null(strstr(row(f, 22), "no command"));
	big_free(f);
	f = play(60, 24, ":xyzzyxyzzy\n!\n");
	cr_assert(strstr(f, "warn   no command \"xyzzyxyzzy\""));
	big_free(f);
}

static void publish_offer(void)
{
	fake.offers = true;
	bus_publish(bus, (struct event){ .kind = EV_NOTICE,
				 .key = NOTICE_OFFER,
				 .n = LOG_WARN,
				 .snap = &snap_text_new("it was cut short: r goes on")->snap });
}

Test(desk, an_offer_stays_until_it_is_answered)
{
	char *f;

	publish_offer();
	f = play(120, 36, "wait 0\n");
	cr_expect(strstr(row(f, 34), "it was cut short: r goes on"), "%s", row(f, 34));
	big_free(f);
	publish_offer();
	f = play(120, 36, "wait 0\nl\n");
	cr_expect(strstr(row(f, 34), "r: goes on with the training of 14:02"), "%s", row(f, 34));
	big_free(f);
	publish_offer();
	f = play(80, 24, "wait 0\n2\nl\n");
	cr_expect(strstr(row(f, 22), "r: goes on with the training of 14:02"), "%s", row(f, 22));
	big_free(f);
	publish_offer();
	f = play(120, 36,
		"wait 0\n:xyzzyxyzzy\nEsc\n"); /* a warning covers it: nobody could read it */
	cr_expect(strstr(row(f, 34), "it was cut short: r goes on"), "%s", row(f, 34));
	big_free(f);
	publish_offer();
	bus_publish(bus, (struct event){ .kind = EV_NOTICE,
				 .n = LOG_INFO,
				 .snap = &snap_text_new("9 of 28 linears are undecided")->snap });
	f = play(120, 36, "wait 0\n"); /* as a start tells much */
	cr_expect(strstr(row(f, 34), "it was cut short: r goes on"), "%s", row(f, 34));
	big_free(f);
	publish_offer();
	fake.offers = false; /* it goes on already */
	f = play(120, 36, "wait 0\n");
	cr_expect_null(strstr(row(f, 34), "cut short"), "%s", row(f, 34));
	big_free(f);
	f = play(120, 36, "wait 0\nl\n");
	cr_expect_null(strstr(row(f, 34), "training of"), "%s", row(f, 34));
	big_free(f);
}

Test(desk, escape_leaves_an_offer_that_is_seen_and_no_other)
{
	char *f;

	fake.log[0] = 0;
	publish_offer();
	f = play(120, 36, "wait 0\nl\n:mark A\nEsc\n"); /* which takes the notice of the mark */
	cr_expect_null(strstr(fake.log, "leave"), "%s", fake.log);
	cr_expect(strstr(row(f, 34), "training of"), "%s", row(f, 34));
	big_free(f);
	publish_offer();
	f = play(120, 36, "wait 0\nl\nEsc\n");
	cr_expect_not_null(strstr(fake.log, "leave"), "%s", fake.log);
	cr_expect(strstr(row(f, 34), "is left as it is"), "%s", row(f, 34));
	big_free(f);
}

Test(desk, a_job_that_is_paused_says_so_instead_of_what_is_left)
{
	struct snap_progress *g = snap_progress_new();
	char *f;

	snprintf(g->name, sizeof g->name, "train");
	g->done = 171;
	g->total = 240;
	g->left_s = 7;
	g->held = true;
	bus_publish(bus,
		(struct event){
			.kind = EV_JOB_BEGAN, .key = 4, .snap = &snap_text_new("train")->snap });
	bus_publish(bus, (struct event){ .kind = EV_JOB_PROGRESS, .key = 4, .snap = &g->snap });
	f = play(120, 36, "wait 0\n");
	cr_expect(strstr(row(f, 34), "[train 71 % paused]"), "%s", row(f, 34));
	big_free(f);
}

/* ---- the line, help, options */

Test(desk, candidates_stand_above_the_line)
{
	char *f = play(80, 24, ":\ntype mea\n");

	cr_assert_str_eq(row(f, 23), ":mea");
	cr_assert(strstr(row(f, 21), " measure      measure the KL"), "%s", row(f, 21));
	big_free(f);
	publish_model();
	f = play(80, 24, ":\ntype tie ga\nTab\nEnter\n");
	cr_assert_str_eq(fake.log, "tie gateup\n");
	big_free(f);
	fake.log[0] = 0;
	publish_model();
	f = play(80, 24, ":\ntype floor layers.1.v an\nTab\nEnter\n");
	cr_assert_str_eq(fake.log, "floor layers.1.v any\n");
	big_free(f);
	fake.log[0] = 0;
	f = play(80, 24, ":\ntype budget \n");
	cr_assert(strstr(f, " file 150MiB"));
	big_free(f);
	f = play(80, 24, ":\ntype set the\nTab\n");
	cr_assert_str_eq(row(f, 23), ":set theme");
	big_free(f);
	f = play(80, 24, ":\ntype set formats de\nTab\nEnter\n");
	cr_assert(strstr(row(f, 22), "formats = default"), "%s", row(f, 22));
	big_free(f);
	fake.log[0] = 0;
	f = play(80, 24, ":\ntype set theme hi\nTab\nEnter\n");
	cr_assert(strstr(row(f, 22), "theme = high-contrast"));
	big_free(f);
	publish_model();
	f = play(80, 24, ":\ntype pin layers.1.ga\nTab\nEnter\n");
	cr_assert_str_eq(fake.log, "pin layers.1.gate as it is\n");
	big_free(f);
}

Test(desk, help_is_filtered_by_typing)
{
	char *f = play(120, 36, "?\ntype undo\n");

	cr_assert(strstr(row(f, 1), "/undo"));
	cr_assert(strstr(f, "u C-r"));
	cr_assert_null(strstr(f, "suspend to the shell"));
	big_free(f);
	f = play(120, 36, ":help budget\n");
	cr_assert(strstr(f, ":budget BUDGET"));
	cr_assert_null(strstr(f, "suspend to the shell"));
	big_free(f);
}

Test(desk, help_is_what_it_was)
{
	char *f = play(100, 132, "l\n?\n"), *golden;
	struct err e;
	size_t n;

	if (getenv("UPDATE_GOLDEN"))
		cr_assert_not(fs_write_all("tests/golden/help.txt", f, strlen(f), &e), "%s", e.msg);
	if (!fs_is_file("tests/golden/help.txt"))
		cr_skip_test("tests/golden/help.txt is not in the working folder");
	cr_assert_not(fs_read("tests/golden/help.txt", 1 << 20, &golden, &n, &e), "%s", e.msg);
	cr_assert_str_eq(f, golden, "no binding changes by accident; UPDATE_GOLDEN=1 rewrites it");
	big_free(golden);
	big_free(f);
}

Test(desk, set_lists_shows_and_refuses)
{
	char *f = play(120, 36, ":set\n");

	cr_assert(strstr(f, "temperature"));
	cr_assert(strstr(f, "auto|always|never"));
	big_free(f);
	f = play(120, 36, ":set top_k\n");
	cr_assert(strstr(row(f, 34), "top_k = 40 (0 to 1000000)"));
	big_free(f);
	publish_model();
	f = play(120, 36, ":set ctx 9000\n");
	cr_assert(
		strstr(row(f, 34), "ctx = 9000; tiny was trained on 8192, the chat keeps no more"),
		"%s", row(f, 34));
	big_free(f);
	f = play(120, 36, ":set ctx 8192\n");
	cr_assert_null(strstr(row(f, 34), "trained"), "%s", row(f, 34));
	big_free(f);
	fake.fail = "formats: no";
	f = play(120, 36, ":set formats int2g64\n:set formats\n");
	cr_assert(
		strstr(row(f, 34), "formats =  ("), "a refused value is not kept: %s", row(f, 34));
	big_free(f);
}

/* ---- cursor, mouse, clipboard */

Test(desk, the_cell_under_the_crosshair_is_told_and_pinned)
{
	publish_model();
	big_free(play(120, 36, "l l\np\n4 Enter\n"));
	cr_assert_str_eq(fake.log, "pin layers.0.v int4g128\n");
}

static struct tui *desk(int w, int h)
{
	static struct tui_options o;
	struct tui *t;

	o = (struct tui_options){ .panels = spies, .state_dir = dir, .read_only = true };
	t = tui_new(&fake, bus, &o, 256, true);
	tui_resize(t, w, h);
	tui_deliver(t, 2);
	compose(t);
	return t;
}

static const char *shown(struct tui *t, int y)
{
	char *f;
	const char *r;

	tui_deliver(t, 2);
	compose(t);
	f = surface_dump(t->screen, false);
	r = row(f, y);
	xfree(f);
	return r;
}

Test(desk, the_mouse_chooses_screens_panels_and_cells)
{
	struct tui *t = desk(120, 36);

	tui_mouse(t, 100, 5, MOUSE_LEFT, false);
	cr_assert(strstr(shown(t, 1), "┏━ Cell ━"));
	tui_mouse(t, 11, 7, MOUSE_LEFT, false);
	cr_assert(strstr(shown(t, 2), "focus cursor at 10 5 1"), "%s", shown(t, 2));
	tui_mouse(t, 11, 7, MOUSE_WHEEL_UP, false);
	cr_assert(strstr(shown(t, 2), "focus cursor at 10 5 4"));
	tui_mouse(t, 98, 0, MOUSE_LEFT, false);
	cr_assert(strstr(shown(t, 0), "[3]Chat"), "%s", shown(t, 0));
	tui_mouse(t, 0, 35, MOUSE_LEFT, false);
	tui_mouse(t, 500, 500, MOUSE_LEFT, false);
	tui_free(t);
}

Test(desk, the_focus_comes_back_with_the_room)
{
	static const int small[][2] = { { 80, 24 }, { 30, 8 }, { 12, 4 }, { 3, 1 } };
	struct tui *t = desk(120, 36);

	command_run(t, "focus search");
	cr_assert(strstr(shown(t, 19), "┏━ Search ━"), "%s", shown(t, 19));
	for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
		tui_resize(t, small[i][0], small[i][1]);
		shown(t, 0);
		tui_resize(t, 90, 24);
		shown(t, 0);
		tui_resize(t, 120, 36);
		cr_assert(strstr(shown(t, 19), "┏━ Search ━"), "%d x %d: %s", small[i][0],
			small[i][1], shown(t, 19));
	}
	tui_resize(t, 80, 24);
	cr_assert(strstr(shown(t, 1), "┏━ Sensitivity ━"), "%s", shown(t, 1));
	command_run(t, "focus front");
	tui_resize(t, 120, 36);
	cr_assert(strstr(shown(t, 19), "┏━ Front ━"), "moved meanwhile: %s", shown(t, 19));
	tui_free(t);
}

Test(desk, copying_gives_clean_text)
{
	struct tui *t = desk(120, 36);

	tui_key(t, 'y');
	cr_assert_str_eq(t->clipboard, "layers.0.q");
	tui_key(t, 'Y');
	cr_assert_eq(strncmp(t->clipboard, "\n\n\n", 3), 0);
	tui_free(t);
}

Test(desk, colours_change_by_c_and_set)
{
	struct tui *t = desk(120, 36);

	cr_assert_eq(t->theme.style[ROLE_RAMP0].fg, 17);
	tui_key(t, 'c');
	cr_assert_eq(t->theme.style[ROLE_RAMP0].fg, 235);
	cr_assert_eq(t->view & VIEW_RAMP, RAMP_CIVIDIS);
	command_run(t, "ramp PuOr");
	cr_assert_eq(t->theme.style[ROLE_RAMP0].fg, 130);
	command_run(t, "ramp viridis; set background light");
	cr_assert_eq(t->theme.style[ROLE_RAMP0].fg, 226);
	command_run(t, "set color never");
	cr_assert_eq(t->theme.depth, DEPTH_MONO);
	tui_free(t);
}

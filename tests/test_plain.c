/* test_plain.c - the workbench in lines: what is said of what changes, what each command answers,
 * lines by a pipe and how they end. */
#include "tests/tui_fixture.h"

#include <pthread.h>
#include <time.h>

#include "app/tui/commands.h"
#include "app/tui/plain.h"
#include "app/tui/tui.h"
#include "core/base/text.h"

TestSuite(plain, .init = fixture_open, .fini = fixture_close, .timeout = 30);

/* Runs --plain on these lines; what it said, big_free, and its exit status. */
static char *say_with(struct tui_options o, const char *lines, int *status)
{
	int was;

	write_text("in", lines);
	o.plain = true;
	o.panels = o.panels ? o.panels : spies;
	o.state_dir = dir;
	o.sub = sub;
	sub = tui_subscribe(bus);
	fflush(stdout);
	was = dup(1);
	cr_assert(freopen(path_of("in"), "r", stdin));
	cr_assert(freopen(path_of("stdout"), "w", stdout));
	*status = tui_run(&fake, bus, &o);
	fflush(stdout);
	dup2(was, 1);
	close(was);
	return read_text("stdout");
}

static char *say(const char *lines, int want)
{
	int status;
	char *text = say_with((struct tui_options){ 0 }, lines, &status);

	cr_expect_eq(status, want, "status %d after \"%s\":\n%s", status, lines, text);
	return text;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

/* ---- commands */

static bool ends_it(const char *name)
{
	return !strcmp(name, "quit") || !strcmp(name, "quit!");
}

Test(plain, every_command_of_the_table_answers_with_words)
{
	for (const struct command *c = command_table; c->name; c++) {
		char lines[64], *text;
		int status;

		if (ends_it(c->name))
			continue;
		snprintf(lines, sizeof lines, "%s\n", c->name);
		publish_model();
		publish_answer();
		text = say_with((struct tui_options){ 0 }, lines, &status);
		/* four lines of the model, one of the layout */
		cr_expect_gt(rows(text), 5, "%s is silent:\n%s", c->name, text);
		cr_expect(status == 0 || status == 2, "%s: status %d", c->name, status);
		big_free(text);
	}
}

Test(plain, what_only_a_screen_can_do_names_what_there_is_instead)
{
	static const char *const screen[] = { "zoom", "bare", "focus next", "view next", "ramp grey",
		"screen 3", "hud", "move left", "next", "filter q", "redraw", "copy panel" };
	char want[64], *text;

	for (size_t i = 0; i < sizeof screen / sizeof screen[0]; i++) {
		snprintf(want, sizeof want, "%s\n", screen[i]);
		text = say(want, 0);
		snprintf(want, sizeof want, "%.*s: ", (int)strcspn(screen[i], " "), screen[i]);
		cr_expect_not(strncmp(text, want, strlen(want)), "%s", text);
		cr_expect_gt(strcspn(text, "\n"), strlen(want) + 30, "%s", text);
		big_free(text);
	}
	cr_assert_str_eq(fake.log, "", "none of them reached the session: %s", fake.log);
}

Test(plain, commands_are_carried_out_in_their_order)
{
	char *text = say("budget 3.6\n# a comment\n\n:measure; keep one\n  set auto_scan off\n", 0);

	cr_expect_str_eq(fake.log, "budget 3.60\nmeasure\nkeep one\nset auto_scan off\n");
	cr_expect(strstr(text, "measure: done\n"), "%s", text);
	cr_expect(strstr(text, "auto_scan = off\n"), "%s", text);
	big_free(text);
}

Test(plain, the_exit_status_is_that_of_the_first_line_that_went_wrong)
{
	char *text = say("nonsense\nmeasure\n", 2);

	cr_expect(strstr(text, "error: no command \"nonsense\" (help lists them)\n"), "%s", text);
	cr_expect(strstr(text, "measure: done\n"), "the others were carried out: %s", text);
	big_free(text);
	fake.fail = "measure: no text";
	text = say("measure\n", 2);
	cr_expect(strstr(text, "error: measure: no text\n"), "%s", text);
	big_free(text);
	publish_job(7, "scan", 1, 10);
	bus_publish(bus, (struct event){ .kind = EV_JOB_ENDED,
				 .key = 7,
				 .n = ST_IO,
				 .snap = &snap_text_new("x.gguf: cut short")->snap });
	text = say("nonsense\n", 1);
	cr_expect(strstr(text, "job 7: scan failed after 0.0 s: x.gguf: cut short\n"), "%s", text);
	big_free(text);
}

Test(plain, a_command_that_wants_more_says_what)
{
	char *text;

	publish_model();
	text = say("pin\nbudget\n", 2);
	cr_expect(strstr(text, "error: pin: the rest goes on the same line: pin [PATTERN [BITS]]\n"),
		"%s", text);
	cr_expect(strstr(text, "error: budget: the rest goes on the same line: budget BUDGET\n"),
		"%s", text);
	big_free(text);
}

Test(plain, help_is_lines_without_columns_and_without_keys)
{
	char *text = say("help\n", 0);

	for (const struct command *c = command_table; c->name; c++) {
		char want[64];

		snprintf(want, sizeof want, "\n%s%s%s: ", c->name, *c->args ? " " : "", c->args);
		cr_expect(strstr(text, want) || plain_knows(c->name), "help lacks %s", c->name);
	}
	cr_expect_null(strstr(text, "  "), "columns");
	big_free(text);
	text = say("help vote\nhelp zzz\n", 0);
	cr_expect(strstr(text, "vote left|right|tie|bad: "));
	cr_expect(strstr(text, "help: nothing is about \"zzz\""));
	big_free(text);
}

Test(plain, chat_makes_lines_messages_until_an_empty_one)
{
	big_free(say("chat\nHow are you; well?\n:measure\nsecond\n\nmeasure\n", 0));
	cr_expect_str_eq(fake.log, "say How are you; well?\nmeasure\nsay second\nmeasure\n");
}

Test(plain, a_line_that_is_too_long_is_left_out_and_the_next_is_not)
{
	char *lines = xalloc(PLAIN_INPUT + 100), *text;

	memset(lines, 'x', PLAIN_INPUT + 50);
	strcpy(lines + PLAIN_INPUT + 50, "\nmeasure\n");
	text = say(lines, 2);
	cr_expect(strstr(text, "is left out\n"), "%.200s", text);
	cr_expect_str_eq(fake.log, "measure\n");
	cr_expect_lt(strlen(text), 400u);
	big_free(text);
	xfree(lines);
}

static void *end_later(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){ .tv_nsec = 150000000 }, NULL);
	bus_publish(bus, (struct event){ .kind = EV_NOTICE,
				 .n = LOG_INFO,
				 .snap = &snap_text_new("it has ended")->snap });
	fake.busy = false;
	return NULL;
}

Test(plain, by_a_pipe_a_line_waits_until_what_runs_has_ended_but_not_what_steers_it)
{
	pthread_t thread;
	char *text, *ended, *set;

	fake.busy = true;
	pthread_create(&thread, NULL, end_later, NULL);
	text = say("set bell on\nmeasure\n", 0);
	pthread_join(thread, NULL);
	ended = strstr(text, "it has ended");
	set = strstr(text, "bell = on");
	cr_assert(ended && set && strstr(text, "measure: done"), "%s", text);
	cr_expect_lt(set, ended);
	cr_expect_gt(strstr(text, "measure: done"), ended);
	big_free(text);
}

Test(plain, nobody_who_reads_is_no_failure)
{
	struct tui_options o = { .plain = true, .panels = spies, .state_dir = dir, .sub = sub };
	int pipes[2], was = dup(1);

	publish_model();
	sub = tui_subscribe(bus);
	write_text("in", "help\nhelp\nhelp\n");
	cr_assert(freopen(path_of("in"), "r", stdin));
	cr_assert_not(pipe(pipes));
	fflush(stdout);
	dup2(pipes[1], 1);
	close(pipes[1]);
	close(pipes[0]);
	cr_expect_eq(tui_run(&fake, bus, &o), 0);
	cr_expect_not(ferror(stdout));
	dup2(was, 1);
	close(was);
}

/* ---- what is said */

static void publish_kl(double kl)
{
	struct snap_answer *a = snap_answer_new(14, false);

	a->stored_bpw = a->asked_bpw = 4.25;
	a->kl = kl;
	a->in_nats = true;
	a->bytes = 59 << 20;
	a->measured_kl = a->better.kl = NAN;
	publish(EV_ANSWER, &a->snap);
}

Test(plain, a_prediction_is_said_when_it_rests_and_not_for_each_cell)
{
	struct plain p = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct tui_options o = { .plain = true, .panels = spies, .state_dir = dir };
	struct tui *t = tui_new(&fake, bus, &o, 0, true);
	char *text;
	int was = dup(1);

	p.t = t;
	t->tell = plain_event;
	t->tell_arg = &p;
	cr_assert(freopen(path_of("stdout"), "w", stdout));
	fake.busy = true; /* the scan goes on */
	for (int i = 0; i < 50; i++) {
		publish_kl(0.02 - i * 1e-4);
		while (tui_deliver(t, 2))
			;
		plain_rest(&p, false);
	}
	cr_expect_gt(plain_rest_due(&p), 0.1);
	plain_rest(&p, true);
	plain_rest(&p, true);
	fflush(stdout);
	dup2(was, 1);
	close(was);
	text = read_text("stdout");
	cr_expect_str_eq(text, "search: 4.25 bpw, damage .0151, 59.0 MiB, predicted\n");
	big_free(text);
	t->tell = NULL;
	tui_free(t);
}

Test(plain, progress_is_said_every_ten_percent_or_ten_seconds)
{
	struct plain p = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct tui_options o = { .plain = true, .panels = spies, .state_dir = dir };
	struct tui *t = tui_new(&fake, bus, &o, 0, true);
	static const struct {
		double done, seconds; /* later */
	} step[] = { { 5, 0 }, { 12, 2 }, { 15, 0.2 }, { 30, 0.2 }, { 31, 2 }, { 35, 2 }, { 36, 9 } };
	struct snap_progress *g;
	char *text;
	int was = dup(1);

	p.t = t;
	cr_assert(freopen(path_of("stdout"), "w", stdout));
	plain_event(&p, &(struct event){ .kind = EV_JOB_BEGAN,
				.key = 3,
				.snap = &snap_text_new("scan")->snap });
	for (size_t i = 0; i < sizeof step / sizeof step[0]; i++) {
		g = snap_progress_new();
		snprintf(g->name, sizeof g->name, "scan");
		snprintf(g->unit, sizeof g->unit, "cells");
		g->done = step[i].done;
		g->total = 100;
		g->left_s = 7;
		p.job[0].last -= step[i].seconds;
		plain_event(&p, &(struct event){ .kind = EV_JOB_PROGRESS, .key = 3, .snap = &g->snap });
		snap_unref(&g->snap);
	}
	fflush(stdout);
	dup2(was, 1);
	close(was);
	text = read_text("stdout");
	cr_expect_str_eq(text, "job 3: scan begins\n"
			       "job 3: scan, 12 percent, 12 of 100 cells, 7 s left\n"
			       "job 3: scan, 31 percent, 31 of 100 cells, 7 s left\n"
			       "job 3: scan, 36 percent, 36 of 100 cells, 7 s left\n");
	big_free(text);
	tui_free(t);
}

static void publish_answer_text(const char *text, bool streaming)
{
	struct chat_piece piece[2] = { { .who = CHAT_USER, .len = 2 },
		{ .who = CHAT_MODEL, .at = 2, .len = strlen(text), .open = streaming, .bpw = 4.25 } };
	char *all = xprintf("hi%s", text);
	struct snap_chat *c = snap_chat_new(all, strlen(all), piece, 2);

	xfree(all);
	c->stats = (struct chat_stats){ .streaming = streaming,
		.answer_tokens = 9,
		.tok_s = 20,
		.ttft_ms = 30,
		.bpw = 4.25,
		.end = "end of turn" };
	publish(EV_CHAT, &c->snap);
}

Test(plain, an_answer_is_said_by_sentence_and_none_twice)
{
	struct plain p = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct tui_options o = { .plain = true, .panels = spies, .state_dir = dir };
	struct tui *t = tui_new(&fake, bus, &o, 0, true);
	static const char whole[] = "A dial turns. It has an end!\nAnd one more\033[31m";
	char *text;
	int was = dup(1);

	p.t = t;
	t->tell = plain_event;
	t->tell_arg = &p;
	cr_assert(freopen(path_of("stdout"), "w", stdout));
	for (size_t n = 0; n <= strlen(whole); n += 4) {
		char part[80];

		snprintf(part, sizeof part, "%.*s", (int)n, whole);
		publish_answer_text(part, true);
		while (tui_deliver(t, 2))
			;
	}
	for (int i = 0; i < 3; i++) { /* the same again is no news */
		publish_answer_text(whole, false);
		while (tui_deliver(t, 2))
			;
	}
	fflush(stdout);
	dup2(was, 1);
	close(was);
	text = read_text("stdout");
	cr_expect_str_eq(text, "A dial turns.\nIt has an end!\nAnd one more\\x1b[31m\n"
			       "answer: 9 tokens, 20 tokens a second, the first after 30 ms, "
			       "4.25 bpw, end of turn\n");
	big_free(text);
	t->tell = NULL;
	tui_free(t);
}

Test(plain, strangers_text_is_made_harmless_and_colours_are_asked_for)
{
	struct snap_model *m = snap_model_new(14, 2);
	char *text;
	int status;

	snprintf(m->name, sizeof m->name, "a\033]0;x\007\nb");
	snprintf(m->text, sizeof m->text, "t");
	publish(EV_MODEL, &m->snap);
	text = say("", 0);
	cr_expect_null(strchr(text, 033));
	cr_expect_null(strchr(text, 7));
	cr_expect_eq(rows(text), 2, "%s", text);
	big_free(text);
	setenv("CLICOLOR_FORCE", "1", 1);
	text = say("nonsense\n", 2);
	cr_expect_null(strchr(text, 033), "colours are only for --color=always");
	big_free(text);
	text = say_with((struct tui_options){ .color = "always" }, "nonsense\n", &status);
	cr_expect(strstr(text, "\033[31merror: "), "%s", text);
	big_free(text);
	unsetenv("CLICOLOR_FORCE");
}

Test(plain, sentences_with_keys_in_them_name_commands)
{
	char s[160] = "votes counted (:votes counts), :scan measures them (x stops it); 4:5";

	plain_no_keys(s, sizeof s);
	cr_expect_str_eq(s, "votes counted (votes counts), scan measures them (stop ends it); 4:5");
}

/* ---- show */

static void publish_cells(void)
{
	struct snap_map *m = snap_map_new(14, 2);
	struct snap_model *model;
	struct err e;

	model = snap_model_new(14, 2);
	snprintf(model->name, sizeof model->name, "tiny");
	snprintf(model->text, sizeof model->text, "self-sampled");
	model->layers = 2;
	cr_assert_not(format_parse(&model->format[0], "int2g64", &e));
	cr_assert_not(format_parse(&model->format[1], "int4g128", &e));
	for (size_t i = 0; i < 28; i++)
		model->bytes[i] = 100;
	publish(EV_MODEL, &model->snap);
	for (size_t i = 0; i < 13; i++) /* the last is not known */
		m->cell[2 * i] = (struct map_cell){ .state = CELL_SCANNED,
			.tokens = 512,
			.value = (float)(0.01 * (double)((i * 5) % 13 + 1)) };
	snprintf(m->source, sizeof m->source, "scan");
	publish(EV_MAP, &m->snap);
}

Test(plain, the_map_is_a_list_from_the_worst)
{
	char *text, *first, *second;

	publish_cells();
	publish_answer();
	text = say("show map 3\nshow map all down\n", 0);
	/* i * 5 % 13 is 12 at i 5, layer 0 up, and 11 at i 10, layer 1 o */
	first = strstr(text, "1: layer 0 up, damage .1300");
	second = strstr(text, "2: layer 1 o, damage .1200");
	cr_assert(first && second && first < second, "%s", text);
	cr_expect(strstr(text, "most sensitive: 3 of 13 linears, each alone in int2g64, by scan\n"));
	cr_expect(strstr(text, "not known yet: 1 linears\n"));
	cr_expect_eq(count(text, " down, damage"), 1u, "%s", text);
	big_free(text);
}

Test(plain, the_layout_is_counts_by_kind_and_a_list)
{
	char *text;

	publish_cells();
	publish_answer();
	text = say("show layout\nshow layout all\nshow layout zz\n", 2);
	cr_expect(strstr(text, "layout: 4.25 bpw, 14 in int2g64; 14 pinned\n") ||
			  strstr(text, "layout: 4.25 bpw, 14 in int2g64\n"),
		"%s", text);
	cr_expect(strstr(text, "gate: 2 in int2g64, layers 0 to 1\n"), "%s", text);
	cr_expect(strstr(text, "layers.1.down: int2g64"), "%s", text);
	cr_expect(strstr(text, "error: show layout: expected all, or a kind"), "%s", text);
	big_free(text);
}

Test(plain, a_linear_and_the_front_and_a_panel_without_lines_are_shown)
{
	struct snap_front *f = snap_front_new(3, 2);
	char *text;

	publish_cells();
	for (size_t i = 0; i < 3; i++) {
		f->bytes[i] = 1000 * (i + 2);
		f->kl[i] = 0.3 - 0.1 * (double)i;
	}
	f->least = 2000;
	f->most = 4000;
	f->least_bpw = 2;
	f->most_bpw = 4;
	f->in_nats = true;
	f->point[0] = (struct front_point){ .bpw = 3.5, .kl = 0.2, .se = 0.01, .what = "measured" };
	f->point[1] = (struct front_point){ .bpw = 2.5, .kl = 0.4, .what = "uniform", .missed = true };
	publish(EV_FRONT, &f->snap);
	text = say("show cell layers.0.q\nshow cell 1 up\nshow cell nosuch\nshow front\nshow cell\n"
		   "show jobs\nshow heatmap\nshow maap\n",
		2);
	cr_expect(strstr(text, "int2g64: 100 B, damage .0100, scanned"), "%s", text);
	cr_expect(strstr(text, "layers.1.up: "), "%s", text);
	cr_expect(strstr(text, "error: show cell: there is no linear \"nosuch\""), "%s", text);
	cr_expect_lt(strstr(text, "uniform: 2.50 bpw, damage .4000, more than two errors"),
		strstr(text, "measured: 3.50 bpw, damage .2000, give or take .0100\n"));
	cr_expect(strstr(text, "3.00 bpw: damage .2000\n"), "%s", text);
	cr_expect(strstr(text, "jobs: nothing runs\n"), "%s", text);
	cr_expect(strstr(text, "error: show: no topic \"maap\"; did you mean map\n"), "%s", text);
	big_free(text);
}

Test(plain, on_a_screen_the_same_lines_are_a_list)
{
	char *f;

	publish_cells();
	f = play(100, 24, ":show map 3\n");
	cr_assert(strstr(f, "1: layer 0 up, damage .1300"), "%s", f);
	big_free(f);
	f = play(100, 24, ":show nosuch\nwait 0\n");
	cr_assert(strstr(f, "show: no topic \"nosuch\" (show lists them)"), "%s", f);
	big_free(f);
}

/* test_plain.c - the workbench in lines: what is said of what changes, what each command answers,
 * lines by a pipe and how they end. */
#include "tests/plain_fixture.h"

#include <pthread.h>
#include <time.h>

#include "app/tui/commands.h"
#include "app/tui/plain.h"
#include "app/tui/tui.h"
#include "core/base/text.h"

TestSuite(plain, .init = fixture_open, .fini = fixture_close, .timeout = 30);

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
	static const char *const screen[] = { "zoom", "bare", "focus next", "view next",
		"ramp grey", "screen 3", "hud", "move left", "next", "filter q", "redraw",
		"copy panel" };
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
	cr_expect(
		strstr(text, "error: pin: the rest goes on the same line: pin [PATTERN [BITS]]\n"),
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

/* A column of commands.def says which commands make no sense here, and each has its sentence. */
Test(plain, every_command_of_a_screen_says_what_to_use_instead_and_no_other_does)
{
	for (const struct command *c = command_table; c->name; c++) {
		const char *instead = plain_instead(c->name);

		cr_expect_eq((c->flags & COMMAND_SCREEN) != 0, instead != NULL, "%s", c->name);
		if (instead) {
			char line[64], want[300], *text;

			snprintf(line, sizeof line, "%s next\n", c->name);
			snprintf(want, sizeof want, "%s: %s\n", c->name, instead);
			text = say(line, 0);
			cr_expect(strstr(text, want), "%s", text);
			big_free(text);
		}
	}
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

/* What p says of the events goes to a file; the workbench that hears them. */
static struct tui *listen(struct plain *p, int *was)
{
	static struct tui_options o;
	struct tui *t;

	o = (struct tui_options){ .plain = true, .panels = spies, .state_dir = dir };
	t = tui_new(&fake, bus, &o, 0, true);
	p->t = t;
	t->tell = plain_event;
	t->tell_arg = p;
	*was = dup(1);
	cr_assert(freopen(path_of("stdout"), "w", stdout));
	return t;
}

/* What was said; big_free.  The workbench is gone. */
static char *heard(struct tui *t, int was)
{
	fflush(stdout);
	dup2(was, 1);
	close(was);
	t->tell = NULL;
	tui_free(t);
	return read_text("stdout");
}

Test(plain, a_prediction_is_said_when_it_rests_and_not_for_each_cell)
{
	struct plain p = { .lock = PTHREAD_MUTEX_INITIALIZER };
	int was;
	struct tui *t = listen(&p, &was);
	char *text;

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
	text = heard(t, was);
	cr_expect_str_eq(text, "search: 4.25 bpw, damage .0151, 59.0 MiB, predicted\n");
	big_free(text);
}

Test(plain, progress_is_said_every_ten_percent_or_ten_seconds)
{
	struct plain p = { .lock = PTHREAD_MUTEX_INITIALIZER };
	int was;
	struct tui *t = listen(&p, &was);
	static const struct {
		double done, seconds; /* later */
	} step[] = { { 5, 0 }, { 12, 2 }, { 15, 0.2 }, { 30, 0.2 }, { 31, 2 }, { 35, 2 },
		{ 36, 9 } };
	struct snap_progress *g;
	char *text;

	plain_event(
		&p, &(struct event){
			    .kind = EV_JOB_BEGAN, .key = 3, .snap = &snap_text_new("scan")->snap });
	for (size_t i = 0; i < sizeof step / sizeof step[0]; i++) {
		g = snap_progress_new();
		snprintf(g->name, sizeof g->name, "scan");
		snprintf(g->unit, sizeof g->unit, "cells");
		g->done = step[i].done;
		g->total = 100;
		g->left_s = 7;
		p.job[0].last -= step[i].seconds;
		plain_event(
			&p, &(struct event){ .kind = EV_JOB_PROGRESS, .key = 3, .snap = &g->snap });
		snap_unref(&g->snap);
	}
	text = heard(t, was);
	cr_expect_str_eq(text, "job 3: scan begins\n"
			       "job 3: scan, 12 percent, 12 of 100 cells, 7 s left\n"
			       "job 3: scan, 31 percent, 31 of 100 cells, 7 s left\n"
			       "job 3: scan, 36 percent, 36 of 100 cells, 7 s left\n");
	big_free(text);
}

static void publish_answer_text(const char *text, bool streaming)
{
	struct chat_piece piece[2] = {
		{ .who = CHAT_USER, .len = 2 },
		{ .who = CHAT_MODEL, .at = 2, .len = strlen(text), .open = streaming, .bpw = 4.25 }
	};
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
	int was;
	struct tui *t = listen(&p, &was);
	static const char whole[] = "A dial turns. It has an end!\nAnd one more\033[31m";
	char *text;

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
	text = heard(t, was);
	cr_expect_str_eq(text, "A dial turns.\nIt has an end!\nAnd one more\\x1b[31m\n"
			       "answer: 9 tokens, 20 tokens a second, the first after 30 ms, "
			       "4.25 bpw, end of turn\n");
	big_free(text);
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

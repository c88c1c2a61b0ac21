/* plain_words - lines of the input: commands, messages, and what a screen is needed for (those
 * commands are flagged SCREEN in commands.def). */
#include <stdio.h>
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/plain.h"
#include "app/tui/show.h"
#include "app/tui/tour.h"
#include "core/base/alloc.h"

/* ---- what there is instead of commands that only make sense on a screen */

static const struct {
	const char *command, *instead;
} on_a_screen[] = {
	{ "screen", "there are no screens here: show says what each panel shows, chat talks to the "
		    "model" },
	{ "arrange", "there is no screen to arrange: show lists what can be shown" },
	{ "focus", "no panel is in focus here: show PANEL says what a panel shows" },
	{ "zoom", "there is no panel to enlarge: show PANEL says all of it, show map all the whole "
		  "map" },
	{ "bare", "there are no boxes here: every line can be selected as it is" },
	{ "filter",
		"a filter goes with what is shown: show map 20 down, runs kind:scan, help WORD" },
	{ "next", "there is no cursor: show map lists the most sensitive linears in order" },
	{ "prev", "there is no cursor: show map lists the most sensitive linears in order" },
	{ "move", "there is no cursor: show cell layers.0.v is about one linear, budget +0.05 "
		  "turns the dial" },
	{ "view", "there are no views here: show map is the damage, show layout the bits" },
	{ "ramp", "there are no colours here: show map says each damage as a number" },
	{ "log-axis", "there are no axes here: show front says each damage as a number" },
	{ "copy", "there is no clipboard here: show PANEL prints what a panel would copy" },
	{ "dump-screen", "there is no screen to write: show PANEL prints what a panel shows" },
	{ "prompt", "this is the command line: type the command" },
	{ "hud", "there are no frames here: doctor says what was found, an answer says its speed" },
	{ "redraw", "nothing is drawn here: show says again what is so" },
	{ "suspend", "Ctrl-Z suspends the program here, fg in the shell goes on" },
	{ "back", "nothing is open here that could be closed: stop ends what runs, quit the "
		  "program" },
	{ "close", "nothing is open here that could be closed: quit ends the program" },
	{ NULL, NULL },
};

const char *plain_instead(const char *command)
{
	for (size_t i = 0; on_a_screen[i].command; i++)
		if (!strcmp(on_a_screen[i].command, command))
			return on_a_screen[i].instead;
	return NULL;
}

static const char *instead_of(const struct command *c)
{
	return c && (c->flags & COMMAND_SCREEN) ? plain_instead(c->name) : NULL;
}

/* ---- help */

static void say_command(struct plain *p, const struct command *c)
{
	const char *instead = instead_of(c);

	plain_line(p, ROLE_TEXT, "%s%s%s: %s", c->name, *c->args ? " " : "", c->args,
		instead ? instead : c->help);
}

static void help(struct plain *p, const char *word)
{
	const struct command *one = command_find(word);
	size_t said = 0;

	if (one) {
		say_command(p, one);
		return;
	}
	if (!*word)
		plain_line(p, ROLE_STRONG,
			"commands, one a line; help WORD finds those about it; an empty line says "
			"what is so");
	for (const struct command *c = command_table; c->name; c++) {
		if (instead_of(c) || (*word && !strstr(c->name, word) && !strstr(c->help, word)))
			continue;
		say_command(p, c);
		said++;
	}
	for (int i = 0; *word && i < OPTS; i++)
		if (strstr(option_table[i].name, word) || strstr(option_table[i].help, word)) {
			plain_line(p, ROLE_TEXT, "set %s: %s, now %s", option_table[i].name,
				option_table[i].help,
				p->t->opt.value[i][0] ? p->t->opt.value[i] : "the default");
			said++;
		}
	if (!said)
		plain_line(p, ROLE_TEXT, "help: nothing is about \"%s\" (help lists the commands)",
			word);
}

/* ---- words of our own */

static void options(struct plain *p)
{
	const struct options *o = &p->t->opt;
	char range[96];

	for (int i = 0; i < OPTS; i++)
		plain_line(p, ROLE_TEXT, "set %s: %s, now %s (%s)", option_table[i].name,
			option_table[i].help, o->value[i][0] ? o->value[i] : "the default",
			opt_range((enum opt)i, range, sizeof range));
}

static void chat_mode(struct plain *p)
{
	p->chat = true;
	plain_line(p, ROLE_TEXT,
		"chat: each line is a message now; an empty line ends that, :COMMAND is a command");
}

/* Ones that mean another thing here than on a screen; false: none of them. */
static bool own_word(struct plain *p, const char *word, const char *rest)
{
	struct err e = { 0 };
	char *line;

	if (!strcmp(word, "help")) {
		help(p, rest);
	} else if (!strcmp(word, "set") && !*rest) {
		options(p);
	} else if (!strcmp(word, "chat")) {
		chat_mode(p);
	} else if (!strcmp(word, "jobs") || !strcmp(word, "runs")) {
		line = xprintf("show %s %s", word, rest);
		if (command_try(p->t, line, &e)) {
			plain_line(p, ROLE_BAD, "error: %s", e.msg);
			plain_failed(p, e.st);
		}
		xfree(line);
	} else {
		return false;
	}
	return true;
}

bool plain_knows(const char *command)
{
	return instead_of(command_find(command)) || !strcmp(command, "help") ||
	       !strcmp(command, "chat") || !strcmp(command, "jobs") || !strcmp(command, "runs");
}

/* ---- a command, and what it left open on a screen that is not there */

static void left_open(struct plain *p, const char *word, size_t place)
{
	struct tui *t = p->t;
	const struct command *c = command_find(word);

	if (t->prompt.kind) {
		prompt_close(&t->prompt);
		plain_line(p, ROLE_BAD, "error: %s: the rest goes on the same line%s%s %s", word,
			c ? ": " : "", c ? word : "", c ? c->args : "");
		plain_failed(p, ST_INVALID);
	}
	if (t->question) {
		t->question = ASK_NOTHING;
		plain_line(p, ROLE_WARN, "%s runs; stop ends it, quit! leaves without asking",
			t->n_jobs ? t->job[0].name : "something");
	}
	if (t->list.open)
		plain_list(p);
	if (t->at != place)
		plain_line(p, ROLE_TEXT, "%s is a screen; show says what its panels show",
			t->place[t->at].arr.name);
}

static void carry_out(struct plain *p, const char *line)
{
	struct tui *t = p->t;
	unsigned long before = p->lines;
	size_t place = t->at;
	char word[48];
	const char *rest, *instead;
	struct err e = { 0 };
	enum st st;

	line += strspn(line, " ");
	snprintf(word, sizeof word, "%.*s", (int)strcspn(line, " "), line);
	rest = line + strcspn(line, " ");
	rest += strspn(rest, " ");
	instead = instead_of(command_find(word));
	if (instead) {
		plain_line(p, ROLE_TEXT, "%s: %s", word, instead);
		return;
	}
	if (!own_word(p, word, rest)) {
		st = command_try(t, line, &e);
		plain_notices(p);
		if (st) {
			plain_line(p, ROLE_BAD, "error: %s", e.msg);
			plain_failed(p, st);
		}
	}
	tui_deliver(t, 2);
	plain_notices(p);
	left_open(p, word, place);
	plain_tour(p);
	/* Of what goes on it is said later; silence would be no answer. */
	if (p->lines == before && !p->changed_at && tui_idle(t) && !t->quit)
		plain_line(p, ROLE_TEXT, "%s: done", word);
}

/* Each command of a line by itself, so that each may be one of our own words. */
static void commands(struct plain *p, const char *line)
{
	while (*line && !p->t->quit) {
		const char *end = command_end(line);
		char *one = xstrndup(line, (size_t)(end - line));

		if (one[strspn(one, " ")])
			carry_out(p, one);
		xfree(one);
		line = *end ? end + 1 : end;
	}
}

void plain_run_line(struct plain *p, const char *line)
{
	size_t blanks = strspn(line, " \t");
	char *message;

	if (p->chat && (!line[blanks] || !strcmp(line + blanks, ":"))) {
		p->chat = false;
		plain_line(p, ROLE_TEXT, "chat: lines are commands again");
	} else if (p->chat && line[blanks] != ':') {
		message = xprintf("say %s", line + blanks);
		carry_out(p, message);
		xfree(message);
	} else if (line[blanks] == '#') {
		/* a comment, as in files of keys */
	} else if (!line[blanks]) {
		if (p->person)
			commands(p, "show dial; jobs");
	} else {
		commands(p, line + blanks + (line[blanks] == ':'));
	}
	plain_tour(p);
}

/* ---- the tour */

void plain_tour(struct plain *p)
{
	const struct tour *tour = p->t->tour;

	if (!tour) {
		p->tour_at = 0;
		return;
	}
	if (p->tour_at == tour->at + 1)
		return;
	p->tour_at = tour->at + 1;
	plain_line(p, ROLE_STRONG, "tour, %zu of %zu: %s", tour->at + 1, tour->script.n,
		tour->script.station[tour->at].plain);
	plain_line(p, ROLE_TEXT, "type: %s", tour->script.station[tour->at].command);
}

/* ---- keys that sentences name */

void plain_no_keys(char *s, size_t cap)
{
	static const char *const known[][2] = {
		{ "(x stops it)", "(stop ends it)" },
		{ "(u: back)", "(undo goes back)" },
		{ "(A comes back, a here again takes it away)",
			"(goto A comes back, mark off takes it away)" },
		{ "(? lists them)", "(help lists them)" },
		{ "? lists the keys where you are, ", "" },
		{ "when you ask (m)", "when you ask (measure)" },
		{ "a on the Chat screen, ask, then ( ) = -",
			"mark, turn the dial, ab on, say TEXT, then vote left or right" },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		char *at = strstr(s, known[i][0]), *rest;

		if (!at)
			continue;
		rest = xstrdup(at + strlen(known[i][0]));
		snprintf(at, cap - (size_t)(at - s), "%s%s", known[i][1], rest);
		xfree(rest);
	}
	/* What stands behind a colon in a sentence is typed here as it is. */
	for (char *at = s; (at = strstr(at, "(:")); at++)
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	for (char *at = s; (at = strstr(at, " :")) && at[2] >= 'a' && at[2] <= 'z'; at++)
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
}

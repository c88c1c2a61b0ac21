/* cmd_train - the command `train`: a run begun, held, kept, talked to, compared. */
#include "app/tui/commands.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/acts.h"
#include "app/tui/train_words.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/work/train_run.h"

/* ---- KEY=VALUE */

static const struct {
	const char *name, *help;
} verbs[] = {
	{ "start", "begins, with KEY=VALUE or without" },
	{ "pause", "between steps, or goes on" },
	{ "save", "a checkpoint after this step" },
	{ "stop", "after this step, with a checkpoint" },
	{ "chat", "the chat answers from the model in training, or from the dial's" },
	{ "resume", "goes on with a run; steps= more than it had, when it was done" },
	{ "ghost", "an earlier run's curve behind this one's; off: none" },
};
#define COUNT_KEY(name, kind, least, most, help) +1
enum { VERBS = sizeof verbs / sizeof verbs[0], KEYS = 0 TRAIN_KEYS(COUNT_KEY) };

static const struct train_key *key_find(const char *name, size_t n)
{
	for (const struct train_key *key = train_keys; key->name; key++) {
		const char *is = key->name;
		size_t k = 0;

		while (k < n && is[k] && (is[k] == name[k] || (is[k] == '_' && name[k] == '-')))
			k++;
		if (k == n && !is[k])
			return key;
	}
	return NULL;
}

/* A key or, of `train`, a verb that was likely meant; NULL: none. */
static const char *nearest(const char *name, bool verb)
{
	const char *names[KEYS + VERBS + 1] = { NULL };
	size_t n = 0;

	for (const struct train_key *k = train_keys; k->name; k++)
		names[n++] = k->name;
	for (size_t i = 0; verb && i < VERBS; i++)
		names[n++] = verbs[i].name;
	return text_suggest(name, names);
}

/* Behind the command's name, which is as it was typed; in the 80 columns of the status line. */
static enum st unknown(const char *command, const char *word, struct err *e)
{
	bool verb = !strcmp(command, "train") && !strchr(word, '=');
	const char *near;
	char name[32];

	if (fs_is_file(word))
		return err_set(e, ST_INVALID, "%s: a file goes behind data= (:%s data=%.40s)",
			command, command, word);
	snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
	if (!strcmp(name, "layout"))
		return err_set(e, ST_INVALID,
			strcmp(command, "calibrate") != 0
				? "%s: the layout under the dial is trained; :layout FILE puts one "
				  "there"
				: "%s: all formats of the dial are, no one layout (:train start "
				  "does that)",
			command);
	near = nearest(name, verb);
	if (near)
		return err_set(e, ST_INVALID, "%s: there is no \"%s\"; did you mean %s%s", command,
			name, near, key_find(near, strlen(near)) ? "=" : "");
	if (verb)
		return err_set(e, ST_INVALID,
			"train: no \"%.20s\": start begins, data=FILE says on what (Tab)", word);
	return err_set(e, ST_INVALID,
		"%s: there is no \"%.20s\", but data=, steps=, held= ... (Tab lists all)", command,
		name);
}

static enum st set_flag(bool *to, const char *name, const char *value, struct err *e)
{
	static const char *const no[] = { "off", "0", "false", "no" };
	static const char *const yes[] = { "on", "1", "true", "yes" };

	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
		*to = !strcmp(value, yes[i]);
		if (*to || !strcmp(value, no[i]))
			return ST_OK;
	}
	return err_set(e, ST_INVALID, "train: %s is on or off, not \"%.40s\"", name, value);
}

/* value lies in the line that was typed, and lives as long. */
static enum st set_key(
	struct train_ask *a, const struct train_key *k, const char *value, struct err *e)
{
	char *at = (char *)a + k->at, *end;
	double v;

	if (k->kind == TRAIN_WORD) {
		memcpy(at, &value, sizeof value);
		return *value ? ST_OK : err_set(e, ST_INVALID, "train: %s= wants a value", k->name);
	}
	if (k->kind == TRAIN_FLAG)
		return set_flag((bool *)at, k->name, value, e);
	v = strtod(value, &end);
	if (end == value || *end || !(v >= 0 && v < 1e15) ||
		(k->kind == TRAIN_COUNT && v != floor(v)))
		return err_set(e, ST_INVALID, "train: %s is a %s, not \"%.40s\"", k->name,
			k->kind == TRAIN_COUNT ? "whole number" : "number from 0 on", value);
	if (k->kind == TRAIN_NUMBER) {
		memcpy(at, &v, sizeof v);
	} else {
		uint64_t n = (uint64_t)v;

		if ((int64_t)n < k->least || (int64_t)n > k->most)
			return err_set(e, ST_INVALID, "train: %s is from %lld to %lld", k->name,
				(long long)k->least, (long long)k->most);
		memcpy(at, &n, sizeof n);
	}
	return ST_OK;
}

/* The next word of a line, in place, with quotes as a person would expect; NULL: none. */
static char *next_word(char **line)
{
	char *from = *line + strspn(*line, " "), *to = from, *at = from;
	bool quoted = false;

	if (!*from)
		return NULL;
	for (; *at && (quoted || *at != ' '); at++)
		if (*at == '"')
			quoted = !quoted;
		else
			*to++ = *at;
	*line = *at ? at + 1 : at;
	*to = 0;
	return from;
}

static enum st parse(struct train_ask *a, const char *command, char *line, struct err *e)
{
	enum st st = ST_OK;
	char *word;

	while (!st && (word = next_word(&line))) {
		char *value = strchr(word, '=');
		const struct train_key *k = key_find(word, strcspn(word, "="));

		if (!k)
			st = unknown(command, word, e);
		else if (!value && k->kind != TRAIN_FLAG)
			st = err_set(
				e, ST_INVALID, "train: %s= wants a value: %s", k->name, k->help);
		else
			st = set_key(a, k, value ? value + 1 : "on", e);
	}
	return st;
}

/* ---- verbs */

static enum st begin(struct tui *t, const char *rest, bool calibrate, struct err *e)
{
	struct train_ask a;
	char *line = xstrdup(rest);
	enum st st;

	train_ask_init(&a);
	a.calibrate = calibrate;
	st = parse(&a, calibrate ? "calibrate" : "train", line, e);
	if (!st)
		st = session_train(t->s, &a, e);
	if (!st && t->n_places)
		(void)screen_go(t, "train");
	if (!st)
		tui_notice(t, LOG_INFO,
			calibrate ? "a calibration begins: Space pauses it, x stops it with a checkpoint"
				  : "a run begins: Space pauses it, x stops it with a checkpoint");
	xfree(line);
	return st;
}

/* What follows `resume`: a run, and how many steps it is to have then. */
static enum st parse_resumed(struct train_ask *a, char *line, struct err *e)
{
	enum st st = ST_OK;
	char *word;

	while (!st && (word = next_word(&line))) {
		char *value = strchr(word, '=');

		if (value && strncmp(word, "steps=", 6) != 0)
			st = err_set(e, ST_INVALID,
				"train: resume goes on with the same but steps=, not \"%.20s\"",
				word);
		else if (value)
			st = set_key(a, key_find("steps", 5), value + 1, e);
		else if (a->resume)
			st = err_set(
				e, ST_INVALID, "train resume: one run, not \"%.40s\", too", word);
		else
			a->resume = word;
	}
	return st;
}

/* The run that was named, or the last one of this sitting. */
static enum st go_on(struct tui *t, const char *rest, struct err *e)
{
	struct train_ask a;
	char *line = xstrdup(rest);
	enum st st;

	train_ask_init(&a);
	st = parse_resumed(&a, line, e);
	if (!st && !a.resume && t->training && t->training->run[0])
		a.resume = t->training->run;
	if (!st && !a.resume)
		st = err_set(e, ST_INVALID,
			"train resume: name a run (Tab lists them, screen 4 shows them)");
	if (!st)
		st = session_train(t->s, &a, e);
	if (!st && t->n_places)
		(void)screen_go(t, "train");
	xfree(line);
	return st;
}

static enum st switch_of(const char *word, enum switch_verb *to, struct err *e)
{
	static const char *const name[] = { "off", "on", "toggle" };

	*to = SWITCH_TOGGLE;
	for (int i = 0; i < 3 && word; i++)
		if (!strcmp(word, name[i])) {
			*to = (enum switch_verb)i;
			return ST_OK;
		}
	return !word ? ST_OK
		     : err_set(e, ST_INVALID, "train: expected on, off or toggle, got \"%s\"",
			       word);
}

static enum st turn(struct tui *t, bool pause, const char *word, struct err *e)
{
	enum switch_verb to;
	bool on = false;
	enum st st = switch_of(word, &to, e);

	if (!st)
		st = pause ? session_train_pause(t->s, to, &on, e)
			   : session_train_chat(t->s, to, &on, e);
	if (st)
		return st;
	if (pause)
		tui_notice(t, LOG_INFO,
			on ? "it pauses after this step (Space goes on)" : "it goes on");
	else
		tui_notice(t, LOG_INFO,
			on ? "the chat answers from the model in training"
			   : "the chat answers from the dial's model");
	return ST_OK;
}

static enum st halt(struct tui *t, struct err *e)
{
	uint32_t id = session_training(t->s);

	if (!id)
		return err_set(e, ST_INVALID, "train stop: nothing is in training");
	session_stop(t->s, id);
	return ST_OK;
}

static enum st save(struct tui *t, struct err *e)
{
	const struct snap_train *n = t->training;
	enum st st = session_train_save(t->s, e);

	if (st)
		return st;
	if (!n || n->state != TRAINING_PAUSED)
		tui_notice(t, LOG_INFO, "a checkpoint after this step");
	else
		tui_notice(t, LOG_INFO,
			n->saved == n->step ? "step %llu is kept already"
					    : "a checkpoint of step %llu is written",
			(unsigned long long)n->step);
	return ST_OK;
}

/* Where there is no screen. */
static void tell(struct tui *t)
{
	const struct snap_train *n = t->training;

	tui_notice(t, LOG_INFO,
		"%s %s: step %llu of %llu, loss %.4f, held out %s%.4f, checkpoint at %llu", n->run,
		training_name(n->state), (unsigned long long)n->step, (unsigned long long)n->steps,
		n->last[SERIES_LOSS], n->taught ? "KL " : "",
		n->n_looks ? train_look_loss(n, &n->look[n->n_looks - 1]) : (double)NAN,
		(unsigned long long)n->saved);
}

enum st cmd_train(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	const char *word = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : NULL;

	if (strchr(word, '='))
		return begin(t, rest, false, e);
	if (!strcmp(word, "start"))
		return begin(t, rest + strlen("start"), false, e);
	acts_say(t, "%s", ""); /* what is done to a run is no part of a layout's history */
	if (!*word && !t->n_places && t->training && t->training->state != TRAINING_NONE) {
		tell(t);
		return ST_OK;
	}
	if (!*word)
		return screen_go(t, "train")
			       ? ST_OK
			       : err_set(e, ST_INVALID,
					 "nothing was trained yet: \"train start\" begins");
	if (!strcmp(word, "pause"))
		return turn(t, true, arg, e);
	if (!strcmp(word, "chat"))
		return turn(t, false, arg, e);
	if (!strcmp(word, "save"))
		return save(t, e);
	if (!strcmp(word, "stop"))
		return halt(t, e);
	if (!strcmp(word, "resume"))
		return go_on(t, rest + strlen(word), e);
	if (!strcmp(word, "ghost") && !arg)
		return err_set(e, ST_INVALID, "train ghost: name an earlier run, or off");
	if (!strcmp(word, "ghost"))
		return session_train_ghost(t->s, strcmp(arg, "off") ? arg : NULL, e);
	return unknown("train", word, e);
}

enum st cmd_calibrate(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	const char *word = argc > 1 ? argv[1] : "";
	bool on = !strcmp(word, "on");

	if (on || !strcmp(word, "off")) {
		if (argc > (on ? 3 : 2))
			return err_set(e, ST_INVALID,
				on ? "calibrate on: one run, or none"
				   : "calibrate off: nothing follows");
		return session_wear(t->s, on, argc > 2 ? argv[2] : NULL, e);
	}
	return begin(t, rest, true, e);
}

/* ---- what may be typed */

/* dial: only those that calibrated one. */
static void runs(const struct tui *t, bool dial, void (*fn)(void *arg, const char *, const char *),
	void *arg)
{
	for (size_t i = 0; t->runs && i < t->runs->all.n; i++)
		if (!strcmp(t->runs->all.at[i].kind, "train") &&
			(!dial || *t->runs->all.at[i].dial))
			fn(arg, runs_short(&t->runs->all, &t->runs->all.at[i]),
				t->runs->all.at[i].options);
}

void train_words(const struct tui *t, size_t nth, const char *before, const char *word,
	void (*fn)(void *arg, const char *text, const char *help), void *arg)
{
	char text[160];

	if (nth == 2 && (!strcmp(before, "resume") || !strcmp(before, "ghost"))) {
		runs(t, false, fn, arg);
		return;
	}
	if (nth == 2 && (!strcmp(before, "pause") || !strcmp(before, "chat"))) {
		fn(arg, "on", "");
		fn(arg, "off", "");
		return;
	}
	if (!strncmp(word, "method=", 7)) {
		for (const struct train_method *m = train_methods; m->name; m++) {
			snprintf(text, sizeof text, "method=%s", m->name);
			fn(arg, text, m->summary);
		}
		return;
	}
	for (size_t i = 0; nth == 1 && i < VERBS; i++)
		fn(arg, verbs[i].name, verbs[i].help);
	for (const struct train_key *k = train_keys; k->name; k++) {
		snprintf(text, sizeof text, "%s=", k->name);
		fn(arg, text, k->help);
	}
}

void calibrate_words(const struct tui *t, size_t nth, const char *before,
	void (*fn)(void *arg, const char *text, const char *help), void *arg)
{
	if (nth == 1) {
		fn(arg, "off", "the model's own variants again");
		fn(arg, "on", "what came of a run, or what came off last");
	}
	if (nth == 2 && !strcmp(before, "on"))
		runs(t, true, fn, arg);
}

/* cmd_dial - commands of the dial: the budget and its other faces, pins, floors, ties, what
 * they cost, and the mark. */
#include "app/tui/commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/acts.h"
#include "app/tui/tui.h"
#include "core/base/text.h"
#include "core/work/ask.h"

/* ---- the budget */

/* "kl<=0.2: 4.04 bpw, predicted KL .1980": what an ask led to.  Steps and drags are said by the
 * slider as it moves, but for one beyond its ends. */
static void say_reached(
	struct tui *t, const char *text, const struct ask *a, const struct dial_reached *r)
{
	char size[48] = "", kl[16], bytes[16], damage[48] = "", end[40] = "";

	if (isnan(r->bpw) || a->what == ASK_STEP || (t->by_mouse && !r->end))
		return;
	if (a->what == ASK_BYTES)
		snprintf(size, sizeof size, ", %s of linears", text_bytes(r->bytes, bytes));
	else if (a->what == ASK_FILE)
		snprintf(size, sizeof size, ", %s file", text_bytes(r->file_bytes, bytes));
	else if (a->what == ASK_SPEED)
		snprintf(size, sizeof size, ", %.1f tok/s expected", r->tok_s);
	if (isfinite(r->kl))
		snprintf(damage, sizeof damage, ", %s %s",
			r->in_nats ? "predicted KL" : "first score",
			r->kl > 0 ? num_kl(r->kl, kl) : "0");
	if (r->end)
		snprintf(end, sizeof end, " (the %s of this dial)", r->end < 0 ? "least" : "most");
	tui_notice(t, LOG_INFO, "%.40s: %.2f bpw%s%s%s", text, r->bpw, size, damage, end);
}

static enum st budget(struct tui *t, const char *text, struct err *e)
{
	struct dial_reached r;
	struct ask a;
	enum st st = ask_parse(&a, text, e);

	if (!st)
		st = session_ask(t->s, &a, &r, e);
	if (!st)
		say_reached(t, text, &a, &r);
	return st;
}

enum st cmd_budget(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc < 2) {
		acts_say(t, "%s", "");
		prompt_open(&t->prompt, PROMPT_COMMAND, &t->history, "budget ");
		tui_complete(t);
		return ST_OK;
	}
	return budget(t, rest, e);
}

enum st cmd_search(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argv;
	if (argc < 2)
		return err_set(e, ST_INVALID, "search: name a budget: 4.25, 4.5GiB or kl<=0.02");
	return budget(t, rest, e);
}

/* ---- rules and their price */

static void cursor_name(const struct tui *t, char out[32])
{
	static const char *const kind[] = { "q", "k", "v", "o", "gate", "up", "down" };

	snprintf(out, 32, "layers.%zu.%s", t->cursor / 7, kind[t->cursor % 7]);
}

static enum st need_model(const struct tui *t, const char *verb, struct err *e)
{
	if (t->model && t->model->n)
		return ST_OK;
	return err_set(e, ST_INVALID, "%s: no model is open (:open PATH)", verb);
}

/* "4" is the dial's format of 4 bits; a format's name is itself. */
static enum st format_of(const struct tui *t, const char *verb, const char *arg,
	char out[FORMAT_NAME], struct err *e)
{
	char *end;
	long bits = strtol(arg, &end, 10);

	if (*end || end == arg) {
		snprintf(out, FORMAT_NAME, "%s", arg);
		return ST_OK;
	}
	for (size_t i = 0; t->model && i < t->model->k; i++)
		if (t->model->format[i].bits == bits && !format_is_mix(t->model->format[i])) {
			format_name(t->model->format[i], out);
			return ST_OK;
		}
	return err_set(
		e, ST_INVALID, "%s: the dial has no format of %s bits (:set formats)", verb, arg);
}

/* s: of the verb, where its subject is one thing. */
static void price_text(const struct dial_price *p, const char *s, char *out, size_t cap)
{
	double cost = p->with - p->without;
	char kl[16];

	if (!isfinite(cost))
		snprintf(out, cap, "cost%s what is not known yet", s);
	else if (cost <= 0)
		snprintf(out, cap, "cost%s nothing at %.2f bpw", s, p->bpw);
	else
		snprintf(out, cap, "cost%s %s %s at %.2f bpw", s, num_kl(cost, kl),
			p->in_nats ? "nats, predicted," : "of first score", p->bpw);
}

/* "pin layers.0.* int4g128 costs .0130 nats, predicted, at 4.00 bpw (7 linears)" */
static void say_rule(struct tui *t, const char *rule, const char *pattern, unsigned which,
	size_t count, const char *of)
{
	struct dial_price p;
	struct err e;
	char text[80] = "is laid down";

	if (!session_price(t->s, pattern, which, &p, &e))
		price_text(&p, "s", text, sizeof text);
	tui_notice(t, LOG_INFO, "%.100s %s (%zu %s)", rule, text, count, of);
}

enum st cmd_pin(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	char name[32], line[128], format[FORMAT_NAME] = "as it is";
	size_t matched = 0;
	enum st st = need_model(t, "pin", e);

	(void)rest;
	if (st)
		return st;
	if (argc < 2) {
		acts_say(t, "%s", "");
		cursor_name(t, name);
		snprintf(line, sizeof line, "pin %s ", name);
		prompt_open(&t->prompt, PROMPT_COMMAND, &t->history, line);
		tui_complete(t);
		return ST_OK;
	}
	if (argc > 2 && (st = format_of(t, "pin", argv[2], format, e)))
		return st;
	st = session_pin(t->s, argv[1], argc > 2 ? format : NULL, &matched, e);
	if (st)
		return st;
	snprintf(line, sizeof line, "pin %.60s %s", argv[1], format);
	say_rule(t, line, argv[1], PRICE_PINS, matched, "pinned");
	return ST_OK;
}

enum st cmd_free(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	char name[32];
	size_t matched = 0;
	enum st st = need_model(t, "free", e);

	(void)rest;
	if (st)
		return st;
	cursor_name(t, name);
	acts_say(t, "free %s", argc > 1 ? argv[1] : name);
	st = session_free_pin(t->s, argc > 1 ? argv[1] : name, &matched, e);
	if (!st && matched)
		tui_notice(t, LOG_INFO, "freed %zu", matched);
	else if (!st)
		tui_notice(t, LOG_INFO, "nothing of %.60s was pinned", argc > 1 ? argv[1] : name);
	return st;
}

enum st cmd_floor(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	char format[FORMAT_NAME], line[128];
	size_t matched = 0;
	enum st st = need_model(t, "floor", e);

	(void)rest;
	if (st)
		return st;
	if (argc < 3)
		return err_set(e, ST_INVALID,
			"floor: expected a pattern and a format, such as floor layers.*.v 4, or "
			"any");
	if ((st = format_of(t, "floor", argv[2], format, e)))
		return st;
	st = session_floor(t->s, argv[1], format, &matched, e);
	if (st)
		return st;
	snprintf(line, sizeof line, "floor %.60s %s", argv[1], format);
	if (!strcmp(format, "any"))
		tui_notice(t, LOG_INFO,
			matched ? "%zu floors of %.60s taken away" : "%zu floors under %.60s",
			matched, argv[1]);
	else
		say_rule(t, line, argv[1], PRICE_FLOORS, matched, "with a floor");
	return ST_OK;
}

enum st cmd_tie(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	size_t units = 0;
	char line[80];
	enum st st = need_model(t, "tie", e);

	(void)rest;
	if (st)
		return st;
	if (argc < 2)
		return err_set(e, ST_INVALID, "tie: expected qkv, gateup, off or a pattern");
	st = session_tie(t->s, argv[1], &units, e);
	if (st)
		return st;
	snprintf(line, sizeof line, "tie %.60s", argv[1]);
	if (!strcmp(argv[1], "off"))
		tui_notice(t, LOG_INFO, "nothing is tied");
	else
		say_rule(t, line, NULL, PRICE_TIES, units, "units");
	return ST_OK;
}

enum st cmd_price(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	char text[80], with[16], without[16];
	struct dial_price p;
	enum st st = need_model(t, "price", e);

	(void)rest;
	if (!st)
		st = session_price(t->s, argc > 1 ? argv[1] : NULL, PRICE_ALL, &p, e);
	if (st)
		return st;
	if (!p.rules) {
		tui_notice(t, LOG_INFO, "nothing %s%s is pinned, floored or tied",
			argc > 1 ? "of " : "here", argc > 1 ? argv[1] : "");
		return ST_OK;
	}
	price_text(&p, "", text, sizeof text);
	tui_notice(t, LOG_INFO, "the rules on %zu linears %s (%s with, %s without)", p.rules, text,
		num_kl(p.with, with), num_kl(p.without, without));
	return ST_OK;
}

/* ---- the mark */

enum st cmd_mark(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	bool off = argc > 1 && !strcmp(argv[1], "off"), marked;
	bool here = argc > 1 && !strcmp(argv[1], "A");
	enum st st;

	(void)rest;
	if (argc > 1 && !off && !here)
		return err_set(
			e, ST_INVALID, "mark: expected A, off or nothing, got \"%s\"", argv[1]);
	st = session_mark(t->s, off ? MARK_OFF : here ? MARK_HERE : MARK_TOGGLE, &marked, e);
	if (!st)
		tui_notice(t, LOG_INFO,
			marked ? "mark A is here (A comes back, a here again takes it away)"
			       : "no mark");
	return st;
}

enum st cmd_goto(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	bool marked;
	enum st st;

	(void)rest;
	if (argc > 1 && strcmp(argv[1], "A"))
		return err_set(e, ST_INVALID, "goto: there is one mark, A, not \"%s\"", argv[1]);
	if (t->answer && t->answer->has_a)
		return session_to_mark(t->s, e);
	st = session_mark(t->s, MARK_HERE, &marked, e);
	if (!st)
		tui_notice(
			t, LOG_INFO, "mark A is here (A comes back, a here again takes it away)");
	return st;
}

/* ---- the way back */

enum st cmd_undo(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st = session_undo(t->s, e);

	(void)argc, (void)argv, (void)rest;
	if (!st)
		tui_notice(t, LOG_INFO, "undone");
	return st;
}

enum st cmd_redo(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	enum st st = session_redo(t->s, e);

	(void)argc, (void)argv, (void)rest;
	if (!st)
		tui_notice(t, LOG_INFO, "redone");
	return st;
}

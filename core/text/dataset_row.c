/* dataset_row.c - one row taken apart: which members it has, and the messages they make. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/text/dataset_private.h"

enum member { M_MESSAGES, M_PROMPT, M_COMPLETION, M_INSTRUCTION, M_INPUT, M_OUTPUT, M_TEXT, M_N };

static const char *const member_names[M_N] = { "messages", "prompt", "completion", "instruction",
	"input", "output", "text" };

/* What must be there for a row to be of a kind; the first kind that fits is the row's. */
static const struct {
	enum dataset_kind kind;
	enum member need[2];
} kinds[] = {
	{ DATASET_MESSAGES, { M_MESSAGES, M_MESSAGES } },
	{ DATASET_PROMPT, { M_PROMPT, M_COMPLETION } },
	{ DATASET_ALPACA, { M_INSTRUCTION, M_OUTPUT } },
	{ DATASET_TEXT, { M_TEXT, M_TEXT } },
};

struct value {
	enum jtok type; /* 0: the member is absent */
	size_t at, n;   /* of a string, in d->text */
};

struct object {
	struct dataset *d;
	struct jpull p;
	struct value v[M_N];
	size_t n; /* messages */
	struct err *e;
};

static const char *type_name(enum jtok t)
{
	switch (t) {
	case JT_OBJECT:
		return "an object";
	case JT_ARRAY:
		return "a list";
	case JT_STRING:
		return "a string";
	case JT_NUMBER:
		return "a number";
	case JT_TRUE:
	case JT_FALSE:
		return "true or false";
	case JT_NULL:
		return "null";
	default:
		return "nothing";
	}
}

static enum st bad(const struct dataset *d, struct err *e, const char *fmt, ...) BD_PRINTF(3, 4);

static enum st bad(const struct dataset *d, struct err *e, const char *fmt, ...)
{
	char *where = dataset_where(d), what[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	err_set(e, ST_FORMAT, "%s: %s; mend this row or take it out", where, what);
	xfree(where);
	return ST_FORMAT;
}

/* Why the parser would not go on. */
static enum st bad_json(const struct object *o)
{
	if (o->p.err.st == ST_NOMEM)
		return err_set(o->e, ST_NOMEM, "%s", o->p.err.msg);
	return err_set(o->e, ST_FORMAT, "%s; mend this row or take it out%s", o->p.err.msg,
		o->d->form == FORM_LINES ? " (each line is one JSON object)" : "");
}

/* Strings are never longer than they are in the file, so there is room. */
static struct value keep(struct object *o)
{
	struct dataset *d = o->d;
	struct value v = { JT_STRING, d->used, o->p.len };

	memcpy(d->text + d->used, o->p.text, o->p.len + 1);
	d->used += o->p.len + 1;
	return v;
}

/* The value that comes next: kept when it is a string, else only its type is. */
static enum st take_value(struct object *o, struct value *v)
{
	struct jpull at = o->p;
	enum jtok t = jpull_next(&o->p);

	if (t == JT_BAD)
		return bad_json(o);
	if (t == JT_STRING) {
		*v = keep(o);
		return ST_OK;
	}
	*v = (struct value){ .type = t };
	if (t != JT_OBJECT && t != JT_ARRAY)
		return ST_OK;
	/* back before the bracket, to pass over the whole of it */
	at.text = o->p.text;
	at.cap = o->p.cap;
	o->p = at;
	return jpull_skip(&o->p, NULL) ? bad_json(o) : ST_OK;
}

/* ---- messages */

static const char *known_role(const char *s)
{
	static const char *const roles[] = { "system", "user", "assistant" };

	for (size_t i = 0; i < 3; i++)
		if (!strcmp(roles[i], s))
			return roles[i];
	return NULL;
}

static enum st add_message(struct object *o, const struct value *role, const struct value *content)
{
	const struct dataset *d = o->d;
	const char *known;

	if (role->type != JT_STRING)
		return bad(d, o->e, "message %zu: expected a string \"role\", got %s", o->n + 1,
			type_name(role->type));
	known = known_role(d->text + role->at);
	if (!known)
		return bad(d, o->e,
			"message %zu: the role \"%.30s\" is not one of system, user, assistant",
			o->n + 1, d->text + role->at);
	if (content->type != JT_STRING)
		return bad(d, o->e, "message %zu: expected a string \"content\", got %s", o->n + 1,
			type_name(content->type));
	if (o->n == DATASET_MESSAGES_MAX)
		return bad(d, o->e, "more than %d messages", DATASET_MESSAGES_MAX);
	d->msg[o->n++] = (struct chat_message){ known, d->text + content->at, content->n };
	return ST_OK;
}

/* One {role, content}, after its opening brace. */
static enum st take_message(struct object *o)
{
	struct value role = { 0 }, content = { 0 }, other;
	enum st st = ST_OK;
	enum jtok t;

	while (!st && (t = jpull_next(&o->p)) == JT_KEY) {
		struct value *v = !strcmp(o->p.text, "role")      ? &role
				  : !strcmp(o->p.text, "content") ? &content
								  : &other;

		if (v != &other && v->type)
			return bad(o->d, o->e, "message %zu: the key \"%s\" twice", o->n + 1,
				o->p.text);
		st = take_value(o, v);
	}
	if (st)
		return st;
	return t == JT_OBJECT_END ? add_message(o, &role, &content) : bad_json(o);
}

static enum st take_messages(struct object *o, struct value *v)
{
	enum jtok t = jpull_next(&o->p);
	enum st st = ST_OK;

	if (t == JT_BAD)
		return bad_json(o);
	if (t != JT_ARRAY)
		return bad(o->d, o->e, "\"messages\" is %s, expected a list of {role, content}",
			type_name(t));
	v->type = t;
	while (!st && (t = jpull_next(&o->p)) == JT_OBJECT)
		st = take_message(o);
	if (st)
		return st;
	if (t == JT_BAD)
		return bad_json(o);
	if (t != JT_ARRAY_END)
		return bad(o->d, o->e, "message %zu is %s, expected {role, content}", o->n + 1,
			type_name(t));
	return o->n ? ST_OK : bad(o->d, o->e, "\"messages\" is empty");
}

/* ---- the members */

static enum st take_member(struct object *o)
{
	struct value other;
	enum member m = 0;

	while (m < M_N && strcmp(o->p.text, member_names[m]))
		m++;
	if (m == M_N)
		return take_value(o, &other);
	if (o->v[m].type)
		return bad(o->d, o->e, "the key \"%s\" twice", o->p.text);
	return m == M_MESSAGES ? take_messages(o, &o->v[m]) : take_value(o, &o->v[m]);
}

static enum st take_members(struct object *o)
{
	enum jtok t = jpull_next(&o->p);
	enum st st = ST_OK;

	if (t != JT_BAD && t != JT_OBJECT)
		return bad(o->d, o->e, "expected an object { }, got %s", type_name(t));
	while (!st && t != JT_BAD && (t = jpull_next(&o->p)) == JT_KEY)
		st = take_member(o);
	if (!st && t == JT_OBJECT_END)
		t = jpull_next(&o->p);
	if (st)
		return st;
	return t == JT_END ? ST_OK : bad_json(o);
}

static bool fits(const struct object *o, size_t k)
{
	return o->v[kinds[k].need[0]].type && o->v[kinds[k].need[1]].type;
}

static enum st find_kind(struct object *o)
{
	struct dataset *d = o->d;
	size_t k = 0;

	if (d->known) {
		while (kinds[k].kind != d->kind)
			k++;
		if (fits(o, k))
			return ST_OK;
		return bad(d, o->e, "no \"%s\", though the rows before it are %s",
			member_names[kinds[k].need[o->v[kinds[k].need[0]].type != 0]],
			dataset_kind_name(d->kind));
	}
	while (k < sizeof kinds / sizeof *kinds && !fits(o, k))
		k++;
	if (k == sizeof kinds / sizeof *kinds)
		return bad(d, o->e,
			"none of the rows known here, which have messages, or prompt and "
			"completion, or instruction, input and output, or text");
	d->kind = kinds[k].kind;
	d->known = true;
	return ST_OK;
}

/* ---- messages of what was found */

static enum st say(struct object *o, const char *role, enum member m)
{
	struct dataset *d = o->d;
	struct value *v = &o->v[m];

	if (v->type != JT_STRING)
		return bad(d, o->e, "\"%s\" is %s, expected a string", member_names[m],
			type_name(v->type));
	d->msg[o->n++] = (struct chat_message){ role, d->text + v->at, v->n };
	return ST_OK;
}

/* Instruction, empty line, input.  There is room for every string twice. */
static void join_input(struct object *o)
{
	struct dataset *d = o->d;
	struct chat_message *m = &d->msg[o->n - 1];
	char *to = d->text + d->used;

	memcpy(to, m->text, m->len);
	memcpy(to + m->len, "\n\n", 2);
	memcpy(to + m->len + 2, d->text + o->v[M_INPUT].at, o->v[M_INPUT].n + 1);
	m->text = to;
	m->len += 2 + o->v[M_INPUT].n;
	d->used += m->len + 1;
}

static enum st make_messages(struct object *o)
{
	enum st st;

	switch (o->d->kind) {
	case DATASET_PROMPT:
		o->n = 0;
		st = say(o, "user", M_PROMPT);
		return st ? st : say(o, "assistant", M_COMPLETION);
	case DATASET_ALPACA:
		o->n = 0;
		if (o->v[M_INPUT].type && o->v[M_INPUT].type != JT_STRING)
			return bad(o->d, o->e, "\"input\" is %s, expected a string",
				type_name(o->v[M_INPUT].type));
		st = say(o, "user", M_INSTRUCTION);
		if (!st && o->v[M_INPUT].n)
			join_input(o);
		return st ? st : say(o, "assistant", M_OUTPUT);
	case DATASET_TEXT:
		o->n = 0;
		return say(o, "text", M_TEXT);
	default:
		return ST_OK;
	}
}

/* Room for all strings of a row of n bytes twice, with what is put between. */
static enum st make_room(struct dataset *d, size_t n, struct err *e)
{
	size_t need = 2 * n + 64, cap = d->cap ? d->cap : 1 << 16;

	d->used = 0;
	if (need <= d->cap)
		return ST_OK;
	while (cap < need)
		cap *= 2; /* rows are limited */
	big_free(d->text);
	d->cap = 0;
	d->text = big_alloc(cap, "a row of a data file", e);
	if (!d->text)
		return ST_NOMEM;
	d->cap = cap;
	return ST_OK;
}

enum st dataset_take_object(struct dataset *d, const char *s, size_t n, struct err *e)
{
	struct object o = { .d = d, .e = e };
	char *where = dataset_where(d);
	enum st st = make_room(d, n, e);

	jpull_init(&o.p, where, s, n);
	if (!st)
		st = take_members(&o);
	if (!st)
		st = find_kind(&o);
	if (!st)
		st = make_messages(&o);
	jpull_release(&o.p);
	xfree(where);
	d->row.n = st ? 0 : o.n;
	return st;
}

enum st dataset_take_text(struct dataset *d, const char *s, size_t n, struct err *e)
{
	size_t ok = utf8_first_bad(s, n), line = d->row.line;
	const char *nul = memchr(s, '\0', n);
	enum st st = make_room(d, n, e);

	if (st)
		return st;
	if (nul && (size_t)(nul - s) < ok)
		ok = (size_t)(nul - s);
	if (ok < n) {
		for (size_t i = 0; i < ok; i++)
			line += s[i] == '\n';
		return err_set(e, ST_FORMAT,
			"%s: line %zu: a byte %02x, which text in UTF-8 does not have here; "
			"convert the file to UTF-8",
			d->path, line, (unsigned)(unsigned char)s[ok]);
	}
	for (size_t i = 0; i < n; i++)
		if (s[i] != '\r' || i + 1 == n || s[i + 1] != '\n')
			d->text[d->used++] = s[i];
	d->text[d->used] = '\0';
	d->msg[0] = (struct chat_message){ "text", d->text, d->used };
	d->row.n = 1;
	return ST_OK;
}

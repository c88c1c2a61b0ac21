/* complete.c - names of globals, of fields, of methods and of options, from a Lua state. */
#include "app/lua/complete.h"

#include <ctype.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"

bool lua_incomplete(const char *text)
{
	static const char mark[] = "<eof>";
	lua_State *L = luaL_newstate();
	/* The line is over: a string that is open is a mistake, not a beginning. */
	char *lines = xprintf("%s\n", text), *expression = xprintf("return %s", lines);
	bool more = false;

	if (L && luaL_loadbufferx(L, expression, strlen(expression), "=", "t") != LUA_OK &&
		luaL_loadbufferx(L, lines, strlen(lines), "=", "t") == LUA_ERRSYNTAX) {
		const char *why = lua_tostring(L, -1);
		size_t n = strlen(why), m = sizeof mark - 1;

		more = n >= m && !strcmp(why + n - m, mark);
	}
	xfree(expression);
	xfree(lines);
	if (L)
		lua_close(L);
	return more;
}

/* ---- what was typed */

enum { PATH = 8, DEPTH = 64, NAME = 56 };

struct typed {
	const char *text;
	size_t from, n;        /* the word */
	char path[PATH][NAME]; /* a.b: of a.b.wor */
	int n_path;
	bool method, strange; /* strange: after something that is no name, such as f(). */
	long brace;           /* an open { it stands in directly; -1: none */
	bool in_text;         /* in a string or a comment */
};

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The end of a string, a long one or a comment that begins at s[at]; at: none does. */
static size_t skip_text(const char *s, size_t at)
{
	bool comment = s[at] == '-' && s[at + 1] == '-';
	const char *end;
	size_t from = at + (comment ? 2 : 0);

	if (s[from] == '[' && s[from + 1] == '[') {
		end = strstr(s + from, "]]");
		return end ? (size_t)(end - s) + 2 : strlen(s) + 1;
	}
	if (comment) {
		end = strchr(s + from, '\n');
		return end ? (size_t)(end - s) : strlen(s) + 1;
	}
	if (s[at] != '"' && s[at] != '\'')
		return at;
	for (from = at + 1; s[from] && s[from] != s[at]; from++)
		if (s[from] == '\\' && s[from + 1])
			from++;
	return s[from] ? from + 1 : strlen(s) + 1;
}

/* Brackets that are open at the end. */
static void scan_brackets(struct typed *t)
{
	long open[DEPTH];
	size_t end = strlen(t->text), next;
	int depth = 0;

	for (size_t at = 0; at < end; at = next) {
		char c = t->text[at];

		next = skip_text(t->text, at);
		if (next > end) {
			t->in_text = true;
			return;
		}
		if (next > at)
			continue;
		next = at + 1;
		if (strchr("({[", c) && depth < DEPTH)
			open[depth++] = (long)at;
		else if (strchr(")}]", c) && depth)
			depth--;
	}
	t->brace = depth && t->text[open[depth - 1]] == '{' ? open[depth - 1] : -1;
}

/* The names before s[end), joined by . and a last : - "a.b:" is a, b.  Into t->path. */
static void read_path(struct typed *t, size_t end)
{
	while (end && (t->text[end - 1] == '.' || (t->text[end - 1] == ':' && !t->n_path))) {
		size_t stop = --end;

		t->method |= t->text[end] == ':';
		while (end && is_name_char(t->text[end - 1]))
			end--;
		if (end == stop || t->n_path == PATH || stop - end >= NAME) {
			t->strange = true;
			return;
		}
		memmove(t->path[1], t->path[0], (size_t)t->n_path * NAME);
		memcpy(t->path[0], t->text + end, stop - end);
		t->path[0][stop - end] = 0;
		t->n_path++;
	}
}

static struct typed typed_of(const char *text)
{
	struct typed t = { .text = text, .brace = -1 };
	size_t end = strlen(text), at = end;

	while (at && is_name_char(text[at - 1]))
		at--;
	t.from = at;
	t.n = end - at;
	scan_brackets(&t);
	read_path(&t, at);
	return t;
}

/* Where a name of an option may stand: first in the table, or after a comma. */
static bool wants_option(const struct typed *t)
{
	size_t at = t->from;

	while (at && isspace((unsigned char)t->text[at - 1]))
		at--;
	return t->brace >= 0 && !t->n_path && at && strchr("{,;", t->text[at - 1]);
}

/* ---- candidates */

struct found {
	const char *word;
	size_t len, n;
	struct lua_candidate *out;
};

static void offer(struct found *f, const char *name, const char *after, const char *help)
{
	struct lua_candidate c;
	size_t at;

	if (strncmp(name, f->word, f->len) || strlen(name) + strlen(after) >= sizeof c.name)
		return;
	stpcpy(stpcpy(c.name, name), after);
	snprintf(c.help, sizeof c.help, "%s", help);
	for (at = 0; at < f->n && strcmp(f->out[at].name, c.name) < 0; at++)
		;
	if (at == LUA_CANDIDATES || (at < f->n && !strcmp(f->out[at].name, c.name)))
		return;
	if (f->n == LUA_CANDIDATES)
		f->n--;
	memmove(&f->out[at + 1], &f->out[at], (f->n - at) * sizeof c);
	f->out[at] = c;
	f->n++;
}

static void offer_fn(struct found *f, const struct l_fn *fn, const char *name)
{
	char help[120];

	snprintf(help, sizeof help, "%.60s  %s", fn->args, fn->help);
	offer(f, name, "", help);
}

/* ---- what a value is */

static bool is_of(const struct l_fn *list, const void *p)
{
	for (; list && list->name; list++)
		if (list == p)
			return true;
	return false;
}

/* The entry behind a function of ours at `at`; NULL: another function. */
static const struct l_fn *fn_at(lua_State *L, int at)
{
	const void *p = NULL;

	if (lua_iscfunction(L, at) && lua_getupvalue(L, at, 1)) {
		p = lua_touserdata(L, -1);
		lua_pop(L, 1);
	}
	if (!p)
		return NULL;
	if (is_of(l_base.fn, p))
		return p;
	for (size_t i = 0; l_modules[i]; i++)
		if (is_of(l_modules[i]->fn, p))
			return p;
	for (const struct l_class *const *c = l_classes(); *c; c++)
		if (is_of((*c)->method, p))
			return p;
	return NULL;
}

/* Of a module: what calling it is. */
static const struct l_fn *main_at(lua_State *L, int at)
{
	const struct l_fn *fn = NULL;
	int top = lua_gettop(L);

	if (lua_istable(L, at) && lua_getmetatable(L, at)) {
		lua_pushliteral(L, "__call");
		lua_rawget(L, -2);
		if (lua_iscfunction(L, -1) && lua_getupvalue(L, -1, 1))
			fn = fn_at(L, lua_gettop(L));
	}
	lua_settop(L, top);
	return fn;
}

/* The class of a handle at `at`. */
static const struct l_class *class_at(lua_State *L, int at)
{
	const void *p = NULL;
	int top = lua_gettop(L);

	if (lua_isuserdata(L, at) && lua_getmetatable(L, at)) {
		lua_pushliteral(L, "__index");
		lua_rawget(L, -2);
		if (lua_iscfunction(L, -1) && lua_getupvalue(L, -1, 1))
			p = lua_touserdata(L, -1);
	}
	lua_settop(L, top);
	for (const struct l_class *const *c = l_classes(); p && *c; c++)
		if (*c == p)
			return *c;
	return NULL;
}

/* What the value on top finds its missing fields in takes its place; false: it has no metatable. */
static bool step_up(lua_State *L)
{
	if (!lua_getmetatable(L, -1))
		return false;
	lua_pushliteral(L, "__index");
	lua_rawget(L, -2);
	lua_replace(L, -3);
	lua_pop(L, 1);
	return true;
}

/* The field of the value on top takes its place; nothing of a person's is called. */
static void step_into(lua_State *L, const char *name)
{
	for (int deep = 0; deep < 4; deep++) {
		if (lua_istable(L, -1)) {
			lua_pushstring(L, name);
			lua_rawget(L, -2);
			if (!lua_isnil(L, -1)) {
				lua_remove(L, -2);
				return;
			}
			lua_pop(L, 1);
		}
		if (!step_up(L))
			break;
	}
	lua_pop(L, 1);
	lua_pushnil(L);
}

static void push_path(lua_State *L, const struct typed *t, int n)
{
	lua_pushglobaltable(L);
	for (int i = 0; i < n; i++)
		step_into(L, t->path[i]);
}

/* ---- lists */

static void offer_value(lua_State *L, struct found *f, const char *name)
{
	const struct l_fn *fn = fn_at(L, lua_gettop(L));

	if (!fn)
		fn = main_at(L, lua_gettop(L));
	if (fn)
		offer_fn(f, fn, name);
	else
		offer(f, name, "", luaL_typename(L, -1));
}

static bool is_name(const char *s, size_t n)
{
	if (!n || isdigit((unsigned char)*s))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_name_char(s[i]))
			return false;
	return true;
}

/* Fields of the value on top, and of what it falls back on. */
static void offer_fields(lua_State *L, struct found *f, bool functions)
{
	const struct l_class *c = class_at(L, lua_gettop(L));

	for (size_t i = 0; c && c->method && c->method[i].name; i++)
		offer_fn(f, &c->method[i], c->method[i].name);
	for (size_t i = 0; c && !functions && c->field && c->field[i].name; i++)
		offer(f, c->field[i].name, "", c->field[i].help);
	for (int deep = 0; deep < 4; deep++) {
		if (lua_istable(L, -1))
			for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
				size_t n;
				const char *name = lua_type(L, -2) == LUA_TSTRING
							   ? lua_tolstring(L, -2, &n)
							   : NULL;

				if (name && is_name(name, n) &&
					(!functions || lua_isfunction(L, -1)))
					offer_value(L, f, name);
			}
		if (!step_up(L))
			break;
	}
}

static void offer_keywords(struct found *f)
{
	static const char *const word[] = { "and", "break", "do", "else", "elseif", "end", "false",
		"for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat",
		"return", "then", "true", "until", "while" };

	for (size_t i = 0; f->len && i < sizeof word / sizeof *word; i++)
		offer(f, word[i], "", "");
}

/* A method of a value that is not known yet: by its name among all handles'. */
static const struct l_fn *method_named(const char *name)
{
	for (const struct l_class *const *c = l_classes(); *c; c++)
		for (const struct l_fn *m = (*c)->method; m && m->name; m++)
			if (!strcmp(m->name, name))
				return m;
	return NULL;
}

/* Options of the function that the table is for. */
static bool offer_options(lua_State *L, struct found *f, const struct typed *t)
{
	size_t at = (size_t)t->brace, end;
	const struct l_fn *fn;
	char *before;
	struct typed call;

	while (at && strchr(" \t\n", t->text[at - 1]))
		at--;
	if (at && t->text[at - 1] == '(')
		at--;
	while (at && strchr(" \t\n", t->text[at - 1]))
		at--;
	before = xstrndup(t->text, at);
	call = typed_of(before);
	end = call.n;
	if (!end || call.strange || call.n_path == PATH || end >= NAME) {
		xfree(before);
		return false;
	}
	memcpy(call.path[call.n_path++], before + call.from, end + 1);
	push_path(L, &call, call.n_path);
	fn = fn_at(L, lua_gettop(L));
	if (!fn)
		fn = main_at(L, lua_gettop(L));
	if (!fn && call.method)
		fn = method_named(call.path[call.n_path - 1]);
	xfree(before);
	for (const struct l_opt *o = fn ? fn->opt : NULL; o && o->name; o++)
		offer(f, o->name, " = ", o->help);
	return fn && fn->opt;
}

struct call {
	const struct typed *t;
	struct found *f;
};

static int find(lua_State *L)
{
	struct call *c = lua_touserdata(L, 1);
	const struct typed *t = c->t;

	if (wants_option(t) && offer_options(L, c->f, t))
		return 0;
	push_path(L, t, t->n_path);
	offer_fields(L, c->f, t->method);
	if (!t->n_path)
		offer_keywords(c->f);
	return 0;
}

static int open_all(lua_State *L)
{
	luaL_openlibs(L);
	l_open(L);
	return 0;
}

size_t lua_complete(const struct script *idle, const char *text, size_t *from,
	struct lua_candidate out[LUA_CANDIDATES])
{
	struct typed t = typed_of(text);
	struct found f = { .word = text + t.from, .len = t.n, .out = out };
	struct call c = { &t, &f };
	lua_State *own = NULL, *L = idle ? script_state(idle) : NULL;
	bool collects;

	*from = t.from;
	if (t.in_text || t.strange || (t.n && isdigit((unsigned char)text[t.from])))
		return 0;
	if (!L) {
		L = own = luaL_newstate();
		if (L)
			lua_pushcfunction(L, open_all);
		if (!L || lua_pcall(L, 0, 0, 0) != LUA_OK) {
			if (own)
				lua_close(own);
			return 0;
		}
	}
	lua_sethook(L, NULL, 0, 0); /* of a chunk that was stopped; the next sets its own */
	collects = lua_gc(L, LUA_GCISRUNNING);
	lua_gc(L, LUA_GCSTOP); /* a finalizer is a person's code */
	lua_settop(L, 0);
	lua_pushcfunction(L, find);
	lua_pushlightuserdata(L, &c);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		lua_settop(L, 0); /* what was found until then */
	if (collects)
		lua_gc(L, LUA_GCRESTART);
	if (own)
		lua_close(own);
	return f.n;
}

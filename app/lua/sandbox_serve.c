/* sandbox_serve.c - see sandbox_serve.h. */
#include "app/lua/sandbox_serve.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "app/lua/l.h"
#include "app/lua/sandbox.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

static const char handles_key; /* of the table of handles in the registry */

struct taken { /* one message, while it is carried out */
	struct server *s;
	struct wire_in in;
	enum serve what;
	char name[80]; /* of the function, for people */
};

/* ---- handles: number = generation << 16 | slot */

static void push_slots(lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &handles_key);
}

static bool put_handle(lua_State *L, struct wire *w, int at, void *arg)
{
	struct server *s = ((struct taken *)arg)->s;
	int class = l_class_at(L, at);
	unsigned i = 0;

	if (class < 0)
		return false;
	while (i < SANDBOX_HANDLES && s->slot[i].used)
		i++;
	if (i == SANDBOX_HANDLES)
		luaL_error(
			L, "more than %d handles at once (--sandbox): close some", SANDBOX_HANDLES);
	at = lua_absindex(L, at);
	push_slots(L);
	lua_pushvalue(L, at);
	lua_rawseti(L, -2, (lua_Integer)i + 1);
	lua_pop(L, 1);
	s->slot[i].used = true;
	wire_u32(w, (uint32_t)s->slot[i].generation << 16 | i);
	wire_u8(w, (unsigned)class);
	return true;
}

/* The slot of a number; SANDBOX_HANDLES: there is none. */
static unsigned slot_of(const struct server *s, uint32_t id)
{
	unsigned i = id & 0xffff;

	if (i < SANDBOX_HANDLES && s->slot[i].used && s->slot[i].generation == id >> 16)
		return i;
	return SANDBOX_HANDLES;
}

static void push_handle(lua_State *L, struct taken *t)
{
	unsigned i = slot_of(t->s, wire_get_u32(&t->in));

	if (i == SANDBOX_HANDLES)
		luaL_error(L, "there is no such handle");
	push_slots(L);
	lua_rawgeti(L, -1, (lua_Integer)i + 1);
	lua_remove(L, -2);
}

static void get_handle(lua_State *L, struct wire_in *in, void *arg)
{
	(void)in; /* the same */
	push_handle(L, arg);
}

static void drop_handles(lua_State *L, struct taken *t)
{
	uint32_t n = wire_get_u32(&t->in);
	bool any = false;

	for (uint32_t k = 0; k < n && !t->in.bad; k++) {
		unsigned i = slot_of(t->s, wire_get_u32(&t->in));

		if (i == SANDBOX_HANDLES)
			continue;
		t->s->slot[i].used = false;
		t->s->slot[i].generation++;
		push_slots(L);
		lua_pushnil(L);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
		lua_pop(L, 1);
		any = true;
	}
	if (any)
		lua_gc(L, LUA_GCCOLLECT); /* small here, with large things behind it */
}

/* ---- what is allowed */

static bool same(const char *name, const char *s, size_t n)
{
	return strlen(name) == n && !memcmp(name, s, n);
}

/* Is the word s of a list like "open=path now"?  option: what is behind its `=`; "": nothing. */
static bool listed(const char *list, const char *s, char option[32])
{
	while (list && *(list += strspn(list, " "))) {
		size_t n = strcspn(list, " "), word = strcspn(list, " =");

		option[0] = 0;
		if (word < n && n - word - 1 < 32) {
			memcpy(option, list + word + 1, n - word - 1);
			option[n - word - 1] = 0;
		}
		if (same(s, list, word))
			return true;
		list += n;
	}
	return false;
}

/* The value at the top, where it names a file, names one that the person did, too; else false, and
 * why lies there. */
static bool check_file(lua_State *L, const struct server *s, const char *name)
{
	const char *path = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

	for (int i = 0; path && i < s->n_files; i++)
		if (!strcmp(path, s->file[i]))
			return true;
	if (path)
		lua_pushfstring(L,
			"%s: %s was not named on the command line, and a stranger's script "
			"reads no other file (--sandbox)",
			name, path);
	return !path;
}

/* Arguments lie from `from` on. */
static bool check_files(
	lua_State *L, const struct server *s, int from, const char *name, const char *option)
{
	bool self;

	if (!*option || lua_gettop(L) < from)
		return true;
	lua_pushvalue(L, from);
	if (lua_istable(L, -1)) {
		lua_pushstring(L, option);
		lua_rawget(L, -2);
		lua_remove(L, -2);
	} else if (lua_type(L, -1) == LUA_TNUMBER) {
		lua_tostring(L, -1); /* 3 would be read as "3" */
	}
	self = !strcmp(option, "text") && lua_type(L, -1) == LUA_TSTRING &&
	       !strcmp(lua_tostring(L, -1), "self");
	if (lua_type(L, -1) == LUA_TNUMBER)
		luaL_error(L, "%s: expected a string", name);
	if (!self && !check_file(L, s, name))
		return false;
	lua_pop(L, 1);
	return true;
}

static const struct l_fn *find(const struct l_fn *f, const char *s, size_t n)
{
	for (; f && f->name; f++)
		if (same(f->name, s, n))
			return f;
	return NULL;
}

/* ---- the messages */

static int get_values(lua_State *L, struct taken *t)
{
	const struct wire_handles h = { put_handle, get_handle, t };
	unsigned n = wire_get_u8(&t->in);

	if (n > SANDBOX_ARGS)
		t->in.bad = true;
	luaL_checkstack(L, SANDBOX_ARGS + 8, "arguments");
	for (unsigned i = 0; i < n && !t->in.bad; i++)
		wire_get_value(L, &t->in, &h);
	if (t->in.bad || t->in.at != t->in.n) {
		t->in.bad = true;
		luaL_error(L, "a message that makes no sense");
	}
	return (int)n;
}

/* What lies above `base` of the stack is the answer. */
static void answer(lua_State *L, struct taken *t, int base)
{
	const struct wire_handles h = { put_handle, get_handle, t };
	int n = lua_gettop(L) - base;

	if (n > SANDBOX_RESULTS)
		luaL_error(L, "too many results");
	wire_begin(&t->s->answer);
	wire_u8(&t->s->answer, 'r');
	wire_u8(&t->s->answer, (unsigned)n);
	for (int i = base + 1; i <= base + n; i++)
		wire_put_value(L, &t->s->answer, i, &h);
	wire_end(&t->s->answer);
}

/* Function f and its arguments; the first of the script's own is at `from`. */
static void carry_out(
	lua_State *L, struct taken *t, const struct l_fn *f, const char *list, int from)
{
	char option[32];

	if (!f || !listed(list, f->name, option))
		luaL_error(L, "%s is not for a stranger's script (--sandbox)", t->name);
	if (!check_files(L, t->s, from, t->name, option)) { /* as a file that is not there */
		lua_pushnil(L);
		lua_insert(L, -2);
		answer(L, t, lua_gettop(L) - 2);
		return;
	}
	l_push_named(L, t->name, f);
	lua_insert(L, 2); /* 1: the message */
	lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
	answer(L, t, 1);
}

/* Pushes text of the script for a person, harmless to a terminal and to JSON; NULL: no more. */
static const char *push_clean(lua_State *L, struct taken *t, const char *text, size_t n)
{
	size_t cap = 4 * n + 1;
	char *clean;

	t->s->printed += n + 64; /* an empty line costs, too */
	if (t->in.bad || t->s->printed > SANDBOX_PRINTED) {
		t->what = t->in.bad ? SERVE_BROKEN : SERVE_PRINTED;
		return NULL;
	}
	clean = lua_newuserdatauv(L, cap, 0);
	text_clean(clean, cap, text, n, false);
	return clean;
}

static void say(lua_State *L, struct taken *t, void (*to)(void *arg, const char *line))
{
	size_t n;
	const char *text = wire_get_str(&t->in, &n);

	text = push_clean(L, t, text, n);
	if (!text)
		return;
	if (to)
		to(host_face(l_ctx(L)->host)->arg, text);
	answer(L, t, lua_gettop(L));
}

/* The message of a missed goal is shown, too. */
static void clean_goal(lua_State *L, struct taken *t)
{
	const char *text;
	size_t n;

	if (lua_type(L, 3) != LUA_TSTRING)
		return;
	text = lua_tolstring(L, 3, &n);
	text = push_clean(L, t, text, n);
	if (!text)
		luaL_error(L, "nothing more is printed");
	lua_pushstring(L, text);
	lua_replace(L, 3);
	lua_pop(L, 1);
}

static void call(lua_State *L, struct taken *t)
{
	size_t mn, fn;
	const char *module = wire_get_str(&t->in, &mn), *function = wire_get_str(&t->in, &fn);
	const struct l_module *m = mn ? NULL : &l_base;

	for (size_t i = 0; l_modules[i] && !m; i++)
		if (same(l_modules[i]->name, module, mn))
			m = l_modules[i];
	snprintf(t->name, sizeof t->name, "bitdial.%.*s%s%.*s", (int)(mn < 30 ? mn : 30), module,
		mn ? "." : "", (int)(fn < 30 ? fn : 30), function);
	get_values(L, t);
	if (m == &l_base)
		clean_goal(L, t);
	carry_out(L, t, m ? find(m->fn, function, fn) : NULL, m ? m->sandbox : NULL, 2);
}

static const struct l_class *class_at(lua_State *L, int at)
{
	int class = l_class_at(L, at);

	return class < 0 ? NULL : l_class_number((unsigned)class);
}

static void method(lua_State *L, struct taken *t)
{
	const struct l_class *c;
	const char *function;
	size_t n;

	push_handle(L, t);
	c = class_at(L, -1);
	function = wire_get_str(&t->in, &n);
	snprintf(t->name, sizeof t->name, "%s:%.*s", c ? c->name : "", (int)(n < 30 ? n : 30),
		function);
	get_values(L, t);
	carry_out(L, t, c ? find(c->method, function, n) : NULL, c ? c->sandbox : NULL, 3);
}

static void field(lua_State *L, struct taken *t)
{
	const struct l_class *c;
	const struct l_opt *o;
	const char *name;
	size_t n;

	push_handle(L, t);
	c = class_at(L, -1);
	name = wire_get_str(&t->in, &n);
	for (o = c ? c->field : NULL; o && o->name; o++)
		if (same(o->name, name, n))
			break;
	if (!o || !o->name) {
		lua_pushlstring(L, name, n);
		luaL_error(L, "a %s has no '%s' (bitdial help lua)", c ? c->name : "handle",
			lua_tostring(L, -1));
	} else {
		c->get(L, l_check(L, 2, c), o->name);
		answer(L, t, lua_gettop(L) - 1);
	}
}

static void end(struct taken *t)
{
	unsigned how = wire_get_u8(&t->in);
	size_t n;
	const char *text = wire_get_str(&t->in, &n);

	if (t->in.bad || how > END_TIME || n > SANDBOX_SAID) {
		t->what = SERVE_BROKEN;
		return;
	}
	t->s->end = (enum sandbox_end)how;
	t->s->sentence = xstrndup(text, n);
	t->what = SERVE_ENDED;
}

static int take(lua_State *L)
{
	struct taken *t = lua_touserdata(L, 1);
	const struct host_face *face = host_face(l_ctx(L)->host);
	unsigned op = wire_get_u8(&t->in);

	if (op == SANDBOX_END) {
		end(t);
		return 0;
	}
	drop_handles(L, t);
	if (op == SANDBOX_PRINT) {
		say(L, t, face->print);
	} else if (op == SANDBOX_NOTICE) {
		say(L, t, face->notice);
	} else if (op == SANDBOX_FIELD) {
		field(L, t);
	} else if (op == SANDBOX_STRING) {
		push_handle(L, t);
		luaL_tolstring(L, -1, NULL);
		answer(L, t, lua_gettop(L) - 1);
	} else if ((op == SANDBOX_CALL || op == SANDBOX_METHOD) && ++t->s->calls > SERVE_CALLS) {
		t->what = SERVE_CALLED;
	} else if (op == SANDBOX_CALL) {
		call(L, t);
	} else if (op == SANDBOX_METHOD) {
		method(L, t);
	} else {
		t->what = SERVE_BROKEN;
	}
	if (t->in.bad)
		t->what = SERVE_BROKEN;
	return 0;
}

/* Lua does not know by which name the script called it. */
static void answer_error(struct server *s, const char *msg, const char *name)
{
	const char *at = msg ? strstr(msg, "'?'") : NULL;
	char line[512];

	msg = msg ? msg : "the program has no memory for this";
	if (at && *name) {
		snprintf(line, sizeof line, "%.*s'%s'%s", (int)(at - msg), msg, name, at + 3);
		msg = line;
	}
	wire_begin(&s->answer);
	wire_u8(&s->answer, 'e');
	wire_str(&s->answer, msg, strlen(msg));
	wire_end(&s->answer);
}

enum serve server_take(struct server *s, const uint8_t *message, size_t n)
{
	struct taken t = { .s = s, .in = { .p = message, .n = n } };
	lua_State *L = s->L;
	int st;

	xfree(s->sentence);
	s->sentence = NULL;
	lua_settop(L, 0);
	lua_pushcfunction(L, take);
	lua_pushlightuserdata(L, &t);
	st = lua_pcall(L, 1, 0, 0);
	if (t.in.bad)
		return SERVE_BROKEN;
	if (st != LUA_OK)
		answer_error(s, lua_tostring(L, -1), t.name);
	return t.what;
}

static int prepare(lua_State *L)
{
	lua_createtable(L, SANDBOX_HANDLES, 0);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &handles_key);
	return 0;
}

void server_open(struct server *s, lua_State *L, char *const *file, int n_files)
{
	*s = (struct server){
		.L = L, .file = file, .n_files = n_files, .answer = { .max = WIRE_ANSWERED }
	};
	lua_pushcfunction(L, prepare);
	if (lua_pcall(L, 0, 0, 0) != LUA_OK)
		lua_settop(L, 0); /* each handle then fails with a sentence of Lua's */
}

void server_close(struct server *s)
{
	lua_close(s->L);
	wire_release(&s->answer);
	xfree(s->sentence);
	s->sentence = NULL;
}

/* l_data.c - bitdial.data: texts, rows of JSON and tasks, as the program itself reads them. */
#include <math.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/eval/task.h"
#include "core/text/corpus.h"
#include "core/text/dataset.h"
#include "core/work/tasks.h"

static bool poll_stop(const struct sink *s)
{
	return token_stopped(s->self);
}

/* ---- JSON to Lua */

enum { DEEP = 64 };

static void push_json(lua_State *L, const cJSON *v, int depth)
{
	const cJSON *at;
	lua_Integer i = 0;

	luaL_checkstack(L, 4, "JSON");
	if (depth > DEEP)
		luaL_error(L, "JSON nested deeper than %d", DEEP);
	if (cJSON_IsString(v)) {
		lua_pushstring(L, v->valuestring);
	} else if (cJSON_IsNumber(v)) {
		if (v->valuedouble == floor(v->valuedouble) && fabs(v->valuedouble) < 9e15)
			lua_pushinteger(L, (lua_Integer)v->valuedouble);
		else
			lua_pushnumber(L, v->valuedouble);
	} else if (cJSON_IsBool(v)) {
		lua_pushboolean(L, cJSON_IsTrue(v));
	} else if (cJSON_IsArray(v) || cJSON_IsObject(v)) {
		lua_newtable(L);
		cJSON_ArrayForEach(at, v)
		{
			push_json(L, at, depth + 1);
			if (cJSON_IsArray(v))
				lua_rawseti(L, -2, ++i); /* null: a hole */
			else
				lua_setfield(L, -2, at->string);
		}
	} else {
		lua_pushnil(L);
	}
}

/* ---- rows of a file, a piece at a time */

enum { PIECE = 1 << 16, ROW_MAX = 64 << 20 };

struct rows {
	struct fs_in in;
	bool open, ended;
	char *path, *buf; /* [n] bytes read, those before `at` used */
	size_t n, at, cap, line;
	struct json row; /* being pushed: freed also when that raises */
	bool has_row;
	struct dataset *set; /* of what is trained on; NULL: lines */
};

static void drop_row(struct rows *r)
{
	if (r->has_row)
		json_release(&r->row);
	r->has_row = false;
}

static void rows_release(void *handle)
{
	struct rows *r = handle;

	drop_row(r);
	if (r->open)
		fs_in_close(&r->in);
	dataset_close(r->set);
	xfree(r->path);
	xfree(r->buf);
	*r = (struct rows){ 0 };
}

static int rows_get(lua_State *L, void *handle, const char *field)
{
	const struct rows *r = handle;

	if (!strcmp(field, "tostring"))
		lua_pushfstring(L, " %s", r->path);
	else
		lua_pushinteger(L, (lua_Integer)r->line);
	return 1;
}

/* One line more into buf; NULL: there is none. */
static char *next_line(lua_State *L, struct rows *r, size_t *len)
{
	struct err e = { 0 };
	char *end;
	size_t got;

	while (!(end = r->n > r->at ? memchr(r->buf + r->at, '\n', r->n - r->at) : NULL) &&
		!r->ended) {
		if (r->at) {
			memmove(r->buf, r->buf + r->at, r->n - r->at);
			r->n -= r->at;
			r->at = 0;
		}
		if (r->n > ROW_MAX)
			luaL_error(
				L, "%s: line %d is longer than 64 MiB", r->path, (int)r->line + 1);
		if (r->cap - r->n < PIECE + 1) {
			r->cap = 2 * r->cap + PIECE + 1;
			r->buf = xrealloc(r->buf, r->cap);
		}
		if (fs_in_read(&r->in, r->buf + r->n, PIECE, &got, &e))
			luaL_error(L, "%s", e.msg);
		r->ended = got < PIECE;
		r->n += got;
	}
	if (r->n == r->at)
		return NULL;
	*len = end ? (size_t)(end - r->buf) - r->at : r->n - r->at;
	end = r->buf + r->at;
	r->at += *len + (r->at + *len < r->n);
	r->line++;
	return end;
}

static int rows_next(lua_State *L);

static const struct l_fn rows_methods[] = {
	{ "next", "() -> row | nil", "the next one; raises \"FILE: line N: why\"", rows_next,
		NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};
static const struct l_opt rows_fields[] = {
	{ "line", "number", "of the row that next() gave last" },
	{ NULL, NULL, NULL },
};
static const struct l_class class = {
	.name = "rows",
	.help = "the rows of a file, read as they are asked for",
	.method = rows_methods,
	.field = rows_fields,
	.get = rows_get,
	.release = rows_release,
	.size = sizeof(struct rows),
};

/* {messages = {{role =, content =}, ...}} */
static int next_of_set(lua_State *L, struct rows *r)
{
	struct sink sink = { .poll = poll_stop, .self = l_ctx(L)->stop };
	struct dataset_row row;
	struct err e = { 0 };

	if (dataset_next(r->set, &row, &sink, &e))
		return luaL_error(L, "%s", e.msg);
	if (!row.n) {
		lua_pushnil(L);
		return 1;
	}
	r->line = (size_t)row.line;
	lua_createtable(L, 0, 1);
	lua_createtable(L, (int)row.n, 0);
	for (size_t i = 0; i < row.n; i++) {
		lua_createtable(L, 0, 2);
		lua_pushstring(L, row.msg[i].role);
		lua_setfield(L, -2, "role");
		lua_pushlstring(L, row.msg[i].text, row.msg[i].len);
		lua_setfield(L, -2, "content");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "messages");
	return 1;
}

static int rows_next(lua_State *L)
{
	struct rows *r = l_check(L, 1, &class);
	struct err e = { 0 };
	char where[32], *line;
	size_t len;

	if (r->set)
		return next_of_set(L, r);
	drop_row(r);
	do {
		line = next_line(L, r, &len);
		if (r->line == 1 && line && len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) {
			line += 3; /* a byte order mark */
			len -= 3;
		}
		if (token_stopped(l_ctx(L)->stop))
			luaL_error(L, "stopped");
	} while (line && len == strspn(line, " \t\r") && len < r->n);
	if (!line) {
		lua_pushnil(L);
		return 1;
	}
	snprintf(where, sizeof where, "line %zu", r->line);
	if (json_parse(&r->row, where, line, len, &e))
		return luaL_error(L, "%s: %s", r->path, e.msg);
	r->has_row = true;
	if (!cJSON_IsObject(r->row.root) && !cJSON_IsArray(r->row.root))
		return luaL_error(L, "%s: %s: expected an object", r->path, where);
	push_json(L, r->row.root, 0);
	drop_row(r);
	return 1;
}

/* for row in bitdial.data.jsonl(path) do: next, the handle, and it is closed at the end. */
static int iterator(lua_State *L)
{
	lua_getfield(L, -1, "next");
	lua_insert(L, -2);
	lua_pushnil(L);
	lua_pushvalue(L, -2);
	return 4;
}

static int jsonl(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct err e = { 0 };
	struct rows *r;

	r = l_new(L, &class);
	r->path = xstrdup(path);
	if (fs_in_open(&r->in, r->path, &e))
		return l_fail(L, &e);
	r->open = true;
	return iterator(L);
}

static int rows(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct err e = { 0 };
	struct rows *r;

	r = l_new(L, &class);
	r->path = xstrdup(path);
	if (dataset_open(&r->set, path, 0, &e))
		return l_fail(L, &e);
	return iterator(L);
}

/* ---- texts */

static enum st count(struct session *s, void *arg, struct err *e)
{
	return session_score(s, arg, e);
}

static bool has_model(lua_State *L)
{
	l_hear(L);
	return l_last(L, EV_MODEL) != NULL;
}

static int text(lua_State *L)
{
	struct sink sink = { .poll = poll_stop, .self = l_ctx(L)->stop };
	const char *path = luaL_checkstring(L, 1);
	struct score_ask ask = { .of = SCORE_COUNT, .text = path };
	const struct snap_score *score;
	struct err e = { 0 };
	struct corpus c;
	size_t window;
	uint32_t job;

	l_options(L, 2);
	window = (size_t)l_whole(L, 2, "window", 512, 2, 1 << 20);
	if (corpus_read(&c, path, (size_t)1 << 30, 0, &sink, &e))
		return l_fail(L, &e);
	lua_createtable(L, 0, 5);
	lua_pushstring(L, path);
	lua_setfield(L, -2, "path");
	lua_pushinteger(L, (lua_Integer)c.n);
	lua_setfield(L, -2, "bytes");
	big_free(c.text);
	if (!has_model(L))
		return 1;
	if (l_call(L, count, &ask, &job, &e) || !l_await(L, job, &e))
		return l_fail(L, &e);
	if ((score = l_last(L, EV_SCORE))) {
		lua_pushinteger(L, (lua_Integer)score->tokens);
		lua_setfield(L, -2, "tokens");
		lua_pushinteger(L, (lua_Integer)(score->tokens / window));
		lua_setfield(L, -2, "windows");
	}
	return 1;
}

/* ---- tasks */

static int tasks(lua_State *L)
{
	char **path;
	size_t n;

	tasks_list(&path, &n);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		const char *name = strrchr(path[i], '/') + 1;

		lua_createtable(L, 0, 2);
		lua_pushlstring(L, name, strlen(name) - strlen(".jsonl"));
		lua_setfield(L, -2, "name");
		lua_pushstring(L, path[i]);
		lua_setfield(L, -2, "path");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
		xfree(path[i]);
	}
	xfree(path);
	return 1;
}

static void push_item(lua_State *L, const struct task_item *it)
{
	lua_createtable(L, 0, 3);
	lua_pushstring(L, it->context[0]);
	lua_setfield(L, -2, "prompt");
	lua_createtable(L, (int)it->n, 0);
	for (size_t o = 0; o < it->n; o++) {
		lua_pushstring(L, it->option[o]);
		lua_rawseti(L, -2, (lua_Integer)o + 1);
	}
	lua_setfield(L, -2, "options");
	lua_pushinteger(L, (lua_Integer)it->answer + 1);
	lua_setfield(L, -2, "answer");
}

static int task(lua_State *L)
{
	struct sink sink = { .poll = poll_stop, .self = l_ctx(L)->stop };
	const char *name = luaL_checkstring(L, 1);
	struct err e = { 0 };
	struct task t;
	char *path = task_path(name, &e);
	enum st st = path ? task_read(&t, path, 0, &sink, &e) : e.st;

	xfree(path);
	if (st)
		return l_fail(L, &e);
	lua_createtable(L, (int)t.n, 2);
	for (size_t i = 0; i < t.n; i++) {
		push_item(L, &t.item[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_pushstring(L, t.name);
	lua_setfield(L, -2, "name");
	lua_pushstring(L, t.form->name);
	lua_setfield(L, -2, "form");
	task_release(&t);
	return 1;
}

static const struct l_opt text_options[] = {
	{ "window", "number", "tokens of a window (512)" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "text", "(path[, {window=}]) -> {path=, bytes=, tokens=, windows=} | nil, message",
		"how much text a file has, read as scans read it; tokens and windows where a model "
		"is open",
		text, text_options },
	{ "jsonl", "(path) -> iterator | nil, message",
		"for row in bitdial.data.jsonl(path) do: an object a line as tables; what is wrong "
		"raises with the line",
		jsonl, NULL },
	{ "rows", "(path) -> iterator | nil, message",
		"for row in bitdial.data.rows(path) do: {messages = {{role=, content=}, ...}} of a file "
		"that a model can be trained on, whatever its shape; a document is one message whose role "
		"is text",
		rows, NULL },
	{ "tasks", "() -> {{name=, path=}, ...}", "tasks of multiple choice that are here", tasks,
		NULL },
	{ "task",
		"(name or path) -> {{prompt=, options=, answer=}, ..., name=, form=} | nil, "
		"message",
		"its questions; answer counts from 1", task, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_data = {
	.name = "data",
	.help = "texts, rows of JSON and tasks, read as the program reads them",
	.main = "text",
	.fn = fns,
	.class = &class,
};

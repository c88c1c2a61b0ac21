/* l_job.c - handles of long work. */
#include <string.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"

struct l_job {
	char kind[24];
	uint32_t id; /* 0: it was over when it was made */
	int (*result)(lua_State *L);
};

static const struct l_ended *end_of(lua_State *L, uint32_t id)
{
	const struct l_ctx *c = l_ctx(L);

	for (size_t i = c->n_ended; i > 0; i--)
		if (c->ended[i - 1].job == id)
			return &c->ended[i - 1];
	return NULL;
}

bool l_await(lua_State *L, uint32_t id, struct err *e)
{
	const struct l_ended *end;

	if (!id)
		return true;
	l_ctx(L)->awaits = id;
	while (!(end = end_of(L, id)))
		l_wait(L, 1000);
	l_ctx(L)->awaits = 0;
	if (!end->st)
		return true;
	(void)err_set(e, end->st, "%s", end->text[0] ? end->text : st_name(end->st));
	return false;
}

const char *l_said(lua_State *L, uint32_t id)
{
	const struct l_ended *end = end_of(L, id);

	return end ? end->text : "";
}

static int job_wait(lua_State *L)
{
	struct l_job *j = l_check(L, 1, &l_job_class);
	struct err e = { 0 };

	if (!l_await(L, j->id, &e))
		return l_fail(L, &e);
	if (!j->result) {
		lua_pushboolean(L, 1);
		return 1;
	}
	return j->result(L);
}

bool l_over(lua_State *L, uint32_t id)
{
	l_hear(L);
	return !id || end_of(L, id);
}

static enum st stop(struct session *s, void *arg, struct err *e)
{
	(void)e;
	session_stop(s, *(uint32_t *)arg);
	return ST_OK;
}

enum st l_stop(lua_State *L, uint32_t id, struct err *e)
{
	return l_over(L, id) ? ST_OK : l_call(L, stop, &id, NULL, e);
}

static int job_stop(lua_State *L)
{
	struct l_job *j = l_check(L, 1, &l_job_class);
	struct err e = { 0 };

	if (l_stop(L, j->id, &e))
		return l_fail(L, &e);
	lua_pushboolean(L, 1);
	return 1;
}

static int job_get(lua_State *L, void *handle, const char *field)
{
	struct l_job *j = handle;
	const struct l_ctx *c = l_ctx(L);
	bool known;

	l_hear(L);
	known = c->progress && c->progress_job == j->id;
	if (!strcmp(field, "tostring"))
		lua_pushfstring(L, " %s %d", j->kind, (int)j->id);
	else if (!strcmp(field, "kind"))
		lua_pushstring(L, j->kind);
	else if (!strcmp(field, "id"))
		lua_pushinteger(L, j->id);
	else if (!strcmp(field, "ended"))
		lua_pushboolean(L, !j->id || end_of(L, j->id));
	else if (!strcmp(field, "stage"))
		lua_pushstring(L, known ? c->progress->name : "");
	else if (!known)
		lua_pushnil(L);
	else if (!strcmp(field, "done"))
		lua_pushnumber(L, c->progress->done);
	else if (!strcmp(field, "total"))
		lua_pushnumber(L, c->progress->total);
	else
		l_push_number(L, c->progress->left_s);
	return 1;
}

static const struct l_fn methods[] = {
	{ "wait", "() -> result | nil, message", "until it is over", job_wait, NULL },
	{ "stop", "()", "asks it to stop", job_stop, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const struct l_opt fields[] = {
	{ "kind", "string", "what it does: scan, measure, chat ..." },
	{ "id", "number", "as the Jobs panel counts" },
	{ "ended", "boolean", "it is over, well or not" },
	{ "stage", "string", "what it is at; \"\" until it says" },
	{ "done", "number", "progress of the stage, of total; nil until it says" },
	{ "total", "number", "the whole of it; nil until it says" },
	{ "left", "number", "seconds it expects to take yet; nil: not known" },
	{ NULL, NULL, NULL },
};

const struct l_class l_job_class = {
	.name = "job",
	.help = "long work: it runs beside the script until wait() gives what came of it",
	.method = methods,
	.field = fields,
	.get = job_get,
	.size = sizeof(struct l_job),
	.sandbox = "wait stop",
};

void l_push_job(lua_State *L, const char *kind, uint32_t id, int (*result)(lua_State *L))
{
	struct l_job *j = l_new(L, &l_job_class);

	strncpy(j->kind, kind, sizeof j->kind - 1);
	j->id = id;
	j->result = result;
}

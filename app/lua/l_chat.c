/* l_chat.c - bitdial.chat: an answer of the model, by the layout under the dial. */
#include <math.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/work/session.h"

struct question {
	const char *prompt, *system;
	struct sampler_options sampler;
	lua_Number max_tokens;
	bool keep; /* the conversation so far */
};

/* ---- what came of it */

/* The text of the last answer, maybe of several layouts. */
static void push_answer(lua_State *L, const struct snap_chat *c)
{
	luaL_Buffer b;
	size_t turn = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->piece[i].who == CHAT_MODEL)
			turn = c->piece[i].turn;
	luaL_buffinit(L, &b);
	for (size_t i = 0; i < c->n; i++)
		if (c->piece[i].who == CHAT_MODEL && c->piece[i].turn == turn)
			luaL_addlstring(&b, c->text + c->piece[i].at, c->piece[i].len);
	luaL_pushresult(&b);
}

static void set_number(lua_State *L, const char *name, double v)
{
	l_push_number(L, v);
	lua_setfield(L, -2, name);
}

static int result(lua_State *L)
{
	const struct snap_chat *c = l_last(L, EV_CHAT);

	lua_createtable(L, 0, 8);
	if (!c)
		return 1;
	push_answer(L, c);
	lua_setfield(L, -2, "text");
	lua_pushstring(L, c->stats.end);
	lua_setfield(L, -2, "ended");
	set_number(L, "prompt_tokens", (double)c->stats.prompt_tokens);
	set_number(L, "tokens", (double)c->stats.answer_tokens);
	set_number(L, "tok_s", c->stats.tok_s);
	set_number(L, "first_ms", c->stats.ttft_ms);
	set_number(L, "bpw", c->stats.bpw);
	return 1;
}

/* ---- the question */

static enum st clear(struct session *s, void *arg, struct err *e)
{
	(void)arg;
	return session_chat_clear(s, e);
}

static enum st ask(struct session *s, void *arg, struct err *e)
{
	const struct question *q = arg;
	char n[24];

	lua_number2str(n, sizeof n, q->max_tokens);
	if (session_set(s, "max_tokens", n, e))
		return e->st;
	session_chat_sampler(s, &q->sampler);
	session_chat_system(s, q->system);
	return session_say(s, q->prompt, e);
}

static void options(lua_State *L, struct question *q)
{
	q->prompt = l_string(L, 1, "prompt", NULL);
	q->system = l_string(L, 1, "system", NULL);
	q->keep = l_flag(L, 1, "keep", false);
	q->max_tokens = (lua_Number)l_whole(L, 1, "max_tokens", 512, 1, 131072);
	q->sampler.temperature = l_number(L, 1, "temperature", q->sampler.temperature);
	q->sampler.seed =
		(uint64_t)l_whole(L, 1, "seed", (lua_Integer)q->sampler.seed, 0, LUA_MAXINTEGER);
	luaL_argcheck(L, q->sampler.temperature >= 0, 1, "temperature: expected 0 or more");
}

static int run(lua_State *L)
{
	struct question q = { .sampler = sampler_default, .max_tokens = 512 };
	struct err e = { 0 };
	uint32_t job;

	if (lua_type(L, 1) == LUA_TSTRING) {
		q.prompt = lua_tostring(L, 1);
	} else {
		l_options(L, 1);
		options(L, &q);
		lua_settop(L, 1);
		lua_getfield(L, 1, "layout");
		if (!lua_isnil(L, 2) && l_use_layout(L, 2, &e))
			return l_fail(L, &e);
	}
	luaL_argcheck(L, q.prompt && *q.prompt, 1, "prompt is missing: {prompt = \"...\"}");
	if (!q.keep && (l_call(L, clear, NULL, &job, &e) || !l_await(L, job, &e)))
		return l_fail(L, &e);
	if (l_call(L, ask, &q, &job, &e))
		return l_fail(L, &e);
	l_push_job(L, "chat", job, result);
	return 1;
}

static const struct l_opt run_options[] = {
	{ "prompt", "string", "what to say" },
	{ "system", "string", "system message; else the template's own" },
	{ "layout", "layout", "answers; else the one under the dial" },
	{ "max_tokens", "number", "longest answer (512)" },
	{ "temperature", "number", "0: always the likeliest token (0.7)" },
	{ "seed", "number", "of the sampler (1)" },
	{ "keep", "boolean", "goes on with the conversation (false)" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "run", "(prompt) or {prompt=, ...} -> job | nil, message",
		"wait() gives {text=, ended=, tokens=, tok_s=, first_ms=, prompt_tokens=, bpw=}",
		run, run_options },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_chat = {
	.name = "chat",
	.help = "an answer of the model, by the layout under the dial",
	.main = "run",
	.fn = fns,
	.sandbox = "run",
};

/* l_measure.c - bitdial.measure: KL of a layout on text that no scan has seen; perplexity, tasks.
 */
#include <math.h>

#include "app/lua/l.h"
#include "core/eval/task.h"

static enum st begin(struct session *s, void *arg, struct err *e)
{
	(void)arg;
	return session_measure(s, e);
}

static int result(lua_State *L)
{
	const struct snap_answer *a = l_last(L, EV_ANSWER);
	struct err e = { 0 };

	if (!a || isnan(a->measured_kl)) {
		(void)err_set(&e, ST_INVALID, "measure: the dial was turned while it was measured");
		return l_fail(L, &e);
	}
	lua_createtable(L, 0, 2);
	lua_pushnumber(L, a->measured_kl);
	lua_setfield(L, -2, "damage");
	l_push_number(L, a->measured_se);
	lua_setfield(L, -2, "se");
	return 1;
}

static int run(lua_State *L)
{
	struct err e = { 0 };
	uint32_t job;

	if (!lua_isnoneornil(L, 1) && l_use_layout(L, 1, &e))
		return l_fail(L, &e);
	if (l_call(L, begin, NULL, &job, &e))
		return l_fail(L, &e);
	l_push_job(L, "measure", job, result);
	return 1;
}

/* ---- a text or a task */

static enum st begin_score(struct session *s, void *arg, struct err *e)
{
	return session_score(s, arg, e);
}

static void put(lua_State *L, const char *name, double v)
{
	l_push_number(L, v);
	lua_setfield(L, -2, name);
}

static int task_result(lua_State *L)
{
	const struct snap_score *s = l_last(L, EV_SCORE);

	lua_createtable(L, 0, 6);
	if (!s)
		return 1;
	lua_pushinteger(L, (lua_Integer)s->items);
	lua_setfield(L, -2, "items");
	put(L, "accuracy", task_share(s->right, s->items));
	put(L, "se", task_share_se(s->right, s->items));
	put(L, "accuracy_norm", task_share(s->right_norm, s->items));
	put(L, "se_norm", task_share_se(s->right_norm, s->items));
	put(L, "bpw", s->stored_bpw);
	return 1;
}

static int text_result(lua_State *L)
{
	const struct snap_score *s = l_last(L, EV_SCORE);

	lua_createtable(L, 0, 7);
	if (!s)
		return 1;
	lua_pushinteger(L, (lua_Integer)s->tokens);
	lua_setfield(L, -2, "tokens");
	put(L, "nll", s->nll);
	put(L, "perplexity", s->ppl);
	put(L, "damage", s->kl);
	put(L, "se", s->se);
	put(L, "top1", s->top1);
	put(L, "bpw", s->stored_bpw);
	return 1;
}

/* layout = false is the reference; a handle goes under the dial first. */
static int score(lua_State *L, struct score_ask *a, int (*give)(lua_State *L))
{
	struct err e = { 0 };
	uint32_t job;

	lua_getfield(L, 1, "layout");
	if (lua_isboolean(L, -1) && !lua_toboolean(L, -1))
		a->of = SCORE_REFERENCE;
	else if (!lua_isnil(L, -1) && l_use_layout(L, lua_gettop(L), &e))
		return l_fail(L, &e);
	if (l_call(L, begin_score, a, &job, &e))
		return l_fail(L, &e);
	l_push_job(L, "score", job, give);
	return 1;
}

static int run_task(lua_State *L)
{
	struct score_ask a = { .of = SCORE_LAYOUT };

	luaL_checktype(L, 1, LUA_TTABLE);
	l_options(L, 1);
	a.task = l_string(L, 1, "task", NULL);
	a.limit = (size_t)l_whole(L, 1, "limit", 0, 0, 1 << 30);
	luaL_argcheck(L, a.task, 1, "task is missing: {task = \"basics\"}");
	return score(L, &a, task_result);
}

static int run_text(lua_State *L)
{
	struct score_ask a = { .of = SCORE_LAYOUT };

	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	l_options(L, 1);
	a.text = l_string(L, 1, "file", NULL);
	a.limit = (size_t)l_whole(L, 1, "limit", 0, 0, 1 << 30);
	a.window = (size_t)l_whole(L, 1, "window", 512, 2, 1 << 20);
	return score(L, &a, text_result);
}

static const struct l_opt task_options[] = {
	{ "task", "string", "a file of questions, or the name of one of bitdial.data.tasks()" },
	{ "layout", "layout", "of that one (the one under the dial); false: the reference" },
	{ "limit", "number", "questions at most (all)" },
	{ NULL, NULL, NULL },
};

static const struct l_opt text_options[] = {
	{ "file", "string", "a text (what measurements are made on)" },
	{ "layout", "layout", "of that one (the one under the dial); false: the reference" },
	{ "limit", "number", "tokens at most (all; 2048 of what measurements are made on)" },
	{ "window", "number", "tokens of a window (512)" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "run", "([layout]) -> job | nil, message",
		"of the layout, or of the one under the dial; wait() gives {damage=, se=}", run,
		NULL },
	{ "text", "{file=, layout=, limit=, window=} -> job | nil, message",
		"perplexity, and what a layout does to it; wait() gives {tokens=, nll=, "
		"perplexity=, damage=, se=, top1=, bpw=}",
		run_text, text_options },
	{ "task", "{task=, layout=, limit=} -> job | nil, message",
		"questions of multiple choice; wait() gives {items=, accuracy=, se=, "
		"accuracy_norm=, se_norm=, bpw=}: the likeliest option, and by length",
		run_task, task_options },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_measure = {
	.name = "measure",
	.help = "KL from the reference on text that no scan has seen; perplexity, tasks",
	.main = "run",
	.fn = fns,
	.sandbox = "run",
};

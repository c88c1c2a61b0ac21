/* l_measure.c - bitdial.measure: KL of a layout on text that no scan has seen. */
#include "app/lua/l.h"

static enum st begin(struct session *s, void *arg, struct err *e)
{
	(void)arg;
	return session_measure(s, e);
}

static int result(lua_State *L)
{
	const struct snap_answer *a = l_last(L, EV_ANSWER);

	lua_createtable(L, 0, 2);
	if (a) {
		l_push_number(L, a->measured_kl);
		lua_setfield(L, -2, "damage");
		l_push_number(L, a->measured_se);
		lua_setfield(L, -2, "se");
	}
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

static const struct l_fn fns[] = {
	{ "run", "([layout]) -> job | nil, message",
		"of the layout, or of the one under the dial; wait() gives {damage=, se=}", run,
		NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_measure = {
	.name = "measure",
	.help = "KL from the reference on text that no scan has seen",
	.main = "run",
	.fn = fns,
	.sandbox = "run",
};

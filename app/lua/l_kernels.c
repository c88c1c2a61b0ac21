/* l_kernels.c - bitdial.kernels: which kernels are here, and how fast they are. */
#include <string.h>

#include "app/lua/l.h"
#include "core/work/session.h"
#include "kernels/backend.h"

static int list(lua_State *L)
{
	(void)backend_devices(); /* looks, once */
	lua_newtable(L);
	for (int i = 0; backends()[i]; i++) {
		const struct backend *b = backends()[i];

		lua_createtable(L, 0, 3);
		lua_pushstring(L, b->name);
		lua_setfield(L, -2, "name");
		lua_pushinteger(L, b->score ? b->score() : 0);
		lua_setfield(L, -2, "score");
		lua_pushstring(L, b->path ? b->path() : "");
		lua_setfield(L, -2, "path");
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

static int best(lua_State *L)
{
	const struct backend *b = backend_now();

	lua_pushstring(L, b->name);
	lua_pushstring(L, b->path ? b->path() : "");
	return 2;
}

static const struct math_name {
	const char *name;
	enum math math;
} maths[] = {
	{ "fast", MATH_FAST },
	{ "float", MATH_F32 },
	{ "int8", MATH_INT8 },
	{ "bf16", MATH_BF16 },
	{ "bf16x3", MATH_BF16X3 },
};

static void put(lua_State *L, const char *name, double v)
{
	lua_pushnumber(L, v);
	lua_setfield(L, -2, name);
}

static int result(lua_State *L)
{
	const struct snap_timing *t = l_last(L, EV_TIMING);

	lua_createtable(L, 0, 6);
	if (!t)
		return 1;
	put(L, "us", t->took.us);
	put(L, "least_us", t->took.least_us);
	put(L, "gb_s", t->took.gb_s);
	put(L, "gop_s", t->took.gop_s);
	put(L, "read_gb_s", t->took.read_gb_s);
	return 1;
}

static enum st begin(struct session *s, void *arg, struct err *e)
{
	return session_time(s, arg, e);
}

static int time_product(lua_State *L)
{
	struct timing_ask a = { 0 };
	const char *math, *format;
	struct err e = { 0 };
	bool known = false;
	lua_Integer side;
	uint32_t job;

	l_options(L, 1);
	format = l_string(L, 1, "format", "int4g128");
	math = l_string(L, 1, "math", "fast");
	/* A stranger's takes no more than a moment. */
	side = l_ctx(L)->stranger ? 4096 : 1 << 20;
	a.rows = (size_t)l_whole(L, 1, "rows", 4096, 1, side);
	a.cols = (size_t)l_whole(L, 1, "cols", 4096, 1, side);
	a.m = (size_t)l_whole(L, 1, "m", 1, 1, l_ctx(L)->stranger ? 64 : 65536);
	a.cold = l_flag(L, 1, "cold", true);
	for (size_t i = 0; i < sizeof maths / sizeof *maths && !known; i++)
		if (!strcmp(maths[i].name, math)) {
			a.math = maths[i].math;
			known = true;
		}
	luaL_argcheck(L, known, 1, "math: expected fast, float, int8, bf16 or bf16x3");
	if (format_parse(&a.format, format, &e) || l_call(L, begin, &a, &job, &e))
		return l_fail(L, &e);
	l_push_job(L, "time", job, result);
	return 1;
}

static const struct l_opt options[] = {
	{ "format", "string", "of the weights (int4g128)" },
	{ "rows", "number", "outputs (4096)" },
	{ "cols", "number", "inputs (4096)" },
	{ "m", "number", "rows of x: tokens at once (1)" },
	{ "math", "string", "fast, float, int8, bf16 or bf16x3 (fast: as the chat multiplies)" },
	{ "cold", "boolean", "weights come from memory, as in decoding (true)" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "time", "{format=, rows=, cols=, m=, math=, cold=} -> job | nil, message",
		"one product; wait() gives {us=, least_us=, gb_s=, gop_s=, read_gb_s=}: median and "
		"best, "
		"weights read, operations, and, cold, what reading alone reached in the same second",
		time_product, options },
	{ "list", "() -> {{name=, score=, path=}, ...}", "backends, those of devices with them; score 0: not on this machine",
		list, NULL },
	{ "best", "() -> name, path", "the one that is used, and which instructions", best, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_kernels = {
	.name = "kernels",
	.help = "which kernels are here, and how fast they are",
	.main = "time",
	.fn = fns,
	.sandbox = "time list best",
};

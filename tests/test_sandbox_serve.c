/* test_sandbox_serve.c - what a stranger's process may send: values there and back, and bytes that
 * no script can make. */
#include <criterion/criterion.h>
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "app/lua/l.h"
#include "app/lua/sandbox_serve.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

static struct bus *bus;
static struct session *session;
static struct host *host;
static struct token stop;
static struct l_ctx ctx;
static struct server server;
static unsigned long printed;

static void print(void *arg, const char *line)
{
	(void)arg;
	for (; *line; line++)
		cr_assert((unsigned char)*line >= 32 || *line == '\t' || *line == '\n',
			"a control character went to a person");
	printed++;
}

/* The model of a script's thread, on this one: nothing here starts a job. */
static void begin(void)
{
	struct session_options o = { .threads = 1, .scan_tokens = 64, .no_runs = true };
	struct host_face face = { .print = print, .notice = print };
	static char *files[] = { NULL };
	lua_State *L = luaL_newstate();

	work_home();
	bus = bus_new();
	session = session_new(&o, bus);
	work_opened(session, bus);
	host = host_new(session, bus, &face);
	host_close(host); /* calls of the session fail at once */
	token_init(&stop, NULL);
	ctx = (struct l_ctx){ .host = host, .stop = &stop, .wake_fd = -1, .stranger = true };
	ctx.sub = bus_subscribe_late(bus, ~(uint64_t)0);
	*(struct l_ctx **)lua_getextraspace(L) = &ctx;
	server_open(&server, L, files, 0);
	printed = 0;
}

static void end(void)
{
	server_close(&server);
	l_ctx_release(&ctx);
	session_free(session);
	host_free(host);
	bus_free(bus);
}

TestSuite(serve, .init = begin, .fini = end, .timeout = 60);

static struct wire ask(enum sandbox_op op)
{
	struct wire w = { .max = WIRE_ASKED };

	wire_begin(&w);
	wire_u8(&w, op);
	wire_u32(&w, 0);
	return w;
}

static void word(struct wire *w, const char *s)
{
	wire_str(w, s, strlen(s));
}

static enum serve take(struct wire *w)
{
	return server_take(&server, w->p + 4, w->n - 4);
}

/* A handle of the open model. */
static uint32_t model(void)
{
	struct wire w = ask(SANDBOX_CALL);
	struct wire_in in;

	word(&w, "models");
	word(&w, "now");
	wire_u8(&w, 0);
	cr_assert_eq(take(&w), SERVE_ANSWERED);
	wire_release(&w);
	in = (struct wire_in){ .p = server.answer.p + 4, .n = server.answer.n - 4 };
	cr_assert_eq(wire_get_u8(&in), 'r');
	cr_assert_eq(wire_get_u8(&in), 1);
	cr_assert_eq(wire_get_u8(&in), 7); /* a handle */
	return wire_get_u32(&in);
}

static bool answers_error(const char *says)
{
	struct wire_in in = { .p = server.answer.p + 4, .n = server.answer.n - 4 };
	const char *s;
	size_t n;

	if (wire_get_u8(&in) != 'e')
		return false;
	s = wire_get_str(&in, &n);
	return memmem(s, n, says, strlen(says)) != NULL;
}

static enum serve field(uint32_t id, const char *name)
{
	struct wire w = ask(SANDBOX_FIELD);
	enum serve what;

	wire_u32(&w, id);
	word(&w, name);
	what = take(&w);
	wire_release(&w);
	return what;
}

Test(serve, a_handle_that_was_given_back_is_none_even_when_its_place_is_taken)
{
	uint32_t a = model(), b;
	struct wire w = { .max = WIRE_ASKED };

	cr_assert_eq(field(a, "name"), SERVE_ANSWERED);
	cr_assert(!answers_error(""));
	wire_begin(&w);
	wire_u8(&w, SANDBOX_PRINT);
	wire_u32(&w, 3); /* twice, and one that never was */
	wire_u32(&w, a);
	wire_u32(&w, a);
	wire_u32(&w, 0xffffffff);
	word(&w, "line");
	cr_assert_eq(take(&w), SERVE_ANSWERED);
	wire_release(&w);
	b = model();
	cr_assert_neq(a, b);
	cr_assert_eq(field(a, "name"), SERVE_ANSWERED);
	cr_assert(answers_error("there is no such handle"));
	cr_assert_eq(field(b, "name"), SERVE_ANSWERED);
	cr_assert(!answers_error(""));
	cr_assert_eq(field(b, "__gc"), SERVE_ANSWERED);
	cr_assert(answers_error("a model has no '__gc'"));
}

Test(serve, functions_that_are_not_listed_are_refused_here_too)
{
	static const char *const name[][2] = { { "run", "trash" }, { "plot", "curves" },
		{ "models", "steal" }, { "os", "execute" }, { "", "notice" }, { "run", "keep" } };

	for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
		struct wire w = ask(SANDBOX_CALL);

		word(&w, name[i][0]);
		word(&w, name[i][1]);
		wire_u8(&w, 0);
		cr_expect_eq(take(&w), SERVE_ANSWERED);
		cr_expect(answers_error("is not for a stranger's script"), "%s", name[i][1]);
		wire_release(&w);
	}
}

Test(serve, every_function_that_is_listed_is_there)
{
	for (size_t i = 0; l_modules[i]; i++) {
		const struct l_module *m = l_modules[i];
		const struct l_class *c = m->class;

		for (const char *s = m->sandbox; s && *s;
			s += strcspn(s, " "), s += strspn(s, " ")) {
			bool known = false;

			for (size_t k = 0; m->fn[k].name; k++)
				known |= strlen(m->fn[k].name) == strcspn(s, " =") &&
					 !strncmp(m->fn[k].name, s, strcspn(s, " ="));
			cr_expect(known, "%s: %s", m->name, s);
		}
		for (const char *s = c ? c->sandbox : NULL; s && *s;
			s += strcspn(s, " "), s += strspn(s, " ")) {
			bool known = false;

			for (size_t k = 0; c->method && c->method[k].name; k++)
				known |= strlen(c->method[k].name) == strcspn(s, " ") &&
					 !strncmp(c->method[k].name, s, strcspn(s, " "));
			cr_expect(known, "%s: %s", c->name, s);
		}
	}
}

Test(serve, too_many_calls_and_too_much_print_end_it)
{
	struct wire w = ask(SANDBOX_CALL);

	word(&w, "models");
	word(&w, "now");
	wire_u8(&w, 0);
	server.calls = SERVE_CALLS - 1;
	cr_assert_eq(take(&w), SERVE_ANSWERED);
	cr_assert_eq(take(&w), SERVE_CALLED);
	wire_release(&w);
	w = ask(SANDBOX_PRINT);
	word(&w, "");
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(take(&w), SERVE_ANSWERED);
	cr_assert_eq(printed, 1000);
	server.printed = 16 << 20;
	cr_assert_eq(take(&w), SERVE_PRINTED);
	cr_assert_eq(printed, 1000);
	wire_release(&w);
}

static const struct wire_handles none = { 0 };

Test(serve, values_come_out_as_they_went_in)
{
	lua_State *L = server.L;
	struct wire w = { .max = WIRE_ASKED };
	struct wire_in in;

	cr_assert_eq(luaL_dostring(L,
			     "return { 1, 2.5, 'a\\0b', true, { x = -1 << 63, [3.5] = false } }"),
		LUA_OK);
	wire_begin(&w);
	wire_put_value(L, &w, 1, &none);
	wire_end(&w);
	in = (struct wire_in){ .p = w.p + 4, .n = w.n - 4 };
	wire_get_value(L, &in, &none);
	cr_assert_eq(in.at, in.n);
	lua_setglobal(L, "v");
	cr_assert_eq(
		luaL_dostring(L, "return v[1] == 1 and v[2] == 2.5 and v[3] == 'a\\0b' and v[4] "
				 "and v[5].x == -1 << 63 and v[5][3.5] == false and #v == 5"),
		LUA_OK);
	cr_assert(lua_toboolean(L, -1));
	wire_release(&w);
}

/* Messages as scripts make them, to be spoilt. */
static struct wire sample(struct rng *r, uint32_t handle)
{
	static const char *const call[][2] = { { "models", "now" }, { "kernels", "list" },
		{ "search", "front" }, { "search", "run" }, { "scan", "now" }, { "cmd", "run" },
		{ "models", "open" }, { "chat", "run" }, { "", "expect" }, { "measure", "run" } };
	size_t k = rng_u64(r) % 14;
	struct wire w;

	if (k == 10) {
		w = ask(SANDBOX_FIELD);
		wire_u32(&w, handle);
		word(&w, "formats");
	} else if (k == 11) {
		w = ask(SANDBOX_STRING);
		wire_u32(&w, handle);
	} else if (k == 12) {
		w = ask(SANDBOX_PRINT);
		word(&w, "a line\033[1m\xff");
	} else if (k == 13) {
		w = ask(SANDBOX_METHOD);
		wire_u32(&w, handle);
		word(&w, "at");
		wire_u8(&w, 0);
	} else {
		w = ask(SANDBOX_CALL);
		word(&w, call[k][0]);
		word(&w, call[k][1]);
		wire_u8(&w, 2);
		lua_settop(server.L, 0);
		(void)luaL_dostring(server.L,
			"return { bpw = 3, prompt = 'x', { { 1 }, 'y' }, formats = { {} } }");
		wire_put_value(server.L, &w, 1, &none);
		wire_u8(&w, 7);
		wire_u32(&w, handle);
	}
	return w;
}

Test(serve, no_bytes_bring_the_program_down)
{
	struct rng r;
	size_t count[5] = { 0 };
	uint32_t handle = model();

	rng_seed(&r, 6);
	for (int i = 0; i < 20000; i++) {
		struct wire w = sample(&r, handle);
		size_t n = w.n - 4, spoil = rng_u64(&r) % 4;

		for (size_t k = 0; k < spoil; k++)
			w.p[4 + rng_u64(&r) % n] = rng_u64(&r) % 2 ? (uint8_t)rng_u64(&r) : 0xff;
		if (rng_u64(&r) % 4 == 0)
			n = rng_u64(&r) % (n + 1);
		server.calls = server.printed = 0;
		count[server_take(&server, w.p + 4, n)]++;
		wire_release(&w);
		if (field(handle, "name") == SERVE_ANSWERED && answers_error(""))
			handle = model(); /* it was given back */
	}
	cr_assert_gt(count[SERVE_ANSWERED], 2000);
	cr_assert_gt(count[SERVE_BROKEN], 2000);
}

Test(serve, noise_is_refused)
{
	struct rng r;
	uint8_t noise[512];

	rng_seed(&r, 7);
	for (int i = 0; i < 20000; i++) {
		size_t n = rng_u64(&r) % sizeof noise;

		for (size_t k = 0; k < n; k++)
			noise[k] = (uint8_t)rng_u64(&r);
		if (n)
			noise[0] = (uint8_t) "PNCMFSEH"[rng_u64(&r) % 8];
		cr_assert_neq(server_take(&server, noise, n), SERVE_PRINTED);
	}
}

/* lua_fixture.h - scripts on the demo model, on a thread of their own, served until they end; for
 * suites of app/lua.  Include in one file of a binary. */
#ifndef BD_TESTS_LUA_FIXTURE_H
#define BD_TESTS_LUA_FIXTURE_H

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "app/lua/script.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

#define HELPER __attribute__((unused)) static /* not every suite needs each */

static struct {
	struct bus *bus;
	struct session *session;
	struct host *host;
	char printed[8192], noticed[2048];
} now;

HELPER void append(char *to, size_t size, const char *line)
{
	size_t n = strlen(to);

	snprintf(to + n, size - n, "%s\n", line);
}

HELPER void print(void *arg, const char *line)
{
	(void)arg;
	append(now.printed, sizeof now.printed, line);
}

HELPER void notice(void *arg, const char *line)
{
	(void)arg;
	append(now.noticed, sizeof now.noticed, line);
}

HELPER void begin(void)
{
	struct session_options o = { .threads = 1, .scan_tokens = 64, .no_runs = true };
	struct host_face face = { .print = print, .notice = notice };

	work_home_texts();
	now.bus = bus_new();
	now.session = session_new(&o, now.bus);
	now.host = host_new(now.session, now.bus, &face);
}

HELPER void end(void)
{
	host_close(now.host);
	session_free(now.session);
	host_free(now.host);
	bus_free(now.bus);
}

/* Serves the script until it has ended; seconds > 0: stops it then. */
HELPER int serve(struct script *s, double seconds, const char **sentence)
{
	double began = clock_now();
	bool stopped = false;

	for (;;) {
		struct pollfd p[3] = { { .fd = script_fd(s), .events = POLLIN },
			{ .fd = host_fd(now.host), .events = POLLIN },
			{ .fd = jobs_fd(session_jobs(now.session)), .events = POLLIN } };

		poll(p, 3, 20);
		host_serve(now.host);
		jobs_drain(session_jobs(now.session));
		if (p[0].revents)
			return script_join(s, sentence);
		if (seconds > 0 && !stopped && clock_now() - began > seconds) {
			stopped = true;
			script_stop(s);
		}
		cr_assert_lt(clock_now() - began, 60, "the script does not end");
	}
}

/* A file with the demo model and one more argument. */
HELPER int run_file(const char *path, const char *argument, double seconds, char said[512])
{
	char *model = xstrdup(work_demo(1)), *more = xstrdup(argument), *argv[] = { model, more };
	struct script_options o = { .path = path, .argc = *more ? 2 : 1, .argv = argv };
	const char *sentence;
	struct script *s;
	struct err e = { 0 };
	int code;

	now.printed[0] = now.noticed[0] = '\0';
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_OK, "%s", e.msg);
	code = serve(s, seconds, &sentence);
	snprintf(said, 512, "%s", sentence);
	script_free(s);
	xfree(model);
	xfree(more);
	return code;
}

HELPER int run_for(const char *text, double seconds, char said[512])
{
	const char *path = tmp_path("script.lua");

	tmp_write(path, text, strlen(text));
	return run_file(path, "", seconds, said);
}

/* Runs text after the model is opened as `m`; it must end well and print what is wanted. */
HELPER void prints(const char *text, const char *want)
{
	char said[512], *all = xprintf("m = assert(bitdial.open(arg[1]))\n%s", text);
	int code = run_for(all, 0, said);

	cr_assert_eq(code, SCRIPT_OK, "%s", said);
	cr_assert_str_eq(now.printed, want);
	xfree(all);
}

#endif

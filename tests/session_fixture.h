/* session_fixture.h - a whole sitting with the demo model, driven to the end of what it was asked;
 * for suites of core/work/session*.  Include in one file of a binary: it links the real session,
 * which suites of app/tui replace (fake_session.h). */
#ifndef BD_TESTS_SESSION_FIXTURE_H
#define BD_TESTS_SESSION_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

#define HELPER __attribute__((unused)) static /* not every suite needs each */

static struct bus *bus;
static struct session *s;
static struct work_seen w;
static struct err e;

/* What is left out of o: two formats and keep, 64 tokens to scan, one thread. */
HELPER void begin(struct session_options o)
{
	o.scan_tokens = o.scan_tokens ? o.scan_tokens : 64;
	o.formats = o.formats ? o.formats : "int2g64,int4g64,keep";
	o.threads = 1;
	bus = bus_new();
	work_watch(&w, bus);
	s = session_new(&o, bus);
}

HELPER void end(void)
{
	session_free(s);
	work_unwatch(&w);
	bus_free(bus);
}

HELPER void ok(enum st st)
{
	cr_assert_eq(st, ST_OK, "%s", e.msg);
}

HELPER void settle(void)
{
	cr_assert(work_settle(s, &w), "it never ended; said: %s", w.said);
}

HELPER void open_demo(bool scan)
{
	begin((struct session_options){ .auto_scan = scan });
	ok(session_open(s, work_demo(1), &e));
	settle();
}

/* The demo model, which answers in 40 tokens at most; nothing is scanned. */
HELPER void open_chat(void)
{
	work_home();
	begin((struct session_options){ .template = "chatml" });
	ok(session_open(s, work_demo(1), &e));
	settle();
	ok(session_set(s, "max_tokens", "40", &e));
}

#endif

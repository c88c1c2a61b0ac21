/* plain_fixture.h - runs of --plain on lines of text, with the spies and the fake session of
 * tui_fixture.h; for suites of app/tui.  Include in one file of a binary. */
#ifndef BD_TESTS_PLAIN_FIXTURE_H
#define BD_TESTS_PLAIN_FIXTURE_H

#include "tests/tui_fixture.h"

/* Runs --plain on these lines; what it said, big_free, and its exit status. */
HELPER char *say_with(struct tui_options o, const char *lines, int *status)
{
	int was;

	write_text("in", lines);
	o.plain = true;
	o.panels = o.panels ? o.panels : spies;
	o.state_dir = dir;
	o.sub = sub;
	sub = tui_subscribe(bus);
	fflush(stdout);
	was = dup(1);
	cr_assert(freopen(path_of("in"), "r", stdin));
	cr_assert(freopen(path_of("stdout"), "w", stdout));
	*status = tui_run(&fake, bus, &o);
	fflush(stdout);
	dup2(was, 1);
	close(was);
	return read_text("stdout");
}

HELPER char *say(const char *lines, int want)
{
	int status;
	char *text = say_with((struct tui_options){ 0 }, lines, &status);

	cr_expect_eq(status, want, "status %d after \"%s\":\n%s", status, lines, text);
	return text;
}

#endif

/* panel_fixture.h - one panel of the dial that has heard a front and an answer, and what it shows.
 * Include in one file of a binary.
 */
#ifndef BD_TESTS_PANEL_FIXTURE_H
#define BD_TESTS_PANEL_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/keys.h"
#include "app/tui/view.h"
#include "core/base/alloc.h"
#include "tests/lib_panel.h"

#define HELPER __attribute__((unused)) static /* not every suite needs each */

static struct alone p;
static char *shown;

HELPER const char *row(int w, int h, int y)
{
	xfree(shown);
	shown = alone_draw(&p, w, h);
	return alone_row(shown, y);
}

HELPER void shows(int w, int h, const char *want)
{
	row(w, h, 0);
	cr_assert_str_eq(shown, want, "got\n%s", shown);
}

HELPER bool says(int w, int h, const char *what)
{
	row(w, h, 0);
	return strstr(shown, what);
}

HELPER void begin(const struct panel_class *class)
{
	p = alone_open(class);
	alone_hear(&p, EV_FRONT, 0, 0, &made_front()->snap);
	alone_hear(&p, EV_ANSWER, 0, 0, &made_answer(3)->snap);
}

HELPER void hear_answer(double asked, double stored, double kl, double se, bool nats)
{
	struct snap_answer *a = made_answer(3);

	a->asked_bpw = asked;
	a->stored_bpw = stored;
	a->kl = kl;
	a->se = se;
	a->in_nats = nats;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
}

HELPER void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

#endif

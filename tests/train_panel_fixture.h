/* train_panel_fixture.h - one panel of the Train screen that hears runs, and what it shows.
 * Include in one file of a binary.
 */
#ifndef BD_TESTS_TRAIN_PANEL_FIXTURE_H
#define BD_TESTS_TRAIN_PANEL_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_loss, panel_facts, panel_spark;

#define HELPER __attribute__((unused)) static /* not every suite needs each */

static struct alone p;
static char *shown;

HELPER bool says(int w, int h, const char *what)
{
	xfree(shown);
	shown = alone_draw(&p, w, h);
	return strstr(shown, what);
}

HELPER void hear(struct snap_train *t)
{
	cr_expect(alone_hear(&p, EV_TRAIN, 0, 0, &t->snap));
}

HELPER void command(const char *word, const char *arg)
{
	cr_assert(p.class->on_command(p.self, word, arg), "%s %s", word, arg);
}

HELPER void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

HELPER void with(const struct panel_class *class)
{
	if (p.self)
		alone_close(&p);
	p = alone_open(class);
}

#endif

/* desk_fixture.h - a desk on the demo model whose stages are counted, and what it warned of; for
 * suites of core/work/desk*.  Include in one file of a binary.
 */
#ifndef BD_TESTS_DESK_FIXTURE_H
#define BD_TESTS_DESK_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/cache_private.h"
#include "core/work/desk_private.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_work.h"

#define HELPER __attribute__((unused)) static /* not every suite needs each */

HELPER char warned[4096];

HELPER void on_log(enum log_level l, const char *text)
{
	(void)l;
	strncat(warned, text, sizeof warned - strlen(warned) - 2);
	strcat(warned, "\n");
}

HELPER void set_up(void)
{
	work_home();
	log_watch(on_log);
}

HELPER int measured_fast, measured_scan;

HELPER void count(void *arg, const struct scan_cell *c, const char *stage)
{
	(void)arg;
	cr_assert(isfinite(c->kl));
	*(strcmp(stage, "fast") ? &measured_scan : &measured_fast) += 1;
}

HELPER size_t cells(const struct desk *d, enum cell_state at_least)
{
	size_t n = 0;

	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		n += d->useful[i] && i % d->set.k != d->keep && d->cell[i].state >= at_least;
	return n;
}

HELPER void stage(struct desk *d, enum stage g)
{
	struct err e = { 0 };

	cr_assert_eq(desk_stage(d, g, NULL, &e), ST_OK, "%s: %s", desk_stage_name(g), e.msg);
}

HELPER void prepare(struct desk *d, enum stage last)
{
	struct err e = { 0 };

	d->measured = count;
	cr_assert_eq(desk_prepare(d, last, NULL, &e), ST_OK, "%s", e.msg);
}

HELPER const char formats[] = "int2g64,int4g64,keep";

#endif

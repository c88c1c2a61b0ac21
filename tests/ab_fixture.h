/* ab_fixture.h - two layouts of the demo model that answer the same; for suites of core/work/ab.
 * Include in one file of a binary.
 */
#ifndef BD_TESTS_AB_FIXTURE_H
#define BD_TESTS_AB_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/ab.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_work.h"

#define HELPER __attribute__((unused)) static /* not every suite needs each */

static struct desk *d;
static struct err e;
static uint8_t *all[2]; /* everything int2g64, int4g64 */

HELPER void ok(enum st st)
{
	cr_assert_eq(st, ST_OK, "%s", e.msg);
}

HELPER void set_up(void)
{
	struct desk_options o = {
		.formats = "int2g64,int4g64,keep", .scan_tokens = 64, .template = "chatml"
	};

	work_home();
	ok(desk_open(&d, work_demo(1), &o, NULL, &e));
	for (int f = 0; f < 2; f++) {
		all[f] = xarray(d->set.n, 1);
		memset(all[f], f, d->set.n);
	}
}

HELPER void tear_down(void)
{
	xfree(all[0]);
	xfree(all[1]);
	desk_close(d);
}

HELPER struct ab_options options(uint64_t seed)
{
	return (struct ab_options){
		.sampler = { .temperature = 1, .top_p = 1, .repeat_penalty = 1, .seed = seed },
		.max_tokens = 24,
		.how = { .ctx = 512 },
		.turn = (uint32_t)seed
	};
}

HELPER struct ab *pair_of(const uint8_t *a, const uint8_t *b, const struct ab_options *o)
{
	struct ab *p;

	ok(ab_new(&p, d, &o->how, &e));
	ok(ab_set(p, o, (const uint8_t *const[]){ a, b }, (double[]){ 2.5, 4.5 }, &e));
	return p;
}

HELPER void say(struct ab *p, const char *text)
{
	cr_assert(ab_say(p, text));
	ok(ab_answer(p, NULL, NULL, NULL, &e));
}

HELPER struct ab_result compared(struct ab *p, struct ab_texts **t)
{
	struct ab_result r;

	ok(ab_texts(p, t, &e));
	ok(ab_compare(d, *t, &r, NULL, &e));
	return r;
}

#endif

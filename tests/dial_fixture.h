/* dial_fixture.h - a dial of two blocks in three formats with random damages; for suites of
 * core/work/dial*.  Include in one file of a binary. */
#ifndef BD_TESTS_DIAL_FIXTURE_H
#define BD_TESTS_DIAL_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/work/dial.h"

#define HELPER __attribute__((unused)) static /* not every suite needs each */

enum { N = 14, K = 3, NK = N * K };

static struct bus *bus;
static struct sub *sub;
static struct dial *dial;
static double damage[NK], se[NK];
static uint64_t bytes[NK];
static struct snap_answer *last; /* the latest answer read */
static struct snap_front *front;

static struct snap_model *model(uint64_t seed)
{
	struct snap_model *m = snap_model_new(N, K);
	struct rng r;
	struct err e;

	rng_seed(&r, seed);
	cr_assert_eq(format_list(m->format, &m->k, "int2g64,int4g64,keep", &e), ST_OK);
	for (size_t i = 0; i < N; i++) {
		m->shape[i].rows = 64;
		m->shape[i].cols = (uint32_t)(64 + 64 * rng_below(&r, 4));
		m->weights += 64 * (uint64_t)m->shape[i].cols;
		for (size_t f = 0; f < K; f++) {
			m->bytes[i * K + f] = bytes[i * K + f] = 64 * (uint64_t)m->shape[i].cols *
								 (f == 0          ? 5
									 : f == 1 ? 9
										  : 17) /
								 16;
			m->nominal[i * K + f] = f == 2 ? 8.5f : f ? 4.0625f : 2.0625f;
			damage[i * K + f] =
				f == 2 ? 0 : (f ? 0.01 : 0.2) * (0.1 + (double)rng_below(&r, 1000));
			se[i * K + f] = damage[i * K + f] / 10;
		}
	}
	m->other_bytes = 1000;
	return m;
}

/* A layout that was measured, beside those before; again: the newer counts. */
HELPER void measured(const uint8_t *choice, uint64_t b, double kl, double error, const char *what)
{
	static struct point list[100];
	static uint8_t choices[100][N];
	static struct dial *of;
	static size_t n;
	size_t i = 0;

	if (of != dial)
		n = 0;
	of = dial;
	while (i < n && memcmp(choices[i], choice, N))
		i++;
	n += i == n;
	memcpy(choices[i], choice, N);
	list[i] = (struct point){
		.choice = choices[i], .bytes = b, .kl = kl, .se = error, .tokens = 1024
	};
	snprintf(list[i].what, sizeof list[i].what, "%s", what);
	dial_points(dial, list, n);
}

/* Reads all events; how many answers there were. */
static int read_all(void)
{
	struct event ev;
	int answers = 0;

	while (sub_next(sub, &ev)) {
		if (ev.kind == EV_ANSWER) {
			snap_unref(last ? &last->snap : NULL);
			last = (struct snap_answer *)snap_ref(ev.snap);
			answers++;
		} else if (ev.kind == EV_FRONT) {
			snap_unref(front ? &front->snap : NULL);
			front = (struct snap_front *)snap_ref(ev.snap);
		}
		snap_unref(ev.snap);
	}
	return answers;
}

static void set_up(void)
{
	struct snap_model *m;
	struct err e;

	bus = bus_new();
	sub = bus_subscribe(bus, ~0ull);
	dial = dial_new(bus);
	cr_assert_neq(dial_budget(dial, NAN, &e), ST_OK);
	m = model(1);
	dial_model(dial, m);
	snap_unref(&m->snap);
	cr_assert_eq(dial_damage(dial, damage, se, true, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(read_all(), 1);
	cr_assert_not_null(front);
}

static void tear_down(void)
{
	dial_free(dial);
	bus_free(bus);
	snap_unref(&last->snap);
	snap_unref(&front->snap);
}

HELPER void budget(double bpw)
{
	struct err e;

	cr_assert_eq(dial_budget(dial, bpw, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(read_all(), 1, "answered in the call");
}

HELPER void exact(void)
{
	struct err e;

	cr_assert(dial_wants_exact(dial));
	cr_assert_eq(dial_exact(dial, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(read_all(), 1);
	cr_assert_not(dial_wants_exact(dial));
	cr_assert(last->exact);
}

#endif

/* test_estimate.c - what long work is estimated at, and when it is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "core/work/device.h"
#include "core/work/rates.h"
#include "core/work/estimate.h"
#include "core/work/underway.h"
#include "tests/desk_fixture.h"

static struct estimate x;
static struct err e;

static void sure(enum st st)
{
	cr_assert_eq(st, ST_OK, "%s", e.msg);
}

/* The demo model, nothing of it in the cache. */
static struct desk *open_desk(void)
{
	struct desk_options o = { .formats = formats, .scan_tokens = 64 };
	struct desk *d;

	set_up();
	sure(desk_open(&d, work_demo(1), &o, NULL, &e));
	sure(desk_identify(d, NULL, &e));
	return d;
}

Test(estimate, seconds_and_bytes_are_sums_of_their_parts)
{
	char line[ESTIMATE_LINE];

	x = (struct estimate){ .job = "scan",
		.n = 2,
		.part = { { "fast pass", 100, 40, true }, { "scan", 1000, 200.4, true } },
		.memory = { { "packed variants", 3 << 20 }, { "states", 1 << 20 } },
		.disk = { { "cache", 2 << 20 } } };
	estimate_sum(&x);
	cr_assert_float_eq(x.seconds, 240.4, 1e-9);
	cr_assert_eq(x.memory_sum, 4u << 20);
	cr_assert_eq(x.disk_sum, 2u << 20);
	cr_assert_str_eq(estimate_line(&x, line),
		"about 4 min, 4.0 MiB of memory, 2.0 MiB of disk (estimated, rates measured here)");
	x.part[1].measured = false;
	cr_assert(strstr(estimate_line(&x, line), "in part from a short measurement"));
}

Test(estimate, what_does_not_fit_is_refused_with_the_arithmetic)
{
	x = (struct estimate){ .job = "scan",
		.memory = { { "packed variants", 3ull << 30 }, { "states", 1ull << 30 } },
		.memory_room = (4ull << 30) - 1,
		.disk = { { "cache", 10 << 20 } },
		.disk_room = 11 << 20,
		.disk_at = "/there" };
	estimate_sum(&x);
	cr_assert_eq(estimate_fits(&x, ":scan!", &e), ST_NOMEM);
	cr_assert_str_eq(e.msg,
		"scan needs about 4.0 GiB of memory (packed variants 3.0 GiB + states 1.0 GiB), "
		"4.0 GiB is free; :scan! begins all the same");
	x.memory_room = 4ull << 30;
	cr_assert_eq(estimate_fits(&x, NULL, &e), ST_OK);
	x.disk_room = (10 << 20) - 1;
	cr_assert_eq(estimate_fits(&x, NULL, &e), ST_IO);
	cr_assert(strstr(e.msg, "of disk (cache 10.0 MiB), /there has"), "%s", e.msg);
	cr_assert_null(strstr(e.msg, "all the same"));
}

Test(estimate, only_what_is_left_to_do_counts)
{
	struct desk *d = open_desk();
	double fast, scan;

	fast = estimate_stage_units(d, STAGE_FAST);
	scan = estimate_stage_units(d, STAGE_SCAN);
	cr_assert_gt(fast, 0);
	cr_assert_float_eq(scan, fast, fast * 1e-9, "as many tokens, the same cells");
	sure(desk_prepare(d, STAGE_FAST, NULL, &e));
	cr_assert_eq(estimate_stage_units(d, STAGE_MINMAX), 0);
	cr_assert_eq(estimate_stage_units(d, STAGE_CLIP), 0);
	cr_assert_eq(estimate_stage_units(d, STAGE_FAST), 0);
	cr_assert_gt(estimate_stage_units(d, STAGE_GPTQ), 0);
	sure(desk_prepare(d, STAGE_MORE, NULL, &e));
	estimate_scan(&x, d);
	cr_assert_eq(x.n, 0);
	cr_assert_eq(x.seconds, 0);
	cr_assert_eq(x.disk_sum, 0);
	desk_close(d);
}

Test(estimate, a_scan_that_address_space_does_not_allow_is_refused)
{
	struct desk *d = open_desk();
	struct rlimit r = { .rlim_max = RLIM_INFINITY };
	struct err why;
	unsigned long pages = 0;
	FILE *f;

	estimate_scan(&x, d);
	cr_assert_eq(estimate_fits(&x, NULL, &why), ST_OK);
	f = fopen("/proc/self/statm", "r"); /* last: what is mapped changes */
	cr_assert(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	r.rlim_cur = pages * 4096 + (1 << 20);
	cr_assert_eq(setrlimit(RLIMIT_AS, &r), 0);
	cr_assert_leq(device_address_room(), 1u << 20);
	x.memory_room = device_address_room();
	cr_assert_eq(
		estimate_fits(&x, NULL, &why), ST_NOMEM, "%llu", (unsigned long long)x.memory_sum);
	r.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_AS, &r), 0);
	desk_close(d);
}

Test(estimate, rates_are_of_models_alike_and_move_half_of_the_way)
{
	double each = 0;

	work_home();
	rates_forget();
	cr_assert_not(rates_get("scan", 1 << 20, &each));
	rates_learn("scan", 1 << 20, 100, 0.01);
	cr_assert_not(rates_get("scan", 1 << 20, &each), "too short to tell anything");
	rates_learn("scan", 1 << 20, 100, 200);
	cr_assert(rates_get("scan", 1 << 20, &each) && each == 2);
	rates_learn("scan", 1 << 20, 100, 400);
	rates_forget(); /* from the file again */
	cr_assert(rates_get("scan", 1 << 22, &each));
	cr_assert_float_eq(each, 3, 1e-5);
	cr_assert_not(rates_get("scan", 1 << 27, &each), "another size");
	cr_assert_not(rates_get("gptq", 1 << 20, &each));
}

static void dirty_stack(void)
{
	volatile unsigned char garbage[8192];

	for (size_t i = 0; i < sizeof garbage; i++)
		garbage[i] = 0xa5;
}

Test(estimate, word_of_a_job_is_found_once_where_the_program_ended_in_it)
{
	static const char model[] = "0123456789abcdef0123456789abcdef";
	struct underway *u;
	struct cut_short c;

	work_home();
	u = underway_begin("scan", model, NULL);
	cr_assert(u);
	dirty_stack(); /* nothing of what is there may be taken for a word's */
	cr_assert_not(underway_take(model, NULL, &c), "it still runs");
	underway_end(u, false);
	cr_assert_not(underway_take(model, NULL, &c), "it ended well");
	underway_end(underway_begin("scan", model, NULL), true);
	cr_assert_not(underway_take("fedcba9876543210ffff", NULL, &c), "another model's");
	cr_assert_not(underway_take(model, "refine", &c), "another kind");
	cr_assert(underway_take(model, "scan", &c));
	cr_assert_str_eq(c.kind, "scan");
	cut_short_release(&c);
	cr_assert_not(underway_take(model, NULL, &c), "told once");
}

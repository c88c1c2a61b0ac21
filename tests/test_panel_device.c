/* test_panel_device.c - what computes: the Device panel with none, one and several. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_device;

static struct alone p;
static char *shown;

static bool says(int w, int h, const char *what)
{
	xfree(shown);
	shown = alone_draw(&p, w, h);
	return strstr(shown, what);
}

static void shows(int w, int h, const char *want)
{
	says(w, h, "");
	cr_expect_str_eq(shown, want, "%dx%d: got\n%s", w, h, shown);
}

static void begin(void)
{
	p = alone_open(&panel_device);
}

static void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

TestSuite(device, .init = begin, .fini = end);

static const uint64_t gib = 1ull << 30;

/* A processor and n - 1 devices; the model is on the last. */
static struct snap_device *machine(size_t n)
{
	struct snap_device *d = snap_device_new();

	d->n = n;
	d->resident = gib / 4;
	d->available = 20 * gib;
	d->process = 1.5;
	d->load_1min = 0.5;
	for (size_t i = 0; i < n; i++) {
		struct device_now *o = &d->at[i];

		if (i)
			snprintf(o->id, sizeof o->id, "cuda:%zu", i - 1);
		else
			snprintf(o->id, sizeof o->id, "cpu");
		snprintf(o->name, sizeof o->name, i ? "NVIDIA H200" : "AMD EPYC 9654");
		snprintf(
			o->kernels, sizeof o->kernels, i ? "sm_90, cuda 13.0" : "avx512 (of avx2)");
		o->threads = i ? 0 : 4;
		o->cores = i ? 0 : 4;
		o->load = i ? 0.9 : 0.25;
		o->total = i ? 140 * gib : 24 * gib;
		o->used = i ? 14 * gib : 6 * gib;
		o->ours = i ? 2 * gib : 0;
		o->here = i + 1 == n;
	}
	return d;
}

static void hear(struct snap_device *d)
{
	cr_expect(alone_hear(&p, EV_DEVICE, 0, 0, &d->snap));
}

Test(device, nothing_heard_and_nothing_there_are_said)
{
	cr_expect(says(40, 4, " not looked at yet"));
	hear(machine(0));
	cr_expect(says(40, 4, " not looked at yet"));
	cr_expect_null(panel_device.note(p.self));
	cr_expect_null(panel_device.copy(p.self));
}

Test(device, a_processor_alone_is_as_it_was)
{
	char *text;

	hear(machine(1));
	shows(76, 5,
		" AMD EPYC 9654\n"
		" avx512 (of avx2)  4 threads\n"
		" ━━━───────  25 % of 4 cores  bitdial 38 %  load 0.5\n"
		" ━━━───────  6.00 GiB of 24.00 GiB  bitdial 256.0 MiB  free 20.00 GiB\n\n");
	shows(39, 2,
		" 25 % of 4 cores  bitdial 38 %\n"
		" 6.00 GiB of 24.00 GiB  free 20.00 GiB\n");
	cr_expect_null(panel_device.note(p.self));
	text = panel_device.copy(p.self);
	cr_expect_str_eq(text, "AMD EPYC 9654, avx512 (of avx2), 4 threads");
	xfree(text);
}

Test(device, why_there_is_no_other_is_said_where_there_is_room)
{
	struct snap_device *d = machine(1);

	snprintf(d->none, sizeof d->none, "no NVIDIA driver is loaded");
	hear(d);
	cr_expect(says(76, 6, "\n\n no other device: no NVIDIA driver is loaded\n"), "%s", shown);
	cr_expect(says(30, 8, " no other device: no NVIDIA\n driver is loaded\n"), "%s", shown);
	cr_expect_not(says(76, 4, "no other"), "%s", shown);
}

Test(device, two_have_a_block_each_with_the_model_marked)
{
	char *text;

	hear(machine(2));
	shows(39, 12,
		" cpu  AMD EPYC 9654\n"
		" avx512 (of avx2)\n"
		" ━━━───────  25 % of 4 cores\n"
		" ━━━───────  6.00 GiB of 24.00 GiB\n"
		" bitdial 256.0 MiB  free 20.00 GiB\n"
		"\n"
		"▸cuda:0  NVIDIA H200\n"
		" sm_90, cuda 13.0\n"
		" ━━━━━━━━━─  90 % busy\n"
		" ━─────────  14.00 GiB of 140.00 GiB\n"
		" bitdial 2.00 GiB  free 126.00 GiB\n"
		" :device NAME moves the model\n");
	cr_expect_str_eq(panel_device.note(p.self), "model on cuda:0");
	text = panel_device.copy(p.self);
	cr_expect_str_eq(text, "cpu: AMD EPYC 9654, avx512 (of avx2), 4 threads\n"
			       "cuda:0: NVIDIA H200, sm_90, cuda 13.0");
	xfree(text);
}

Test(device, in_two_lines_there_is_one_for_each)
{
	hear(machine(2));
	shows(78, 2,
		" cpu  25 % of 4 cores  6.00 GiB of 24.00 GiB  bitdial 256.0 MiB\n"
		"▸cuda:0  90 % busy  14.00 GiB of 140.00 GiB  bitdial 2.00 GiB\n");
	shows(24, 2, " cpu  25 % of 4 cores\n▸cuda:0  90 % busy\n");
}

Test(device, the_one_with_the_model_gets_lines_first)
{
	hear(machine(3));
	cr_expect(says(39, 1, "▸cuda:1  90 % busy"), "%s", shown);
	shows(39, 5,
		" cpu  25 % of 4 cores  bitdial 38 %\n"
		" 6.00 GiB of 24.00 GiB  free 20.00 GiB\n"
		" cuda:0  90 % busy  14.0G of 140G\n"
		"▸cuda:1  90 % busy\n"
		" 14.00 GiB of 140.00 GiB\n");
	cr_expect(says(39, 12, "▸cuda:1  NVIDIA H200\n"), "%s", shown);
}

Test(device, what_is_not_known_is_no_number)
{
	struct snap_device *d = machine(2);

	d->at[0].load = d->at[1].load = d->process = d->load_1min = (double)NAN;
	d->at[1].total = d->at[1].used = d->at[1].ours = 0;
	hear(d);
	for (int h = 1; h <= 14; h++)
		for (int w = 24; w <= 120; w += 48) {
			cr_expect_not(says(w, h, "nan"), "%s", shown);
			cr_expect_not(strstr(shown, "-nan"), "%s", shown);
		}
	cr_expect(says(39, 12, " use not known\n memory not known\n"), "%s", shown);
}

Test(device, one_that_was_never_opened_is_not_full)
{
	struct snap_device *d = machine(3);

	d->at[1].asleep = true;
	d->at[1].load = (double)NAN;
	d->at[1].used = d->at[1].ours = 0;
	hear(d);
	cr_expect(says(39, 14, " cuda:0  NVIDIA H200\n not in use by bitdial\n 140.00 GiB\n"), "%s",
		shown);
	for (int h = 1; h <= 14; h++) {
		cr_expect_not(says(76, h, " of 140.00 GiB  free 140"), "%s", shown);
		cr_expect_not(strstr(shown, "0.0 KiB of"), "%s", shown);
	}
}

Test(device, loads_beyond_all_bounds_draw_a_whole_bar)
{
	static const double odd[] = { -3, 7, 1e300, -1e300 };

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct snap_device *d = machine(2);

		d->at[0].load = d->at[1].load = odd[i];
		d->at[1].used = UINT64_MAX;
		hear(d);
		cr_expect(alone_stays_inside(&p, 39, 12));
		cr_expect(
			says(39, 12, odd[i] < 0 ? " ──────────  " : " ━━━━━━━━━━  "), "%s", shown);
	}
}

Test(device, hostile_and_long_names_are_cut_and_cleaned)
{
	struct snap_device *d = machine(2);

	snprintf(d->at[1].name, sizeof d->at[1].name, "\x1b]0;gone\x07\x1b[31mred\x9b%s",
		"2J and a name that goes on and on, far beyond the box");
	snprintf(d->at[1].id, sizeof d->at[1].id, "\x1b[2Jcuda\n:0");
	snprintf(d->at[1].kernels, sizeof d->at[1].kernels, "sm\x1b[0m\r\n\t\xe2\x80\xae");
	hear(d);
	for (int w = 0; w <= 90; w += w < 40 ? 1 : 10)
		for (int h = 0; h <= 14; h++) {
			cr_expect(alone_stays_inside(&p, w, h), "%dx%d", w, h);
			says(w, h, "");
			for (const char *s = shown; *s; s++)
				cr_assert((unsigned char)*s >= ' ' || *s == '\n', "%d in %s", *s,
					shown);
		}
	cr_expect_not(says(39, 12, "far beyond the box"), "%s", shown);
	cr_expect(strstr(shown, "…"), "%s", shown);
}

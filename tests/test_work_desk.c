/* test_work_desk.c - the dial's stages on the demo model: in order, from the cache, stopped and
 * resumed; names to layouts. */
#include "tests/desk_fixture.h"

#include "core/work/run.h"

TestSuite(work_desk, .init = set_up);

Test(work_desk, the_stages_fill_it_in_order)
{
	struct desk *d = work_desk(work_demo(1), NULL, NULL);
	size_t n = d->set.n, k = d->set.k, all = cells(d, CELL_UNKNOWN);
	double *damage = xarray(n * k, sizeof *damage), *se = xarray(n * k, sizeof *se);
	const char *source;

	d->measured = count;
	cr_assert_eq(n, 28);
	cr_assert_lt(d->keep, k);
	cr_assert_not(desk_damage(d, damage, se, &source));
	cr_assert_str_eq(source, "nothing yet");
	stage(d, STAGE_MINMAX);
	for (size_t i = 0; i < n * k; i++)
		cr_assert_eq(d->set.slot[i].mat.data != NULL, d->useful[i] && i % k != d->keep);
	stage(d, STAGE_TEXT);
	cr_assert_eq(d->scan_text.n_seq * d->scan_text.len, 128);
	stage(d, STAGE_SCORE);
	cr_assert_eq(cells(d, CELL_SCORED), all);
	cr_assert_not(desk_damage(d, damage, se, &source), "no nats from a first score");
	cr_assert_str_eq(source, "first score");
	stage(d, STAGE_CLIP);
	cr_assert_str_eq(variant_at(&d->set, 0, 0)->by->name, "clip");
	stage(d, STAGE_FAST);
	cr_assert_eq(cells(d, CELL_FAST), all);
	cr_assert_eq((size_t)measured_fast, all);
	cr_assert(desk_damage(d, damage, se, &source));
	cr_assert_str_eq(source, "fast pass");
	stage(d, STAGE_CALIB);
	cr_assert_not_null(d->moments.h);
	stage(d, STAGE_GPTQ);
	cr_assert_null(d->moments.h, "as large as a model: given back");
	for (size_t f = 0; f < k; f++)
		cr_assert_eq(d->best[f], desk_any_useful(d, f));
	stage(d, STAGE_SCAN);
	cr_assert_eq(cells(d, CELL_SCANNED), all);
	cr_assert_eq((size_t)measured_scan, all);
	cr_assert(desk_damage(d, damage, se, &source));
	cr_assert_str_eq(source, "scan");
	for (size_t i = 0; i < n * k; i++) {
		cr_assert_eq(isfinite(damage[i]) != 0, d->useful[i]);
		if (d->useful[i])
			cr_assert_geq(se[i], 0);
	}
	stage(d, STAGE_SCAN);
	stage(d, STAGE_FAST);
	cr_assert_eq((size_t)measured_scan, all, "nothing is measured twice");
	xfree(damage);
	xfree(se);
	desk_close(d);
}

Test(work_desk, a_stage_alone_makes_what_it_needs)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);

	stage(d, STAGE_GPTQ);
	cr_assert(d->best[0]);
	stage(d, STAGE_SCAN);
	cr_assert_eq(cells(d, CELL_SCANNED), 56);
	desk_close(d);
}

Test(work_desk, the_second_opening_takes_everything_from_the_cache)
{
	const char *path = work_demo(1);
	struct desk *d = work_desk(path, formats, NULL);
	uint8_t codes[256];

	prepare(d, STAGE_MORE);
	memcpy(codes, variant_at(&d->set, 5, 1)->mat.data, sizeof codes);
	desk_close(d);
	measured_fast = measured_scan = 0;
	d = work_desk(path, formats, NULL);
	cr_assert(cache_was_quick(d->cache));
	cr_assert_eq(d->cells_kept, 56);
	cr_assert(d->best[0] && d->best[1]);
	cr_assert_arr_eq(variant_at(&d->set, 5, 1)->mat.data, codes, sizeof codes);
	prepare(d, STAGE_MORE);
	cr_assert_eq(measured_fast + measured_scan, 0);
	cr_assert_str_empty(warned);
	desk_close(d);
}

Test(work_desk, a_file_seen_for_the_first_time_opens_before_it_is_hashed)
{
	struct desk_options o = { .formats = formats, .scan_tokens = 128 };
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	struct lib_stop stop;
	struct err e = { 0 };

	prepare(d, STAGE_SCAN);
	desk_close(d);
	/* The same bytes as another file: only its hash tells. */
	cr_assert_eq(desk_open(&d, work_demo(1), &o, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert(cache_pending(d->cache));
	cr_assert_eq(d->cells_kept, 0);
	lib_stop_init(&stop, 1);
	cr_assert_eq(desk_stage(d, STAGE_MINMAX, &stop.sink, &e), ST_CANCELLED);
	cr_assert(cache_pending(d->cache), "the next stage asks again");
	cr_assert_eq(desk_stage(d, STAGE_MINMAX, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->cells_kept, 56);
	cr_assert(d->best[0] && d->best[1]);
	desk_close(d);
}

Test(work_desk, other_formats_and_back_measure_nothing_again)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	struct err e = { 0 };
	int before;

	prepare(d, STAGE_SCAN);
	before = measured_scan;
	cr_assert_eq(desk_set_formats(d, "int2g64,int3g64", NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->keep, d->set.k, "no keep among them");
	cr_assert_eq(cells(d, CELL_SCANNED), 28);
	prepare(d, STAGE_SCAN);
	cr_assert_eq(measured_scan, before + 28, "the new format alone");
	cr_assert_eq(desk_set_formats(d, formats, NULL, &e), ST_OK);
	cr_assert_eq(d->cells_kept, 56);
	cr_assert(d->best[0] && d->best[1]);
	cr_assert_neq(desk_set_formats(d, "int9g64", NULL, &e), ST_OK);
	cr_assert_eq(d->cells_kept, 56, "refused: as it was");
	desk_close(d);
}

static const struct sink *stop_at(struct lib_stop *s, unsigned long n)
{
	lib_stop_init(s, n);
	return &s->sink;
}

/* Stops each stage after 1, 4, 16, ... polls and goes on: what is finished stays. */
Test(work_desk, a_stop_in_any_stage_keeps_what_is_finished)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	int stops = 0;

	d->measured = count;
	for (int g = 0; g < STAGES; g++) {
		enum st st = ST_CANCELLED;

		for (unsigned long n = 1; st == ST_CANCELLED; n *= 4) {
			struct lib_stop s;
			struct err e = { 0 };
			size_t fast = cells(d, CELL_FAST), scanned = cells(d, CELL_SCANNED);

			st = desk_stage(d, (enum stage)g, stop_at(&s, n), &e);
			cr_assert(!st || st == ST_CANCELLED, "%s", e.msg);
			cr_assert_geq(cells(d, CELL_FAST), fast);
			cr_assert_geq(cells(d, CELL_SCANNED), scanned);
			stops += st == ST_CANCELLED;
		}
	}
	cr_assert_gt(stops, STAGES);
	cr_assert_eq(measured_fast, 56);
	cr_assert_eq(measured_scan, 56, "each cell once");
	desk_close(d);
}

static const struct desk *gathers;
static size_t half_gathered;

static bool sees_half(const struct sink *s)
{
	(void)s;
	half_gathered += gathers->moments.h && !gathers->moments.tokens;
	return false;
}

/* Or they would make its variants, which stay in the cache as the best there are. */
Test(work_desk, moments_are_nobody_s_who_has_a_turn_meanwhile_before_they_are_whole)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	struct sink sink = { .poll = sees_half };
	struct err e = { 0 };

	gathers = d;
	cr_assert_eq(desk_need_moments(d, &sink, &e), ST_OK, "%s", e.msg);
	cr_expect_gt(d->moments.tokens, 0);
	cr_expect_eq(half_gathered, 0, "%zu polls find a part of them", half_gathered);
	desk_close(d);
}

Test(work_desk, a_stopped_scan_goes_on_where_it_was_in_the_next_sitting)
{
	const char *path = work_demo(1);
	struct desk *d = work_desk(path, formats, NULL);
	struct lib_stop s;
	struct err e = { 0 };
	size_t kept;

	prepare(d, STAGE_GPTQ);
	for (unsigned long n = 8; !cells(d, CELL_SCANNED); n *= 2)
		cr_assert_eq(desk_stage(d, STAGE_SCAN, stop_at(&s, n), &e), ST_CANCELLED);
	kept = cells(d, CELL_SCANNED);
	cr_assert_lt(kept, 56);
	desk_close(d);
	measured_fast = measured_scan = 0;
	d = work_desk(path, formats, NULL);
	cr_assert_eq(cells(d, CELL_SCANNED), kept);
	prepare(d, STAGE_SCAN);
	cr_assert_eq(measured_fast, 0);
	cr_assert_eq((size_t)measured_scan, 56 - kept);
	desk_close(d);
}

static struct layout layout(struct desk *d, const char *name, const char **source)
{
	struct layout l = { 0 };
	struct err e = { 0 };

	cr_assert_eq(desk_layout(d, name, &l, source, NULL, &e), ST_OK, "%s: %s", name, e.msg);
	return l;
}

Test(work_desk, a_number_a_format_a_file_and_a_run_are_layouts)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	const struct run_info info = {
		.kind = "search", .model = "m", .model_path = "p", .model_sha = "s"
	};
	const struct mat **view = xarray(28, sizeof *view);
	const char *source, *file = tmp_path("layout.json");
	struct layout l, m;
	struct run *run;
	struct err e = { 0 };

	l = layout(d, "4.5", &source);
	cr_assert_str_eq(source, "first score");
	cr_assert_leq(layout_stored_bpw(&l), 4.5);
	cr_assert_gt(layout_stored_bpw(&l), 3.5);
	cr_assert_eq(layout_write(&l, file, &e), ST_OK, "%s", e.msg);
	m = layout(d, file, &source);
	cr_assert_null(source);
	cr_assert_arr_eq(m.choice, l.choice, 28);
	layout_release(&m);
	cr_assert_eq(run_new(&run, &info, &e), ST_OK);
	cr_assert_eq(run_layout(run, &l, &e), ST_OK);
	m = layout(d, run_id(run), &source);
	cr_assert_arr_eq(m.choice, l.choice, 28);
	cr_assert_eq(desk_layout_view(d, &m, view, NULL, &e), ST_OK, "%s", e.msg);
	for (int i = 0; i < 28; i++)
		cr_assert_not_null(view[i]->data);
	run_end(run, ST_OK, NULL);
	layout_release(&m);
	layout_release(&l);
	l = layout(d, "int3g64", &source); /* joins the dial */
	cr_assert_eq(d->set.k, 4);
	for (int i = 0; i < 28; i++)
		cr_assert(format_equal(d->set.format[l.choice[i]], format_int(3, 64)));
	cr_assert_eq(desk_layout_view(d, &l, view, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(view[0]->bits, 3);
	layout_release(&l);
	l = layout(d, "keep", &source);
	cr_assert_eq(desk_layout_view(d, &l, view, NULL, &e), ST_OK);
	cr_assert_eq(view[0], &d->m->linear[0].ref);
	layout_release(&l);
	l = layout(d, "100000", &source);
	cr_assert_eq(l.predicted_kl, 0);
	layout_release(&l);
	xfree(view);
	desk_close(d);
}

Test(work_desk, what_is_no_layout_is_refused_with_what_to_do)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	static const char *const bad[][2] = {
		{ "nonsense", "no file, no run, no format" },
		{ "0.1", "below the least these formats reach" },
		{ "-3", "below the least" },
		{ "nan", "" },
	};
	struct layout l;
	const char *source;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = { 0 };

		cr_assert_neq(
			desk_layout(d, bad[i][0], &l, &source, NULL, &e), ST_OK, "%s", bad[i][0]);
		cr_assert(strstr(e.msg, bad[i][1]), "%s", e.msg);
	}
	tmp_write(tmp_path("bad.json"), "{\"v\":1}", 7);
	cr_assert_neq(desk_layout(d, tmp_path("bad.json"), &l, &source, NULL, NULL), ST_OK);
	desk_close(d);
}

Test(work_desk, a_model_that_cannot_be_opened_says_why)
{
	struct desk_options o = { .text = tmp_path("absent.txt") };
	struct desk *d = NULL;
	struct err e = { 0 };

	cr_assert_neq(desk_open(&d, tmp_path("absent.gguf"), &o, NULL, &e), ST_OK);
	cr_assert(strstr(e.msg, "absent.gguf"), "%s", e.msg);
	cr_assert_neq(desk_open(&d, work_demo(1), &o, NULL, &e), ST_OK);
	cr_assert(strstr(e.msg, "absent.txt"), "%s", e.msg);
	o = (struct desk_options){ .formats = "int2g7" };
	cr_assert_neq(desk_open(&d, work_demo(1), &o, NULL, &e), ST_OK);
	o = (struct desk_options){ .template = "no-such" };
	cr_assert_eq(desk_open(&d, work_demo(1), &o, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "--template no-such: no such chat template"), "%s", e.msg);
	for (unsigned long n = 1; n < 4; n++) {
		struct lib_stop s;

		o = (struct desk_options){ .read_only = n == 3 };
		lib_stop_init(&s, n);
		if (desk_open(&d, work_demo(2), &o, &s.sink, &e) == ST_OK)
			desk_close(d);
	}
}

Test(work_desk, formats_that_do_not_fit_the_memory_are_left_out_widest_first)
{
	struct model *m = lib_demo("ref", 1);
	struct format f[FORMAT_MAX];
	char out[200];
	uint64_t need[3] = { 0 };
	size_t k;

	for (size_t i = 0; i < m->n_linears; i++)
		for (int j = 0; j < 3; j++)
			need[j] += format_bytes(
				format_int(j + 2, 64), m->linear[i].rows, m->linear[i].cols);
	cr_assert_eq(format_list(f, &k, "int2g64,int3g64,int4g64,keep", NULL), ST_OK);
	cr_assert_eq(desk_fit_formats(m, f, k, need[0] + need[1] + need[2], out, sizeof out), 4);
	cr_assert_str_empty(out);
	cr_assert_eq(
		desk_fit_formats(m, f, k, need[0] + need[1] + need[2] - 1, out, sizeof out), 3);
	cr_assert_str_eq(out, "int4g64");
	cr_assert(format_is_keep(f[2]));
	cr_assert_eq(format_list(f, &k, "int2g64,int3g64,int4g64,keep", NULL), ST_OK);
	cr_assert_eq(desk_fit_formats(m, f, k, 1, out, sizeof out), 2, "one stays, and keep");
	cr_assert_str_eq(out, "int4g64, int3g64");
	cr_assert_eq(f[0].bits, 2);
	cr_assert(format_is_keep(f[1]));
	model_free(m);
}

static char told[64];

static void changed(void *arg, enum desk_change what)
{
	struct desk *d = arg;

	(void)d;
	told[strlen(told)] = "FVCT"[what];
}

Test(work_desk, changes_are_told_as_they_are_made)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	struct err e;

	d->changed = changed;
	d->arg = d;
	cr_assert_eq(desk_set_formats(d, "int2g64", NULL, &e), ST_OK);
	cr_assert_str_eq(told, "F");
	stage(d, STAGE_MINMAX);
	cr_assert_str_eq(told, "FV");
	stage(d, STAGE_SCORE);
	cr_assert(strstr(told, "T") && strstr(told, "C"), "%s", told);
	desk_close(d);
}

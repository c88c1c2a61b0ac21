/* test_work_mix.c - channel-mixes on a desk and on the dial: estimated, chosen, measured. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/quant/bundle.h"
#include "core/work/desk_private.h"
#include "tests/lib_base.h"
#include "tests/lib_front.h"
#include "tests/lib_model.h"
#include "tests/lib_work.h"

static void setup(void)
{
	work_home();
}

TestSuite(work_mix, .init = setup, .timeout = 120);

static struct desk *mixing(const char *formats)
{
	struct desk_options o = { .formats = formats, .mix = true };
	struct desk *d;
	struct err e = { 0 };

	cr_assert_eq(desk_open(&d, work_demo(1), &o, NULL, &e), ST_OK, "%s", e.msg);
	return d;
}

struct known {
	double *damage, *se;
	const char *source;
};

static struct known known(const struct desk *d)
{
	size_t nk = d->set.n * d->set.k;
	struct known w = { xarray(nk, sizeof(double)), xarray(nk, sizeof(double)), NULL };

	cr_assert(desk_damage(d, w.damage, w.se, &w.source));
	return w;
}

static void forget(struct known *w)
{
	xfree(w->damage);
	xfree(w->se);
}

Test(work_mix, the_stages_measure_the_ends_and_mixes_lie_between_them)
{
	struct desk *d = mixing("int2g64,int4g64,keep");
	size_t k = d->set.k, wide = 0;
	struct known w;
	struct err e = { 0 };

	cr_assert_eq(k, 10);
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	w = known(d);
	cr_assert_str_eq(w.source, "scan");
	for (size_t i = 0; i < d->set.n; i++) {
		double *a = w.damage + i * k, lo = fmin(a[0], a[8]), hi = fmax(a[0], a[8]);

		for (size_t f = 1; f < 8; f++) {
			cr_assert(desk_is_mix(d, f));
			if (!d->useful[i * k + f]) {
				cr_assert(isnan(a[f]));
				continue;
			}
			wide++;
			cr_expect_neq(d->cell[i * k + f].state, CELL_SCANNED);
			cr_expect(a[f] >= lo && a[f] <= hi, "linear %zu: %g, %g, %g", i, a[0], a[f],
				a[8]);
			cr_expect_geq(d->score[i * k + f], 0);
			cr_expect_leq(d->score[i * k + f], 1);
			if (f > 1)
				cr_expect_geq(d->score[i * k + f], d->score[i * k + f - 1]);
			cr_expect(w.se[i * k + f] > 0);
		}
	}
	cr_assert_gt(wide, 0, "the demo model has linears that are wide enough");
	forget(&w);
	desk_close(d);
}

Test(work_mix, a_budget_is_kept_and_its_mixes_are_measured)
{
	struct desk *d = mixing("int2g64,int4g64");
	struct layout l = { 0 }, back = { 0 };
	const struct mat **view = xarray(d->set.n, sizeof *view);
	const char *source;
	double plain, se;
	size_t mixes = 0, k;
	uint8_t *choice;
	struct err e = { 0 };

	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_layout(d, "3.4", &l, &source, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_leq(layout_stored_bpw(&l), 3.4);
	for (size_t i = 0; i < l.n; i++) {
		const struct map_cell *c = &d->cell[i * d->set.k + l.choice[i]];

		if (!format_is_mix(l.format[l.choice[i]]))
			continue;
		cr_expect_eq(c->state, CELL_SCANNED, "linear %zu", i);
		cr_expect_str_eq(l.by[i]->name, variant_at(&d->set, i, l.choice[i])->by->name);
	}
	k = d->set.k;
	for (size_t i = 0; i < l.n * k; i++)
		mixes += desk_is_mix(d, i % k) && d->cell[i].state == CELL_SCANNED;
	cr_assert_gt(mixes, 0, "none was tried");
	cr_assert_eq(desk_layer_price(d, l.bytes, &plain, &se, &e), ST_OK, "%s", e.msg);
	cr_expect_gt(plain, 0);
	choice = xarray(l.n, 1);
	mixes = 0;
	for (size_t i = 0; i < l.n; i++) {
		choice[i] = d->useful[i * k + 1 + i % 7] ? (uint8_t)(1 + i % 7) : 0;
		mixes += choice[i] != 0;
	}
	cr_assert_gt(mixes, 0);
	layout_release(&l);
	desk_layout_of(d, choice, 0.1, 0.01, &l);
	xfree(choice);
	cr_assert_eq(layout_write(&l, tmp_path("m.json"), &e), ST_OK, "%s", e.msg);
	desk_close(d);

	/* On a dial without mixes, what the file names joins; the measured cells are known. */
	d = work_desk(work_demo(1), "int2g64,int4g64", NULL);
	cr_assert_eq(
		desk_layout(d, tmp_path("m.json"), &back, &source, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(back.bytes, l.bytes);
	cr_assert_eq(desk_layout_view(d, &back, view, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < back.n; i++)
		cr_expect_eq(view[i]->type == MAT_MIX, format_is_mix(back.format[back.choice[i]]),
			"linear %zu", i);
	cr_assert_eq(bundle_write(tmp_path("out"), d->m, &back, view, NULL, &e), ST_UNSUPPORTED);
	cr_assert(strstr(e.msg, "is a channel-mix, and the folder holds one width a linear: export "
				"a layout made with mix layer"),
		"%s", e.msg);
	layout_release(&l);
	layout_release(&back);
	xfree(view);
	desk_close(d);
}

Test(work_mix, a_mix_is_made_the_same_again)
{
	struct desk *d = work_desk(work_demo(1), "int2g64,int4g64:4+int2g64,int4g64", NULL);
	struct variant *v;
	struct err e = { 0 };
	float a[4096], b[4096];
	size_t i = 0;

	while (!d->useful[i * 3 + 1])
		i++;
	v = variant_at(&d->set, i, 1);
	cr_assert_leq(d->m->linear[i].cols, 4096);
	cr_assert_eq(desk_best_variant(d, i, 1, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert(isfinite(v->error) && v->error > 0);
	mat_row_f32(&v->mat, 1, a);
	variant_release(v);
	cr_assert_eq(desk_best_variant(d, i, 1, NULL, &e), ST_OK, "%s", e.msg);
	mat_row_f32(&v->mat, 1, b);
	cr_assert_arr_eq(a, b, d->m->linear[i].cols * sizeof *a);
	desk_close(d);
}

Test(work_mix, layer_takes_the_mixes_away_again)
{
	struct desk *d = mixing("int2g64,int4g64,keep");
	struct err e = { 0 };

	cr_assert(desk_mixes(d));
	cr_assert_eq(desk_set_dial(d, "int2g64,int4g64,keep", false, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->set.k, 3);
	cr_assert_not(desk_mixes(d));
	cr_assert_eq(desk_set_dial(d, NULL, true, NULL, &e), ST_OK);
	cr_assert_eq(d->set.k, 13);
	desk_close(d);
}

Test(work_mix, the_solver_stays_within_the_budget_with_thirteen_formats)
{
	enum { K = 13 };
	struct big *base = front_smollm2(3, false);
	uint64_t *bytes = xarray(LINEARS * K, sizeof *bytes), spent;
	double *damage = xarray(LINEARS * K, sizeof *damage), sum, first = 0, last = 0;
	uint8_t *choice = xarray(LINEARS, 1);
	struct front_input in = { .n = LINEARS, .k = K, .bytes = bytes, .damage = damage };
	struct format f[FORMAT_MAX];
	struct front_table *table;
	struct front_answer a;
	struct front *front;
	struct err e = { 0 };
	size_t k;

	cr_assert_eq(format_list(f, &k, "int2g64,int3g64,int4g128,int8g128,keep", &e), ST_OK);
	cr_assert_eq(format_add_mixes(f, k), (size_t)K);
	for (size_t i = 0; i < LINEARS; i++) {
		size_t cols = i % 7 == 6 ? 1536 : 576;
		size_t rows = i % 7 == 1 || i % 7 == 2   ? 192
			      : i % 7 == 4 || i % 7 == 5 ? 1536
							 : 576;
		double d2 = base->damage[i * FORMATS];

		for (size_t j = 0; j < K; j++) {
			bytes[i * K + j] =
				j == K - 1 ? rows * cols * 5 / 8 : format_bytes(f[j], rows, cols);
			damage[i * K + j] = j == K - 1 ? 0 : d2 * pow(0.8, (double)j);
		}
	}
	cr_assert_eq(front_new(&front, &in, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(front_exact(&table, front, NULL, &e), ST_OK, "%s", e.msg);
	for (int step = 0; step < 40; step++) {
		uint64_t most = front_most(front), least = front_least(front);
		uint64_t budget = least + (most - least) * (uint64_t)step / 39;

		cr_assert(front_answer(front, budget, choice, &a));
		front_total(&in, choice, &spent, &sum);
		cr_assert_leq(spent, budget);
		last = sum;
		cr_assert(front_table_answer(table, budget, choice, &a));
		front_total(&in, choice, &spent, &sum);
		cr_assert_leq(spent, budget);
		cr_assert_leq(sum, last + 1e-9, "the exact answer is no worse");
		first = step ? first : sum;
	}
	cr_assert_lt(sum, first);
	front_table_free(table);
	front_free(front);
	xfree(bytes);
	xfree(damage);
	xfree(choice);
	xfree(base);
}

/* The best layout at a budget, as the front has it with all that is estimated. */
static void choose(struct desk *d, double bpw, uint8_t *choice)
{
	size_t nk = d->set.n * d->set.k;
	uint64_t *bytes = xarray(nk, sizeof *bytes);
	struct known w = known(d);
	struct front_input in;
	struct front_answer a;
	struct front *f;
	struct err e = { 0 };

	desk_front_input(d, &in, bytes, w.damage, w.se);
	cr_assert_eq(front_new(&f, &in, &e), ST_OK, "%s", e.msg);
	cr_assert(front_answer(f, (uint64_t)(bpw * (double)d->m->weights / 8), choice, &a));
	front_free(f);
	forget(&w);
	xfree(bytes);
}

Test(work_mix, a_layout_is_measured_with_its_mixes_at_their_best)
{
	struct desk *d = mixing("int2g64,int4g64,keep");
	const struct mat **view = xarray(d->set.n + 1, sizeof *view);
	uint8_t *choice = xarray(d->set.n + 1, 1);
	struct eval_result r, again;
	struct err e = { 0 };
	size_t mixes = 0;

	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	choose(d, 3, choice);
	for (size_t i = 0; i < d->set.n; i++)
		mixes += desk_is_mix(d, choice[i]);
	cr_assert_gt(mixes, 0);
	cr_assert_eq(desk_measure(d, choice, 1024, "measured", &r, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < d->set.n; i++)
		if (desk_is_mix(d, choice[i]))
			cr_assert_eq(desk_best_variant(d, i, choice[i], NULL, &e), ST_OK);
	cr_assert_eq(desk_view(d, choice, view, NULL, &e), ST_OK);
	cr_assert_eq(desk_measure_view(d, view, 1024, &again, NULL, &e), ST_OK);
	cr_assert_float_eq(r.kl, again.kl, 1e-12);
	xfree(choice);
	xfree(view);
	desk_close(d);
}

static struct work_seen seen;

Test(work_mix, a_dial_with_mixes_comes_to_rest)
{
	static const double at[] = { 2.6, 4.2, 4.5, 5.5 };
	struct session_options o = { .scan_tokens = 64,
		.formats = "int2g64,int4g128,keep",
		.mix = true,
		.threads = 1,
		.auto_scan = true };
	const struct timespec pause = { 0, 850000000 };
	struct bus *bus = bus_new();
	struct session *s;
	struct err e = { 0 };

	work_watch(&seen, bus);
	s = session_new(&o, bus);
	cr_assert_eq(session_open(s, work_demo(1), &e), ST_OK, "%s", e.msg);
	cr_assert(work_settle(s, &seen));
	for (size_t b = 0; b < sizeof at / sizeof at[0]; b++) {
		int began = -1;

		cr_assert_eq(session_budget(s, at[b], &e), ST_OK);
		nanosleep(&pause, NULL);
		for (int i = 0; i < 12 && began != seen.began; i++) {
			began = seen.began;
			session_tick(s);
			cr_assert(work_settle(s, &seen));
		}
		cr_assert_eq(began, seen.began, "jobs go on at %g bpw", at[b]);
	}
	session_free(s);
	work_unwatch(&seen);
	bus_free(bus);
}

Test(work_mix, a_mix_without_its_ends_is_refused_and_the_dial_stays)
{
	struct desk *d = mixing("int2g64,int4g64,keep");
	size_t k = d->set.k;
	struct err e = { 0 };

	cr_assert_eq(desk_set_formats(d, "int4g128:3+int2g64,keep", NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "int2g64 and int4g128"), "%s", e.msg);
	cr_assert_eq(d->set.k, k);
	desk_close(d);
}

/* Is there a point of these bytes and KL? */
static bool has_point(const struct desk *d, uint64_t bytes, double kl)
{
	for (size_t i = 0; i < d->n_points; i++)
		if (d->point[i].bytes == bytes && fabs(d->point[i].kl - kl) < 1e-8)
			return true;
	return false;
}

Test(work_mix, a_layout_without_mixes_is_measured_for_both_dials)
{
	struct desk *d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);
	uint8_t *choice = xarray(d->set.n + 1, 1);
	struct eval_result plain, mixed;
	struct err e = { 0 };
	uint64_t bytes[2];
	size_t n, wide = 0;

	cr_assert_eq(desk_prepare(d, STAGE_ENDS, NULL, &e), ST_OK, "%s", e.msg);
	n = d->n_points;
	cr_assert_gt(n, 0);
	memset(choice, 1, d->set.n);
	cr_assert_eq(desk_measure(d, choice, 1024, "measured", &plain, NULL, &e), ST_OK);
	bytes[0] = desk_point_of(d, choice)->bytes;
	desk_close(d);

	d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);
	cr_assert_eq(desk_set_dial(d, "int2g64,int4g64,keep", true, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->n_points, n + 1, "%zu of %zu", d->n_points, n + 1);
	cr_expect(has_point(d, bytes[0], plain.kl));
	memset(choice, 8, d->set.n); /* int4g64, as this dial counts */
	cr_assert_not_null(desk_point_of(d, choice));
	choice[0] = 9;
	cr_assert_eq(desk_measure(d, choice, 1024, "measured", &mixed, NULL, &e), ST_OK);
	bytes[1] = desk_point_of(d, choice)->bytes;
	while (!d->useful[wide * d->set.k + 4])
		wide++;
	choice[wide] = 4; /* a mix */
	cr_assert_eq(desk_measure(d, choice, 1024, "measured", &plain, NULL, &e), ST_OK, "%s",
		e.msg);
	cr_assert_eq(d->n_points, n + 3);
	cr_assert_eq(desk_set_dial(d, "int2g64,int4g64,keep", false, NULL, &e), ST_OK);
	cr_assert_eq(d->n_points, n + 2, "all but the one with a mix");
	cr_expect(has_point(d, bytes[1], mixed.kl));
	memset(choice, 1, d->set.n);
	choice[0] = 2;
	cr_expect_not_null(desk_point_of(d, choice));
	cr_assert_eq(desk_set_dial(d, "int2g64,int4g64,keep", true, NULL, &e), ST_OK);
	cr_assert_eq(d->n_points, n + 3);
	xfree(choice);
	desk_close(d);
}

Test(work_mix, more_options_are_never_predicted_worse)
{
	static const char *const at[] = { "2.7", "3.2", "3.6", "4.1", "4.6", "5" };
	enum { AT = sizeof at / sizeof at[0] };
	struct desk *d = work_desk(work_demo(1), NULL, NULL);
	double plain[AT], kl, se;
	struct layout l = { 0 };
	const char *source;
	struct err e = { 0 };

	cr_assert_eq(desk_prepare(d, STAGE_ENDS, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < AT; i++) {
		cr_assert_eq(desk_layout(d, at[i], &l, &source, NULL, &e), ST_OK, "%s", e.msg);
		plain[i] = l.predicted_kl;
		layout_release(&l);
	}
	cr_assert_eq(desk_set_dial(d, NULL, true, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < AT; i++) {
		double bits = strtod(at[i], NULL);

		cr_assert_eq(desk_layout(d, at[i], &l, &source, NULL, &e), ST_OK, "%s", e.msg);
		cr_expect_leq(l.predicted_kl, plain[i] * (1 + 1e-6), "%s bpw: %g, without %g",
			at[i], l.predicted_kl, plain[i]);
		cr_assert_eq(desk_layer_price(d, l.bytes, &kl, &se, &e), ST_OK);
		cr_expect_geq(kl * (1 + 1e-6), l.predicted_kl, "%s bpw", at[i]);
		cr_assert_eq(desk_layer_price(d, (uint64_t)(bits * (double)d->m->weights / 8 + 1e-3),
				     &kl, &se, &e),
			ST_OK);
		cr_expect_float_eq(kl, plain[i], 1e-6 * plain[i], "%s bpw: %g and %g", at[i], kl, plain[i]);
		layout_release(&l);
	}
	desk_close(d);
}

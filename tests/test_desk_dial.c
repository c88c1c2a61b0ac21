/* test_desk_dial.c - a run that calibrated a dial, opened like a model and worn by a desk. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/desk_private.h"
#include "core/work/run_desk.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_train_run.h"
#include "tests/lib_work.h"

TestSuite(desk_dial, .init = scene_home, .timeout = 240);

static const char formats[] = "int2g32,int4g64";

/* The folder of a short run on the demo model; xfree. */
static char *calibrated_as(struct scene *s, const char *dial, uint64_t seed)
{
	struct train_ask a = scene_ask("latent");
	struct err e = { 0 };

	a.dial = dial;
	a.teach = true;
	a.steps = 4;
	a.seed = seed;
	return scene_went(s, &a, ST_OK, &e);
}

static char *calibrated(struct scene *s, uint64_t seed)
{
	return calibrated_as(s, formats, seed);
}

/* formats NULL: a run's own. */
static struct desk *opened(const char *path, const char *names)
{
	struct desk_options o = { .formats = names, .scan_tokens = 64 };
	struct desk *d = NULL;
	struct err e = { 0 };

	cr_assert_eq(desk_open(&d, path, &o, NULL, &e), ST_OK, "%s", e.msg);
	return d;
}

static void wear(struct desk *d, const char *run)
{
	struct dial_run r;
	struct err e = { 0 };

	cr_assert_eq(dial_run_find(&r, run, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_wear(d, &r, NULL, &e), ST_OK, "%s", e.msg);
	dial_run_release(&r);
}

/* The same codes and statistics, row by row. */
static void same_mat(const struct mat *a, const struct mat *b)
{
	uint8_t *x = xarray(a->cols, 1), *y = xarray(a->cols, 1);

	cr_assert_eq(a->rows, b->rows);
	cr_assert_eq(a->bits, b->bits);
	for (size_t r = 0; r < a->rows; r++) {
		mat_unpack_row(a, r, x);
		mat_unpack_row(b, r, y);
		cr_assert_arr_eq(x, y, a->cols);
	}
	cr_assert_arr_eq(
		a->scale, b->scale, mat_stat_count(a->rows, a->cols, a->group) * sizeof *a->scale);
	xfree(x);
	xfree(y);
}

Test(desk_dial, a_run_opens_like_the_model_it_was_of_and_has_its_variants)
{
	struct scene s;
	char *dir, *path;
	struct desk *d;
	struct checkpoint *ck;
	struct model *m;
	struct err e = { 0 };

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	d = opened(dir, NULL);
	cr_assert_str_eq(d->m->ck->name, s.d->m->ck->name);
	cr_assert_str_eq(d->formats, "int2g32,int4g64,keep");
	path = xprintf("%s/best/int2g32", dir);
	cr_assert_eq(checkpoint_open(&ck, path, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(model_load(&m, ck, s.d->m->be, NULL, &e), ST_OK, "%s", e.msg);
	for (size_t i = 0; i < m->n_linears; i++)
		same_mat(&variant_at(&d->set, i, scene_format(d, "int2g32"))->mat, m->ref[i]);
	model_free(m);
	desk_close(d);
	xfree(path);
	path = xprintf("%s/last", dir);
	d = opened(path, NULL);
	cr_assert(desk_worn(d, 0) && desk_worn(d, 1) && !desk_worn(d, d->keep));
	desk_close(d);
	xfree(path);
	xfree(dir);
	scene_close(&s);
}

/* How many cells were scanned, and how many of these on a variant of that name. */
static size_t scanned(const struct desk *d, const char *by, size_t *named)
{
	size_t n = 0;

	*named = 0;
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		if (d->useful[i] && i % d->set.k != d->keep && d->cell[i].state == CELL_SCANNED) {
			n++;
			*named += !strncmp(d->cell_by[i], by, strlen(by));
		}
	return n;
}

Test(desk_dial, what_was_scanned_counts_as_measured_fast_until_it_is_measured_again)
{
	struct scene s;
	struct err e = { 0 };
	size_t before, named;
	char *dir;
	struct desk *d;

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	d = opened(work_demo(1), "int2g32,int4g64,keep");
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	before = scanned(d, "dial", &named);
	cr_assert_gt(before, 0);
	cr_assert_eq(named, 0);
	wear(d, dir);
	cr_assert_eq(scanned(d, "dial", &named), 0);
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(scanned(d, "dial", &named), before);
	cr_assert_eq(named, before, "%zu of %zu cells are the run's", named, before);
	/* the former ones are known still, and both come back from the journal */
	cr_assert_eq(desk_wear(d, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(scanned(d, "dial", &named), before);
	cr_assert_eq(named, 0);
	wear(d, dir);
	cr_assert_eq(scanned(d, "dial", &named), before);
	cr_assert_eq(named, before);
	desk_close(d);
	xfree(dir);
	scene_close(&s);
}

/* How many cells are of variants before. */
static size_t stale(const struct desk *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		n += d->cell[i].stale;
	return n;
}

static const char *damage_source(const struct desk *d)
{
	size_t nk = d->set.n * d->set.k;
	double *damage = xarray(nk, sizeof *damage), *se = xarray(nk, sizeof *se);
	const char *source;

	desk_damage(d, damage, se, &source);
	xfree(damage);
	xfree(se);
	return source;
}

Test(desk_dial, what_is_known_of_the_variants_before_is_stale_until_it_is_measured_again)
{
	struct scene s;
	struct err e = { 0 };
	size_t before, named;
	char *dir;
	struct desk *d;

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	d = opened(work_demo(1), "int2g32,int4g64,keep");
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	before = scanned(d, "dial", &named);
	cr_assert_eq(stale(d), 0);
	wear(d, dir);
	cr_expect_eq(stale(d), before);
	cr_expect_str_eq(damage_source(d), "measured before");
	cr_assert_eq(desk_prepare(d, STAGE_SCORE, NULL, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(stale(d), before, "a score makes no measurement");
	cr_assert_eq(desk_prepare(d, STAGE_SCAN, NULL, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(stale(d), 0);
	cr_expect_str_eq(damage_source(d), "scan");
	desk_close(d);
	xfree(dir);
	scene_close(&s);
}

Test(desk_dial, scores_of_variants_before_are_made_anew)
{
	struct scene s;
	struct err e = { 0 };
	float score;
	char *dir;
	struct desk *d;

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	d = opened(work_demo(1), "int2g32,int4g64,keep");
	cr_assert_eq(desk_prepare(d, STAGE_SCORE, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(d->cell[0].state, CELL_SCORED);
	score = d->cell[0].value;
	wear(d, dir);
	cr_assert_eq(desk_prepare(d, STAGE_SCORE, NULL, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(d->cell[0].state, CELL_SCORED);
	cr_expect_neq(d->cell[0].value, score);
	cr_expect_eq((double)d->cell[0].value, (double)(float)d->score[0]);
	desk_close(d);
	xfree(dir);
	scene_close(&s);
}

Test(desk_dial, a_layout_measured_on_other_variants_says_nothing_of_the_runs)
{
	struct scene s;
	struct err e = { 0 };
	struct eval_result r;
	uint8_t *low;
	double before;
	char *dir;
	struct desk *d;

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	d = opened(work_demo(1), "int2g32,int4g64,keep");
	cr_assert_eq(desk_prepare(d, STAGE_GPTQ, NULL, &e), ST_OK, "%s", e.msg);
	low = xarray(d->set.n, 1);
	cr_assert_eq(desk_measure(d, low, 64, "measured", &r, NULL, &e), ST_OK, "%s", e.msg);
	before = desk_point_of(d, low)->kl;
	wear(d, dir);
	cr_assert_null(desk_point_of(d, low));
	cr_assert_eq(desk_measure(d, low, 64, "measured", &r, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_neq(desk_point_of(d, low)->kl, before);
	cr_assert_eq(desk_wear(d, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_not_null(desk_point_of(d, low));
	cr_assert_eq(desk_point_of(d, low)->kl, before);
	xfree(low);
	desk_close(d);
	xfree(dir);
	scene_close(&s);
}

Test(desk_dial, a_layout_that_names_a_quantizer_leaves_the_runs_variants)
{
	struct scene s;
	struct err e = { 0 };
	char *dir;
	struct desk *d;

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	d = opened(dir, NULL);
	cr_assert_eq(desk_variant(d, 0, 0, quantizer_find("gptq"), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert(desk_worn(d, 0));
	cr_assert_null(desk_made_by(d, 0, 0));
	cr_assert_eq(desk_wear(d, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_variant(d, 0, 0, quantizer_find("gptq"), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_str_eq(desk_made_by(d, 0, 0)->name, "gptq");
	desk_close(d);
	xfree(dir);
	scene_close(&s);
}

Test(desk_dial, a_run_in_the_place_of_another_leaves_none_of_its_variants)
{
	struct scene s;
	struct dial_run r;
	struct err e = { 0 };
	char *both, *one;
	struct desk *d;

	scene_open(&s, work_demo(1));
	both = calibrated(&s, 0);
	one = calibrated_as(&s, "int2g32", 1);
	scene_close(&s);
	d = opened(both, NULL);
	cr_assert_eq(desk_worn(d, 0), true);
	cr_assert_eq(desk_worn(d, 1), true);
	wear(d, one);
	cr_expect_eq(desk_worn(d, 0), true);
	cr_expect_eq(desk_worn(d, 1), false, "int4g64 is of the run before");
	cr_assert_eq(dial_run_find(&r, one, &e), ST_OK, "%s", e.msg);
	cr_expect(dial_run_has(&r, format_int(2, 32)) && !dial_run_has(&r, format_int(4, 64)));
	dial_run_release(&r);
	desk_close(d);
	xfree(both);
	xfree(one);
}

Test(desk_dial, two_steps_of_a_run_are_two_dials)
{
	struct scene s;
	struct dial_run one, two;
	struct err e = { 0 };
	char *dir, *other;

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	other = calibrated(&s, 1);
	cr_assert_eq(dial_run_find(&one, dir, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(dial_run_find(&two, other, &e), ST_OK, "%s", e.msg);
	cr_assert_str_neq(one.tag, two.tag);
	cr_assert(dial_run_is(dir));
	cr_assert_not(dial_run_is(work_demo(1)));
	cr_assert_not(dial_run_is("nosuch"));
	dial_run_release(&one);
	dial_run_release(&two);
	cr_assert_eq(dial_run_find(&one, "nosuch", &e), ST_INVALID);
	cr_assert_not_null(strstr(e.msg, "nosuch"));
	xfree(dir);
	xfree(other);
	scene_close(&s);
}

/* Of the model alone the same words make another layout. */
Test(desk_dial, what_is_done_on_a_run_is_done_again_on_that_run)
{
	struct scene s;
	struct err e = { 0 };
	struct run_args words;
	char *dir, *real;
	struct desk *d;

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	real = fs_real(dir);
	d = opened(strrchr(dir, '/') + 1, NULL);
	words = run_args_of(d, "search", 3.7);
	cr_expect_str_eq(words.at[1], real);
	run_args_release(&words);
	cr_assert_eq(desk_wear(d, NULL, NULL, &e), ST_OK, "%s", e.msg);
	words = run_args_of(d, "search", 3.7);
	cr_expect_str_eq(words.at[1], work_demo(1));
	run_args_release(&words);
	desk_close(d);
	xfree(real);
	xfree(dir);
	scene_close(&s);
}

struct first {
	const struct train_run *run;
	int steps;
	bool there;
};

/* Behind the first step, long before the first checkpoint that was asked for. */
static bool first_between(void *arg, struct train *t)
{
	struct first *f = arg;
	char *runs = runs_dir(), *dir = xprintf("%s/%s", runs, train_run_id(f->run));

	(void)t;
	if (!f->steps++)
		f->there = scene_has(dir, "step-000000/train.state");
	xfree(dir);
	xfree(runs);
	return false;
}

/* A resumed run opens the model alone, not what it wore. */
Test(desk_dial, what_trains_from_a_calibration_keeps_what_it_began_from)
{
	struct train_ask a = scene_ask("rank"), more;
	struct train_run *r = NULL;
	struct first f = { 0 };
	const struct train_seen seen = { .between = first_between, .arg = &f };
	const struct mat **view;
	struct layout l = { 0 };
	struct err e = { 0 };
	const char *source;
	struct scene s;
	struct desk *d;
	char *dir, *never;

	scene_open(&s, work_demo(1));
	dir = calibrated(&s, 0);
	d = opened(dir, NULL);
	view = xarray(d->set.n, sizeof *view);
	cr_assert_eq(desk_layout(d, "int2g32", &l, &source, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_layout_view(d, &l, view, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(train_run_new(&r, d, &l, view, &a, NULL, &e), ST_OK, "%s", e.msg);
	f.run = r;
	cr_assert_eq(train_run_go(r, &seen, NULL, &e), ST_OK, "%s", e.msg);
	cr_expect(f.there);
	never = xprintf("%s/never", tmp_dir());
	cr_assert_eq(fs_mkdirs(never, NULL), ST_OK);
	xfree(dir);
	dir = xstrdup(train_run_folder(r));
	*strrchr(dir, '/') = '\0';
	scene_copy(dir, never, "run.json");
	scene_copy(dir, never, "layout.json");
	xfree(dir);
	train_run_free(r);
	more = scene_again(never);
	cr_expect_eq(train_run_new(&r, d, &l, view, &more, NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "began from what another calibration made"), "%s", e.msg);
	xfree(never);
	xfree(view);
	layout_release(&l);
	desk_close(d);
	scene_close(&s);
}

/* test_train_forms.c - training in which a linear has several forms, float masters, and a teacher
 * (core/tune/train_forms.c, teacher.c): what calibration is made of. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/sha256.h"
#include "core/tune/teacher.h"
#include "tests/lib_base.h"
#include "tests/lib_train.h"

/* A reference of which nothing is kept. */
static struct train_ref once;

enum { FORMS = 2, LOW = 0, HIGH = 1 };

/* The demo model in two formats. */
struct both {
	struct taught low, high;
	const struct mat **view; /* [FORMS][n_linears] */
	struct teacher *teacher;
	struct train_from from;
};

/* Low, high, and by chance, in turn. */
static void draw(void *arg, uint64_t step, uint8_t *form)
{
	const struct both *b = arg;
	struct rng r;

	rng_seed(&r, step);
	for (size_t i = 0; i < b->low.m->n_linears; i++)
		form[i] = step % 3 == 1 ? LOW : step % 3 == 2 ? HIGH : (uint8_t)(rng_u64(&r) >> 63);
}

static void both_open(struct both *b, bool taught)
{
	struct err e = { 0 };
	size_t n;

	*b = (struct both){ .low = taught_open("cpu", "int2g32", 24, 64, 0.2),
		.high = taught_open("cpu", "int4g64", 24, 64, 0.2) };
	n = b->low.m->n_linears;
	b->view = xarray(FORMS * n, sizeof *b->view);
	memcpy(b->view, b->low.view, n * sizeof *b->view);
	memcpy(b->view + n, b->high.view, n * sizeof *b->view);
	if (taught)
		cr_assert_eq(teacher_live(&b->teacher, b->low.m, 128, &e), ST_OK, "%s", e.msg);
	b->from = (struct train_from){
		.view = b->view, .forms = FORMS, .draw = draw, .arg = b, .teacher = b->teacher
	};
}

static void both_close(struct both *b)
{
	teacher_free(b->teacher);
	xfree(b->view);
	taught_close(&b->low);
	taught_close(&b->high);
}

static struct train_how how_of(const char *method)
{
	struct train_how how = taught_how(method);

	how.lr_gain = 0;
	return how;
}

static struct train *new_of(const struct both *b, const struct train_how *how)
{
	struct train *t = NULL;
	struct err e = { 0 };

	cr_assert_eq(train_new(&t, b->low.m, &b->from, how, b->low.pack, NULL, &e), ST_OK, "%s: %s",
		how->method->name, e.msg);
	return t;
}

/* Of the codes, scales and offsets of one form. */
static void sum_of(struct train *t, const struct both *b, size_t form, char sum[65])
{
	size_t n = b->low.m->n_linears;
	uint8_t *of = xarray(n, 1);
	const struct mat *const *view;
	struct sha256 s;

	memset(of, (int)form, n);
	view = train_take_forms(t, of);
	sha256_start(&s);
	for (size_t i = 0; i < n; i++) {
		const struct mat *w = view[i];
		size_t stats;

		if (w->type != MAT_INT)
			continue;
		stats = mat_stat_count(w->rows, w->cols, w->group) * sizeof *w->scale;
		sha256_add(&s, w->data, mat_code_bytes(w->bits, w->rows, w->cols));
		sha256_add(&s, w->scale, stats);
		sha256_add(&s, w->offset, stats);
	}
	sha256_hex(&s, sum);
	xfree(of);
}

static const char *const methods[] = { "stats", "rank", "flips", "latent" };
enum { METHODS = sizeof methods / sizeof *methods };

Test(train_forms, a_step_trains_the_form_it_runs_in_and_leaves_the_other, .timeout = 60)
{
	struct both b;

	both_open(&b, true);
	for (size_t i = 0; i < METHODS; i++) {
		struct train_how how = how_of(methods[i]);
		struct train *t = new_of(&b, &how);
		char before[FORMS][65], after[FORMS][65];
		bool masters = !strcmp(methods[i], "latent");

		sum_of(t, &b, LOW, before[LOW]);
		sum_of(t, &b, HIGH, before[HIGH]);
		(void)taught_steps(t, 1, NULL); /* all low */
		sum_of(t, &b, LOW, after[LOW]);
		sum_of(t, &b, HIGH, after[HIGH]);
		cr_expect_str_neq(after[LOW], before[LOW], "%s", methods[i]);
		/* a master is that of both */
		cr_expect((strcmp(after[HIGH], before[HIGH]) != 0) == masters, "%s", methods[i]);
		memcpy(before, after, sizeof before);
		(void)taught_steps(t, 1, NULL); /* all high */
		sum_of(t, &b, LOW, after[LOW]);
		sum_of(t, &b, HIGH, after[HIGH]);
		cr_expect_str_neq(after[HIGH], before[HIGH], "%s", methods[i]);
		cr_expect(masters || !strcmp(after[LOW], before[LOW]), "%s", methods[i]);
		train_free(t);
	}
	both_close(&b);
}

/* KL of one form on what is held out. */
static double kl_of(struct train *t, const struct both *b, size_t form)
{
	size_t n = b->low.m->n_linears;
	uint8_t *of = xarray(n, 1);
	struct train_eval v;
	struct err e = { 0 };
	double kl;

	memset(of, (int)form, n);
	cr_assert_eq(train_eval(&v, b->low.m, NULL, train_take_forms(t, of), b->low.pack, 0, &once,
			     MATH_F32, NULL, &e),
		ST_OK, "%s", e.msg);
	kl = v.kl;
	train_eval_release(&v);
	xfree(of);
	return kl;
}

/* The gradient of log KL is that of KL over KL: each layout has the same say. */
Test(train_forms, of_several_forms_the_logarithm_of_kl_descends)
{
	struct train_how how = how_of("flips");
	struct train_report two, one;
	struct train *t;
	struct err e = { 0 };
	struct both b;

	both_open(&b, true);
	t = new_of(&b, &how);
	cr_assert_eq(train_step(t, &two, NULL, &e), ST_OK, "%s", e.msg);
	train_free(t);
	b.from.forms = 1; /* the first step is of the smaller one */
	b.from.draw = NULL;
	t = new_of(&b, &how);
	cr_assert_eq(train_step(t, &one, NULL, &e), ST_OK, "%s", e.msg);
	train_free(t);
	cr_expect_float_eq(two.loss, one.loss, 1e-9);
	cr_expect_float_eq(two.grad_norm, one.grad_norm / one.loss, 1e-4 * two.grad_norm, "%g, %g, %g",
		two.grad_norm, one.grad_norm, one.loss);
	both_close(&b);
}

Test(train_forms, both_ends_come_nearer_to_their_teacher_by_every_method, .timeout = 120)
{
	struct both b;

	both_open(&b, true);
	for (size_t i = 0; i < METHODS; i++) {
		struct train_how how = how_of(methods[i]);
		struct train *t;
		double low, high;

		train_how_steps(&how, 45);
		/* the demo speaks its own language already */
		how.tune.lr = how.method->lr;
		t = new_of(&b, &how);
		low = kl_of(t, &b, LOW);
		high = kl_of(t, &b, HIGH);
		(void)taught_steps(t, 45, NULL);
		cr_expect_lt(kl_of(t, &b, LOW), 0.9 * low, "%s: int2 %g, before %g", methods[i],
			kl_of(t, &b, LOW), low);
		cr_expect_lt(kl_of(t, &b, HIGH), high, "%s: int4 %g, before %g", methods[i],
			kl_of(t, &b, HIGH), high);
		train_free(t);
	}
	both_close(&b);
}

Test(train_forms, a_run_that_is_resumed_ends_with_the_same_bits, .timeout = 60)
{
	struct both b;
	struct err e = { 0 };

	both_open(&b, true);
	for (size_t i = 0; i < METHODS; i++) {
		struct train_how how = how_of(methods[i]);
		struct train *whole = new_of(&b, &how), *first = new_of(&b, &how), *second;
		char sum[2][65];

		(void)taught_steps(whole, 7, NULL);
		(void)taught_steps(first, 4, NULL);
		cr_assert_eq(train_save(first, tmp_path("."), &e), ST_OK, "%s", e.msg);
		train_free(first);
		second = new_of(&b, &how);
		cr_assert_eq(train_load(second, tmp_path("."), &e), ST_OK, "%s", e.msg);
		(void)taught_steps(second, 3, NULL);
		for (size_t f = 0; f < FORMS; f++) {
			sum_of(whole, &b, f, sum[0]);
			sum_of(second, &b, f, sum[1]);
			cr_expect_str_eq(sum[0], sum[1], "%s, form %zu", methods[i], f);
		}
		taught_sum(whole, sum[0]);
		taught_sum(second, sum[1]);
		cr_expect_str_eq(sum[0], sum[1], "%s", methods[i]);
		train_free(whole);
		train_free(second);
	}
	both_close(&b);
}

/* A stop, a save and a look at each budget take forms between steps, at moments that no two runs
 * share. */
Test(train_forms, what_is_looked_at_on_the_way_leaves_no_trace_in_the_state, .timeout = 60)
{
	struct both b;

	both_open(&b, true);
	for (size_t i = 0; i < METHODS; i++) {
		struct train_how how = how_of(methods[i]);
		struct train *quiet = new_of(&b, &how), *looked = new_of(&b, &how);
		char sum[2][65];

		for (size_t step = 0; step < 6; step++) {
			struct tune_counts of[2] = { 0 };

			(void)taught_steps(quiet, 1, &of[0]);
			(void)taught_steps(looked, 1, &of[1]);
			for (size_t f = 0; f < FORMS; f++)
				sum_of(looked, &b, f, sum[0]);
			cr_expect_arr_eq(of[0].flips, of[1].flips, sizeof of[0].flips,
				"%s, step %zu", methods[i], step + 1);
		}
		for (size_t f = 0; f < FORMS; f++)
			sum_of(quiet, &b, f, sum[0]);
		taught_sum(quiet, sum[0]);
		taught_sum(looked, sum[1]);
		cr_expect_str_eq(sum[0], sum[1], "%s", methods[i]);
		train_free(quiet);
		train_free(looked);
	}
	both_close(&b);
}

/* What a step's own forms have is some of it. */
Test(train_forms, codes_that_ever_changed_are_those_of_all_forms_whichever_a_step_ran_in)
{
	struct both b;

	both_open(&b, true);
	for (size_t i = 0; i < METHODS; i++) {
		struct train_how how = how_of(methods[i]);
		struct train *t = new_of(&b, &how);
		struct train_report r;
		uint64_t codes = 0, last = 0;
		struct err e = { 0 };

		for (size_t f = 0; f < FORMS; f++)
			for (size_t k = 0; k < b.low.m->n_linears; k++) {
				const struct mat *w = b.view[f * b.low.m->n_linears + k];

				codes += w->type == MAT_INT ? w->rows * w->cols : 0;
			}
		for (size_t step = 0; step < 6; step++) { /* all low, all high, some of each */
			cr_assert_eq(train_step(t, &r, NULL, &e), ST_OK, "%s", e.msg);
			cr_expect_eq(r.codes, codes, "%s, step %zu", methods[i], step + 1);
			cr_expect_geq(r.changed, last, "%s, step %zu", methods[i], step + 1);
			cr_expect(r.changed > r.counts.changed || !i || !step, "%s, step %zu",
				methods[i], step + 1);
			last = r.changed;
		}
		cr_expect((last > 0) == (i > 0), "%s: stats moves no code", methods[i]);
		train_free(t);
	}
	both_close(&b);
}

Test(train_forms, a_checkpoint_under_a_teacher_is_none_of_a_run_by_labels)
{
	struct train_how how = how_of("stats");
	struct both b;
	struct train *t;
	struct err e = { 0 };

	both_open(&b, true);
	t = new_of(&b, &how);
	cr_assert_eq(train_save(t, tmp_path("."), &e), ST_OK, "%s", e.msg);
	train_free(t);
	b.from.teacher = NULL;
	t = new_of(&b, &how);
	cr_expect_eq(train_load(t, tmp_path("."), &e), ST_INVALID);
	cr_expect(strstr(e.msg, "teacher"), "%s", e.msg);
	train_free(t);
	both_close(&b);
}

/* Stored codes that are not the nearest were chosen, by gptq say: a master begins from them. */
Test(train_forms, the_largest_form_of_a_dial_begins_as_it_was_stored)
{
	struct train_how how = how_of("latent");
	struct both b;
	struct train *t;
	uint8_t high[256];
	size_t n, moved = 0;

	both_open(&b, true);
	n = b.low.m->n_linears;
	cr_assert_leq(n, sizeof high);
	memset(high, HIGH, sizeof high);
	for (size_t i = 0; i < n; i++) {
		const struct mat *w = b.high.view[i];

		if (w->type != MAT_INT)
			continue;
		((uint32_t *)w->data)[0] ^= 0x11111111u; /* the lowest bit of eight codes */
		moved++;
	}
	cr_assert_gt(moved, 0);
	t = new_of(&b, &how);
	for (size_t i = 0; i < n; i++) {
		const struct mat *was = b.high.view[i], *now = train_take_forms(t, high)[i];

		if (was->type != MAT_INT)
			continue;
		cr_expect_neq(was->data, now->data);
		cr_expect_eq(memcmp(was->data, now->data, mat_code_bytes(4, was->rows, was->cols)),
			0, "linear %zu", i);
	}
	train_free(t);
	both_close(&b);
}

Test(train_forms, a_master_of_a_mix_is_refused_with_its_name)
{
	struct taught t = taught_open("cpu", "int4g64:3+int2g64", 8, 64, 0);
	const struct train_from from = { .view = t.view, .forms = 1 };
	struct train_how how = how_of("latent");
	struct train *run = NULL;
	struct err e = { 0 };

	cr_expect_eq(train_new(&run, t.m, &from, &how, t.pack, NULL, &e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "layers.") && strstr(e.msg, "mix"), "%s", e.msg);
	taught_close(&t);
}

Test(train_forms, a_copy_keeps_the_forms_it_was_made_with)
{
	struct train_how how = how_of("latent");
	struct train_copy *c = NULL;
	struct both b;
	struct train *t;
	struct err e = { 0 };
	uint8_t high[256];

	both_open(&b, true);
	t = new_of(&b, &how);
	memset(high, HIGH, sizeof high);
	cr_assert_leq(b.low.m->n_linears, sizeof high);
	(void)train_take_forms(t, high);
	cr_assert_eq(train_copy_new(&c, t, &e), ST_OK, "%s", e.msg);
	(void)taught_steps(t, 4, NULL);
	train_copy_take(c, t);
	for (size_t i = 0; i < b.low.m->n_linears; i++) {
		const struct mat *w = train_copy_view(c)[i], *now = train_take_forms(t, high)[i];

		if (w->type != MAT_INT)
			continue;
		cr_expect_eq(w->bits, 4);
		cr_expect_eq(memcmp(w->data, now->data, mat_code_bytes(4, w->rows, w->cols)), 0);
	}
	train_copy_free(c);
	train_free(t);
	both_close(&b);
}

/* test_train_run.c - a training run's folder: what is in it, that it goes on, and what is refused.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/figure.h"
#include "tests/lib_base.h"
#include "tests/lib_train_run.h"
#include "tests/lib_work.h"

TestSuite(train_run, .init = scene_home, .timeout = 240);

/* ---- what there is */

Test(train_run, a_run_leaves_its_folder_its_curves_and_its_numbers)
{
	static const char *const numbers[] = { "loss", "held_nll", "held_kl", "test_nll", "steps",
		"tokens", "seconds_a_step", "peak_bytes", "changed", "stored_bpw", "best_step" };
	struct scene s;
	struct train_ask a = scene_ask("rank");
	struct err e = { 0 };
	struct figure *f = NULL;
	const char *word;
	char *dir;

	a.test = scene_rows("test.jsonl", 9);
	scene_open(&s, work_demo(1));
	dir = scene_went(&s, &a, ST_OK, &e);
	scene_steps_once(dir, "metrics/train.tsv", 1, 12);
	scene_steps_once(dir, "metrics/loss.tsv", 1, 12);
	scene_steps_once(dir, "test.tsv", 0, 8);
	cr_expect(scene_has(dir, "step-000012/model.safetensors"));
	cr_expect(scene_has(dir, "step-000012/train.state"));
	cr_expect(scene_has(dir, "last/train.json") && scene_has(dir, "best/layout.json"));
	cr_expect(!scene_has(dir, "step-000005") || scene_number(dir, "best_step") == 5);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		cr_expect(isfinite(scene_number(dir, numbers[i])), "%s", numbers[i]);
	cr_expect_eq(scene_number(dir, "steps"), 12);
	word = strrchr(dir, '/') + 1;
	cr_assert_eq(figure_runs(&f, &word, 1, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(f->plot.n, 1);
	cr_expect_eq(f->plot.series[0].n, 12);
	figure_free(f);
	cr_assert_eq(figure_runs(&f, &word, 1, "held", NULL, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(f->plot.series[0].x[0], 0);
	figure_free(f);
	xfree(dir);
	scene_close(&s);
}

/* ---- going on */

/* By each kind of method, stopped at a step that is no checkpoint's by itself. */
static void resumed_equals_unbroken(const char *method)
{
	struct scene s;
	struct train_ask a = scene_ask(method), more;
	struct err e = { 0 };
	char *whole, *parts;

	scene_open(&s, work_demo(1));
	whole = scene_went(&s, &a, ST_OK, &e);
	parts = scene_stopped(&s, &a, 7);
	scene_steps_once(parts, "metrics/train.tsv", 1, 7);
	more = scene_again(parts);
	xfree(scene_went(&s, &more, ST_OK, &e));
	scene_same_file(whole, parts, "last/train.state");
	if (strcmp(method, "lora") != 0)
		scene_same_file(whole, parts, "last/model.safetensors");
	else
		scene_same_file(whole, parts, "last/adapter_model.safetensors");
	scene_steps_once(parts, "metrics/train.tsv", 1, 12);
	scene_steps_once(parts, "metrics/loss.tsv", 1, 12);
	cr_expect_eq(scene_number(whole, "held_nll"), scene_number(parts, "held_nll"));
	cr_expect_eq(scene_number(whole, "loss"), scene_number(parts, "loss"));
	cr_expect_eq(scene_number(whole, "tokens"), scene_number(parts, "tokens"));
	cr_expect_eq(scene_number(whole, "best_step"), scene_number(parts, "best_step"));
	xfree(whole);
	xfree(parts);
	scene_close(&s);
}

Test(train_run, a_run_that_was_stopped_goes_on_to_the_same_bits)
{
	resumed_equals_unbroken("rank");
}

Test(train_run, so_does_one_of_floats)
{
	resumed_equals_unbroken("fp");
}

Test(train_run, so_does_one_of_adapters)
{
	resumed_equals_unbroken("lora");
}

Test(train_run, a_run_that_ended_goes_on_when_more_steps_are_asked_for)
{
	struct scene s;
	struct train_ask a = scene_ask("rank"), more;
	struct train_run *r = NULL;
	struct err e = { 0 };
	char *dir;

	scene_open(&s, work_demo(1));
	dir = scene_went(&s, &a, ST_OK, &e);
	more = scene_again(dir);
	cr_expect_eq(train_run_new(&r, s.d, &s.l, s.view, &more, NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "12 steps are done"), "%s", e.msg);
	more.steps = 5;
	cr_expect_eq(train_run_new(&r, s.d, &s.l, s.view, &more, NULL, &e), ST_INVALID);
	more.steps = 20;
	xfree(scene_went(&s, &more, ST_OK, &e));
	scene_steps_once(dir, "metrics/train.tsv", 1, 20);
	cr_expect_eq(scene_number(dir, "steps"), 20);
	/* and what it is to end at is known when it is stopped on the way */
	more.steps = 0;
	cr_expect_eq(train_run_new(&r, s.d, &s.l, s.view, &more, NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "20 steps are done"), "%s", e.msg);
	xfree(dir);
	scene_close(&s);
}

static void stop_last(void *arg, uint64_t step, const char *dir)
{
	struct stopper *s = arg;

	(void)dir;
	s->now = step == 12;
}

Test(train_run, a_run_that_was_stopped_behind_its_last_step_is_measured_when_it_goes_on)
{
	struct scene s;
	struct train_ask a = scene_ask("rank"), more;
	struct train_run *r = NULL;
	struct stopper stop;
	struct err e = { 0 };
	char *dir, *runs = runs_dir();

	scene_open(&s, work_demo(1));
	stopper_init(&stop, 100);
	stop.seen.saved = stop_last;
	a.test = scene_rows("test.jsonl", 9);
	cr_assert_eq(train_run_new(&r, s.d, &s.l, s.view, &a, &stop.sink, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(train_run_go(r, &stop.seen, &stop.sink, &e), ST_CANCELLED, "%s", e.msg);
	dir = xprintf("%s/%s", runs, train_run_id(r));
	train_run_free(r);
	cr_expect(!scene_has(dir, "test.tsv"));
	more = scene_again(dir);
	xfree(scene_went(&s, &more, ST_OK, &e));
	scene_steps_once(dir, "test.tsv", 0, 8);
	scene_steps_once(dir, "metrics/train.tsv", 1, 12);
	cr_expect(
		isfinite(scene_number(dir, "test_nll")) && isfinite(scene_number(dir, "held_nll")));
	xfree(dir);
	xfree(runs);
	scene_close(&s);
}

/* ---- what is refused */

static void refused(struct scene *s, const struct train_ask *a, enum st st, const char *words)
{
	struct train_run *r = NULL;
	struct err e = { 0 };

	cr_expect_eq(
		train_run_new(&r, s->d, &s->l, s->view, a, NULL, &e), st, "%s: %s", words, e.msg);
	cr_expect(strstr(e.msg, words), "%s: %s", words, e.msg);
	cr_expect_null(r);
}

static size_t runs_there(void)
{
	char *dir = runs_dir(), **name = NULL;
	size_t n = 0;

	if (fs_is_dir(dir))
		cr_assert_eq(fs_list(dir, &name, &n, NULL), ST_OK);
	for (size_t i = 0; i < n; i++)
		xfree(name[i]);
	xfree(name);
	xfree(dir);
	return n;
}

Test(train_run, what_is_wrong_with_the_ask_is_one_sentence_and_no_folder)
{
	static const char long_row[] = "{\"prompt\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", "
				       "\"completion\": \"b\"}\n";
	struct scene s;
	struct train_ask a = scene_ask("rank");

	scene_open(&s, work_demo(1));
	a.data = NULL;
	refused(&s, &a, ST_INVALID, "no data");
	a.data = tmp_path("nothing.jsonl");
	refused(&s, &a, ST_IO, "nothing.jsonl");
	tmp_write(tmp_path("empty.jsonl"), "", 0);
	a.data = tmp_path("empty.jsonl");
	refused(&s, &a, ST_FORMAT, "empty");
	tmp_write(tmp_path("odd.jsonl"), "{\"question\": 1}\n", 16);
	a.data = tmp_path("odd.jsonl");
	refused(&s, &a, ST_FORMAT, "odd.jsonl");
	tmp_write(tmp_path("long.jsonl"), long_row, sizeof long_row - 1);
	a.data = tmp_path("long.jsonl");
	a.window = 16;
	refused(&s, &a, ST_INVALID, "behind the window");
	a = scene_ask("rank");
	a.window = 1 << 20;
	refused(&s, &a, ST_INVALID, "longer than the model's context");
	a = scene_ask("rank");
	a.windows = 1 << 24;
	refused(&s, &a, ST_NOMEM, "are free: fewer or shorter windows");
	a = scene_ask("fp");
	a.dial = "int2g64,int4g64";
	refused(&s, &a, ST_INVALID, "fp trains none, take flips");
	a = scene_ask("best");
	refused(&s, &a, ST_INVALID, "best is no method");
	a = scene_ask("rank");
	a.held = 1;
	refused(&s, &a, ST_INVALID, "held out");
	a = scene_ask("rank");
	a.test = tmp_path("no-test.jsonl");
	refused(&s, &a, ST_IO, "no-test.jsonl");
	cr_expect_eq(runs_there(), 0);
	scene_close(&s);
}

/* The cpu's gemm, which makes gradients; what it gives for a linear of so many inputs is no number.
 */
static size_t broken_cols;

static void broken_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math)
{
	backend_find("cpu")->gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, math);
	if (ta && n == broken_cols)
		c[0] = NAN;
}

Test(train_run, a_matrix_whose_gradient_is_no_number_is_counted_and_said_once)
{
	struct train_ask a = scene_ask("rank");
	const struct backend *was;
	struct backend be;
	struct scene s;
	struct err e = { 0 };
	size_t n;
	char *dir, *text, *at;

	scene_open(&s, work_demo(1));
	was = s.d->m->be;
	be = *was;
	be.gemm = broken_gemm;
	s.d->m->be = &be;
	broken_cols = s.d->m->hp.inter; /* of all down */
	a.steps = 3;
	dir = scene_went(&s, &a, ST_OK, &e);
	at = strstr(scene_warned, "step 1: the gradient of layers.");
	cr_assert(at && strstr(at, ".down is no number"), "%s", scene_warned);
	cr_expect_null(strstr(at + 20, "the gradient of"), "once: %s", scene_warned);
	text = scene_file(dir, "metrics/train.tsv", &n);
	cr_expect(strstr(text, "\tbytes\tfrozen\n"), "%s", text);
	cr_expect(n > 3 && text[n - 2] != '0' && text[n - 3] == '\t', "%s", text);
	big_free(text);
	text = scene_file(dir, "events.ndjson", &n);
	cr_expect(strstr(text, "\"frozen\""), "%s", text);
	big_free(text);
	s.d->m->be = was;
	xfree(dir);
	scene_close(&s);
}

Test(train_run, one_row_is_trained_on_and_cut_rows_are_counted)
{
	struct scene s;
	struct train_ask a = scene_ask("rank");
	struct err e = { 0 };
	char *dir;

	scene_open(&s, work_demo(1));
	a.data = scene_rows("one.jsonl", 1);
	a.steps = 2;
	dir = scene_went(&s, &a, ST_OK, &e);
	cr_expect(strstr(scene_warned, "one row"), "%s", scene_warned);
	cr_expect(!scene_has(dir, "metrics/held.tsv") && !scene_has(dir, "best"));
	xfree(dir);
	scene_warned[0] = '\0';
	a = scene_ask("rank");
	a.steps = 1;
	a.window = 40;
	xfree(scene_went(&s, &a, ST_OK, &e));
	cr_expect(strstr(scene_warned, "longer than the window of 40 tokens"), "%s", scene_warned);
	scene_close(&s);
}

Test(train_run, a_resume_refuses_other_data_another_model_and_another_layout)
{
	struct scene s, other;
	struct train_ask a = scene_ask("rank"), more;
	char *dir, *never;

	scene_open(&s, work_demo(1));
	dir = scene_stopped(&s, &a, 3);
	more = scene_again(dir);
	scene_rows("data.jsonl", 41);
	refused(&s, &more, ST_INVALID, "data.jsonl has changed since this run began");
	scene_rows("data.jsonl", 40);
	scene_open(&other, work_demo(2));
	refused(&other, &more, ST_INVALID, "the weights of demo have changed");
	scene_close(&other);
	s.l.choice[0] = (uint8_t)scene_format(s.d, "int2g64");
	refused(&s, &more, ST_INVALID, "another layout");
	s.l.choice[0] = (uint8_t)scene_format(s.d, "int4g64");
	more.resume = tmp_dir();
	refused(&s, &more, ST_IO, "run.json");
	never = xprintf("%s/never", tmp_dir());
	cr_assert_eq(fs_mkdirs(never, NULL), ST_OK);
	scene_copy(dir, never, "run.json");
	more.resume = never;
	refused(&s, &more, ST_INVALID, "cut short before its first step");
	more.resume = "train-ffff";
	refused(&s, &more, ST_INVALID, "train-ffff");
	/* by its id, too */
	more.resume = strrchr(dir, '/') + 1;
	{
		struct err e = { 0 };

		xfree(scene_went(&s, &more, ST_OK, &e));
	}
	xfree(never);
	xfree(dir);
	scene_close(&s);
}

/* A number of seconds that no line of a curve has room for. */
static void very_long(char *text, size_t n)
{
	char *at = strstr(text, "\"wall\": ");

	cr_assert(at && at + 13 < text + n);
	memcpy(at + 8, "1e300", 5);
	for (char *c = at + 13; *c != ',' && *c != '\n'; c++)
		*c = ' ';
}

static void one_bit(char *text, size_t n)
{
	text[n / 2] ^= 1;
}

/* A finished run whose last checkpoint is damaged is a finished run. */
Test(train_run, a_resume_that_fails_leaves_what_the_run_ended_with)
{
	static const struct {
		const char *file, *says;
		void (*damage)(char *text, size_t n);
	} t[] = { { "last/train.json", "wall", very_long },
		{ "last/train.state", "damaged", one_bit } };
	struct scene s;
	struct train_ask a = scene_ask("rank"), more;
	struct err e = { 0 };

	scene_open(&s, work_demo(1));
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		size_t n, m;
		char *dir = scene_went(&s, &a, ST_OK, &e), *was = scene_file(dir, "end.json", &n),
		     *now;
		char *path = xprintf("%s/%s", dir, t[i].file),
		     *text = scene_file(dir, t[i].file, &m);

		t[i].damage(text, m);
		tmp_write(path, text, m);
		more = scene_again(dir);
		more.steps = 20;
		refused(&s, &more, ST_FORMAT, t[i].says);
		now = scene_file(dir, "end.json", &m);
		cr_expect(n == m && !memcmp(was, now, n), "%s", now);
		big_free(was);
		big_free(now);
		big_free(text);
		xfree(path);
		xfree(dir);
	}
	scene_close(&s);
}

Test(train_run, a_run_that_runs_is_not_gone_on_with)
{
	struct scene s;
	struct train_ask a = scene_ask("rank"), more;
	struct train_run *r = NULL;
	struct err e = { 0 };
	char *id;

	scene_open(&s, work_demo(1));
	cr_assert_eq(train_run_new(&r, s.d, &s.l, s.view, &a, NULL, &e), ST_OK, "%s", e.msg);
	id = xstrdup(train_run_id(r));
	more = scene_again(id);
	refused(&s, &more, ST_INVALID, "still runs");
	train_run_free(r);
	/* it did nothing: it begins where it began */
	xfree(scene_went(&s, &more, ST_OK, &e));
	xfree(id);
	scene_close(&s);
}

/* test_train_state.c - a run that is saved and resumed, copies, and what is held out. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/eval/eval.h"
#include "core/tune/train_private.h"
#include "kernels/pool.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_train.h"

/* A reference of which nothing is kept. */
static struct train_ref once;

/* ---- resume */

Test(train_state, a_resumed_run_goes_on_bit_for_bit, .timeout = 60)
{
	static const char *const methods[] = { "rank", "flips", "galore", "sr", "stats", "diodemix",
		"lora", "fp", "fp8", "galore-fp" };
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0.1);
	char whole[65], half[65], resumed[65];
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		struct train_how how = taught_how(methods[i]);
		struct train *run = taught_new(&t, &how);
		double last, again;

		last = taught_steps(run, 6, NULL);
		taught_sum(run, whole);
		train_free(run);
		run = taught_new(&t, &how);
		taught_steps(run, 3, NULL);
		taught_sum(run, half);
		train_free(run);
		pool_start(2);
		run = taught_new(&t, &how);
		cr_assert_eq(train_load(run, tmp_dir(), &e), ST_OK, "%s: %s", methods[i], e.msg);
		cr_expect_eq(train_steps_done(run), 3);
		taught_sum(run, resumed);
		cr_expect_str_eq(resumed, half, "%s: what is read is what was written", methods[i]);
		again = taught_steps(run, 3, NULL);
		cr_expect(again == last, "%s: %.17g, %.17g", methods[i], again, last);
		taught_sum(run, resumed);
		cr_expect_str_eq(resumed, whole, "%s", methods[i]);
		pool_start(1);
		train_free(run);
	}
	taught_close(&t);
}

static void refuse(const struct taught *t, const struct train_how *how, const char *says)
{
	struct train *run = taught_new(t, how);
	char before[65], after[65];
	struct err e = { 0 };
	size_t n;
	char *all;

	cr_assert_eq(fs_read(tmp_path("train.state"), SIZE_MAX / 4, &all, &n, &e), ST_OK);
	taught_sum(run, before);
	tmp_write(tmp_path("train.state"), all, n);
	cr_expect_eq(train_load(run, tmp_dir(), &e), ST_INVALID);
	cr_expect(strstr(e.msg, says), "%s", e.msg);
	taught_sum(run, after);
	cr_expect_str_eq(after, before, "left as it was");
	tmp_write(tmp_path("train.state"), all, n);
	big_free(all);
	train_free(run);
}

Test(train_state, a_state_of_another_run_is_refused_by_what_differs)
{
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0.1),
		      two = taught_open("cpu", "int2g32", 40, 64, 0.1),
		      data = taught_open("cpu", "int4g64", 41, 64, 0.1);
	struct train_how how = taught_how("rank"), other;
	struct train *run = taught_new(&t, &how);
	char sum[65];

	taught_steps(run, 2, NULL);
	taught_sum(run, sum);
	train_free(run);
	other = how;
	other.tune.steps = 9;
	refuse(&t, &other, "\"steps 8\" there, \"steps 9\" here");
	other = taught_how("flips");
	refuse(&t, &other, "\"method rank\" there, \"method flips\" here");
	other = how;
	other.tune.seed = 4;
	refuse(&t, &other, "\"seed 3\" there, \"seed 4\" here");
	refuse(&data, &how, "\"data ");
	refuse(&two, &how, "is of another model or layout");
	taught_close(&t);
	taught_close(&two);
	taught_close(&data);
}

/* As a version wrote it that did not say what adapters are beside. */
static void forget_base(void)
{
	enum { SUM = 64, TEXT_LENGTH = 8 }; /* where struct head has it */
	struct sha256 sum;
	struct err e = { 0 };
	char *all, *line, hex[65];
	uint64_t text;
	size_t n, cut;

	cr_assert_eq(fs_read(tmp_path("train.state"), SIZE_MAX / 4, &all, &n, &e), ST_OK);
	line = memmem(all, n, "\nbase ", 6);
	cr_assert_not_null(line);
	line++;
	cut = (size_t)((char *)memchr(line, '\n', 80) + 1 - line);
	memmove(line, line + cut, (size_t)(all + n - line) - cut);
	n -= cut;
	memcpy(&text, all + TEXT_LENGTH, sizeof text);
	text -= cut;
	memcpy(all + TEXT_LENGTH, &text, sizeof text);
	sha256_start(&sum);
	sha256_add(&sum, all, n - SUM);
	sha256_hex(&sum, hex);
	memcpy(all + n - SUM, hex, SUM);
	tmp_write(tmp_path("train.state"), all, n);
	big_free(all);
}

Test(train_state, adapters_that_do_not_say_what_they_are_beside_go_on)
{
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0.1);
	struct train_how how = taught_how("lora");
	struct train *run = taught_new(&t, &how);
	char half[65], resumed[65];
	struct err e = { 0 };

	taught_steps(run, 2, NULL);
	taught_sum(run, half);
	train_free(run);
	forget_base();
	run = taught_new(&t, &how);
	cr_assert_eq(train_load(run, tmp_dir(), &e), ST_OK, "%s", e.msg);
	taught_sum(run, resumed);
	cr_expect_str_eq(resumed, half);
	train_free(run);
	taught_close(&t);
}

Test(train_state, a_file_that_was_damaged_or_cut_is_refused_and_nothing_is_touched)
{
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0.1);
	struct train_how how = taught_how("rank");
	struct train *run = taught_new(&t, &how);
	char sum[65], after[65], *all;
	struct err e = { 0 };
	size_t n;

	taught_steps(run, 2, NULL);
	taught_sum(run, sum);
	cr_assert_eq(fs_read(tmp_path("train.state"), SIZE_MAX / 4, &all, &n, &e), ST_OK);
	for (size_t at = 0; at < n; at += n / 23) {
		all[at] ^= 4;
		tmp_write(tmp_path("train.state"), all, n);
		cr_expect_eq(train_load(run, tmp_dir(), &e), ST_FORMAT, "byte %zu", at);
		all[at] ^= 4;
		tmp_write(tmp_path("train.state"), all, at);
		cr_expect_neq(train_load(run, tmp_dir(), &e), ST_OK, "cut at %zu", at);
	}
	taught_sum(run, after);
	cr_expect_str_eq(after, sum);
	cr_expect_eq(train_load(run, tmp_path("nowhere"), &e), ST_IO);
	big_free(all);
	train_free(run);
	taught_close(&t);
}

Test(train_state, a_full_disk_leaves_the_state_of_before)
{
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0.1);
	struct train_how how = taught_how("rank");
	struct train *run = taught_new(&t, &how);
	char sum[65], *all;
	struct err e = { 0 };
	size_t n;

	taught_sum(run, sum);
	taught_steps(run, 1, NULL);
	fs_fail_at(3, ENOSPC);
	cr_expect_eq(train_save(run, tmp_dir(), &e), ST_IO);
	fs_fail_at(0, 0);
	cr_assert_eq(fs_read(tmp_path("train.state"), SIZE_MAX / 4, &all, &n, &e), ST_OK);
	cr_expect(!memcmp(all + n - 64, sum, 64));
	big_free(all);
	train_free(run);
	taught_close(&t);
}

/* ---- copies */

/* The hidden state behind all blocks, and logits, of some letters; xfree. */
static float *logits_of(
	const struct taught *t, const struct mat *const *view, const struct train_copy *c)
{
	static const int32_t ids[] = { 't', 'u', 'r', 'n', ' ', 'a' };
	const size_t rows = sizeof ids / sizeof *ids, v = t->m->hp.vocab;
	const struct span one = { NULL, rows };
	float *h = xarray(rows * t->m->hp.hidden, sizeof *h), *z = xarray(rows * v, sizeof *z);
	struct fwd *f;
	struct err e = { 0 };

	cr_assert_eq(fwd_new(&f, t->m, rows, &e), ST_OK);
	train_copy_attach(c, f);
	cr_assert_eq(fwd_embed(f, ids, rows, h, &e), ST_OK);
	cr_assert_eq(fwd_blocks(f, view, 0, t->m->hp.layers, h, &one, 1, NULL, NULL, &e), ST_OK);
	cr_assert_eq(fwd_logits(f, h, rows, z, NULL, &e), ST_OK);
	fwd_free(f);
	xfree(h);
	return z;
}

Test(train_state, a_copy_stands_still_until_it_is_taken_again, .timeout = 60)
{
	static const char *const methods[] = { "flips", "fp", "lora" };
	struct taught t = taught_open("cpu", "int4g64", 40, 64, 0.1);
	size_t bytes = 6 * t.m->hp.vocab * sizeof(float);

	for (size_t i = 0; i < 3; i++) {
		struct train_how how = taught_how(methods[i]);
		struct train *run = taught_new(&t, &how);
		float *base = logits_of(&t, t.view, NULL), *now, *then, *after;
		struct train_copy *c;
		struct err e = { 0 };

		taught_steps(run, 4, NULL);
		cr_assert_eq(train_copy_new(&c, run, &e), ST_OK, "%s", e.msg);
		now = logits_of(&t, train_copy_view(c), c);
		cr_expect(memcmp(now, base, bytes) != 0, "%s: trained", methods[i]);
		taught_steps(run, 1, NULL);
		then = logits_of(&t, train_copy_view(c), c);
		cr_expect(!memcmp(now, then, bytes), "%s: a step shows in the copy", methods[i]);
		cr_expect_eq(train_copy_step(c), 4);
		train_copy_take(c, run);
		after = logits_of(&t, train_copy_view(c), c);
		cr_expect(memcmp(now, after, bytes) != 0, "%s: taken again", methods[i]);
		cr_expect_eq(train_copy_step(c), 5);
		train_copy_free(c);
		xfree(then);
		then = logits_of(&t, t.view, NULL);
		cr_expect(!memcmp(base, then, bytes), "%s: the layout itself", methods[i]);
		xfree(base);
		xfree(now);
		xfree(then);
		xfree(after);
		train_free(run);
	}
	taught_close(&t);
}

/* ---- what is held out */

Test(train_state, a_reference_that_is_kept_runs_once_and_says_the_same, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int2g32", 60, 64, 0.3);
	struct train_ref kept = { .keep = 3 };
	struct train_eval first, again;
	struct err e = { 0 };
	size_t n;

	cr_assert_eq(train_eval(&first, t.m, NULL, t.view, t.pack, 3, &once, MATH_F32, NULL, &e),
		ST_OK, "%s", e.msg);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(
			train_eval(&again, t.m, NULL, t.view, t.pack, 3, &kept, MATH_F32, NULL, &e),
			ST_OK, "%s", e.msg);
		cr_expect_eq(memcmp(&again.kl, &first.kl, sizeof first.kl), 0);
		cr_expect_gt(again.kl, 0);
		n = i ? n : kept.n;
		cr_expect(kept.n > 0 && kept.n == n);
		train_eval_release(&again);
	}
	/* what is kept is what is read */
	memset(kept.h[0], 0, 64 * t.m->hp.hidden * sizeof **kept.h);
	cr_assert_eq(
		train_eval(&again, t.m, NULL, t.view, t.pack, 3, &kept, MATH_F32, NULL, &e), ST_OK);
	cr_expect_gt(fabs(again.kl - first.kl), 0);
	cr_expect_eq(once.n, 0);
	train_eval_release(&again);
	train_eval_release(&first);
	train_ref_release(&kept, t.m->be);
	taught_close(&t);
}

/* Sums as the batches give them, one sequence after the other, by core/eval's own way. */
Test(train_state, what_is_held_out_is_measured_as_perplexity_is, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int2g32", 60, 64, 0.3);
	struct pack_batch b = { 0 };
	struct train_eval v;
	struct err e = { 0 };
	size_t at = 0, seq = 0;

	cr_assert_eq(train_eval(&v, t.m, NULL, t.view, t.pack, 0, &once, MATH_F32, NULL, &e), ST_OK,
		"%s", e.msg);
	cr_expect_eq(v.sequences, pack_counts(t.pack)->held_sequences);
	cr_expect_eq(v.labelled, pack_counts(t.pack)->held_labelled);
	cr_assert_eq(pack_held(t.pack, &at, 1000, &b, &e), ST_OK);
	for (size_t i = 0, r = 0; i < b.n_spans; r += b.spans[i++].rows, seq++) {
		const size_t rows = b.spans[i].rows, vocab = t.m->hp.vocab;
		const struct span one = { NULL, rows };
		float *h = xarray(rows * t.m->hp.hidden, sizeof *h),
		      *z = xarray(rows * vocab, sizeof *z);
		struct fwd *f;
		double sum = 0;

		cr_assert_eq(fwd_new(&f, t.m, rows, &e), ST_OK);
		cr_assert_eq(fwd_embed(f, b.ids + r, rows, h, &e), ST_OK);
		cr_assert_eq(fwd_blocks(f, t.view, 0, t.m->hp.layers, h, &one, 1, NULL, NULL, &e),
			ST_OK);
		cr_assert_eq(fwd_logits(f, h, rows, z, NULL, &e), ST_OK);
		for (size_t k = 0; k < rows; k++) {
			double all = 0;

			if (b.labels[r + k] < 0)
				continue;
			for (size_t j = 0; j < vocab; j++)
				all += exp((double)z[k * vocab + j]);
			sum += log(all) - (double)z[k * vocab + (size_t)b.labels[r + k]];
		}
		cr_expect_float_eq(v.seq_nll[seq], sum, 1e-4 * (1 + sum), "sequence %zu", seq);
		fwd_free(f);
		xfree(h);
		xfree(z);
	}
	cr_expect_eq(seq, v.sequences);
	cr_expect(v.nll_se > 0 && v.nll_se < v.nll);
	pack_batch_release(&b);
	train_eval_release(&v);
	taught_close(&t);
}

Test(train_state, a_plain_text_that_is_held_out_agrees_with_the_evaluation)
{
	struct taught t = taught_open("cpu", "int2g32", 60, 64, 0.3);
	static const char text[] =
		"{\"text\":\"the dial turns and the map turns with it.\"}\n"
		"{\"text\":\"some weights are heavy and some are not at all.\"}\n";
	const struct pack_how how = {
		.tok = t.tok, .window = 32, .all = true, .held = 0.4, .seed = 1
	};
	struct pack_batch b = { 0 };
	struct eval_result r;
	struct train_eval v;
	struct dataset *d;
	struct pack *p;
	struct err e = { 0 };
	size_t at = 0;
	int32_t *ids;

	tmp_write(tmp_path("d.jsonl"), text, strlen(text));
	cr_assert_eq(dataset_open(&d, tmp_path("d.jsonl"), 0, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(pack_read(&p, d, &how, NULL, &e), ST_OK, "%s", e.msg);
	dataset_close(d);
	cr_assert_eq(pack_held(p, &at, 1, &b, &e), ST_OK);
	cr_assert(b.n_spans >= 1 && b.spans[0].rows == 32);
	/* one sequence: its rows and the last label are 33 tokens, 32 of them scored */
	ids = xarray(33, sizeof *ids);
	memcpy(ids, b.ids, 32 * sizeof *ids);
	ids[32] = b.labels[31];
	cr_assert_eq(eval_run(&r, t.m, t.view, ids, 33, 33, NULL, &e), ST_OK);
	cr_assert_eq(train_eval(&v, t.m, NULL, t.view, p, 1, &once, MATH_F32, NULL, &e), ST_OK);
	cr_expect_eq(v.seq_n[0], r.tokens);
	cr_expect_float_eq(v.seq_nll[0] / v.seq_n[0], r.nll, 1e-6);
	cr_assert_eq(v.sequences, 1);
	cr_expect_float_eq(v.nll, r.nll, 1e-6);
	cr_expect_float_eq(v.kl, r.kl, 1e-6);
	cr_expect_float_eq(v.top1, r.top1, 1e-9);
	train_eval_release(&v);
	xfree(ids);
	pack_batch_release(&b);
	pack_free(p);
	taught_close(&t);
}

Test(train_state, training_lowers_the_loss_on_what_is_held_out, .timeout = 60)
{
	struct taught t = taught_open("cpu", "int4g64", 120, 64, 0.2);
	struct train_how how = taught_how("rank");
	struct train_eval before, after, ref;
	struct train_copy *c;
	struct train *run;
	struct err e = { 0 };

	train_how_steps(&how, 40);
	run = taught_new(&t, &how);
	taught_steps(run, 40, NULL);
	cr_assert_eq(train_copy_new(&c, run, &e), ST_OK);
	cr_assert_eq(train_eval(&before, t.m, NULL, t.view, t.pack, 0, &once, MATH_F32, NULL, &e),
		ST_OK);
	cr_assert_eq(train_eval(&after, t.m, c, NULL, t.pack, 0, &once, MATH_F32, NULL, &e), ST_OK);
	cr_assert_eq(
		train_eval(&ref, t.m, NULL, t.m->ref, t.pack, 2, &once, MATH_F32, NULL, &e), ST_OK);
	cr_expect(after.nll < before.nll, "%g to %g", before.nll, after.nll);
	cr_expect(after.kl > before.kl, "it goes from the reference");
	cr_expect(fabs(ref.kl) < 1e-6 && ref.top1 == 1 && ref.labelled < before.labelled);
	train_eval_release(&before);
	train_eval_release(&after);
	train_eval_release(&ref);
	train_copy_free(c);
	train_free(run);
	taught_close(&t);
}

Test(train_state, without_anything_held_out_there_is_nothing_to_measure)
{
	struct taught t = taught_open("cpu", "int4g64", 8, 64, 0);
	struct train_eval v;
	struct err e = { 0 };

	cr_expect_eq(
		train_eval(&v, t.m, NULL, t.view, t.pack, 0, NULL, MATH_F32, NULL, &e), ST_INVALID);
	cr_expect_str_eq(e.msg, "nothing of the data is held out: there is nothing to measure");
	taught_close(&t);
}

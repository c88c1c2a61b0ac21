/* test_train_run_kept.c - what a training run keeps: a checkpoint opens as a model, and nothing is
 * lost when the disk is full or the process is killed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/work/train_run_private.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_train_run.h"
#include "tests/lib_work.h"

TestSuite(train_run_kept, .init = scene_home, .timeout = 240);

/* ---- a checkpoint is a model */

enum { PROBES = 24 };

/* Logits of the last of some ids; xfree. */
static float *logits_of(const struct model *m, const struct mat *const *view, float *const *gain)
{
	const struct span all = { .rows = PROBES };
	int32_t *ids = lib_ids(PROBES, m->hp.vocab, 7);
	float *h = m->be->alloc(PROBES * m->hp.hidden * sizeof *h);
	float *z = xarray(m->hp.vocab, PROBES * sizeof *z);
	struct fwd *f = NULL;
	struct err e = { 0 };

	cr_assert_eq(fwd_new(&f, m, PROBES, &e), ST_OK, "%s", e.msg);
	fwd_set_gains(f, gain);
	cr_assert_eq(fwd_embed(f, ids, PROBES, h, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(fwd_blocks(f, view, 0, m->hp.layers, h, &all, 1, NULL, NULL, &e), ST_OK, "%s",
		e.msg);
	cr_assert_eq(fwd_logits(f, h, PROBES, z, NULL, &e), ST_OK, "%s", e.msg);
	fwd_free(f);
	m->be->free(h);
	xfree(ids);
	return z;
}

struct probe {
	const struct model *m;
	float *trained;
};

static bool probe_between(void *arg, struct train *t)
{
	struct probe *p = arg;

	xfree(p->trained);
	p->trained = logits_of(p->m, train_view(t), train_gains(t));
	return false;
}

static void opens_as_it_was(const char *method)
{
	struct scene s;
	struct probe p = { 0 };
	const struct train_seen seen = { .between = probe_between, .arg = &p };
	struct train_ask a = scene_ask(method);
	struct train_run *r = NULL;
	struct checkpoint *ck = NULL;
	struct model *m = NULL;
	struct err e = { 0 };
	float *before, *after;

	scene_open(&s, work_demo(1));
	p.m = s.d->m;
	before = logits_of(s.d->m, s.view, NULL);
	cr_assert_eq(train_run_new(&r, s.d, &s.l, s.view, &a, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(train_run_go(r, &seen, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(checkpoint_open(&ck, train_run_folder(r), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(model_load(&m, ck, s.d->m->be, NULL, &e), ST_OK, "%s", e.msg);
	after = logits_of(m, m->ref, NULL);
	cr_expect_eq(memcmp(after, p.trained, m->hp.vocab * PROBES * sizeof *after), 0);
	cr_expect_neq(memcmp(after, before, m->hp.vocab * PROBES * sizeof *after), 0);
	xfree(before);
	xfree(after);
	xfree(p.trained);
	model_free(m);
	train_run_free(r);
	scene_close(&s);
}

Test(train_run_kept, a_checkpoint_opens_as_a_model_with_the_logits_it_was_trained_to)
{
	opens_as_it_was("rank");
}

Test(train_run_kept, so_does_a_checkpoint_of_floats)
{
	opens_as_it_was("fp");
}

/* ---- held */

struct long_hold {
	struct train_run *run;
	int steps;
};

static bool hold_between(void *arg, struct train *t)
{
	struct long_hold *h = arg;

	(void)t;
	if (h->steps++)
		return false;
	train_run_keep(h->run, &(struct train_seen){ 0 }, NULL);
	train_run_held_for(h->run, 1e6); /* ends in the future, as seen from the next step */
	cr_expect_leq(h->run->saved_at, clock_now(), "the checkpoint is not of the future");
	return false;
}

Test(train_run_kept, what_it_was_held_for_is_no_time_of_a_run)
{
	struct scene s;
	struct long_hold h = { 0 };
	const struct train_seen seen = { .between = hold_between, .arg = &h };
	struct train_ask a = scene_ask("rank");
	struct err e = { 0 };
	char *dir, *text;
	size_t n;

	a.steps = 2;
	scene_open(&s, work_demo(1));
	cr_assert_eq(train_run_new(&h.run, s.d, &s.l, s.view, &a, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(train_run_go(h.run, &seen, NULL, &e), ST_OK, "%s", e.msg);
	dir = xstrdup(train_run_folder(h.run));
	*strrchr(dir, '/') = '\0';
	text = scene_file(dir, "metrics/train.tsv", &n);
	cr_expect_not_null(strstr(text, "\n2\t-"), "got\n%s", text);
	big_free(text);
	xfree(dir);
	train_run_free(h.run);
	scene_close(&s);
}

/* ---- a full disk */

struct full {
	uint64_t at; /* the step whose checkpoint fails */
	unsigned long call;
	char *dir;
};

static bool full_between(void *arg, struct train *t)
{
	const struct full *f = arg;

	if (train_steps_done(t) == f->at)
		fs_fail_at(f->call, ENOSPC);
	return false;
}

/* No half of a checkpoint is left, and the one before holds. */
static void full_step(void *arg, const struct train_report *rep)
{
	const struct full *f = arg;
	char **name;
	size_t n;

	if (rep->step != f->at + 1)
		return;
	fs_fail_at(0, 0);
	cr_assert_eq(fs_list(f->dir, &name, &n, NULL), ST_OK);
	for (size_t i = 0; i < n; i++) {
		cr_expect(!strstr(name[i], ".partial-"), "%lu: %s", f->call, name[i]);
		xfree(name[i]);
	}
	xfree(name);
	cr_expect(scene_has(f->dir, "last/train.state") && scene_has(f->dir, "last/train.json"));
}

static void fails_at(struct scene *s, struct full *f, const char *whole)
{
	const struct train_seen seen = { .step = full_step, .between = full_between, .arg = f };
	struct train_ask a = scene_ask("rank"), more;
	struct train_run *r = NULL;
	struct err e = { 0 };
	char *runs = runs_dir();
	enum st st;

	a.held_every = 100; /* the next call that writes is the checkpoint's, but for two lines */
	cr_assert_eq(train_run_new(&r, s->d, &s->l, s->view, &a, NULL, &e), ST_OK, "%s", e.msg);
	f->dir = xprintf("%s/%s", runs, train_run_id(r));
	st = train_run_go(r, &seen, NULL, &e);
	fs_fail_at(0, 0);
	train_run_free(r);
	if (f->at < 12) {
		cr_expect_eq(st, ST_OK, "%lu: %s", f->call, e.msg);
		cr_expect(f->call < 6 || strstr(scene_warned, "No space left"), "%lu: %s", f->call,
			scene_warned);
	} else {
		cr_expect_eq(st, ST_IO, "%lu", f->call);
		cr_expect(strstr(e.msg, "the last checkpoint could not be written"), "%s", e.msg);
		cr_expect(scene_has(f->dir, "last/train.state"));
		more = scene_again(f->dir);
		xfree(scene_went(s, &more, ST_OK, &e));
	}
	scene_same_file(whole, f->dir, "last/train.state");
	xfree(f->dir);
	xfree(runs);
}

Test(train_run_kept, a_full_disk_at_a_checkpoint_is_said_and_the_one_before_holds)
{
	static const unsigned long calls[] = { 3, 7, 11, 16, 22, 30 };
	struct train_ask a = scene_ask("rank");
	struct err e = { 0 };
	struct scene s;
	char *whole;

	scene_open(&s, work_demo(1));
	whole = scene_went(&s, &a, ST_OK, &e);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct full f = { .at = 10, .call = calls[i] };

		scene_warned[0] = '\0';
		fails_at(&s, &f, whole);
	}
	for (unsigned long call = 8; call < 30; call += 7) {
		struct full f = { .at = 12, .call = call };

		fails_at(&s, &f, whole);
	}
	xfree(whole);
	scene_close(&s);
}

/* ---- weights that are no numbers */

struct poison {
	struct train *t;
};

static bool poison_between(void *arg, struct train *t)
{
	struct poison *p = arg;

	p->t = t;
	return false;
}

static void poison_saved(void *arg, uint64_t step, const char *dir)
{
	struct poison *p = arg;

	(void)dir;
	if (step == 5)
		train_gains(p->t)[0][5] = (float)NAN;
}

Test(train_run_kept, weights_that_break_the_loss_are_not_kept_and_the_checkpoint_before_them_is)
{
	struct poison p = { 0 };
	const struct train_seen seen = {
		.between = poison_between, .saved = poison_saved, .arg = &p };
	struct train_ask a = scene_ask("rank"), more;
	struct train_run *r = NULL;
	struct scene s;
	struct err e = { 0 };
	char *whole, *dir, *runs = runs_dir();

	scene_open(&s, work_demo(1));
	a.held = 0; /* so that no best one is kept beside the last */
	whole = scene_went(&s, &a, ST_OK, &e);
	cr_assert_eq(train_run_new(&r, s.d, &s.l, s.view, &a, NULL, &e), ST_OK, "%s", e.msg);
	dir = xprintf("%s/%s", runs, train_run_id(r));
	cr_assert_eq(train_run_go(r, &seen, NULL, &e), ST_IO);
	cr_expect_str_eq(e.msg,
		"all 12 steps are done, but the last checkpoint could not be written: the loss of "
		"this step is no number; step 5 is the last one");
	train_run_free(r);
	more = scene_again(dir);
	xfree(scene_went(&s, &more, ST_OK, &e));
	scene_same_file(whole, dir, "last/train.state");
	xfree(dir);
	xfree(runs);
	xfree(whole);
	scene_close(&s);
}

Test(train_run_kept, a_look_at_weights_that_are_no_numbers_ends_a_run_of_patience_at_its_best)
{
	struct poison p = { 0 };
	const struct train_seen seen = {
		.between = poison_between, .saved = poison_saved, .arg = &p };
	struct train_ask a = scene_ask("rank");
	struct train_run *r = NULL;
	struct scene s;
	struct err e = { 0 };
	char *early;

	scene_open(&s, work_demo(1));
	a.patience = 1;
	a.held_every = 5; /* a look and a checkpoint, from which on it is broken */
	cr_assert_eq(train_run_new(&r, s.d, &s.l, s.view, &a, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(train_run_go(r, &seen, NULL, &e), ST_OK, "%s", e.msg);
	early = train_run_early(r);
	cr_expect_not_null(early);
	cr_expect_eq(train_run_best(r), 5);
	xfree(early);
	train_run_free(r);
	scene_close(&s);
}

/* ---- kill -9 */

enum { KILLS = 10 };

/* In a process of its own; call: which of the calls that write is the last.  Calls it made. */
static unsigned long killed_at(const char *model, unsigned long call)
{
	const char *count = tmp_path("count");
	unsigned long n = 0;
	FILE *f;
	pid_t pid = fork();
	int how;

	cr_assert(pid >= 0);
	if (!pid) {
		struct train_ask a = scene_ask("rank");
		struct scene s;
		struct err e = { 0 };

		scene_open(&s, model);
		n = fs_count();
		if (call)
			fs_fail_at(call, -SIGKILL);
		xfree(scene_went(&s, &a, ST_OK, &e));
		f = fopen(count, "w");
		fprintf(f, "%lu", fs_count() - n);
		fclose(f);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &how, 0), pid);
	if (call) {
		cr_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL, "call %lu: %d", call, how);
		return 0;
	}
	cr_assert(WIFEXITED(how) && !WEXITSTATUS(how), "%d", how);
	f = fopen(count, "r");
	cr_assert_eq(fscanf(f, "%lu", &n), 1);
	fclose(f);
	return n;
}

Test(train_run_kept, kill_9_at_any_write_loses_nothing_that_was_kept)
{
	const char *model = work_demo(1), *first = NULL;
	char *runs = runs_dir(), **name = NULL;
	unsigned long calls = killed_at(model, 0);
	size_t n = 0, resumed = 0;
	struct err e = { 0 };
	struct scene s;

	cr_assert(calls > 100, "%lu", calls);
	/* after those that make the folder */
	for (unsigned long i = 0; i < KILLS; i++)
		killed_at(model, 40 + i * (calls - 40) / KILLS);
	/* no thread before the last fork: only now is a model opened here */
	scene_open(&s, model);
	cr_assert_eq(fs_list(runs, &name, &n, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(n, KILLS + 1);
	for (size_t i = 0; i < n; i++) {
		char *dir = xprintf("%s/%s", runs, name[i]);

		first = scene_has(dir, "end.json") ? name[i] : first;
		xfree(dir);
	}
	cr_assert(first);
	for (size_t i = 0; i < n; i++) {
		char *dir = xprintf("%s/%s", runs, name[i]), *whole = xprintf("%s/%s", runs, first);
		struct train_ask more = scene_again(dir);

		if (name[i] != first) {
			/* one that was killed when its end was written has ended */
			if (!scene_has(dir, "end.json"))
				xfree(scene_went(&s, &more, ST_OK, &e));
			scene_same_file(whole, dir, "last/train.state");
			scene_same_file(whole, dir, "last/model.safetensors");
			scene_steps_once(dir, "metrics/train.tsv", 1, 12);
			resumed++;
		}
		xfree(dir);
		xfree(whole);
	}
	cr_expect_eq(resumed, KILLS);
	for (size_t i = 0; i < n; i++)
		xfree(name[i]);
	xfree(name);
	xfree(runs);
	scene_close(&s);
}

/* test_train_run_early.c - a run with patience: it ends when what is held out gets no better, and
 * its best look is kept. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "tests/lib_base.h"
#include "tests/lib_train_run.h"
#include "tests/lib_work.h"

TestSuite(train_run_early, .init = scene_home, .timeout = 240);

/* Rows that can only be learned by heart: what is held out is soon as good as it gets. */
static const char *noise(void)
{
	const char *path = tmp_path("noise.jsonl");
	char text[12 * 128], *at = text;
	unsigned long long x = 1;

	for (int i = 0; i < 12; i++) {
		at += sprintf(at, "{\"prompt\":\"%d\",\"completion\":\"", i);
		for (int k = 0; k < 6; k++) {
			x = x * 16807 % 2147483647;
			at += sprintf(at, "%08llx", x);
		}
		at += sprintf(at, "\"}\n");
	}
	tmp_write(path, text, (size_t)(at - text));
	return path;
}

static struct train_ask by_heart(void)
{
	struct train_ask a = scene_ask("fp");

	a.data = noise();
	a.lr = 0.01;
	a.steps = 100;
	a.window = 96;
	a.held = 0.3;
	a.held_every = 5;
	a.save_every = 8;
	a.patience = 3;
	return a;
}

enum { LOOKS_MAX = 100 };

/* metrics/held.tsv; how many. */
static size_t looks(const char *dir, double step[LOOKS_MAX], double nll[LOOKS_MAX])
{
	size_t n = 0, bytes;
	char *text = scene_file(dir, "metrics/held.tsv", &bytes), *at = strchr(text, '\n') + 1;

	for (; *at && n < LOOKS_MAX; at = strchr(at, '\n') + 1, n++)
		cr_assert_eq(sscanf(at, "%lf %*f %*f %lf", &step[n], &nll[n]), 2, "%.40s", at);
	big_free(text);
	return n;
}

static size_t checkpoints(const char *dir)
{
	char **name;
	size_t n, found = 0;

	cr_assert_eq(fs_list(dir, &name, &n, NULL), ST_OK);
	for (size_t i = 0; i < n; i++) {
		found += !strncmp(name[i], "step-", 5);
		xfree(name[i]);
	}
	xfree(name);
	return found;
}

/* Ended so many looks behind its lowest, at which `best` is. */
static void ended_behind_its_best(const char *dir, size_t patience)
{
	double step[LOOKS_MAX], nll[LOOKS_MAX];
	size_t n = looks(dir, step, nll), low = 0, bytes;
	char *end = scene_file(dir, "end.json", &bytes), words[120], name[64];
	char *path, link[64] = "";

	for (size_t i = 1; i < n; i++)
		low = nll[i] < nll[low] ? i : low;
	cr_assert(low > 0 && n == low + patience + 1, "the lowest is look %zu of %zu", low, n);
	cr_expect_eq(scene_number(dir, "steps"), step[n - 1]);
	cr_expect_eq(scene_number(dir, "best_step"), step[low]);
	cr_expect_float_eq(scene_number(dir, "best_nll"), nll[low], 1e-6);
	snprintf(words, sizeof words,
		"; ended at step %.0f: held-out loss was lowest at step %.0f\"", step[n - 1],
		step[low]);
	cr_expect(strstr(end, words) && strstr(end, "\"status\": \"ok\""), "%s: %s", words, end);
	snprintf(name, sizeof name, "step-%06.0f/model.safetensors", step[low]);
	cr_expect(scene_has(dir, name), "%s", name);
	path = xprintf("%s/best", dir);
	bytes = (size_t)readlink(path, link, sizeof link - 1);
	cr_expect(bytes == 11 && !strncmp(link, name, 11), "best leads to %.11s", link);
	xfree(path);
	cr_expect_eq(checkpoints(dir), 2);
	big_free(end);
}

Test(train_run_early, a_run_that_gets_no_better_ends_and_its_best_look_is_kept)
{
	struct scene s;
	struct train_ask a = by_heart();
	struct err e = { 0 };
	char *dir;

	scene_open(&s, work_demo(1));
	dir = scene_went(&s, &a, ST_OK, &e);
	ended_behind_its_best(dir, 3);
	xfree(dir);
	a.patience = 1;
	a.save_every = 100;
	dir = scene_went(&s, &a, ST_OK, &e);
	ended_behind_its_best(dir, 1);
	xfree(dir);
	scene_close(&s);
}

Test(train_run_early, a_run_that_only_gets_worse_keeps_what_it_began_from)
{
	struct scene s;
	struct train_ask a = by_heart();
	struct err e = { 0 };
	char *dir, *end;
	size_t n;

	scene_open(&s, work_demo(1));
	a.lr = 3; /* away from a reference that is near */
	a.teach = true;
	a.patience = 2;
	dir = scene_went(&s, &a, ST_OK, &e);
	cr_expect_eq(scene_number(dir, "best_step"), 0);
	cr_expect_eq(scene_number(dir, "steps"), 8);
	cr_expect(scene_has(dir, "step-000000/model.safetensors") && checkpoints(dir) == 2);
	end = scene_file(dir, "end.json", &n);
	cr_expect(strstr(end, "; ended at step 8: held-out KL was lowest at step 0\""), "%s", end);
	big_free(end);
	xfree(dir);
	scene_close(&s);
}

Test(train_run_early, a_run_that_still_gets_better_does_all_its_steps)
{
	struct scene s;
	struct train_ask a = by_heart();
	struct err e = { 0 };
	char *dir, *end;
	size_t n;

	scene_open(&s, work_demo(1));
	a.lr = 1e-3;
	a.steps = 12;
	a.patience = 1;
	dir = scene_went(&s, &a, ST_OK, &e);
	end = scene_file(dir, "end.json", &n);
	cr_expect_eq(scene_number(dir, "steps"), 12);
	cr_expect_eq(scene_number(dir, "best_step"), 12);
	cr_expect(!strstr(end, "ended at"), "%s", end);
	big_free(end);
	xfree(dir);
	scene_close(&s);
}

/* ---- going on */

static void ends_as(struct scene *s, const struct train_ask *a, const char *whole, uint64_t after)
{
	double step[2][LOOKS_MAX], nll[2][LOOKS_MAX];
	char *parts = scene_stopped(s, a, after);
	struct train_ask more = scene_again(parts);
	struct err e = { 0 };
	size_t n;

	xfree(scene_went(s, &more, ST_OK, &e));
	n = looks(whole, step[0], nll[0]);
	cr_assert_eq(looks(parts, step[1], nll[1]), n, "stopped after %d", (int)after);
	cr_expect(!memcmp(step[0], step[1], n * sizeof(double)) &&
		  !memcmp(nll[0], nll[1], n * sizeof(double)));
	scene_same_file(whole, parts, "last/train.state");
	scene_same_file(whole, parts, "best/train.state");
	cr_expect_eq(scene_number(whole, "best_step"), scene_number(parts, "best_step"));
	cr_expect_eq(scene_number(whole, "best_nll"), scene_number(parts, "best_nll"));
	ended_behind_its_best(parts, 3);
	xfree(parts);
}

Test(train_run_early, a_run_that_was_stopped_ends_where_an_unbroken_one_does)
{
	struct scene s;
	struct train_ask a = by_heart();
	struct err e = { 0 };
	char *whole;
	uint64_t best, last;

	scene_open(&s, work_demo(1));
	whole = scene_went(&s, &a, ST_OK, &e);
	best = (uint64_t)scene_number(whole, "best_step");
	last = (uint64_t)scene_number(whole, "steps");
	ends_as(&s, &a, whole, 3);
	ends_as(&s, &a, whole, best); /* its look is made when it goes on */
	ends_as(&s, &a, whole, best + 1);
	ends_as(&s, &a, whole, last - 1); /* between two that are counted */
	ends_as(&s, &a, whole, last);
	xfree(whole);
	scene_close(&s);
}

Test(train_run_early, a_run_that_ended_early_goes_on_only_when_its_steps_are_named)
{
	struct scene s;
	struct train_ask a = by_heart(), more;
	struct train_run *r = NULL;
	struct err e = { 0 };
	uint64_t steps;
	char *dir;

	scene_open(&s, work_demo(1));
	a.patience = 1;
	dir = scene_went(&s, &a, ST_OK, &e);
	steps = (uint64_t)scene_number(dir, "steps");
	more = scene_again(dir);
	cr_expect_eq(train_run_new(&r, s.d, &s.l, s.view, &more, NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "held-out loss was lowest at step") &&
			  strstr(e.msg, "name the steps"),
		"%s", e.msg);
	more.steps = 100;
	xfree(scene_went(&s, &more, ST_OK, &e));
	cr_expect_gt(scene_number(dir, "steps"), steps);
	xfree(dir);
	scene_close(&s);
}

/* Takes the line of a member away. */
static void forget(const char *dir, const char *file, const char *member)
{
	char *path = xprintf("%s/%s", dir, file), *text, *at, *next;
	size_t n;

	text = scene_file(dir, file, &n);
	at = strstr(text, member);
	cr_assert(at, "%s: %s", file, member);
	next = strchr(at, '\n') + 1;
	memmove(at, next, (size_t)(text + n - next));
	tmp_write(path, text, n - (size_t)(next - at));
	big_free(text);
	xfree(path);
}

Test(train_run_early, a_run_of_a_time_that_knew_no_patience_goes_on)
{
	struct scene s;
	struct train_ask a = scene_ask("rank"), more;
	struct err e = { 0 };
	char *whole, *parts;

	scene_open(&s, work_demo(1));
	whole = scene_went(&s, &a, ST_OK, &e);
	parts = scene_stopped(&s, &a, 7);
	forget(parts, "last/train.json", "\"waited\"");
	forget(parts, "run.json", "\"patience\"");
	more = scene_again(parts);
	xfree(scene_went(&s, &more, ST_OK, &e));
	scene_same_file(whole, parts, "last/train.state");
	xfree(whole);
	xfree(parts);
	scene_close(&s);
}

Test(train_run_early, patience_without_anything_held_out_is_refused)
{
	struct scene s;
	struct train_ask a = by_heart();
	struct train_run *r = NULL;
	struct err e = { 0 };

	scene_open(&s, work_demo(1));
	a.held = 0;
	cr_expect_eq(train_run_new(&r, s.d, &s.l, s.view, &a, NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "patience counts looks") && strstr(e.msg, "noise.jsonl"), "%s",
		e.msg);
	scene_close(&s);
}

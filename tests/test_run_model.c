/* test_run_model.c - a run of training in the place of a model: by its id, an end of it, its
 * folder. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/run_model.h"
#include "tests/lib_base.h"
#include "tests/lib_runs.h"
#include "tests/lib_train_run.h"
#include "tests/lib_work.h"

TestSuite(run_model, .init = scene_home, .timeout = 240);

/* A run's folder, of the demo model; xfree. */
static char *went(const char *method)
{
	struct scene s;
	struct train_ask a = scene_ask(method);
	struct err e = { 0 };
	char *dir;

	a.steps = 4;
	scene_open(&s, work_demo(1));
	dir = scene_went(&s, &a, ST_OK, &e);
	scene_close(&s);
	return dir;
}

static void leads_to(const char *word, const char *want)
{
	struct err e = { 0 };
	char *path = NULL;

	cr_assert_eq(run_model(&path, word, &e), ST_OK, "%s: %s", word, e.msg);
	cr_expect_str_eq(path, want, "%s: %s, not %s", word, path, want);
	xfree(path);
}

static void says(const char *word, const char *what)
{
	struct err e = { 0 };
	char *path = NULL;

	cr_assert_eq(run_model(&path, word, &e), ST_INVALID, "%s", word);
	cr_expect_null(path);
	cr_expect(strstr(e.msg, what), "%s", e.msg);
}

Test(run_model, a_run_leads_to_its_best_checkpoint_by_id_end_and_folder)
{
	char *dir = went("rank"), *best = xprintf("%s/best", dir), *real = realpath(best, NULL);
	char *slash = xprintf("%s/", dir);
	const char *id = strrchr(dir, '/') + 1;
	struct desk *d;

	leads_to(id, real);
	leads_to(strrchr(id, '-') + 1, real);
	leads_to(dir, real);
	leads_to(slash, real);
	d = work_desk(id, NULL, NULL);
	cr_expect_str_eq(d->m->ck->path, real);
	desk_close(d);
	xfree(slash);
	free(real);
	xfree(best);
	xfree(dir);
}

Test(run_model, where_nothing_is_best_the_last_checkpoint_is_the_model)
{
	char *dir = went("rank"), *best = xprintf("%s/best", dir), *last = xprintf("%s/last", dir);
	char *real = realpath(last, NULL);

	cr_assert_eq(unlink(best), 0);
	leads_to(dir, real);
	free(real);
	xfree(last);
	xfree(best);
	xfree(dir);
}

Test(run_model, without_its_links_a_run_leads_to_its_newest_checkpoint)
{
	char *dir = went("rank"), *real = fs_real(dir);
	char *newest = xprintf("%s/step-000004", real), *older = xprintf("%s/step-000002", dir);
	char *best = xprintf("%s/best", dir), *last = xprintf("%s/last", dir);
	const char *id = strrchr(dir, '/') + 1;
	struct err e;

	cr_assert_eq(fs_mkdirs(older, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(unlink(best), 0);
	cr_assert_eq(unlink(last), 0);
	leads_to(id, newest);
	cr_assert_eq(symlink("step-000999", last), 0);
	leads_to(dir, newest);
	cr_assert_eq(fs_remove_tree(newest, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(fs_remove_tree(older, &e), ST_OK, "%s", e.msg);
	says(dir, "has no checkpoint yet");
	xfree(last);
	xfree(best);
	xfree(older);
	xfree(newest);
	xfree(real);
	xfree(dir);
}

Test(run_model, adapters_are_no_model_and_who_reads_them_is_said)
{
	char *dir = went("lora"), *last = xprintf("%s/last", dir);

	says(dir, "PEFT reads them");
	says(strrchr(dir, '/') + 1, "PEFT reads them");
	says(last, "PEFT reads them");
	xfree(last);
	xfree(dir);
}

Test(run_model, a_run_that_trained_nothing_says_of_what_kind_it_is)
{
	put_four_runs();
	says("aaaa", "a run of scan, with no model in it: name the model");
	says("bbbb",
		"a run of search, with no model in it: name the model, and the run as --layout");
	says("2026", "type more of one");
}

Test(run_model, what_is_no_run_stays_as_it_is)
{
	char *model = xstrdup(work_demo(1));

	leads_to(model, model);
	leads_to("nosuch", "nosuch");
	leads_to("no/such", "no/such");
	leads_to("", "");
	xfree(model);
}

static void put(const char *dir, const char *file)
{
	char *path = xprintf("%s/%s", dir, file);
	struct err e;

	cr_assert_eq(fs_mkdirs(dir, &e), ST_OK, "%s", e.msg);
	tmp_write(path, "{}", 2);
	xfree(path);
}

/* bitdial export ~/smol --layout int4g128 -o ~/smol/int4g128 */
Test(run_model, a_model_s_folder_with_an_export_in_it_is_that_model)
{
	char *model = xprintf("%s/smol", tmp_dir()), *inner = xprintf("%s/int4g128", model);
	char *files = xprintf("%s/models", tmp_dir()), *below = xprintf("%s/int2g64", files);

	put(inner, "config.json");
	put(model, "config.json");
	leads_to(model, model);
	leads_to(inner, inner);
	put(below, "config.json"); /* beside files of models */
	leads_to(files, files);
	xfree(below);
	xfree(files);
	xfree(inner);
	xfree(model);
}

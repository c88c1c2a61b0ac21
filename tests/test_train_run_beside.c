/* test_train_run_beside.c - adapters beside what a calibration made of a model: such a run goes on
 * beside the same, and nowhere else. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "tests/lib_base.h"
#include "tests/lib_train_run.h"
#include "tests/lib_work.h"

TestSuite(train_run_beside, .init = scene_home, .timeout = 240);

/* The folder of a short calibration of scene_open's formats; xfree. */
static char *calibrated(void)
{
	struct train_ask a = scene_ask("latent");
	struct scene s;
	struct err e = { 0 };
	char *dir;

	a.dial = "int2g64,int4g64";
	a.teach = true;
	a.steps = 4;
	scene_open(&s, work_demo(1));
	dir = scene_went(&s, &a, ST_OK, &e);
	scene_close(&s);
	return dir;
}

/* What is said to one that is resumed on this model; "": it goes on. */
static void resumed(const char *model, const char *run, char *says, size_t room)
{
	struct train_ask again = scene_again(run);
	struct train_run *r = NULL;
	struct scene s;
	struct err e = { 0 };

	scene_open(&s, model);
	*says = '\0';
	if (train_run_new(&r, s.d, &s.l, s.view, &again, NULL, &e))
		snprintf(says, room, "%s", e.msg);
	else
		cr_expect_eq(train_run_go(r, NULL, NULL, &e), ST_OK, "%s", e.msg);
	train_run_free(r);
	scene_close(&s);
}

Test(train_run_beside, a_run_beside_a_calibration_goes_on_beside_it_and_not_beside_the_model)
{
	struct train_ask a = scene_ask("lora");
	struct scene s;
	char *dir = calibrated(), *run, *want, says[512];
	const char *id = strrchr(dir, '/') + 1;

	scene_open(&s, dir);
	run = scene_stopped(&s, &a, 6);
	scene_close(&s);
	resumed(work_demo(1), run, says, sizeof says);
	want = xprintf("its adapters were trained beside what %s made of the model: open that "
		       "(bitdial train %s --resume ",
		id, id);
	cr_expect(strstr(says, want), "%s", says);
	resumed(dir, run, says, sizeof says);
	cr_expect_str_eq(says, "");
	cr_expect(scene_has(run, "end.json") && scene_number(run, "steps") == 12);
	xfree(want);
	xfree(run);
	xfree(dir);
}

Test(train_run_beside, a_run_beside_the_model_does_not_go_on_beside_a_calibration)
{
	struct train_ask a = scene_ask("lora");
	struct scene s;
	char *dir = calibrated(), *run, says[512];

	scene_open(&s, work_demo(1));
	run = scene_stopped(&s, &a, 6);
	scene_close(&s);
	resumed(dir, run, says, sizeof says);
	cr_expect(strstr(says, "its adapters were trained beside the model itself, not what") &&
			  strstr(says, strrchr(dir, '/') + 1),
		"%s", says);
	resumed(work_demo(1), run, says, sizeof says);
	cr_expect_str_eq(says, "");
	xfree(run);
	xfree(dir);
}

/* test_train_rates.c - what each method's rates are, and that they teach the demo model something
 * (FORMULAS.md 3.5: T5). */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/lib_train.h"

/* ---- the table */

Test(train_rates, every_method_has_an_optimizer_for_what_it_trains)
{
	for (const struct train_method *t = train_methods; t->name; t++) {
		const struct optimizer *by = optimizer_find(t->optimizer);
		bool moves =
			strcmp(t->optimizer, "rank") != 0 && strcmp(t->optimizer, "stats") != 0;

		cr_assert(by, "%s", t->name);
		cr_expect(t->what == TRAIN_CODES ? by->on_codes : by->on_float, "%s", t->name);
		cr_expect_eq(t->lr > 0, moves, "%s: by a budget, or not at all", t->name);
		cr_expect(t->lr + t->lr_s > 0 && t->summary && t->floor >= 0 && t->floor <= 1, "%s",
			t->name);
		cr_expect((t->what == TRAIN_ADAPTERS) == (t->alpha > 0), "%s", t->name);
		cr_expect_eq(train_method_find(t->name), t);
	}
	cr_expect_null(train_method_find("adam"));
}

Test(train_rates, the_number_of_steps_sets_the_warm_up_and_leaves_the_rate)
{
	for (const struct train_method *m = train_methods; m->name; m++) {
		struct train_how how;

		train_how_init(&how, m);
		train_how_steps(&how, 1000);
		cr_expect(how.tune.steps == 1000 && how.tune.warmup == 10);
		train_how_steps(&how, 50);
		cr_expect(how.tune.steps == 50 && how.tune.warmup == 5);
		cr_expect(how.tune.lr == m->lr && how.tune.lr_s == m->lr_s, "%s", m->name);
	}
}

/* ---- T5 */

/* Losses of a run of 100 steps over one batch, again and again: of the first, the 20th, the last.
 */
struct overfit {
	double first, soon, late;
};

static struct overfit overfit(const struct taught *t, const char *method, bool to_the_end)
{
	struct train_how how = taught_how(method);
	struct overfit o = { 0 };
	struct train *run;

	train_how_steps(&how, 100);
	run = taught_new(t, &how);
	o.first = taught_steps(run, 1, NULL);
	o.soon = taught_steps(run, 19, NULL);
	if (to_the_end)
		o.late = taught_steps(run, 80, NULL);
	train_free(run);
	return o;
}

Test(train_rates, the_same_batch_is_learnt_and_codes_learn_more_than_scales_alone, .timeout = 120)
{
	static const char *const methods[] = { "rank", "flips", "galore", "sr" };
	struct taught t = taught_open("cpu", "int2g32", 8, 64, 0);
	struct overfit scales = overfit(&t, "stats", true);

	cr_expect(scales.late < scales.first, "stats: %g to %g", scales.first, scales.late);
	for (size_t i = 0; i < 4; i++) {
		struct overfit o = overfit(&t, methods[i], i < 2);

		cr_expect(
			o.soon < o.first, "%s: %g, after 20 steps %g", methods[i], o.first, o.soon);
		cr_expect(i >= 2 || o.late < scales.late, "%s: %g, scales alone %g", methods[i],
			o.late, scales.late);
	}
	taught_close(&t);
}

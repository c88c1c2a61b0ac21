/* test_work_seek.c - a desk at a place of its journals knows what was known then, to the last bit. */
#include "tests/desk_fixture.h"

TestSuite(work_seek, .init = set_up);

enum { SHOTS = 6, CELLS = 256 };

struct shot { /* what a desk knew at a place */
	struct desk_place at;
	double damage[CELLS], se[CELLS];
	size_t points;
};

static struct shot shot[SHOTS];
static size_t shots;
static struct desk *watched;

static void take(struct desk *d, struct shot *to)
{
	const char *source;

	cr_assert_leq(d->set.n * d->set.k, CELLS);
	to->at = desk_place(d);
	desk_damage(d, to->damage, to->se, &source);
	to->points = d->n_points;
}

/* Some of the moments at which something became known. */
static void changed(void *arg, enum desk_change what)
{
	static size_t seen;

	(void)arg;
	if ((what == DESK_CELLS || what == DESK_POINTS) && seen++ % 17 == 0 && shots < SHOTS)
		take(watched, &shot[shots++]);
}

static void same(const struct desk *d, const struct shot *a, const struct shot *b)
{
	size_t nk = d->set.n * d->set.k;

	cr_expect_eq(a->at.cells, b->at.cells);
	cr_expect_eq(memcmp(a->damage, b->damage, nk * sizeof *a->damage), 0,
		"damages at %zu cells", a->at.cells);
	cr_expect_eq(memcmp(a->se, b->se, nk * sizeof *a->se), 0);
}

static struct desk *scanned(const char *path)
{
	struct desk *d = work_desk(path, formats, NULL);

	shots = 0;
	watched = d;
	d->changed = changed;
	prepare(d, STAGE_ENDS);
	d->changed = NULL;
	cr_assert_eq(shots, SHOTS);
	return d;
}

Test(work_seek, every_place_comes_out_as_it_was_also_in_another_sitting)
{
	const char *path = work_demo(1);
	struct desk *d = scanned(path);
	struct shot whole, again;
	struct err e = { 0 };

	take(d, &whole);
	cr_expect_gt(whole.points, 0);
	for (int sitting = 0; sitting < 2; sitting++) {
		for (size_t i = SHOTS; i-- > 0;) {
			cr_assert_eq(
				desk_seek(d, shot[i].at, false, NULL, &e), ST_OK, "%s", e.msg);
			take(d, &again);
			same(d, &again, &shot[i]);
		}
		desk_here(d);
		take(d, &again);
		same(d, &again, &whole);
		cr_expect_eq(again.points, whole.points);
		desk_close(d);
		d = work_desk(path, formats, NULL);
		cr_assert_eq(desk_identify(d, NULL, &e), ST_OK);
	}
	desk_close(d);
}

Test(work_seek, at_a_place_nothing_is_kept)
{
	struct desk *d = scanned(work_demo(1));
	struct desk_place before = desk_place(d), half = { before.cells / 2, 0 };
	uint8_t choice[64] = { 0 };
	struct eval_result r;
	struct err e = { 0 };

	cr_assert_eq(desk_seek(d, half, false, NULL, &e), ST_OK, "%s", e.msg);
	choice[1] = 1;
	cr_assert_eq(desk_measure(d, choice, 64, "measured", &r, NULL, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(d->n_points, 1, "it counts for this place");
	desk_here(d);
	cr_expect_eq(desk_place(d).cells, before.cells);
	cr_expect_eq(desk_place(d).points, before.points);
	desk_close(d);
}

Test(work_seek, a_place_beyond_the_journal_is_refused_or_measured)
{
	const char *path = work_demo(1);
	struct desk_options anew = { .formats = formats, .anew = true, .scan_tokens = 128 };
	struct desk *d = scanned(path);
	struct desk_place end = desk_place(d), beyond = { end.cells + 1, 0 };
	struct shot again;
	struct err e = { 0 };

	cr_expect_eq(desk_seek(d, beyond, false, NULL, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "--fresh"), "%s", e.msg);
	desk_close(d);
	cr_assert_eq(desk_open(&d, path, &anew, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_identify(d, NULL, &e), ST_OK);
	cr_expect_eq(desk_place(d).cells, 0, "what was measured before is passed over");
	for (size_t i = 0; i < SHOTS; i++) {
		cr_assert_eq(desk_seek(d, shot[i].at, true, NULL, &e), ST_OK, "%s", e.msg);
		take(d, &again);
		same(d, &again, &shot[i]); /* the stages take the same way */
	}
	desk_close(d);
}

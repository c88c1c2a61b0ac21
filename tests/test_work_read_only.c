/* test_work_read_only.c - a desk that may keep nothing reads what is there and leaves no trace. */
#include "tests/desk_fixture.h"

TestSuite(work_read_only, .init = set_up);

Test(work_read_only, a_read_only_desk_leaves_nothing_behind)
{
	struct desk_options o = { .formats = formats, .read_only = true, .scan_tokens = 64 };
	struct desk *d = NULL;
	struct err e;

	cr_assert_eq(desk_open(&d, work_demo(1), &o, NULL, &e), ST_OK);
	prepare(d, STAGE_FAST);
	desk_close(d);
	cr_assert_neq(access(tmp_path("cache"), F_OK), 0);
}

/* Every file below the folder, with what it holds and when it was written. */
static uint64_t tree_sum(const char *dir)
{
	uint64_t sum = 0;
	char **names = NULL;
	size_t n = 0;

	cr_assert_eq(fs_list(dir, &names, &n, NULL), ST_OK);
	for (size_t i = 0; i < n; i++) {
		char *path = xprintf("%s/%s", dir, names[i]), *text;
		struct fs_id id;
		size_t bytes;

		if (fs_is_dir(path)) {
			sum = sum * 31 + tree_sum(path);
		} else {
			cr_assert_eq(fs_identify(path, &id, NULL), ST_OK);
			cr_assert_eq(fs_read(path, 64u << 20, &text, &bytes, NULL), ST_OK);
			sum = sum * 31 + cache_sum(text, bytes) + (uint64_t)id.mtime_ns + id.ino;
			big_free(text);
		}
		sum = sum * 31 + cache_line_sum(names[i], strlen(names[i]));
		xfree(path);
		xfree(names[i]);
	}
	xfree(names);
	return sum;
}

Test(work_read_only, a_read_only_desk_reads_all_that_is_kept_and_changes_none_of_it)
{
	struct desk_options o = { .formats = formats, .read_only = true, .scan_tokens = 128 };
	const char *path = work_demo(1);
	struct desk *d = work_desk(path, formats, NULL);
	uint8_t choice[64] = { 0 };
	struct eval_result r;
	struct err e = { 0 };
	uint64_t before;
	size_t points;

	prepare(d, STAGE_MORE);
	choice[0] = 1;
	cr_assert_eq(desk_measure(d, choice, 64, "measured", &r, NULL, &e), ST_OK, "%s", e.msg);
	points = d->n_points;
	desk_close(d);
	before = tree_sum(tmp_path("cache"));
	for (int other = 0; other < 2; other++) { /* known by its inode; by its bytes alone */
		measured_fast = measured_scan = 0;
		cr_assert_eq(desk_open(&d, other ? work_demo(1) : path, &o, NULL, &e), ST_OK);
		cr_assert_eq(cache_pending(d->cache), other != 0);
		cr_assert_eq(desk_identify(d, NULL, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(d->cells_kept, 56);
		cr_assert(d->best[0] && d->best[1]);
		desk_points_load(d);
		cr_assert_eq(d->n_points, points);
		prepare(d, STAGE_MORE);
		cr_assert_eq(measured_fast + measured_scan, 0);
		choice[0] = 0;
		choice[1] = 1; /* what is new is of this sitting alone */
		cr_assert_eq(desk_measure(d, choice, 64, "measured", &r, NULL, &e), ST_OK);
		cr_assert_eq(d->n_points, points + 1);
		cr_assert(cache_verify(d->cache, d->m->ck, NULL));
		cache_trim(d->cache, 0);
		desk_close(d);
		cr_assert_eq(tree_sum(tmp_path("cache")), before);
	}
	o.formats = "int3g64,keep"; /* nothing is kept of these */
	cr_assert_eq(desk_open(&d, path, &o, NULL, &e), ST_OK);
	prepare(d, STAGE_FAST);
	cr_assert_eq(measured_fast, 28);
	desk_close(d);
	cr_assert_eq(tree_sum(tmp_path("cache")), before);
}

Test(work_read_only, a_read_only_desk_on_another_model_makes_no_folder_for_it)
{
	struct desk_options o = { .formats = formats, .read_only = true, .scan_tokens = 64 };
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	struct err e = { 0 };
	uint64_t before;

	desk_close(d);
	before = tree_sum(tmp_path("cache"));
	cr_assert_eq(desk_open(&d, work_demo(2), &o, NULL, &e), ST_OK);
	prepare(d, STAGE_FAST);
	desk_close(d);
	cr_assert_eq(tree_sum(tmp_path("cache")), before);
}

/* test_work_text.c - a file's text on a desk: its parts, too little of it, bytes that are odd. */
#include "tests/desk_fixture.h"

TestSuite(work_text, .init = set_up);

Test(work_text, text_from_a_file_is_cut_into_parts_that_do_not_meet)
{
	struct desk *d = work_desk(work_demo(1), formats, work_text("text.txt", 20000));
	struct token_text t = { 0 };
	struct err e;

	cr_assert_str_eq(d->text_name, "text.txt");
	cr_assert_eq(d->scan_text.n_seq * d->scan_text.len, 128);
	cr_assert_eq(desk_calib_text(d, 4, NULL, &e), ST_OK);
	cr_assert_eq(d->calib_text.n_seq, 4);
	cr_assert_eq(desk_measure_text(d, 512, &t, NULL, &e), ST_OK);
	cr_assert_eq(t.n_seq, 2);
	cr_assert(memcmp(t.id, d->calib_text.id, 64) != 0);
	cr_assert_str_empty(warned);
	token_text_release(&t);
	prepare(d, STAGE_SCAN);
	cr_assert_eq(measured_scan, 56);
	desk_close(d);
	measured_scan = 0;
	d = work_desk(work_demo(1), formats, tmp_path("text.txt"));
	cr_assert_eq(d->cells_kept, 56);
	cr_assert(d->best[1]);
	desk_close(d);
}

Test(work_text, a_short_text_serves_more_than_once_and_says_so)
{
	struct desk *d = work_desk(work_demo(1), formats, work_text("short.txt", 40));
	struct token_text t = { 0 };
	struct err e = { 0 };
	const char *at;

	prepare(d, STAGE_SCAN);
	at = strstr(warned, "parts of it serve more than once");
	cr_assert(at, "%s", warned);
	cr_assert_eq(desk_measure_text(d, 64, &t, NULL, &e), ST_OK, "%s", e.msg);
	token_text_release(&t);
	cr_assert_null(strstr(at + 1, "parts of it serve"), "%s", warned);
	cr_assert_eq(cells(d, CELL_SCANNED), 56);
	desk_close(d);
	measured_fast = measured_scan = 0;
	d = work_desk(work_demo(1), formats, tmp_path("short.txt"));
	cr_assert_eq(cells(d, CELL_SCANNED), 56, "measured on all there is of the text");
	prepare(d, STAGE_SCAN);
	cr_assert_eq(measured_scan, 0);
	tmp_write(tmp_path("empty.txt"), "", 0);
	cr_assert_neq(desk_set_text(d, tmp_path("empty.txt"), 0, NULL, &e), ST_OK);
	cr_assert(strstr(e.msg, "empty.txt"), "%s", e.msg);
	cr_assert_eq(cells(d, CELL_SCANNED), 56, "refused: as it was");
	cr_assert_eq(desk_set_text(d, NULL, 0, NULL, &e), ST_OK);
	cr_assert_eq(cells(d, CELL_FAST), 0);
	desk_close(d);
}

Test(work_text, bytes_that_are_not_utf8_are_named_once)
{
	struct desk *d;
	struct tok_ids ids = { 0 };
	const char *path = tmp_path("latin1.txt"), *at;
	struct err e;

	tmp_write(path, "some text and caf\xe9 and more \xff of it, as bytes", 44);
	d = work_desk(work_demo(1), formats, path);
	cr_assert_eq(desk_tokens(d, path, 0, &ids, NULL, &e), ST_OK);
	cr_assert_eq(desk_tokens(d, path, 4, &ids, NULL, &e), ST_OK);
	at = strstr(warned, "not UTF-8 from byte 17");
	cr_assert(at, "%s", warned);
	cr_assert_null(strstr(at + 1, "not UTF-8"));
	tok_ids_release(&ids);
	desk_close(d);
}

Test(work_text, a_limit_of_tokens_takes_the_beginning)
{
	struct desk *d = work_desk(work_demo(1), formats, NULL);
	const char *path = work_text("long.txt", 30000);
	struct tok_ids all = { 0 }, some = { 0 };
	struct err e;

	cr_assert_eq(desk_tokens(d, path, 0, &all, NULL, &e), ST_OK);
	cr_assert_eq(desk_tokens(d, path, 100, &some, NULL, &e), ST_OK);
	cr_assert_eq(some.n, 100);
	cr_assert_arr_eq(some.id, all.id, 100 * sizeof *all.id);
	tok_ids_release(&all);
	tok_ids_release(&some);
	desk_close(d);
}

/* test_base_fs_log.c - append-only logs: lines, torn tails, several writers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "tests/lib_base.h"

Test(fs_log, lines_are_appended_and_a_torn_tail_is_cut)
{
	const char *path = tmp_path("log");
	struct fs_log *l;
	struct err e = { 0 };

	cr_assert_eq(fs_log_open(&l, path, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(fs_log_line(l, "one", &e), ST_OK);
	cr_assert_eq(fs_log_line(l, "two", &e), ST_OK);
	cr_assert_eq(fs_log_line(l, "a\nb", &e), ST_INVALID);
	fs_log_close(l);
	fs_log_close(NULL);
	cr_assert(tmp_holds(path, "one\ntwo\n", 8));
	tmp_write(path, "one\ntwo\nthr", 11);
	cr_assert_eq(fs_log_open(&l, path, &e), ST_OK);
	cr_assert_eq(fs_log_line(l, "three", &e), ST_OK);
	fs_log_close(l);
	cr_assert(tmp_holds(path, "one\ntwo\nthree\n", 14));
	tmp_write(path, "torn from the first byte", 24);
	cr_assert_eq(fs_log_open(&l, path, &e), ST_OK);
	fs_log_close(l);
	cr_assert(tmp_holds(path, "", 0));
	cr_assert_eq(fs_log_open(&l, "/dev/null", &e), ST_INVALID);
}

Test(fs_log, a_torn_tail_longer_than_a_block_is_cut)
{
	const char *path = tmp_path("log");
	static char tail[20000];
	struct fs_log *l;

	memset(tail, 'x', sizeof tail);
	memcpy(tail, "one\n", 4);
	tmp_write(path, tail, sizeof tail);
	cr_assert_eq(fs_log_open(&l, path, NULL), ST_OK);
	cr_assert_eq(fs_log_line(l, "two", NULL), ST_OK);
	fs_log_close(l);
	cr_assert(tmp_holds(path, "one\ntwo\n", 8));
}

Test(fs_log, a_failed_line_is_reported_and_the_next_one_is_whole)
{
	const char *path = tmp_path("log");
	struct fs_log *l;
	struct err e;

	cr_assert_eq(fs_log_open(&l, path, &e), ST_OK);
	fs_fail_at(1, ENOSPC);
	cr_assert_eq(fs_log_line(l, "lost", &e), ST_IO);
	cr_assert(strstr(e.msg, path) && strstr(e.msg, "No space left"), "%s", e.msg);
	cr_assert_eq(fs_log_line(l, "kept", &e), ST_OK);
	fs_log_close(l);
	cr_assert(tmp_holds(path, "kept\n", 5));
}

Test(fs_log, a_torn_line_is_taken_back_without_those_of_another_process)
{
	const char *path = tmp_path("log");
	struct rlimit r = { 11, 11 };
	struct fs_log *ours, *theirs;
	struct err e;

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(fs_log_open(&ours, path, &e), ST_OK);
	cr_assert_eq(fs_log_open(&theirs, path, &e), ST_OK);
	cr_assert_eq(fs_log_line(ours, "one", &e), ST_OK);
	cr_assert_eq(fs_log_line(theirs, "two", &e), ST_OK);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
	cr_assert_eq(fs_log_line(ours, "too long for it", &e), ST_IO);
	cr_assert(tmp_holds(path, "one\ntwo\n", 8));
	fs_log_close(ours);
	fs_log_close(theirs);
}

/* ---- folders */

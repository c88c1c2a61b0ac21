/* test_work_run.c - run folders: made, written, ended, found again. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/work/run.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

static const struct run_info info = { .kind = "scan",
	.model = "demo",
	.model_path = "/m.gguf",
	.model_sha = "abc",
	.text = "a text",
	.options = "int2g64",
	.seed = 1 };

static struct run *made(void)
{
	struct run *r = NULL;
	struct err e = { 0 };

	cr_assert_eq(run_new(&r, &info, &e), ST_OK, "%s", e.msg);
	return r;
}

static char *read_file(const char *dir, const char *name)
{
	char *path = xprintf("%s/%s", dir, name), *s = NULL;
	size_t n;

	cr_assert_eq(fs_read(path, 1 << 20, &s, &n, NULL), ST_OK, "%s", path);
	xfree(path);
	return s;
}

static int told;
static char told_id[128], told_kind[32];

static void tell(void *arg, const char *id, const char *kind)
{
	(void)arg;
	told++;
	snprintf(told_id, sizeof told_id, "%s", id);
	snprintf(told_kind, sizeof told_kind, "%s", kind);
}

TestSuite(work_run, .init = work_home);

Test(work_run, a_run_is_a_folder_that_says_what_it_did)
{
	struct run *r = made();
	char *path = xstrdup(run_path(r)), *s;
	struct err e;

	cr_assert(strstr(run_id(r), "-scan-"));
	cr_assert_eq(run_line(r, "scan.tsv", "# layer\tdamage", "0\t0.5", &e), ST_OK);
	cr_assert_eq(run_line(r, "scan.tsv", "# layer\tdamage", "1\t0.25", &e), ST_OK);
	cr_assert_eq(run_event(r, "began", "with \"quotes\"\n", &e), ST_OK);
	run_end(r, ST_OK, "every cell measured");
	s = read_file(path, "run.json");
	cr_assert(strstr(s, "\"kind\"") && strstr(s, "int2g64") && strstr(s, "abc"), "%s", s);
	big_free(s);
	s = read_file(path, "scan.tsv");
	cr_assert_str_eq(s, "# layer\tdamage\n0\t0.5\n1\t0.25\n");
	big_free(s);
	s = read_file(path, "events.ndjson");
	cr_assert(strstr(s, "\\\"quotes\\\"\\n") && s[strlen(s) - 1] == '\n', "%s", s);
	big_free(s);
	s = read_file(path, "end.json");
	cr_assert(strstr(s, "every cell measured") && strstr(s, "ok"), "%s", s);
	big_free(s);
	xfree(path);
	runs_crashed("abc", tell, NULL);
	cr_assert_eq(told, 0);
}

Test(work_run, runs_of_one_second_have_their_own_folders)
{
	struct run *a = made(), *b = made();

	cr_assert_str_neq(run_id(a), run_id(b));
	run_end(a, ST_OK, NULL);
	run_end(b, ST_CANCELLED, NULL);
	run_end(NULL, ST_OK, NULL);
}

Test(work_run, a_run_that_is_alive_is_not_crashed)
{
	struct run *r = made();

	runs_crashed("abc", tell, NULL);
	cr_assert_eq(told, 0);
	run_end(r, ST_OK, NULL);
}

Test(work_run, a_killed_run_is_found_once)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		made();
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	runs_crashed("of another model", tell, NULL);
	cr_assert_eq(told, 0);
	runs_crashed("abc", tell, NULL);
	cr_assert_eq(told, 1);
	cr_assert_str_eq(told_kind, "scan");
	runs_crashed("abc", tell, NULL);
	cr_assert_eq(told, 1, "said before");
}

Test(work_run, folders_that_are_no_runs_are_passed_over)
{
	cr_assert_eq(fs_mkdirs(tmp_path("runs/empty"), NULL), ST_OK);
	cr_assert_eq(fs_mkdirs(tmp_path("runs/broken"), NULL), ST_OK);
	tmp_write(tmp_path("runs/broken/run.json"), "{\"v\":", 5);
	tmp_write(tmp_path("runs/file"), "x", 1);
	runs_crashed("abc", tell, NULL);
	cr_assert_eq(told, 0);
	cr_assert_null(run_layout_path("empty"));
}

Test(work_run, every_failing_write_is_an_answer_and_leaves_no_half_run)
{
	unsigned long calls;
	struct run *r;
	struct err e;

	fs_fail_at(0, 0);
	calls = fs_count();
	run_end(made(), ST_OK, NULL);
	calls = fs_count() - calls;
	cr_assert_gt(calls, 8);
	for (unsigned long i = 1; i <= calls; i++) {
		enum st st;

		fs_fail_at(i, ENOSPC);
		st = run_new(&r, &info, &e);
		if (!st)
			run_end(r, ST_OK, NULL);
		fs_fail_at(0, 0);
		cr_assert(!st || (e.msg[0] && strstr(e.msg, "new run")), "call %lu: %s", i, e.msg);
	}
	runs_crashed("abc", tell, NULL);
	cr_assert_leq(told, (int)calls);
	told = 0;
	runs_crashed("abc", tell, NULL);
	cr_assert_eq(told, 0, "told once");
}

Test(work_run, a_full_disk_fails_the_line_and_not_the_program)
{
	struct run *r = made();
	struct err e = { 0 };

	cr_assert_eq(run_line(r, "scan.tsv", "# x", "1", &e), ST_OK);
	fs_fail_at(1, ENOSPC);
	cr_assert_eq(run_line(r, "scan.tsv", "# x", "2", &e), ST_IO);
	cr_assert(strstr(e.msg, "scan.tsv"), "%s", e.msg);
	fs_fail_at(0, 0);
	run_end(r, ST_IO, e.msg);
}

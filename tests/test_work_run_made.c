/* test_work_run_made.c - which run folders were written by this account, and their words. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/run_made.h"
#include "core/work/runs.h"
#include "tests/lib_runs.h"
#include "tests/lib_work.h"

TestSuite(work_run_made, .init = work_home);

static char *made_run(void)
{
	struct run_info info = {
		.kind = "scan", .model = "m", .model_path = "/m", .model_sha = "a"
	};
	struct run *run;
	struct err e = { 0 };
	char *path;

	cr_assert_eq(run_new(&run, &info, &e), ST_OK, "%s", e.msg);
	path = xstrdup(run_path(run));
	run_end(run, ST_OK, "");
	return path;
}

Test(work_run_made, a_run_written_here_is_known_until_a_byte_of_its_run_json_is_another)
{
	char *path = made_run(), *head = xprintf("%s/run.json", path), *text;
	struct err e = { 0 };
	size_t n;

	cr_assert(run_made_here(path));
	cr_assert_eq(fs_read(head, 1 << 20, &text, &n, &e), ST_OK);
	text[n / 2] ^= 1;
	cr_assert_eq(fs_write_all(head, text, n, &e), ST_OK);
	cr_assert_not(run_made_here(path));
	text[n / 2] ^= 1;
	cr_assert_eq(fs_write_all(head, text, n, &e), ST_OK);
	cr_assert(run_made_here(path), "as it was");
	big_free(text);
	xfree(head);
	xfree(path);
}

Test(work_run_made, a_folder_made_by_hand_and_one_without_a_run_json_are_not_known)
{
	char *path = made_run(), *dir = runs_dir(), *other;

	put_run("x", "scan", "ok", 1000, 0, -1, "");
	other = xprintf("%s/x", dir);
	cr_assert_not(run_made_here(other));
	cr_assert_not(run_made_here(dir));
	cr_assert(run_made_here(path));
	xfree(other);
	xfree(dir);
	xfree(path);
}

Test(work_run_made, a_command_line_is_one_line_that_a_shell_takes_again)
{
	char a[] = "bitdial", b[] = "a b", c[] = "it's", d[] = "x\ny'\x1b", e[] = "";
	char *at[] = { a, b, c, d, e };
	struct run_words w = { at, 5 };
	char *s = run_command(&w);

	cr_assert_str_eq(s, "bitdial 'a b' 'it'\\''s' $'x\\x0ay\\'\\x1b' ''");
	xfree(s);
}

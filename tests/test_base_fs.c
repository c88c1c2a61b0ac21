/* test_base_fs.c - reading, writing that survives any failing call, folders, locks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "tests/lib_base.h"

/* ---- reading */

Test(fs, a_mapped_file_is_its_bytes_and_its_identity)
{
	const char *path = tmp_path("a");
	struct err e = { 0 };
	struct fs_map m, n;
	struct fs_id id;

	tmp_write(path, "hello", 5);
	cr_assert_eq(fs_map_open(&m, path, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(m.size, 5);
	cr_assert_eq(memcmp(m.data, "hello", 5), 0);
	cr_assert_eq(fs_identify(path, &id, &e), ST_OK);
	cr_assert(fs_id_equal(&id, &m.id));
	tmp_write(path, "hello!", 6);
	cr_assert_eq(fs_map_open(&n, path, &e), ST_OK);
	cr_assert_not(fs_id_equal(&n.id, &m.id));
	fs_map_close(&m);
	fs_map_close(&n);
	cr_assert_null(m.data);
	fs_map_close(&m);
	tmp_write(path, "", 0);
	cr_assert_eq(fs_map_open(&m, path, &e), ST_OK);
	cr_assert(!m.data && !m.size);
	fs_map_close(&m);
}

Test(fs, what_is_no_regular_file_is_refused_by_name, .timeout = 10)
{
	const char *pipe_path = tmp_path("pipe"), *absent = tmp_path("absent");
	struct err e;
	struct fs_map m;
	size_t len;
	char *text, want[700];

	cr_assert_eq(mkfifo(pipe_path, 0600), 0);
	cr_assert_eq(fs_map_open(&m, pipe_path, &e), ST_INVALID);
	snprintf(want, sizeof want, "%s is a pipe, not a regular file", pipe_path);
	cr_assert_str_eq(e.msg, want);
	cr_assert_eq(fs_read(pipe_path, 100, &text, &len, &e), ST_INVALID);
	cr_assert_null(text);
	cr_assert_eq(fs_map_open(&m, tmp_dir(), &e), ST_INVALID);
	snprintf(want, sizeof want, "%s is a folder, not a regular file", tmp_dir());
	cr_assert_str_eq(e.msg, want);
	cr_assert_eq(fs_map_open(&m, "/dev/null", &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "/dev/null is a device, not a regular file");
	cr_assert_eq(fs_map_open(&m, absent, &e), ST_IO);
	snprintf(want, sizeof want, "cannot open %s: No such file or directory", absent);
	cr_assert_str_eq(e.msg, want);
}

Test(fs, reading_adds_a_nul_and_refuses_more_than_max)
{
	const char *path = tmp_path("a");
	struct err e;
	size_t len;
	char *text;

	tmp_write(path, "a\0b", 3);
	cr_assert_eq(fs_read(path, 3, &text, &len, &e), ST_OK);
	cr_assert(len == 3 && !memcmp(text, "a\0b", 4));
	big_free(text);
	cr_assert_eq(fs_read(path, 2, &text, &len, &e), ST_INVALID);
	cr_assert(!text && strstr(e.msg, "has 3 B, at most 2 B are read here"), "%s", e.msg);
	alloc_fail_at(1, false);
	cr_assert_eq(fs_read(path, 3, &text, &len, &e), ST_NOMEM);
	cr_assert_null(text);
}

Test(fs, a_folder_is_listed_in_order)
{
	struct err e;
	char **names;
	size_t n;

	for (int i = 30; i > 0; i--) {
		char name[8];

		snprintf(name, sizeof name, "f%02d", i);
		tmp_write(tmp_path(name), "x", 1);
	}
	cr_assert_eq(fs_list(tmp_dir(), &names, &n, &e), ST_OK);
	cr_assert_eq(n, 30);
	cr_assert_str_eq(names[0], "f01");
	cr_assert_str_eq(names[29], "f30");
	while (n)
		xfree(names[--n]);
	xfree(names);
	cr_assert_eq(fs_list(tmp_path("none"), &names, &n, &e), ST_IO);
	cr_assert(fs_is_dir(tmp_dir()) && !fs_is_file(tmp_dir()));
	cr_assert(fs_is_file(tmp_path("f01")) && !fs_is_dir(tmp_path("f01")));
	cr_assert(!fs_is_file(tmp_path("none")) && !fs_is_dir(tmp_path("none")));
}

/* ---- writing one file */

static char large[700000];

static enum st write_pieces(const char *path, uint64_t hint, struct err *e)
{
	struct fs_out *o;
	enum st st = fs_out_open(&o, path, hint, e);

	for (size_t at = 0; !st && at < sizeof large;) {
		size_t n = at < 1000 ? 10 : at < 10000 ? 3000 : 150000;

		n = n < sizeof large - at ? n : sizeof large - at;
		st = fs_out_write(o, large + at, n, e);
		at += n;
		if (st) {
			fs_out_abort(o);
			return st;
		}
	}
	return st ? st : fs_out_commit(o, e);
}

Test(fs_out, pieces_of_all_sizes_become_the_file)
{
	const char *path = tmp_path("out");
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof large; i++)
		large[i] = (char)(i * 31 + i / 1000);
	/* No hint, an exact one, one too large (cut), one too small. */
	for (uint64_t hint = 0; hint < 4; hint++) {
		uint64_t hints[] = { 0, sizeof large, 3 << 20, 5000 };

		cr_assert_eq(write_pieces(path, hints[hint], &e), ST_OK, "%s", e.msg);
		cr_assert(tmp_holds(path, large, sizeof large));
		cr_assert_eq(tmp_entries(), 1);
	}
	cr_assert_eq(fs_write_all(path, "", 0, &e), ST_OK);
	cr_assert(tmp_holds(path, "", 0));
}

/* The promise of fs.h under every single failing call, with and without a former
 * file: old or new, whole, nothing else in the folder, a sentence with path and reason. */
static void fail_each_call(bool former)
{
	const char *path = tmp_path("out");
	struct err e;
	bool failed = true, replaced = false;

	memset(large, 'n', sizeof large);
	for (unsigned long n = 1; failed; n++) {
		bool is_new, is_old;

		fs_fail_at(0, 0);
		remove(path);
		if (former)
			tmp_write(path, "old", 3);
		memset(&e, 0, sizeof e);
		fs_fail_at(n, EIO);
		failed = write_pieces(path, 800000, &e);
		fs_fail_at(0, 0);
		is_new = tmp_holds(path, large, sizeof large);
		is_old = former ? tmp_holds(path, "old", 3) : access(path, F_OK) != 0;
		if (!failed) {
			cr_assert(n > 8, "only %lu calls can fail", n - 1);
			cr_assert(is_new);
			cr_assert(replaced, "the fsync of the folder was not among the calls");
			continue;
		}
		cr_assert(is_new || is_old, "call %lu left a mixture", n);
		replaced = replaced || is_new;
		cr_assert_eq(e.st, ST_IO);
		cr_assert(strstr(e.msg, path) && strstr(e.msg, "Input/output error"), "%s", e.msg);
		cr_assert_eq(tmp_entries(), is_new || former, "call %lu left a temporary", n);
	}
}

Test(fs_out, whatever_call_fails_the_former_file_or_the_new_one_is_whole)
{
	fail_each_call(true);
}

Test(fs_out, whatever_call_fails_a_new_file_is_absent_or_whole)
{
	fail_each_call(false);
}

Test(fs_out, a_full_disk_is_named_with_both_numbers)
{
	struct err e;
	const char *path = tmp_path("out");

	fs_fail_at(2, ENOSPC); /* the reservation */
	cr_assert_eq(write_pieces(path, 5 << 20, &e), ST_IO);
	cr_assert(strstr(e.msg, "No space left on device: it needs 5.0 MiB and "), "%s", e.msg);
	cr_assert(strstr(e.msg, " are free"));
	cr_assert_eq(tmp_entries(), 0);
}

Test(fs_out, a_real_limit_of_the_system_keeps_the_former_file)
{
	const char *path = tmp_path("out");
	struct rlimit lim = { 4096, 4096 };
	struct err e = { 0 };
	pid_t pid;
	int status;

	tmp_write(path, "old", 3);
	pid = fork();
	if (!pid) {
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &lim);
		_exit(fs_write_all(path, large, 10000, &e) != ST_IO ||
			!strstr(e.msg, "File too large"));
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert(tmp_holds(path, "old", 3));
	cr_assert_eq(tmp_entries(), 1);
}

Test(fs_out, abort_and_lost_writes_never_get_the_name)
{
	const char *path = tmp_path("out");
	struct fs_out *o;
	struct err e;

	tmp_write(path, "old", 3);
	cr_assert_eq(fs_out_open(&o, path, 0, &e), ST_OK);
	cr_assert_eq(fs_out_write(o, "new", 3, &e), ST_OK);
	fs_out_abort(o);
	fs_out_abort(NULL);
	cr_assert(tmp_holds(path, "old", 3));
	/* A caller that goes on after a failed write. */
	cr_assert_eq(fs_out_open(&o, path, 0, &e), ST_OK);
	fs_fail_at(1, ENOSPC);
	cr_assert_eq(fs_out_write(o, large, sizeof large, &e), ST_IO);
	cr_assert_eq(fs_out_write(o, "tail", 4, &e), ST_OK);
	cr_assert_eq(fs_out_commit(o, &e), ST_IO);
	cr_assert(strstr(e.msg, "an earlier write failed"));
	cr_assert(tmp_holds(path, "old", 3));
	cr_assert_eq(tmp_entries(), 1);
}

Test(fs_out, permissions_and_links_are_kept)
{
	const char *real = tmp_path("real"), *lnk = tmp_path("link");
	struct stat sb;
	struct err e;

	tmp_write(real, "old", 3);
	cr_assert_eq(chmod(real, 0640), 0);
	cr_assert_eq(symlink("real", lnk), 0);
	cr_assert_eq(fs_write_all(lnk, "new", 3, &e), ST_OK);
	cr_assert(tmp_holds(real, "new", 3));
	cr_assert(!lstat(lnk, &sb) && S_ISLNK(sb.st_mode));
	cr_assert(!stat(real, &sb) && (sb.st_mode & 0777) == 0640);
}

Test(fs_out, devices_and_folders_are_never_replaced)
{
	struct err e;

	cr_assert_eq(fs_write_all("/dev/null", "x", 1, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "cannot write /dev/null: it is not a regular file");
	cr_assert_eq(fs_write_all(tmp_dir(), "x", 1, &e), ST_INVALID);
	cr_assert_eq(fs_write_all(tmp_path("none/x"), "x", 1, &e), ST_IO);
	cr_assert(strstr(e.msg, "No such file"), "%s", e.msg);
}

Test(fs, folders_are_made_with_parents_and_measured_and_removed)
{
	char *deep = xprintf("%s/a/b//c/d", tmp_dir());
	struct err e = { 0 };
	struct stat sb;

	cr_assert_eq(fs_mkdirs(deep, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(fs_mkdirs(deep, &e), ST_OK);
	cr_assert(!stat(deep, &sb) && (sb.st_mode & 0777) == 0700);
	cr_assert_eq(fs_mkdir_new(deep, &e), ST_IO);
	cr_assert(strstr(e.msg, "File exists"));
	tmp_write(tmp_path("a/b/file"), "12345", 5);
	tmp_write(tmp_path("a/b/c/d/file"), "123", 3);
	tmp_write(tmp_path("outside"), "keep", 4);
	cr_assert_eq(symlink("../../outside", tmp_path("a/b/link")), 0);
	cr_assert_eq(symlink("..", tmp_path("a/up")), 0);
	cr_assert_eq(fs_tree_bytes(tmp_path("a")), 8);
	cr_assert_eq(fs_tree_bytes(tmp_path("none")), 0);
	cr_assert_eq(fs_mkdirs(tmp_path("outside/x"), &e), ST_IO);
	cr_assert(strstr(e.msg, "Not a directory"), "%s", e.msg);
	cr_assert_eq(fs_remove_tree(tmp_path("a"), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(tmp_entries(), 1);
	cr_assert(tmp_holds(tmp_path("outside"), "keep", 4));
	cr_assert_eq(fs_remove_tree(tmp_path("a"), &e), ST_OK);
	cr_assert(fs_free_bytes(deep) > 0); /* of the nearest folder that exists */
	xfree(deep);
}

Test(fs, removing_reports_the_call_that_failed)
{
	struct err e;
	unsigned long n = 0;
	enum st st;

	do {
		cr_assert_eq(fs_mkdirs(tmp_path("a/b"), &e), ST_OK);
		tmp_write(tmp_path("a/b/f"), "x", 1);
		fs_fail_at(++n, EACCES);
		st = fs_remove_tree(tmp_path("a"), &e);
		fs_fail_at(0, 0);
		if (st)
			cr_assert(strstr(e.msg, "Permission denied"));
	} while (st);
	cr_assert_eq(n, 4); /* file and two folders, then none */
}

Test(fs, renaming_moves_and_says_what_failed)
{
	struct err e;

	tmp_write(tmp_path("a"), "x", 1);
	cr_assert_eq(fs_rename(tmp_path("a"), tmp_path("b"), &e), ST_OK);
	cr_assert(tmp_holds(tmp_path("b"), "x", 1));
	cr_assert_eq(fs_rename(tmp_path("a"), tmp_path("b"), &e), ST_IO);
	cr_assert(strstr(e.msg, "cannot rename"));
}

Test(fs, places_follow_xdg_and_ignore_relative_values)
{
	static const struct {
		enum fs_place p;
		const char *var, *below_home;
	} t[] = {
		{ FS_CONFIG, "XDG_CONFIG_HOME", "/h/.config/bitdial" },
		{ FS_STATE, "XDG_STATE_HOME", "/h/.local/state/bitdial" },
		{ FS_DATA, "XDG_DATA_HOME", "/h/.local/share/bitdial" },
		{ FS_CACHE, "XDG_CACHE_HOME", "/h/.cache/bitdial" },
	};

	setenv("HOME", "/h", 1);
	for (size_t i = 0; i < 4; i++) {
		static const char *const values[] = { NULL, "", "relative/x", "/abs" };

		for (size_t k = 0; k < 4; k++) {
			char *p;

			if (values[k])
				setenv(t[i].var, values[k], 1);
			else
				unsetenv(t[i].var);
			p = fs_place(t[i].p);
			cr_assert_str_eq(p, k == 3 ? "/abs/bitdial" : t[i].below_home);
			xfree(p);
		}
	}
	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", "not/absolute", 1);
	{
		char *p = fs_place(FS_CACHE);

		cr_assert_eq(*p, '/');
		xfree(p);
	}
}

/* ---- locks */

Test(fs, a_lock_names_its_holder_and_dies_with_it)
{
	const char *path = tmp_path("lock");
	struct err e;
	int ready[2], fd, pid, status;
	char c;
	pid_t child;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	if (!child) {
		fd = fs_lock(path, NULL, NULL);
		if (write(ready[1], fd >= 0 ? "y" : "n", 1) == 1)
			pause();
		_exit(0);
	}
	cr_assert(read(ready[0], &c, 1) == 1 && c == 'y');
	fd = fs_lock(path, &pid, &e);
	cr_assert_eq(fd, -1);
	cr_assert_eq(pid, child);
	cr_assert(strstr(e.msg, "is in use by process "), "%s", e.msg);
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, &status, 0), child);
	fd = fs_lock(path, &pid, &e);
	cr_assert(fd >= 0);
	/* A second descriptor of the same process is refused, too. */
	cr_assert_eq(fs_lock(path, &pid, &e), -1);
	cr_assert_eq(pid, getpid());
	fs_unlock(fd);
	fd = fs_lock(path, NULL, &e);
	cr_assert(fd >= 0);
	fs_unlock(fd);
	fs_unlock(-1);
	cr_assert_eq(fs_lock(tmp_path("none/lock"), &pid, &e), -1);
	cr_assert_eq(e.st, ST_IO);
}

Test(fs, temporaries_of_killed_processes_are_swept_and_others_stay)
{
	static const char *const stay[] = { "a.json", ".hidden", ".x.tmp", ".a.json.1-0.tmp" };
	char *mine = xprintf(".a.json.%ld-3.tmp", (long)getpid()), *dead;
	const char *dir = tmp_path("sweep");
	char **names;
	size_t n;
	pid_t pid = fork();
	struct err e;

	if (!pid)
		_exit(0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	dead = xprintf(".a.json.%ld-12.tmp", (long)pid);
	cr_assert_eq(fs_mkdirs(dir, &e), ST_OK);
	for (int i = 0; i < 6; i++) {
		char *path = xprintf("%s/%s", dir, i < 4 ? stay[i] : i == 4 ? mine : dead);

		cr_assert_eq(fs_write_all(path, "x", 1, &e), ST_OK, "%s", e.msg);
		xfree(path);
	}
	fs_sweep(dir);
	fs_sweep(tmp_path("no-such-folder"));
	cr_assert_eq(fs_list(dir, &names, &n, &e), ST_OK);
	cr_assert_eq(n, 5);
	for (size_t i = 0; i < n; i++) {
		cr_assert_str_neq(names[i], dead);
		xfree(names[i]);
	}
	xfree(names);
	xfree(mine);
	xfree(dead);
}

Test(fs, a_link_is_made_and_pointed_elsewhere_but_never_in_place_of_a_file)
{
	char got[64] = "";
	struct err e;

	cr_expect_eq(fs_link(tmp_path("best"), "step-1", &e), ST_OK, "%s", e.msg);
	cr_expect_eq(fs_link(tmp_path("best"), "step-2", &e), ST_OK, "%s", e.msg);
	cr_expect_eq(readlink(tmp_path("best"), got, sizeof got - 1), 6);
	cr_expect_str_eq(got, "step-2");
	fs_fail_at(1, ENOSPC);
	cr_expect_eq(fs_link(tmp_path("best"), "step-3", &e), ST_IO);
	fs_fail_at(0, 0);
	cr_expect_eq(tmp_entries(), 1);
	tmp_write(tmp_path("file"), "x", 1);
	cr_expect_eq(fs_link(tmp_path("file"), "step-2", &e), ST_INVALID);
	cr_expect(tmp_holds(tmp_path("file"), "x", 1));
}

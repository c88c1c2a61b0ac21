/* test_base_alloc.c - errors, memory that fails on order, arenas, free memory. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "tests/lib_base.h"

/* ---- err.h */

Test(err, a_failure_is_one_statement_and_callers_add_where)
{
	struct err e = { 0 };

	cr_assert_eq(err_set(&e, ST_FORMAT, "%d of %s", 3, "rows"), ST_FORMAT);
	cr_assert_eq(e.st, ST_FORMAT);
	cr_assert_str_eq(e.msg, "3 of rows");
	cr_assert_eq(err_at(&e, e.st, "layer %d", 7), ST_FORMAT);
	cr_assert_str_eq(e.msg, "layer 7: 3 of rows");
	cr_assert_str_eq(st_name(ST_NOMEM), "out of memory");
	cr_assert_str_eq(st_name((enum st)99), "unknown status");
}

Test(err, no_struct_is_fine)
{
	cr_assert_eq(err_set(NULL, ST_IO, "%s", "x"), ST_IO);
	cr_assert_eq(err_at(NULL, ST_IO, "%s", "x"), ST_IO);
}

Test(err, bytes_from_a_name_cannot_reach_the_terminal)
{
	struct err e;

	err_set(&e, ST_IO, "cannot open %s", "a\x1b]0;x\x07\n\xff\xc2\x9b\xe2\x80\xae z");
	cr_assert_str_eq(e.msg, "cannot open a\\x1b]0;x\\x07\\x0a\\xff\\u{009B}\\u{202E} z");
	err_at(&e, e.st, "\x1b[2J");
	cr_assert_eq(strncmp(e.msg, "\\x1b[2J: cannot", 15), 0);
}

Test(err, a_long_sentence_is_cut_between_characters)
{
	char name[2000], all[2001];
	struct err e;

	for (size_t i = 0; i + 1 < sizeof name; i += 2)
		memcpy(name + i, "\xc3\xa9", 2);
	for (size_t shift = 0; shift < 2; shift++) {
		memset(all, 'x', shift);
		memcpy(all + shift, name, 1998);
		all[shift + 1998] = '\0';
		err_set(&e, ST_IO, "%s", all);
		cr_assert(strlen(e.msg) >= sizeof e.msg - 3 && strlen(e.msg) < sizeof e.msg);
		cr_assert_eq(utf8_first_bad(e.msg, strlen(e.msg)), strlen(e.msg));
		/* A prefix of any length leaves room for the sentence. */
		err_set(&e, ST_IO, "the disk is full");
		err_at(&e, e.st, "%s", all);
		cr_assert(strstr(e.msg, ": the disk is full"));
	}
}

/* ---- alloc.h */

Test(alloc, memory_is_zeroed_and_aligned)
{
	static const size_t sizes[] = { 0, 1, 63, 64, 65, 100000, 3 << 20 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		unsigned char *p = big_alloc(sizes[i], "test", NULL), *q = xalloc(sizes[i]);

		cr_assert(p && q);
		cr_assert_eq((uintptr_t)p % 64, 0);
		for (size_t k = 0; k < sizes[i]; k++)
			cr_assert(!p[k] && !q[k]);
		big_free(p);
		xfree(q);
	}
	big_free(NULL);
	xfree(NULL);
}

Test(alloc, the_nth_large_allocation_fails_once)
{
	struct err e = { 0 };
	unsigned long before = alloc_count();
	void *a, *b, *c;

	alloc_fail_at(2, false);
	a = big_alloc(10, "the cache", &e);
	cr_assert(a);
	b = big_alloc(3 << 20, "the cache", &e);
	cr_assert_null(b);
	cr_assert_eq(e.st, ST_NOMEM);
	/* there is more than enough, and yet none was given: a limit on the process */
	cr_assert_str_eq(
		e.msg, "the cache of 3.0 MiB: the system gives no more memory (see ulimit -v)");
	c = big_alloc(10, "the cache", &e);
	cr_assert(c);
	cr_assert_eq(alloc_count() - before, 3);
	big_free(a);
	big_free(c);
}

Test(alloc, failing_for_ever_ends_when_switched_off)
{
	void *p;

	alloc_fail_at(2, true);
	p = big_alloc(1, "x", NULL);
	cr_assert(p);
	big_free(p);
	for (int i = 0; i < 5; i++)
		cr_assert_null(big_array(3, 4, "x", NULL));
	alloc_fail_at(0, false);
	p = big_array(3, 4, "x", NULL);
	cr_assert(p);
	big_free(p);
}

Test(alloc, a_product_that_wraps_or_is_absurd_is_an_answer)
{
	struct err e = { 0 };

	cr_assert_null(big_array(SIZE_MAX / 2, 3, "weights", &e));
	cr_assert_eq(e.st, ST_NOMEM);
	cr_assert(strstr(e.msg, "weights"));
	e.st = ST_OK;
	cr_assert_null(big_alloc(SIZE_MAX, "weights", &e));
	cr_assert_eq(e.st, ST_NOMEM);
	cr_assert_null(big_alloc((size_t)1 << 60, "weights", &e));
	cr_assert(strstr(e.msg, "weights of 1.0 EiB: only"), "%s", e.msg);
}

/* Runs fn in a child; its exit status, and what it wrote to fd 2. */
static int child(void (*fn)(void), char out[256])
{
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		dup2(fds[1], 2);
		fn();
		_exit(77);
	}
	close(fds[1]);
	n = read(fds[0], out, 255);
	out[n < 0 ? 0 : n] = '\0';
	close(fds[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void hook(const char *sentence)
{
	dprintf(2, "hook: %s", sentence);
}

static void small_fails_hooked(void)
{
	alloc_on_end(hook);
	xalloc_fail_at(2);
	xfree(xstrdup("one"));
	xfree(xstrdup("two"));
}

static void small_fails_bare(void)
{
	xarray(SIZE_MAX, 2);
}

static void arena_wraps(void)
{
	struct arena a;

	arena_init(&a, 0);
	arena_take(&a, SIZE_MAX / 2, 4);
}

Test(alloc, want_of_a_small_thing_ends_the_program_with_a_sentence)
{
	char out[256];

	cr_assert_eq(child(small_fails_hooked, out), 1);
	cr_assert_str_eq(out, "hook: bitdial: out of memory (4 more bytes were needed)");
	cr_assert_eq(child(small_fails_bare, out), 1);
	cr_assert_eq(strncmp(out, "bitdial: out of memory", 22), 0);
	cr_assert_eq(child(arena_wraps, out), 1);
}

static void env_fails(void)
{
	bool ok[4];

	setenv("BITDIAL_FAIL_ALLOC", "2+", 1);
	for (int i = 0; i < 4; i++)
		ok[i] = big_alloc(8, "x", NULL);
	_exit(ok[0] && !ok[1] && !ok[2] && !ok[3] ? 0 : 9);
}

Test(alloc, the_environment_can_order_failures)
{
	char out[256];

	cr_assert_eq(child(env_fails, out), 0);
}

static void *many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++)
		big_free(big_alloc(16, "x", NULL));
	return NULL;
}

Test(alloc, counting_holds_with_many_threads)
{
	unsigned long before = alloc_count();
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, many, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	cr_assert_eq(alloc_count() - before, 4000);
}

Test(alloc, strings_are_copied_and_formatted)
{
	char *a = xstrndup("abcdef", 3), *b = xstrndup("ab", 9), *c = xprintf("%s-%05d", a, 42);
	char *d = xrealloc(xstrdup("xyz"), 100);

	cr_assert_str_eq(a, "abc");
	cr_assert_str_eq(b, "ab");
	cr_assert_str_eq(c, "abc-00042");
	cr_assert_str_eq(d, "xyz");
	xfree(a);
	xfree(b);
	xfree(c);
	xfree(d);
}

/* ---- mem_available */

static void lay(const char *name, const char *text)
{
	char *path = xprintf("%s/%s", tmp_dir(), name), *slash = strrchr(path, '/');

	*slash = '\0';
	cr_assert_eq(fs_mkdirs(path, NULL), ST_OK);
	*slash = '/';
	tmp_write(path, text, strlen(text));
	xfree(path);
}

Test(alloc, free_memory_is_the_least_of_machine_and_groups)
{
	const char *root = tmp_dir();

	cr_assert_eq(mem_available_in(root), SIZE_MAX); /* nothing known */
	lay("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n");
	cr_assert_eq(mem_available_in(root), 4000 * 1024);
	lay("proc/self/cgroup", "0::/a/b\n");
	cr_assert_eq(mem_available_in(root), 4000 * 1024);
	lay("sys/fs/cgroup/a/b/memory.max", "max\n");
	lay("sys/fs/cgroup/a/b/memory.current", "5000\n");
	cr_assert_eq(mem_available_in(root), 4000 * 1024);
	lay("sys/fs/cgroup/a/memory.max", "1000000\n");
	lay("sys/fs/cgroup/a/memory.current", "900000\n");
	cr_assert_eq(mem_available_in(root), 100000);
	lay("sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 50000\nactive_file 8\n");
	cr_assert_eq(mem_available_in(root), 150000);
	lay("sys/fs/cgroup/memory.max", "300\n"); /* a container's own root */
	lay("sys/fs/cgroup/memory.current", "400\n");
	cr_assert_eq(mem_available_in(root), 0);
}

Test(alloc, groups_of_version_1_count_too)
{
	const char *root = tmp_dir();

	lay("proc/meminfo", "MemAvailable: 4000 kB\n");
	lay("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x\n0::/\n");
	lay("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "70000\n");
	lay("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "20000\n");
	lay("sys/fs/cgroup/memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 10000\n");
	cr_assert_eq(mem_available_in(root), 60000);
}

Test(alloc, this_machine_has_memory)
{
	cr_assert(mem_available() > 1 << 20);
}

/* ---- arena.h */

Test(arena, things_are_zeroed_aligned_and_do_not_move)
{
	struct arena a;
	unsigned char *p[500];

	arena_init(&a, 0);
	for (size_t i = 0; i < 500; i++) {
		p[i] = arena_take(&a, i, 7);
		cr_assert_eq((uintptr_t)p[i] % 16, 0);
		for (size_t k = 0; k < i * 7; k++)
			cr_assert_eq(p[i][k], 0);
		memset(p[i], (int)(i & 255), i * 7);
	}
	for (size_t i = 0; i < 500; i++)
		for (size_t k = 0; k < i * 7; k++)
			cr_assert_eq(p[i][k], i & 255);
	arena_release(&a);
	cr_assert_null(a.chunks);
	cr_assert_eq(a.total, 0);
}

Test(arena, a_large_thing_fits_between_small_ones)
{
	struct arena a;
	char *small, *large, *after;

	arena_init(&a, 0);
	small = arena_strndup(&a, "names", 4);
	large = arena_take(&a, 5, 1 << 20);
	after = arena_strndup(&a, "x", 1);
	memset(large, 1, 5 << 20);
	cr_assert_str_eq(small, "name");
	cr_assert_str_eq(after, "x");
	arena_release(&a);
	after = arena_strndup(&a, "again", 5);
	cr_assert_str_eq(after, "again");
	arena_release(&a);
}

Test(arena, what_a_file_sizes_is_refused_past_the_limit)
{
	struct err e = { 0 };
	struct arena a;

	arena_init(&a, 1000);
	cr_assert(arena_try(&a, 1, 900, "the index", &e));
	cr_assert_null(arena_try(&a, 1, 900, "the index", &e));
	cr_assert_eq(e.st, ST_NOMEM);
	cr_assert(strstr(e.msg, "the index"));
	cr_assert(arena_try(&a, 1, 80, "the index", &e));
	cr_assert_null(arena_try(&a, SIZE_MAX / 2, 3, "the index", &e));
	cr_assert_null(arena_try(&a, SIZE_MAX, 1, "the index", &e));
	arena_release(&a);
	alloc_fail_at(1, false);
	cr_assert_null(arena_try(&a, 1, 8, "the index", &e));
	cr_assert_eq(e.st, ST_NOMEM);
	cr_assert(arena_try(&a, 1, 8, "the index", &e));
	arena_release(&a);
}

/* test_guard.c - faults that another program causes: a mapped file that is cut short. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/tui/guard.h"
#include "app/verbs.h"
#include "core/base/fs.h"
#include "core/base/sig.h"

static void *touch(void *arg)
{
	const volatile unsigned char *p = arg;

	return (void *)(uintptr_t)*p;
}

/* In a child: a file of two pages is mapped and cut, and a thread like the engine's reads
 * what is gone.  Its stderr comes back; the result is its exit status. */
static int cut_under(void (*prepare)(int fd), char said[512])
{
	int pipes[2], status;
	ssize_t n, got = 0;
	pid_t child;

	cr_assert_eq(pipe(pipes), 0);
	child = fork();
	if (!child) {
		char path[] = "/tmp/bitdial-guard-XXXXXX", page[8192] = { 1 };
		int fd = mkstemp(path);
		struct fs_map map;
		pthread_t thread;
		sigset_t set;

		dup2(pipes[1], 2);
		if (write(fd, page, sizeof page) != sizeof page || fs_map_open(&map, path, NULL))
			_exit(99);
		unlink(path);
		prepare(pipes[1]);
		if (ftruncate(fd, 10))
			_exit(98);
		sig_all_but_faults(&set);
		pthread_sigmask(SIG_SETMASK, &set, NULL);
		pthread_create(&thread, NULL, touch, (void *)(uintptr_t)(map.data + 5000));
		pthread_join(thread, NULL);
		_exit(97);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], said + got, 511 - (size_t)got)) > 0)
		got += n;
	said[got] = 0;
	close(pipes[0]);
	cr_assert_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void as_verb(int fd)
{
	(void)fd;
	verb_fault_signals();
}

static void as_screen(int fd)
{
	static const char *const reset[] = { "<reset>", NULL };

	guard_arm(fd, 2, NULL, reset, "log");
}

Test(guard, a_verb_says_in_one_sentence_that_its_file_was_cut)
{
	char said[512];

	cr_expect_eq(cut_under(as_verb, said), 1);
	cr_expect_str_eq(said, "bitdial: " FS_MAP_LOST "\n");
}

Test(guard, the_screen_is_given_back_before_it_says_so)
{
	char said[512];

	cr_expect_eq(cut_under(as_screen, said), 1);
	cr_expect_str_eq(said, "<reset>bitdial: " FS_MAP_LOST "\n");
}

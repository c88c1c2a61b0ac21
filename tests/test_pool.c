/* test_pool.c - the compute threads. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernels/pool.h"

enum { PARTS = 1000 };

struct work {
	_Atomic int ran[PARTS];
	_Atomic int on_caller, blocked, niced, elsewhere;
	pthread_t caller;
};

static void count(void *arg, size_t part)
{
	struct work *w = arg;

	atomic_fetch_add(&w->ran[part], 1);
}

Test(pool, every_part_runs_once_with_any_number_of_threads, .timeout = 30)
{
	for (int threads = 1; threads <= 9; threads++) {
		pool_start(threads);
		cr_assert_eq(pool_threads(), threads);
		for (size_t parts = 0; parts <= PARTS; parts += parts < 12 ? 1 : 247) {
			struct work w;

			memset(&w, 0, sizeof w);
			pool_run(count, &w, parts);
			for (size_t i = 0; i < PARTS; i++)
				cr_assert_eq(w.ran[i], i < parts,
					"%d threads, %zu parts: part %zu ran %d times", threads,
					parts, i, w.ran[i]);
		}
	}
	pool_stop();
}

Test(pool, runs_on_the_caller_before_it_is_started_and_after_it_is_stopped)
{
	struct work w;

	for (int i = 0; i < 2; i++) {
		cr_expect_eq(pool_threads(), 1);
		memset(&w, 0, sizeof w);
		pool_run(count, &w, 3);
		cr_expect(w.ran[0] == 1 && w.ran[1] == 1 && w.ran[2] == 1);
		pool_start(3);
		pool_stop();
	}
	pool_stop();
}

Test(pool, zero_threads_means_one_a_core)
{
	pool_start(0);
	cr_expect_leq(1, pool_threads());
	cr_expect_leq(pool_threads(), (int)sysconf(_SC_NPROCESSORS_CONF));
	pool_stop();
}

enum { MOST = 100 }; /* jobs until another thread takes part */

static void look_around(void *arg, size_t part)
{
	struct work *w = arg;
	struct timespec ms = { 0, 1000000 };
	sigset_t set;

	(void)part;
	if (pthread_equal(pthread_self(), w->caller)) {
		atomic_fetch_add(&w->on_caller, 1);
	} else {
		atomic_fetch_add(&w->elsewhere, 1);
		pthread_sigmask(SIG_SETMASK, NULL, &set);
		if (sigismember(&set, SIGINT) && sigismember(&set, SIGTERM) &&
			sigismember(&set, SIGWINCH) && !sigismember(&set, SIGBUS) &&
			!sigismember(&set, SIGSEGV))
			atomic_fetch_add(&w->blocked, 1);
		if (getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)) > 0)
			atomic_fetch_add(&w->niced, 1);
	}
	nanosleep(&ms, NULL);
}

Test(pool, workers_take_no_signals_and_are_niced, .timeout = 30)
{
	struct work w;
	sigset_t set;

	memset(&w, 0, sizeof w);
	w.caller = pthread_self();
	pool_start(4);
	for (int i = 0; i < MOST && !w.elsewhere; i++) { /* a busy machine: none was awake */
		atomic_store(&w.on_caller, 0);
		pool_run(look_around, &w, 40);
	}
	pool_stop();
	cr_expect_eq(w.on_caller + w.elsewhere, 40);
	cr_expect(w.elsewhere > 0);
	cr_expect_eq(w.blocked, w.elsewhere);
	cr_expect_eq(w.niced, w.elsewhere);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	cr_expect(!sigismember(&set, SIGINT), "the caller's mask is as it was");
}

static void look_at_nice(void *arg, size_t part)
{
	struct work *w = arg;
	struct timespec ms = { 0, 1000000 };

	(void)part;
	if (!pthread_equal(pthread_self(), w->caller)) {
		atomic_fetch_add(&w->elsewhere, 1);
		if (getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)) >= 12)
			atomic_fetch_add(&w->niced, 1);
	}
	nanosleep(&ms, NULL);
}

Test(pool, workers_of_a_niced_program_stay_niced, .timeout = 30)
{
	struct work w;

	memset(&w, 0, sizeof w);
	w.caller = pthread_self();
	if (getpriority(PRIO_PROCESS, 0) < 12) /* back up is not allowed to everybody */
		cr_assert_eq(setpriority(PRIO_PROCESS, 0, 12), 0);
	pool_start(4);
	for (int i = 0; i < MOST && !w.elsewhere; i++)
		pool_run(look_at_nice, &w, 40);
	pool_stop();
	cr_expect(w.elsewhere > 0);
	cr_expect_eq(w.niced, w.elsewhere);
}

/* Each thread writes over its scratch and looks whether anyone else did. */
static void scribble(void *arg, size_t part)
{
	unsigned char *s = pool_scratch();
	struct work *w = arg;
	struct timespec t = { 0, 100000 };

	memset(s, (int)(part & 255), 4096);
	memset(s + POOL_SCRATCH - 64, (int)(part & 255), 64);
	nanosleep(&t, NULL);
	for (size_t i = 0; i < 4096; i++)
		if (s[i] != (part & 255))
			atomic_fetch_add(&w->ran[0], 1);
	if (s[POOL_SCRATCH - 1] != (part & 255) || (uintptr_t)s % 64)
		atomic_fetch_add(&w->ran[0], 1);
}

Test(pool, scratch_belongs_to_one_part_at_a_time, .timeout = 30)
{
	struct work w;

	memset(&w, 0, sizeof w);
	pool_start(4);
	pool_run(scribble, &w, 200);
	pool_stop();
	cr_expect_eq(w.ran[0], 0);
}

Test(pool, sleeping_workers_come_back, .timeout = 30)
{
	struct timespec ms5 = { 0, 5000000 };
	struct work w;
	int came = 0;

	pool_start(3);
	for (int i = 0; i < 10; i++) {
		nanosleep(&ms5, NULL); /* long enough for them to sleep */
		memset(&w, 0, sizeof w);
		w.caller = pthread_self();
		pool_run(look_around, &w, 20);
		cr_expect_eq(w.on_caller + w.elsewhere, 20);
		came += w.elsewhere;
	}
	pool_stop();
	cr_expect(came > 0, "nobody came");
}

/* pool.c - the compute threads of pool.h.
 *
 * A job is published by its ticket, one 64-bit word: the job's number above, the parts
 * not yet taken below.  A thread reads the ticket, then the job's function, then takes
 * one part by compare and swap; when that succeeds the ticket had not changed in
 * between, so what was read belongs to the part.  Nobody waits for a worker that took
 * nothing: one that sleeps through a job costs that job nothing.
 */
#include "kernels/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_THREADS = 256,
	NICE = 5,
	/* A wake-up costs 10 to 20 us, so waiting that long awake loses nothing; beyond
	 * it others may want the core. */
	SPIN_NS = 15 * 1000,
	YIELD_NS = 40 * 1000,
};

typedef void part_fn(void *arg, size_t part);

static struct {
	int threads; /* with the caller; 0 before pool_start */
	pthread_t worker[MAX_THREADS];
	void *scratch[MAX_THREADS]; /* of the workers */

	/* the job; written by the caller when all parts of the last one are done */
	_Atomic(part_fn *) fn;
	_Atomic(void *) arg;
	_Atomic uint32_t parts;
	_Atomic uint64_t ticket;

	_Atomic uint32_t done;   /* parts finished; futex of the caller */
	_Atomic bool waiting;    /* the caller sleeps on done */
	_Atomic uint32_t number; /* jobs so far; futex of the workers */
	_Atomic int sleepers;
	_Atomic bool stop;
} pool;

static alignas(64) unsigned char own_scratch[POOL_SCRATCH];
static _Thread_local void *my_scratch;

void *pool_scratch(void)
{
	return my_scratch ? my_scratch : own_scratch;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* One look in a waiting loop that began at `since`; false: waited long enough. */
static bool linger(int64_t since)
{
	int64_t waited = now_ns() - since;

	if (waited < SPIN_NS) {
#if defined(__x86_64__)
		__builtin_ia32_pause();
#endif
		return true;
	}
	sched_yield();
	return waited < YIELD_NS;
}

/* Takes parts until there are none. */
static void work(void)
{
	uint64_t t = atomic_load_explicit(&pool.ticket, memory_order_acquire);

	while ((uint32_t)t) {
		part_fn *fn = atomic_load_explicit(&pool.fn, memory_order_relaxed);
		void *arg = atomic_load_explicit(&pool.arg, memory_order_relaxed);
		uint32_t parts = atomic_load_explicit(&pool.parts, memory_order_relaxed);

		if (!atomic_compare_exchange_weak_explicit(
			    &pool.ticket, &t, t - 1, memory_order_acq_rel, memory_order_acquire))
			continue;
		fn(arg, parts - (uint32_t)t);
		/* the last part of a job wakes its caller */
		if (atomic_fetch_add(&pool.done, 1) + 1 == parts && atomic_load(&pool.waiting))
			futex_wake(&pool.done, 1);
		t = atomic_load_explicit(&pool.ticket, memory_order_acquire);
	}
}

static void wait_job(uint32_t seen)
{
	int64_t since = now_ns();

	while (atomic_load(&pool.number) == seen) {
		if (linger(since))
			continue;
		atomic_fetch_add(&pool.sleepers, 1);
		while (atomic_load(&pool.number) == seen)
			futex_wait(&pool.number, seen);
		atomic_fetch_sub(&pool.sleepers, 1);
	}
}

static void *worker(void *scratch)
{
	uint32_t seen = 0;

	id_t self = (id_t)syscall(SYS_gettid);
	int nice;

	my_scratch = scratch;
	/* Linux: a nice value belongs to a thread; one that was started niced stays below the
	 * others.  A refusal costs smoothness only. */
	nice = getpriority(PRIO_PROCESS, self) + NICE;
	(void)setpriority(PRIO_PROCESS, self, nice);
	while (!atomic_load(&pool.stop)) {
		uint32_t number = atomic_load(&pool.number);

		work();
		seen = number;
		wait_job(seen);
	}
	return NULL;
}

static void next_job(int wake)
{
	atomic_fetch_add(&pool.number, 1);
	if (atomic_load(&pool.sleepers) > 0)
		futex_wake(&pool.number, wake);
}

static void wait_done(uint32_t parts)
{
	int64_t since = now_ns();
	uint32_t done;

	while ((done = atomic_load(&pool.done)) != parts) {
		if (linger(since))
			continue;
		atomic_store(&pool.waiting, true);
		while ((done = atomic_load(&pool.done)) != parts)
			futex_wait(&pool.done, done);
		atomic_store(&pool.waiting, false);
	}
}

static void run_job(part_fn *fn, void *arg, uint32_t parts)
{
	uint64_t number = (uint64_t)atomic_load(&pool.number) + 1;
	int helpers = pool.threads - 1;

	atomic_store_explicit(&pool.fn, fn, memory_order_relaxed);
	atomic_store_explicit(&pool.arg, arg, memory_order_relaxed);
	atomic_store_explicit(&pool.parts, parts, memory_order_relaxed);
	atomic_store_explicit(&pool.done, 0, memory_order_relaxed);
	atomic_store_explicit(&pool.ticket, number << 32 | parts, memory_order_release);
	next_job(parts - 1 < (uint32_t)helpers ? (int)parts - 1 : helpers);
	work();
	wait_done(parts);
}

void pool_run(void (*fn)(void *arg, size_t part), void *arg, size_t parts)
{
	if (pool.threads <= 1 || parts <= 1 || parts > UINT32_MAX) {
		for (size_t i = 0; i < parts; i++)
			fn(arg, i);
		return;
	}
	run_job(fn, arg, (uint32_t)parts);
}

static int cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* False: no memory or no thread to be had. */
static bool start_worker(int i)
{
	pool.scratch[i] = aligned_alloc(64, POOL_SCRATCH);
	if (!pool.scratch[i])
		return false;
	if (pthread_create(&pool.worker[i], NULL, worker, pool.scratch[i]) == 0)
		return true;
	free(pool.scratch[i]);
	return false;
}

void pool_start(int threads)
{
	sigset_t all, old;

	pool_stop();
	if (threads <= 0)
		threads = cores();
	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	/* Signals belong to the UI thread; a thread inherits the mask it was born under.  Its
	 * own faults it takes: a blocked one kills past every handler. */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pool.threads = 1;
	/* Fewer workers than wished only means slower: results are the same. */
	while (pool.threads < threads && start_worker(pool.threads - 1))
		pool.threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void pool_stop(void)
{
	if (pool.threads > 1) {
		atomic_store(&pool.stop, true);
		next_job(INT_MAX);
		for (int i = 0; i < pool.threads - 1; i++) {
			pthread_join(pool.worker[i], NULL);
			free(pool.scratch[i]);
		}
		atomic_store(&pool.stop, false);
	}
	pool.threads = 0;
}

int pool_threads(void)
{
	return pool.threads > 1 ? pool.threads : 1;
}

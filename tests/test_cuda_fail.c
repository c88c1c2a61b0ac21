/* test_cuda_fail.c - every call of CUDA fails once, with codes that pass and codes that do not, in
 * a small program of all kinds of operations: what it leaves is right or not a number, the failure
 * is told, and what passes has passed.
 *
 * A lost device is lost to its process: each failure has a process of its own.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib_cuda.h"

enum { N = 64, ROWS = 20, MOST_CALLS = 2000 };

/* Codes of cudaError. */
static const struct {
	int code;
	bool passes;
} codes[] = {
	{ 1, true },      /* invalid value */
	{ 2, true },      /* memory */
	{ 701, true },    /* resources */
	{ 700, false },   /* illegal address */
	{ 12345, false }, /* of a later CUDA */
};

static const struct backend *b;

/* In a child: not Criterion's. */
#define CHECK(is, ...)                                \
	do {                                          \
		if (!(is)) {                          \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr);          \
			_exit(1);                     \
		}                                     \
	} while (0)

/* Device memory, the program on it, what it leaves.  NULL where there was none. */
struct run {
	float *x, *y, *w, *z;
	float got[N + ROWS];
};

/* Of a device that is well, before there are children: they need not make it again. */
static struct run want;

static bool run_begin(struct run *r)
{
	float x[N * ROWS];

	for (size_t i = 0; i < N * ROWS; i++)
		x[i] = (float)(i % 7) - 2;
	r->x = b->alloc(N * sizeof *x);
	r->y = b->alloc(N * sizeof *x);
	r->w = b->alloc(sizeof x);
	r->z = b->alloc(ROWS * sizeof *x);
	if (!r->x || !r->y || !r->w || !r->z)
		return false;
	b->put(r->x, x, N * sizeof *x);
	b->put(r->w, x, sizeof x);
	return true;
}

static void run_go(struct run *r)
{
	const struct mat w = { .type = MAT_F32, .rows = ROWS, .cols = N, .data = r->w };

	for (int step = 0; step < 2; step++) {
		b->step(true);
		b->copy(r->y, r->x, N * sizeof *r->y);
		b->add(r->y, r->x, N);
		b->rmsnorm(r->y, r->y, r->x, 1, N, 1e-5f);
		b->step(false);
	}
	backend_linear(b, r->z, ROWS, r->y, N, 1, &w);
	b->gemm(false, true, 1, ROWS, N, 1, r->y, N, r->w, N, 0.5f, r->z, ROWS, MATH_F32);
	b->get(r->got, r->y, N * sizeof *r->got);
	b->get(r->got + N, r->z, ROWS * sizeof *r->got);
}

static void run_end(struct run *r)
{
	b->free(r->x);
	b->free(r->y);
	b->free(r->w);
	b->free(r->z);
}

static void expect_right_or_nan(const struct run *r, bool well, long n)
{
	for (size_t i = 0; i < N + ROWS; i++)
		CHECK(r->got[i] == want.got[i] || (!well && isnan(r->got[i])),
			"call %ld: %g for %g at %zu", n, (double)r->got[i], (double)want.got[i], i);
}

/* Everything is answered, nothing is asked of CUDA any more. */
static void expect_lost(struct run *r, long n)
{
	struct err e = { ST_OK, "" };
	struct backend_device d;
	long before = cuda_calls();
	double lse = 0;
	int32_t argmax = 7;

	CHECK(b->lost() && b->score() == 0, "call %ld: the device is not lost", n);
	CHECK(b->fault(&e) == ST_DEVICE && *e.msg, "call %ld: no reason", n);
	CHECK(!b->alloc(64), "call %ld: a lost device gives memory", n);
	run_go(r);
	b->row_stats(&lse, &argmax, r->y, 1, N);
	b->wait();
	b->info(&d);
	run_end(r);
	CHECK(isnan(r->got[0]) && isnan(r->got[N]), "call %ld: a lost device answers", n);
	CHECK(isnan(lse) && argmax == 0, "call %ld: a lost device finds the largest", n);
	CHECK(b->open(&e) != ST_OK, "call %ld: a lost device opens", n);
	CHECK(cuda_calls() == before, "call %ld: a lost device is called", n);
}

/* 0: there were not so many calls. */
static int child(long n, int code, bool passes)
{
	struct run r = { 0 };
	struct err e = { ST_OK, "" };
	bool there, failed;
	long before;
	int told = 0;

	cuda_fail(n, code, !passes);
	before = cuda_calls();
	there = run_begin(&r);
	if (there)
		run_go(&r);
	failed = b->fault(&e) != ST_OK;
	told += failed;
	CHECK(there || failed || code == 2, "call %ld: no memory and no reason", n);
	if (there)
		expect_right_or_nan(&r, !failed, n);
	if (b->lost()) {
		CHECK(!passes, "call %ld: lost by code %d: %s", n, code, e.msg);
		expect_lost(&r, n);
		return 2;
	}
	run_end(&r);
	told += b->fault(&e) != ST_OK;
	if (b->lost()) { /* by giving back */
		CHECK(!passes, "call %ld: lost by code %d: %s", n, code, e.msg);
		return 2;
	}
	CHECK(told <= 1, "call %ld, code %d: told twice", n, code);
	if (cuda_calls() - before < n)
		return 0;
	CHECK(passes, "call %ld: code %d has passed", n, code);
	cuda_fail(0, 0, false);
	memset(&r, 0, sizeof r);
	CHECK(run_begin(&r), "call %ld, code %d: no memory afterwards", n, code);
	run_go(&r);
	CHECK(b->fault(&e) == ST_OK, "call %ld: %s", n, e.msg);
	expect_right_or_nan(&r, true, n);
	run_end(&r);
	return 2;
}

/* The exit status of a child that does this. */
static int in_child(int (*f)(long, int, bool), long n, int code, bool passes)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(f(n, code, passes));
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
	cr_assert(WIFEXITED(status), "call %ld, code %d: signal %d", n, code, WTERMSIG(status));
	cr_assert_neq(WEXITSTATUS(status), 1, "call %ld, code %d", n, code);
	return WEXITSTATUS(status);
}

Test(cuda_fail, whichever_call_fails_results_are_right_or_not_numbers, .timeout = 300)
{
	struct err e = { ST_OK, "" };

	b = cuda_backend();
	cr_assert(run_begin(&want));
	run_go(&want);
	run_end(&want);
	cr_assert_eq(b->fault(&e), ST_OK, "%s", e.msg);
	for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
		long n = 1;

		while (n < MOST_CALLS && in_child(child, n, codes[c].code, codes[c].passes))
			n++;
		cr_expect(n > 20 && n < MOST_CALLS, "code %d: %ld calls", codes[c].code, n);
	}
}

/* Opening: it says why, or it works; afterwards it works. */
static int child_open(long n, int code, bool passes)
{
	struct run r = { 0 };
	struct err e = { ST_OK, "" };
	long before = cuda_calls();
	enum st st;

	cuda_fail(n, code, false);
	st = b->open(&e);
	if (st == ST_OK && cuda_calls() - before < n)
		return 0;
	CHECK(st == ST_OK || (st == ST_UNSUPPORTED && *e.msg), "call %ld: %s", n, e.msg);
	cuda_fail(0, 0, false);
	CHECK(b->open(&e) == ST_OK || !passes, "call %ld: %s", n, e.msg);
	if (b->lost() || b->open(&e) != ST_OK)
		return 2;
	CHECK(run_begin(&r), "call %ld: no memory", n);
	run_go(&r);
	CHECK(b->fault(&e) == ST_OK && !isnan(r.got[0]), "call %ld: %s", n, e.msg);
	run_end(&r);
	return 2;
}

/* Operations that are many calls each, with many rows: what fails in the middle of one. */
enum { LINEARS = 3, TOKENS = 40 };

static const enum math maths[] = { MATH_F32, MATH_BF16, MATH_BF16X3, MATH_INT8 };

static float *room; /* of the device; all goes well in it once before there are children */

static void many_go(enum math math)
{
	const uint16_t *stats = (const uint16_t *)(const void *)(room + N);
	const struct mat w = { .type = MAT_INT,
		.rows = N,
		.cols = N,
		.data = room,
		.bits = 4,
		.group = N,
		.scale = stats,
		.offset = stats };
	struct product p[LINEARS];
	float got[N];
	double kl;

	for (size_t i = 0; i < LINEARS; i++)
		p[i] = (struct product){ room + (1 + i) * N * TOKENS, N, &w };
	b->products(p, LINEARS, room, N, TOKENS, math);
	b->gemm(false, true, TOKENS, TOKENS, N, 1, room, N, p[0].y, N, 0, p[1].y, TOKENS, math);
	b->round_kv((int8_t *)(void *)p[2].y, p[1].y, p[0].y, TOKENS, 1, N);
	b->kl(&kl, room, &(double){ 1 }, p[0].y, &(double){ 1 }, 1, N);
	b->get(got, p[0].y, sizeof got);
}

/* code: the index of the math.  What cuBLAS alone was told may pass. */
static int child_many(long n, int code, bool sticky)
{
	long before;
	float got = 0;
	struct err e = { ST_OK, "" };

	cuda_fail(n, 719, sticky);
	before = cuda_calls();
	many_go(maths[code]);
	b->wait();
	if (cuda_calls() - before < n)
		return 0;
	CHECK(b->fault(&e) == ST_DEVICE && *e.msg, "call %ld: not told", n);
	CHECK(b->lost() || !sticky, "call %ld: not lost", n);
	before = cuda_calls();
	many_go(maths[code]);
	b->get(&got, room, sizeof got);
	CHECK(!b->lost() || (isnan(got) && cuda_calls() == before),
		"call %ld: %g of a lost device, which is called", n, (double)got);
	b->free(room);
	return 2;
}

Test(cuda_fail, whichever_call_of_an_operation_of_many_fails_it_ends, .timeout = 300)
{
	struct err e = { ST_OK, "" };

	b = cuda_backend();
	room = b->alloc((LINEARS + 2) * (size_t)N * TOKENS * sizeof *room);
	cr_assert_not_null(room);
	for (int m = 0; m < (int)(sizeof maths / sizeof *maths); m++)
		many_go(maths[m]);
	cr_assert_eq(b->fault(&e), ST_OK, "%s", e.msg);
	for (int m = 0; m < (int)(sizeof maths / sizeof *maths); m++)
		for (int sticky = 0; sticky < 2; sticky++) {
			long n = 1;

			while (n < MOST_CALLS && in_child(child_many, n, m, sticky != 0))
				n++;
			cr_expect(n > 10 && n < MOST_CALLS, "math %d: %ld calls", m, n);
		}
}

Test(cuda_fail, whichever_call_fails_opening_says_why_and_may_be_tried_again, .timeout = 300)
{
	static const int which[] = { 2, 209, 999 };
	struct err e = { ST_OK, "" };

	cr_assert_eq(backend_open(cuda_path(), &e), ST_OK, "%s", e.msg);
	b = backend_find("cuda:0");
	for (size_t c = 0; c < sizeof which / sizeof *which; c++) {
		long n = 1;

		while (n < MOST_CALLS && in_child(child_open, n, which[c], which[c] < 999))
			n++;
		cr_expect(n > 20 && n < MOST_CALLS, "code %d: %ld calls", which[c], n);
	}
}

Test(cuda_fail, a_failure_says_which_device_and_what_in_one_line, .timeout = 60)
{
	struct err e = { ST_OK, "" };
	struct run r = { 0 };

	b = cuda_backend();
	cr_assert(run_begin(&r));
	b->wait();
	cuda_fail(1, 700, true);
	run_go(&r);
	cr_expect_eq(b->fault(&e), ST_DEVICE);
	cr_expect(strstr(e.msg, "cuda:0: ") && strstr(e.msg, "cudaErrorIllegalAddress") &&
			  strstr(e.msg, "lost") && !strchr(e.msg, '\n'),
		"%s", e.msg);
	cr_expect_eq(backend_use("cuda:0", &e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "cudaErrorIllegalAddress"), "%s", e.msg);
	cr_expect_eq(backend_use("auto", &e), ST_OK, "%s", e.msg);
	cr_expect(backend_now()->host_memory);
}

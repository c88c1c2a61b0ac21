/* test_cuda_host.c - the host's side of the CUDA backend on an emulated device: memory, the
 * queue and its graphs. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib_cuda.h"
#include "tests/lib_kernels.h"

enum { NO_MEMORY = 2 }; /* cudaErrorMemoryAllocation */

static struct backend_device said(const struct backend *b)
{
	struct backend_device d;

	b->info(&d);
	return d;
}

/* ---- memory ---- */

Test(cuda_host, a_device_that_loses_the_smallest_halves_is_refused, .timeout = 60)
{
	const struct backend *b;
	struct err e = { ST_OK, "" };

	setenv("EMU_FLUSH", "1", 1);
	cr_assert_eq(backend_open(cuda_path(), &e), ST_OK, "%s", e.msg);
	b = backend_find("cuda:0");
	cr_expect_eq(b->open(&e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "smallest halves") && !strchr(e.msg, '\n'), "%s", e.msg);
}

Test(cuda_host, memory_is_zeroed_aligned_and_counted, .timeout = 60)
{
	const struct backend *b = cuda_backend();
	unsigned char got[1001];
	uint64_t before = said(b).ours;
	void *p = b->alloc(sizeof got), *none = b->alloc(0);

	cr_assert(p && none);
	cr_expect_eq((uintptr_t)p % 64, 0);
	memset(got, 1, sizeof got);
	b->get(got, p, sizeof got);
	for (size_t i = 0; i < sizeof got; i++)
		cr_assert_eq(got[i], 0);
	cr_expect_geq(said(b).ours, before + sizeof got);
	b->free(p);
	b->free(none);
	b->free(NULL);
	cr_expect_eq(said(b).ours, before);
	cr_expect_null(b->alloc(SIZE_MAX - 1));
	cuda_well(b);
}

Test(cuda_host, what_was_put_comes_back_in_every_size_and_alignment, .timeout = 60)
{
	static const size_t sizes[] = { 1, 3, 16, 17, 4096, 16384, 16385, 100001, 4194304,
		9000001 };
	const struct backend *b = cuda_backend();
	struct rng r;

	rng_seed(&r, 1);
	for (size_t i = 0; i < COUNT(sizes); i++)
		for (size_t off = 0; off < 18; off += 1 + off * 3) {
			size_t n = sizes[i];
			unsigned char *want = malloc(n), *got = malloc(n + 2);
			unsigned char *p = cuda_held(b, NULL, n + 32);

			for (size_t k = 0; k < n; k++)
				want[k] = (unsigned char)(rng_u64(&r) >> 56);
			b->put(p + off, want, n);
			b->get(got, p + off, n);
			cr_expect(!memcmp(got, want, n), "%zu bytes at %zu", n, off);
			/* what is around it is as it was */
			b->get(got, p + off + n, 1);
			cr_expect_eq(*got, 0xff);
			if (off) {
				b->get(got, p + off - 1, 1);
				cr_expect_eq(*got, 0xff);
			}
			b->free(p);
			free(want);
			free(got);
		}
	cuda_well(b);
}

Test(cuda_host, what_was_given_may_be_reused_at_once, .timeout = 60)
{
	const struct backend *b = cuda_backend();
	int *p = b->alloc(100 * sizeof *p), got[100];

	for (int i = 0; i < 100; i++) {
		int v = i * i;

		b->put(p + i, &v, sizeof v);
		v = -1;
	}
	b->get(got, p, sizeof got);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(got[i], i * i);
	b->free(p);
}

Test(cuda_host, copies_may_overlap_in_both_directions, .timeout = 60)
{
	const struct backend *b = cuda_backend();
	unsigned char want[5000], got[5000], *p;

	for (size_t i = 0; i < sizeof want; i++)
		want[i] = (unsigned char)(i * 7 + i / 256);
	p = cuda_held(b, want, sizeof want);
	memmove(want + 101, want, 4000);
	b->copy(p + 101, p, 4000);
	memmove(want, want + 64, 4800);
	b->copy(p, p + 64, 4800);
	memmove(want + 4900, want + 3, 100);
	b->copy(p + 4900, p + 3, 100);
	b->get(got, p, sizeof got);
	cr_expect(!memcmp(got, want, sizeof got));
	b->free(p);
	cuda_well(b);
}

Test(cuda_host, operations_run_in_the_order_they_were_asked_for, .timeout = 60)
{
	enum { N = 3000, TIMES = 100 };
	const struct backend *b = cuda_backend();
	float x[N], got[N], *p, *q;

	for (size_t i = 0; i < N; i++)
		x[i] = (float)i;
	p = cuda_held(b, x, sizeof x);
	q = cuda_held(b, NULL, sizeof x);
	/* small and large ways in, kernels, copies: each reads what the one before wrote */
	for (int k = 0; k < TIMES; k++) {
		b->copy(q, p, sizeof x);
		b->add(p, q, N);
		if (k % 10 == 9)
			b->put(p, x, k % 20 == 9 ? sizeof x : N);
	}
	b->add(p, q, N);
	b->get(got, p, sizeof got);
	cuda_well(b);
	/* the last put was of the first N bytes; what follows was doubled 10 times after the last
	 * whole one, and q is half of that */
	cr_expect_eq(got[1], x[1] + 512 * x[1]);
	cr_expect_eq(got[N - 1], 1536 * x[N - 1]);
	b->free(p);
	b->free(q);
}

Test(cuda_host, memory_that_runs_out_is_null_and_no_failure, .timeout = 60)
{
	const struct backend *b = cuda_backend();
	float v = 3, got = 0;
	void *p;

	cr_expect_null(b->alloc((size_t)1 << 40));
	cuda_well(b);
	p = cuda_held(b, &v, sizeof v);
	b->get(&got, p, sizeof got);
	cr_expect_eq(got, 3);
	/* the first refusal gives back what is only kept, and is then not the last word */
	cuda_fail(1, NO_MEMORY, false);
	cr_expect_null(b->alloc(64));
	b->step(true);
	for (int i = 0; i < 4; i++)
		b->add(p, p, 1);
	b->step(false);
	b->get(&got, p, sizeof got);
	cr_expect_eq(got, 48);
	cuda_fail(1, NO_MEMORY, false);
	cr_expect_not_null(b->alloc(64));
	cuda_well(b);
	b->free(p);
}

Test(cuda_host, it_says_what_it_is_and_how_fast_it_reads, .timeout = 120)
{
	const struct backend *b = cuda_backend();
	struct backend_device d = said(b);

	cr_expect(*d.name && !strncmp(d.kernels, "sm_", 3), "%s: %s", d.name, d.kernels);
	cr_expect(d.total > 0 && d.free > 0 && d.free <= d.total);
	cr_expect(b->read_rate() > 0);
	cr_expect(strstr(b->path(), d.kernels), "%s", b->path());
	cr_expect(b->score() > backend_best()->score() || b->score() > 0);
	cr_expect(!b->lost());
	cr_expect_null(backend_missing(b, 0), "%s", backend_missing(b, 0));
	d = said(b);
	cr_expect(isnan(d.busy) || (d.busy >= 0 && d.busy <= 1));
}

Test(cuda_host, a_device_that_is_slow_is_waited_for, .timeout = 60)
{
	const struct backend *b = cuda_backend();
	float v = 1, got = 0, *p = cuda_held(b, &v, sizeof v);

	b->wait();
	cuda_hang(1, 0.2);
	for (int i = 0; i < 10; i++)
		b->add(p, p, 1);
	b->get(&got, p, sizeof got);
	cr_expect_eq(got, 1024);
	cuda_well(b);
}

/* ---- steps ---- */

/* y = ((x + x) normed, ...): a few operations of one size. */
static void token(const struct backend *b, float *y, const float *x, const float *gain, size_t n)
{
	b->copy(y, x, n * sizeof *y);
	b->add(y, x, n);
	b->rmsnorm(y, y, gain, 1, n, 1e-5f);
	b->add(y, x, n);
}

static void token_of_ref(float *y, const float *x, const float *gain, size_t n)
{
	token(backend_find("ref"), y, x, gain, n);
}

static void expect_near(const float *got, const float *want, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cr_assert(fabsf(got[i] - want[i]) <= 1e-5f * (1 + fabsf(want[i])), "%zu: %g for %g",
			i, (double)got[i], (double)want[i]);
}

Test(cuda_steps, a_graph_runs_again_with_other_pointers_and_values, .timeout = 60)
{
	enum { N = 700, TIMES = 6 };
	const struct backend *b = cuda_backend();
	struct backend_device before = said(b);
	struct rng r;

	rng_seed(&r, 5);
	for (int k = 0; k < TIMES; k++) {
		float *x = cuda_floats(&r, N), *gain = cuda_floats(&r, N), want[N], got[N];
		float *dx = cuda_held(b, x, N * sizeof *x), *dg = cuda_held(b, gain, N * sizeof *x);
		float *y = cuda_held(b, NULL, sizeof got);

		b->step(true);
		token(b, y, dx, dg, N);
		b->step(false);
		b->get(got, y, sizeof got);
		cuda_well(b);
		token_of_ref(want, x, gain, N);
		expect_near(got, want, N);
		/* y stays: the next ones lie elsewhere */
		b->free(dx);
		b->free(dg);
		free(x);
		free(gain);
	}
	cr_expect_eq(said(b).graphs_built - before.graphs_built, 1);
	cr_expect_eq(said(b).graphs_replayed - before.graphs_replayed, TIMES - 1);
}

Test(cuda_steps, other_shapes_are_another_graph_and_old_ones_are_found_again, .timeout = 60)
{
	static const size_t sizes[] = { 300, 700, 300, 700, 1100, 300 };
	const struct backend *b = cuda_backend();
	struct backend_device before = said(b);
	struct rng r;

	rng_seed(&r, 6);
	for (size_t k = 0; k < COUNT(sizes); k++) {
		size_t n = sizes[k];
		float *x = cuda_floats(&r, n), *gain = cuda_floats(&r, n), want[1100], got[1100];
		float *dx = cuda_held(b, x, n * sizeof *x), *dg = cuda_held(b, gain, n * sizeof *x);
		float *y = cuda_held(b, NULL, n * sizeof *y);

		b->wait();
		b->step(true);
		token(b, y, dx, dg, n);
		b->step(false);
		b->get(got, y, n * sizeof *got);
		token_of_ref(want, x, gain, n);
		expect_near(got, want, n);
		b->free(dx);
		b->free(dg);
		b->free(y);
		free(x);
		free(gain);
	}
	cuda_well(b);
	cr_expect_leq(said(b).graphs_built - before.graphs_built, 3);
	cr_expect_geq(said(b).graphs_replayed - before.graphs_replayed, 3);
}

Test(cuda_steps, as_many_launches_of_other_kernels_are_another_graph, .timeout = 60)
{
	const struct backend *b = cuda_backend();
	uint64_t before = said(b).graphs_built;
	float x = 3, got = 0, *p = cuda_held(b, &x, sizeof x), *y = b->alloc(sizeof x);

	for (int k = 0; k < 4; k++) {
		b->step(true);
		b->copy(y, p, sizeof x);
		b->add(y, p, 1);
		if (k % 2)
			b->add(y, p, 1);
		else
			b->copy(y, p, sizeof x);
		b->step(false);
		b->get(&got, y, sizeof got);
		cr_expect_eq(got, k % 2 ? 9 : 3);
	}
	cuda_well(b);
	cr_expect_eq(said(b).graphs_built - before, 2);
}

Test(cuda_steps, more_graphs_than_are_kept_make_room_for_each_other, .timeout = 60)
{
	enum { SHAPES = 12 };
	const struct backend *b = cuda_backend();
	uint64_t before = said(b).graphs_built;
	float x[2000] = { 1, 2, 3 }, got[2000];
	float *p = cuda_held(b, x, sizeof x), *y = cuda_held(b, x, sizeof x);

	for (int round = 0; round < 2; round++)
		for (size_t k = 1; k <= SHAPES; k++) {
			b->put(y, x, sizeof x);
			b->step(true);
			for (size_t i = 0; i < 2 + k; i++) /* as many launches */
				b->add(y, p, 2000);
			b->step(false);
			b->get(got, y, sizeof got);
			cr_expect_eq(got[2], 3 * (float)(3 + k));
		}
	cuda_well(b);
	cr_expect_eq(said(b).graphs_built - before, 2 * SHAPES);
}

Test(cuda_steps, a_result_may_be_asked_for_and_memory_freed_within, .timeout = 60)
{
	enum { N = 500 };
	const struct backend *b = cuda_backend();
	float x[N], got[N], *p, *q;

	for (size_t i = 0; i < N; i++)
		x[i] = (float)i + 1;
	p = cuda_held(b, x, sizeof x);
	for (int k = 0; k < 3; k++) {
		q = cuda_held(b, x, sizeof x);
		b->step(true);
		for (int i = 0; i < 4; i++)
			b->add(q, p, N);
		b->get(got, q, sizeof got);
		cr_expect_eq(got[N - 1], 5 * x[N - 1]);
		for (int i = 0; i < 4; i++)
			b->add(p, q, N);
		b->free(q);    /* still held back until now */
		b->step(true); /* ends the first */
		for (int i = 0; i < 3; i++)
			b->add(p, p, N);
		b->gemm(false, false, 1, N, 1, 0, p, 1, p, N, 0.125f, p, N, MATH_F32);
		b->step(false);
		b->get(got, p, sizeof got);
		cr_expect_eq(got[N - 1], 21 * x[N - 1], "%g", (double)got[N - 1]);
		b->put(p, x, sizeof x);
	}
	cuda_well(b);
	b->free(p);
}

Test(cuda_steps, one_launch_is_no_graph_and_thousands_are_cut, .timeout = 120)
{
	const struct backend *b = cuda_backend();
	struct backend_device before = said(b);
	float one = 1, got = 0, *p = cuda_held(b, &one, sizeof one), *y = b->alloc(64);

	b->step(true);
	b->add(y, p, 1);
	b->step(false);
	b->step(true);
	b->step(false);
	b->step(false);
	cr_expect_eq(said(b).graphs_built, before.graphs_built);
	b->step(true);
	for (int i = 0; i < 9999; i++)
		b->add(y, p, 1);
	b->step(false);
	b->get(&got, y, sizeof got);
	cr_expect_eq(got, 10000);
	cr_expect_gt(said(b).graphs_built, before.graphs_built + 1);
	cuda_well(b);
}

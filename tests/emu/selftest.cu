/* selftest.cu - kernels that try the emulator, and those that do what must be found.
 *
 * Plain functions for tests/test_emu.c; each returns how many values are not what a plain loop
 * makes of them, 0 when all are.
 */
#include "selftest.h"

/* ---- what must work ---- */

/* The sum of a block's numbers by halves, and each number turned round. */
KERNEL void sums(const struct io *a)
{
	float *s = (float *)shared();
	const unsigned i = threadIdx.x;

	s[i] = a->in[blockIdx.x * blockDim.x + i];
	__syncthreads();
	a->out[blockIdx.x * blockDim.x + i] = s[blockDim.x - 1 - i];
	for (unsigned half = blockDim.x / 2; half; half /= 2) {
		__syncthreads();
		if (i < half)
			s[i] += s[i + half];
	}
	if (!i)
		a->out[2 * N + blockIdx.x] = s[0];
}

extern "C" int emu_test_sums(void)
{
	struct bench t;
	int wrong = once(&t, sums, 2, N, N * sizeof(float));

	for (int b = 0; b < 2; b++) {
		float sum = 0;

		for (int i = 0; i < N; i++) {
			sum += t.host[b * N + i];
			wrong += t.got[b * N + i] != t.host[b * N + N - 1 - i];
		}
		wrong += t.got[2 * N + b] != sum;
	}
	return wrong;
}

/* The four shuffles, with parts of a warp, and votes. */
KERNEL void shuffles(const struct io *a)
{
	const unsigned i = threadIdx.x, lane = i % 32;
	const float v = a->in[i];
	const unsigned odd = __ballot_sync(0xffffffffu, lane & 1);
	const double d = __shfl_sync(0xffffffffu, (double)v, 3, 8);
	float sum = v;

	for (int bits = 16; bits; bits /= 2)
		sum += __shfl_xor_sync(0xffffffffu, sum, bits);
	a->out[i] = sum;
	a->out[N + i] = __shfl_up_sync(0xffffffffu, v, 1, 16) + (float)d;
	if (lane < 16) /* the others are elsewhere meanwhile */
		a->out[2 * N + i] = __shfl_down_sync(0x0000ffffu, v, 2, 16);
	else
		a->out[2 * N + i] = (float)__shfl_sync(0xffff0000u, (int)v, 31);
	a->out[3 * N + i] = odd == 0xaaaaaaaau && __any_sync(0xffffffffu, lane == 5) &&
					    !__all_sync(0xffffffffu, lane == 5)
				    ? 1
				    : 0;
}

extern "C" int emu_test_shuffles(void)
{
	struct bench t;
	int wrong = once(&t, shuffles, 1, N, 0);

	for (int i = 0; i < N; i++) {
		const float *w = t.host + i / 32 * 32;
		const int lane = i % 32;
		float sum = 0;

		for (int k = 0; k < 32; k++)
			sum += w[k];
		wrong += t.got[i] != sum;
		wrong += t.got[N + i] != w[lane % 16 ? lane - 1 : lane] + w[lane / 8 * 8 + 3];
		wrong += t.got[2 * N + i] != (lane >= 16         ? w[31]
						     : lane < 14 ? w[lane + 2]
								 : w[lane]);
		wrong += t.got[3 * N + i] != 1;
	}
	return wrong;
}

/* The last block of a grid, found by a ticket, sums what the others left. */
KERNEL void tickets(const struct io *a)
{
	float *s = (float *)shared();
	unsigned *last = (unsigned *)(s + blockDim.x);

	s[threadIdx.x] = a->in[blockIdx.x * blockDim.x + threadIdx.x];
	__syncthreads();
	if (!threadIdx.x) {
		float sum = 0;

		for (unsigned i = 0; i < blockDim.x; i++)
			sum += s[i];
		a->out[1 + blockIdx.x] = sum;
		__threadfence();
		*last = atomicInc(a->count, gridDim.x - 1) == gridDim.x - 1;
	}
	__syncthreads();
	if (*last && !threadIdx.x) {
		float sum = 0;

		for (unsigned i = 0; i < gridDim.x; i++)
			sum += a->out[1 + i];
		a->out[0] = sum;
		a->out[100] = (float)*a->count;
	}
}

extern "C" int emu_test_tickets(void)
{
	struct bench t;
	int wrong = once(&t, tickets, 16, 64, 65 * sizeof(float));
	float sum = 0;

	for (int i = 0; i < 1024; i++)
		sum += t.host[i];
	return wrong + (t.got[0] != sum) + (t.got[100] != 0);
}

/* Two batches of copies under way; lanes from 24 on get zeros. */
KERNEL void copies(const struct io *a)
{
	unsigned char *s = shared();
	const unsigned i = threadIdx.x;

	copy_async(s + i * 16, a->in + i * 4, i < 24);
	copy_commit();
	copy_async(s + 512 + i * 16, a->in + 128 + i * 4, true);
	copy_commit();
	copy_wait<1>();
	__syncwarp();
	for (unsigned k = 0; k < 4; k++)
		a->out[i * 4 + k] = ((const float *)s)[(31 - i) * 4 + k];
	/* the second batch has not been waited for: it is 0xff still */
	a->out[N + i] = __float_as_uint(((const float *)s)[128 + i * 4]) == 0xffffffffu ? 1.f : 0.f;
	copy_wait<0>();
	__syncwarp();
	for (unsigned k = 0; k < 4; k++)
		a->out[128 + i * 4 + k] = ((const float *)s)[128 + (31 - i) * 4 + k];
}

extern "C" int emu_test_copies(void)
{
	struct bench t;
	int wrong = once(&t, copies, 1, 32, 1024);

	for (int i = 0; i < 32; i++)
		for (int k = 0; k < 4; k++) {
			wrong += t.got[i * 4 + k] != (31 - i < 24 ? t.host[(31 - i) * 4 + k] : 0);
			wrong += t.got[128 + i * 4 + k] != t.host[128 + (31 - i) * 4 + k];
		}
	for (int i = 0; i < 32; i++)
		wrong += t.got[N + i] != 1;
	return wrong;
}

/* A 16x16 by 8x16 product out of shared memory, both types; a: rows of 16 halves, b: its
 * columns as rows.  The lower half of the block's memory is bfloat16.  load_matrix_turned gives
 * b from rows of k. */
KERNEL void products(const struct io *a)
{
	uint16_t *s = (uint16_t *)shared(); /* [16][16] a, [16][8] b, and the same in bfloat16 */
	const unsigned i = threadIdx.x;
	float c[4] = { 1, 2, 3, 4 }, d[4] = { 0, 0, 0, 0 };
	uint32_t ra[4], rb[4];

	for (unsigned k = i; k < 384; k += 32) {
		s[k] = half_of(a->in[k] * 0.125f);
		s[384 + k] = bf16_of(a->in[k] * 0.125f);
	}
	__syncwarp();
	load_matrix(ra, s + (i % 16) * 16 + i / 16 * 8);
	load_matrix_turned(rb, s + 256 + i % 16 * 8);
	mma_half(c, ra, rb);
	load_matrix(ra, s + 384 + (i % 16) * 16 + i / 16 * 8);
	load_matrix_turned(rb, s + 640 + i % 16 * 8);
	mma_bf16(d, ra, rb);
	for (unsigned k = 0; k < 4; k++) {
		a->out[(i / 4 + k / 2 * 8) * 8 + i % 4 * 2 + k % 2] = c[k];
		a->out[128 + (i / 4 + k / 2 * 8) * 8 + i % 4 * 2 + k % 2] = d[k];
	}
}

extern "C" int emu_test_products(void)
{
	struct bench t;
	int wrong = once(&t, products, 1, 32, 768 * 2);

	for (int r = 0; r < 16; r++)
		for (int n = 0; n < 8; n++) {
			float sum = 0;

			for (int k = 0; k < 16; k++)
				sum += t.host[r * 16 + k] * t.host[256 + k * 8 + n] / 64;
			wrong += t.got[r * 8 + n] != sum + (float)(1 + r / 8 * 2 + n % 2);
			wrong += t.got[128 + r * 8 + n] != sum;
		}
	return wrong;
}

/* Codes that stand in halves as they are: subnormal, times 2^-24. */
KERNEL void subnormals(const struct io *a)
{
	const uint32_t g = threadIdx.x / 4, ones = half2_of(1, 1), all[2] = { ones, ones };
	const uint32_t codes[4] = { g | 15u << 16, g << 4, 0, 1023 };
	float c[4] = { 0, 0, 0, 0 };

	mma_half(c, codes, all);
	for (unsigned k = 0; k < 4; k++)
		a->out[threadIdx.x * 4 + k] = c[k] * 0x1p24f;
}

extern "C" int emu_test_subnormals(void)
{
	struct bench t;
	int wrong = once(&t, subnormals, 1, 32, 0);

	for (int i = 0; i < 32; i++) {
		wrong += t.got[i * 4] != (float)(4 * (i / 4 + 15));
		wrong += t.got[i * 4 + 2] != (float)(4 * (i / 4 * 16 + 1023));
	}
	return wrong;
}

extern "C" uint16_t emu_half_of(float x)
{
	return half_of(x);
}
extern "C" float emu_float_of_half(uint16_t h)
{
	return float_of_half(h);
}
extern "C" uint16_t emu_bf16_of(float x)
{
	return bf16_of(x);
}

/* ---- what must be found; name says which, and nothing comes back ---- */

KERNEL void half_a_barrier(const struct io *)
{
	if (threadIdx.x < 100)
		__syncthreads();
}

KERNEL void two_barriers(const struct io *a)
{
	if (threadIdx.x < 128)
		__syncthreads();
	else
		__syncthreads();
	a->out[threadIdx.x] = 0;
}

KERNEL void lane_left(const struct io *a)
{
	if (threadIdx.x == 7)
		return;
	a->out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, a->in[threadIdx.x], 1);
}

KERNEL void lane_elsewhere(const struct io *)
{
	if (threadIdx.x % 32 == 9)
		__syncthreads();
	else
		__syncwarp();
}

KERNEL void lane_not_named(const struct io *)
{
	__syncwarp(0x0000ffffu);
}

KERNEL void masks_differ(const struct io *)
{
	if (threadIdx.x % 32 < 8)
		__syncwarp(0x00ffffffu);
	else
		__syncwarp();
}

KERNEL void shared_overrun(const struct io *a)
{
	float *s = (float *)shared();

	if (threadIdx.x == 3)
		s[200] = a->in[0];
}

KERNEL void shared_far(const struct io *a)
{
	a->out[threadIdx.x] = ((float *)shared())[4096 + threadIdx.x];
}

KERNEL void behind_the_end(const struct io *a)
{
	a->out[threadIdx.x] = a->in[4 * N + 2048 + threadIdx.x];
}

KERNEL void just_behind(const struct io *a)
{
	a->count[1] = 0;
}

KERNEL void not_aligned(const struct io *a)
{
	const struct quad q = load_stream(a->in + threadIdx.x);

	a->out[threadIdx.x] = __uint_as_float(q.x);
}

static void host_read(struct bench *t)
{
	volatile float v = t->in[0];

	(void)v;
}

static void freed_read(struct bench *t)
{
	cudaFree(t->in);
	start(t, sums, 1, N, N * sizeof(float));
	cudaStreamSynchronize(t->stream);
}

static void copy_too_long(struct bench *t)
{
	cudaMemcpy(t->in, t->host, sizeof t->host + 4, cudaMemcpyHostToDevice);
}

static void freed_twice(struct bench *t)
{
	cudaFree(t->in);
	cudaFree(t->in);
}

extern "C" int emu_test_mistake(const char *name)
{
	static const struct {
		const char *name;
		void (*kernel)(const struct io *);
		void (*host)(struct bench *);
	} all[] = { { "half_a_barrier", half_a_barrier, nullptr },
		{ "two_barriers", two_barriers, nullptr }, { "lane_left", lane_left, nullptr },
		{ "lane_elsewhere", lane_elsewhere, nullptr },
		{ "lane_not_named", lane_not_named, nullptr },
		{ "masks_differ", masks_differ, nullptr },
		{ "shared_overrun", shared_overrun, nullptr },
		{ "shared_far", shared_far, nullptr },
		{ "behind_the_end", behind_the_end, nullptr },
		{ "just_behind", just_behind, nullptr }, { "not_aligned", not_aligned, nullptr },
		{ "host_read", nullptr, host_read }, { "freed_read", nullptr, freed_read },
		{ "copy_too_long", nullptr, copy_too_long },
		{ "freed_twice", nullptr, freed_twice } };
	struct bench t;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(all[i].name, name))
			continue;
		begin(&t);
		if (all[i].host)
			all[i].host(&t);
		else
			start(&t, all[i].kernel, 1, N - 32, 200 * sizeof(float));
		end(&t);
		return 0;
	}
	return -1;
}

/* A barrier is missing: what comes out depends on the order. */
KERNEL void no_barrier(const struct io *a)
{
	float *s = (float *)shared();

	s[threadIdx.x] = a->in[threadIdx.x];
	a->out[threadIdx.x] = s[threadIdx.x ? threadIdx.x - 1 : 0];
}

/* Whether the missing barrier shows. */
extern "C" int emu_test_race(void)
{
	struct bench t;
	int wrong = once(&t, no_barrier, 1, N, N * sizeof(float));

	for (int i = 1; i < N; i++)
		wrong += !(t.got[i] == t.host[i - 1]);
	return wrong;
}

/* Blocks of 256 threads with ten barriers, for the speed. */
KERNEL void ten_barriers(const struct io *a)
{
	float *s = (float *)shared(), v = a->in[threadIdx.x];

	for (int i = 0; i < 5; i++) {
		s[threadIdx.x] = v;
		__syncthreads();
		v += s[(threadIdx.x + 1) % N];
		__syncthreads();
	}
	a->out[threadIdx.x] = v;
}

extern "C" void emu_test_blocks(unsigned n)
{
	struct bench t;

	once(&t, ten_barriers, n, N, N * sizeof(float));
}

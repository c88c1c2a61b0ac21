/* cuda - one backend for each device: a shared object that the program opens at run time, so
 * that a machine without the driver runs the rest unchanged.
 *
 * Up to DEVICES of them, "cuda:0" and so on.  They have all operations in common, on the one
 * that was opened last; only what a device says of itself is each one's own.
 */
#include "kernels/cuda/device.h"
#include "kernels/cuda/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DEVICES = 8, SCORE = 100, OLDEST = 8 /* major compute capability */ };

static struct {
	struct backend b[DEVICES];
	const struct backend *list[DEVICES + 1];
	struct {
		char name[16], path[2 * sizeof(((struct backend_device *)0)->name)];
		struct backend_device says;
		bool usable;
	} of[DEVICES];
	int n;            /* of the driver */
	cudaError_t code; /* of asking it */
} there;

static uint64_t asked_at, asked_busy; /* nanoseconds, when info was last asked */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int score(int i)
{
	return i < there.n && there.of[i].usable && !device_lost() ? SCORE : 0;
}

static enum st open_device(int i, struct err *e)
{
	if (i >= there.n)
		return device_none(e, there.code);
	return device_open(i, e);
}

/* Share of the time since the last call; the device in use only. */
static double busy(void)
{
	uint64_t now = now_ns(), work = count_of(COUNT_BUSY);
	uint64_t then = __atomic_exchange_n(&asked_at, now, __ATOMIC_RELAXED);
	uint64_t before = __atomic_exchange_n(&asked_busy, work, __ATOMIC_RELAXED);
	double share;

	if (!then || now <= then || work < before)
		return (double)NAN;
	/* what ended since may have begun before */
	share = (double)(work - before) / (double)(now - then);
	return share < 1 ? share : 1;
}

static void info(int i, struct backend_device *out)
{
	size_t here = 0, total = 0;

	*out = there.of[i].says;
	out->busy = (double)NAN;
	if (i != device_index() || device_lost())
		return;
	out->ours = count_of(COUNT_OURS);
	out->busy = busy();
	out->launches = count_of(COUNT_LAUNCHES);
	out->graphs_built = count_of(COUNT_BUILT);
	out->graphs_replayed = count_of(COUNT_REPLAYED);
	/* of the calling thread's device; what fails here is the engine thread's to find out */
	if (cudaSetDevice(i) == cudaSuccess && cudaMemGetInfo(&here, &total) == cudaSuccess) {
		out->free = here;
		out->total = total;
	}
}

/* ---- one function for each device, as the table has no argument for it ---- */

template <int I> static int score_of(void)
{
	return score(I);
}

template <int I> static const char *path_of(void)
{
	return there.of[I].path;
}

template <int I> static enum st open_of(struct err *e)
{
	return open_device(I, e);
}

template <int I> static void info_of(struct backend_device *out)
{
	info(I, out);
}

static void wait_all(void)
{
	(void)queue_sync();
}

static void operations(struct backend *b)
{
	b->fault = device_fault;
	b->lost = device_lost;
	b->wait = wait_all;
	b->step = queue_step;
	b->alloc = cuda_alloc;
	b->free = cuda_free;
	b->put = cuda_put;
	b->get = cuda_get;
	b->copy = cuda_copy;
	b->read_rate = cuda_read_rate;
	b->products = cuda_products;
	b->dequant = cuda_dequant;
	b->embed = cuda_embed;
	b->gemm = cuda_gemm;
	b->rmsnorm = cuda_rmsnorm;
	b->rope = cuda_rope;
	b->round_kv = cuda_round_kv;
	b->attention = cuda_attention;
	b->swiglu = cuda_swiglu;
	b->add = cuda_add;
	b->row_stats = cuda_row_stats;
	b->kl = cuda_kl;
	b->sq_diff = cuda_sq_diff;
	b->products_back = cuda_products_back;
	b->rmsnorm_back = cuda_rmsnorm_back;
	b->attention_back = cuda_attention_back;
	b->swiglu_back = cuda_swiglu_back;
	b->cross_entropy = cuda_cross_entropy;
	b->kl_back = cuda_kl_back;
	b->embed_back = cuda_embed_back;
}

template <int I> static void make(void)
{
	struct backend *b = &there.b[I];

	snprintf(there.of[I].name, sizeof there.of[I].name, "cuda:%d", I);
	b->abi = BD_BACKEND_ABI;
	b->size = sizeof *b;
	b->name = there.of[I].name;
	b->score = score_of<I>;
	b->path = path_of<I>;
	b->open = open_of<I>;
	b->info = info_of<I>;
	operations(b);
	if (I < there.n || I == 0)
		there.list[I] = b;
}

/* ---- what there is ---- */

static void look_at(int i)
{
	struct backend_device *d = &there.of[i].says;
	char runtime[16], driver[16];
	cudaDeviceProp prop;
	int versions[2] = { 0, 0 };

	if (cudaGetDeviceProperties(&prop, i) != cudaSuccess) {
		(void)cudaGetLastError();
		snprintf(there.of[i].path, sizeof there.of[i].path, "does not answer");
		return;
	}
	(void)cudaRuntimeGetVersion(&versions[0]);
	(void)cudaDriverGetVersion(&versions[1]);
	snprintf(d->name, sizeof d->name, "%.79s", prop.name);
	snprintf(d->kernels, sizeof d->kernels, "sm_%d%d, cuda %s, driver %s", prop.major,
		prop.minor, version_text(versions[0], runtime), version_text(versions[1], driver));
	d->total = prop.totalGlobalMem;
	there.of[i].usable = prop.major >= OLDEST;
	snprintf(there.of[i].path, sizeof there.of[i].path, "%s, %s%s", d->name, d->kernels,
		there.of[i].usable ? "" : "; kernels want sm_80 or later");
}

/* Without a device there is one all the same: its open() says why. */
static void look(void)
{
	struct err e = { ST_OK, "" };

	there.code = cudaGetDeviceCount(&there.n);
	if (there.code != cudaSuccess)
		there.n = 0;
	if (there.n > DEVICES)
		there.n = DEVICES;
	for (int i = 0; i < there.n; i++)
		look_at(i);
	if (!there.n) {
		(void)device_none(&e, there.code);
		snprintf(there.of[0].path, sizeof there.of[0].path, "%.150s", e.msg);
	}
}

extern "C" __attribute__((visibility("default"))) const struct backend *const *bd_backend_entry(
	void)
{
	if (there.list[0])
		return there.list;
	look();
	make<0>();
	make<1>();
	make<2>();
	make<3>();
	make<4>();
	make<5>();
	make<6>();
	make<7>();
	return there.list;
}

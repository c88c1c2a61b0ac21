/* memory.cu - memory of the device and the ways in and out of it.
 *
 * What is small travels with the launches, in order with them and inside graphs.  What is large
 * goes through two page-locked buffers in turns, one being filled while the other one is under
 * way, so that pageable memory moves about as fast as the bus or one core copies.
 */
#include "kernels/cuda/device.h"
#include "kernels/cuda/join.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/ptx.h"

#include <stdlib.h>
#include <string.h>

enum {
	STAGE = 4 << 20,  /* bytes of a buffer */
	SMALL = 16 << 10, /* bytes that go with a launch */
	THREADS = 256,
	MOST_BLOCKS = 4096
};

/* What alloc gave, for the bytes that are ours. */
struct piece {
	void *at;
	size_t bytes;
};

static struct piece *pieces;
static size_t n_pieces, room;

static struct {
	unsigned char *host[2];
	cudaEvent_t done[2];
} stage;

bool memory_open(struct err *e)
{
	for (int i = 0; i < 2; i++)
		if (!open_ok(cudaMallocHost((void **)&stage.host[i], STAGE), "page-locked memory",
			    e) ||
			!open_ok(cudaEventCreateWithFlags(&stage.done[i], cudaEventDisableTiming),
				"an event", e))
			return false;
	return true;
}

void memory_close(void)
{
	for (int i = 0; i < 2; i++) {
		if (stage.host[i])
			(void)cudaFreeHost(stage.host[i]);
		if (stage.done[i])
			(void)cudaEventDestroy(stage.done[i]);
	}
	memset(&stage, 0, sizeof stage);
}

/* ---- alloc, free ---- */

/* Without memory for the list the bytes are not counted: no reason to fail. */
static void remember(void *at, size_t bytes)
{
	if (n_pieces == room) {
		size_t more = room ? 2 * room : 256;
		struct piece *p = (struct piece *)realloc(pieces, more * sizeof *p);

		if (!p)
			return;
		pieces = p;
		room = more;
	}
	pieces[n_pieces].at = at;
	pieces[n_pieces++].bytes = bytes;
	count_add(COUNT_OURS, bytes);
}

static void forget(const void *at)
{
	for (size_t i = n_pieces; i-- > 0;)
		if (pieces[i].at == at) {
			count_add(COUNT_OURS, 0 - (uint64_t)pieces[i].bytes);
			pieces[i] = pieces[--n_pieces];
			return;
		}
}

static void *take(size_t bytes, bool *none)
{
	void *p = NULL;
	cudaError_t code = cudaMalloc(&p, bytes);

	*none = code == cudaErrorMemoryAllocation;
	if (*none)
		(void)cudaGetLastError();
	else if (!device_ok(code, "taking memory"))
		return NULL;
	return *none ? NULL : p;
}

void *cuda_alloc(size_t bytes)
{
	bool none;
	void *p;

	if (bytes > SIZE_MAX / 2 || !device_enter())
		return NULL;
	bytes = (bytes + 63) / 64 * 64;
	bytes = bytes ? bytes : 64;
	p = take(bytes, &none);
	if (none && queue_sync() && queue_spare())
		p = take(bytes, &none);
	if (!p)
		return NULL;
	if (!device_ok(cudaMemsetAsync(p, 0, bytes, device_now()->stream), "clearing memory")) {
		if (!device_lost())
			(void)cudaFree(p);
		return NULL;
	}
	remember(p, bytes);
	return p;
}

/* What is held or under way may use it still. */
void cuda_free(void *p)
{
	if (!p)
		return;
	forget(p);
	if (!device_enter())
		return;
	(void)queue_sync();
	if (!device_lost())
		(void)device_ok(cudaFree(p), "giving memory back");
}

/* ---- kernels that copy ---- */

struct copy {
	unsigned char *dst;
	const unsigned char *src; /* NULL: behind the arguments */
	size_t bytes;
	unsigned blocks;
};

template <class T> DEVICE void copy_as(const struct copy *c, const void *src, unsigned block)
{
	unsigned char *dst = c->dst;
	size_t bytes = c->bytes, n = bytes / sizeof(T), all = (size_t)c->blocks * blockDim.x;
	size_t first = (size_t)block * blockDim.x + threadIdx.x;

	for (size_t i = first; i < n; i += all)
		((T *)dst)[i] = ((const T *)src)[i];
	for (size_t i = n * sizeof(T) + first; i < bytes; i += all)
		dst[i] = ((const unsigned char *)src)[i];
}

DEVICE void copy_from(const struct copy *c, const void *src, unsigned block)
{
	uintptr_t together = (uintptr_t)c->dst | (uintptr_t)src;

	if (together % sizeof(struct quad) == 0)
		copy_as<struct quad>(c, src, block);
	else if (together % sizeof(uint32_t) == 0)
		copy_as<uint32_t>(c, src, block);
	else
		copy_as<unsigned char>(c, src, block);
}

KERNEL void copy_each(const struct jobs<struct copy> *a)
{
	unsigned block;
	const struct copy *c = job_of(a, &block);

	copy_from(c, c->src, block);
}

KERNEL void copy_host_bytes(const struct copy *c)
{
	copy_from(c, extra_of(c), blockIdx.x);
}

static struct copy copy_of(void *dst, const void *src, size_t bytes)
{
	size_t blocks =
		(bytes + THREADS * sizeof(struct quad) - 1) / (THREADS * sizeof(struct quad));

	return { (unsigned char *)dst, (const unsigned char *)src, bytes,
		(unsigned)(blocks < MOST_BLOCKS ? blocks : (size_t)MOST_BLOCKS) };
}

static void launch_copy(void *dst, const void *src, size_t bytes)
{
	job_put("copy", copy_each, THREADS, copy_of(dst, src, bytes));
}

static void launch_put(void *dst, const void *host, size_t bytes)
{
	const struct copy c = copy_of(dst, NULL, bytes);

	launch(copy_host_bytes, c.blocks, 1, 1, THREADS, 0, c, host, bytes);
}

static struct touched touches(const struct copy *c)
{
	return { { { c->dst, c->bytes }, { NULL, 0 } }, { c->src, c->bytes } };
}

bool copies_join(struct put *first, const struct put *second)
{
	return jobs_join(first, second, copy_each, touches);
}

/* Where the two overlap a piece goes by way of the workspace, in the order that reads before it
 * writes. */
static void copy_overlapping(unsigned char *dst, const unsigned char *src, size_t bytes)
{
	unsigned char *work = device_now()->work;

	for (size_t done = 0; done < bytes;) {
		size_t n = bytes - done < WORKSPACE ? bytes - done : (size_t)WORKSPACE;
		size_t at = dst < src ? done : bytes - done - n;

		launch_copy(work, src + at, n);
		launch_copy(dst + at, work, n);
		done += n;
	}
}

void cuda_copy(void *dst, const void *src, size_t bytes)
{
	uintptr_t d = (uintptr_t)dst, s = (uintptr_t)src;

	if (!bytes || d == s || !device_well())
		return;
	if (d < s + bytes && s < d + bytes)
		copy_overlapping((unsigned char *)dst, (const unsigned char *)src, bytes);
	else
		launch_copy(dst, src, bytes);
}

/* ---- to and from the host ---- */

void cuda_put(void *dst, const void *host, size_t bytes)
{
	cudaStream_t stream;

	if (!bytes || !device_well())
		return;
	if (bytes <= SMALL) {
		launch_put(dst, host, bytes);
		return;
	}
	if (!queue_before())
		return;
	stream = device_now()->stream;
	for (size_t done = 0, i = 0; done < bytes; i ^= 1) {
		size_t n = bytes - done < STAGE ? bytes - done : (size_t)STAGE;

		if (!device_ok(cudaEventSynchronize(stage.done[i]), "sending to the device"))
			return;
		memcpy(stage.host[i], (const char *)host + done, n);
		if (!device_ok(cudaMemcpyAsync((char *)dst + done, stage.host[i], n,
				       cudaMemcpyHostToDevice, stream),
			    "sending to the device") ||
			!device_ok(cudaEventRecord(stage.done[i], stream), "sending to the device"))
			return;
		done += n;
	}
	queue_after();
}

/* One piece on its way into buffer i; and out of it. */
static bool fetch_piece(size_t i, const void *src, size_t n)
{
	cudaStream_t stream = device_now()->stream;

	return device_ok(cudaEventSynchronize(stage.done[i]), "fetching from the device") &&
	       device_ok(cudaMemcpyAsync(stage.host[i], src, n, cudaMemcpyDeviceToHost, stream),
		       "fetching from the device") &&
	       device_ok(cudaEventRecord(stage.done[i], stream), "fetching from the device");
}

static bool fetch(unsigned char *host, const unsigned char *src, size_t bytes)
{
	size_t asked = 0, done = 0;

	for (size_t i = 0; done < bytes; i++) {
		size_t n = bytes - asked < STAGE ? bytes - asked : (size_t)STAGE;

		if (n && !fetch_piece(i % 2, src + asked, n))
			return false;
		asked += n;
		if (i == 0)
			continue; /* one ahead */
		n = bytes - done < STAGE ? bytes - done : (size_t)STAGE;
		if (!device_ok(cudaEventSynchronize(stage.done[(i - 1) % 2]),
			    "fetching from the device"))
			return false;
		memcpy(host + done, stage.host[(i - 1) % 2], n);
		done += n;
	}
	return true;
}

/* The last look at the stream is queue_sync's: nothing is believed before. */
bool device_fetch(void *host, const void *src, size_t bytes)
{
	bool ok;

	queue_flush();
	ok = device_well() && fetch((unsigned char *)host, (const unsigned char *)src, bytes) &&
	     queue_sync();
	if (!ok)
		memset(host, 0xff, bytes);
	return ok;
}

void cuda_get(void *host, const void *src, size_t bytes)
{
	if (bytes)
		(void)device_fetch(host, src, bytes);
}

/* ---- how fast it reads ---- */

enum { READ = 192 << 20, READ_BLOCKS = 1024 }; /* 6 rounds of 8 loads for each thread */

struct read_args {
	const unsigned char *from;
	size_t quads;
	uint32_t *to; /* [blocks][threads]: so that the loads are not left out */
};

KERNEL void read_all(const struct read_args *a)
{
	enum { AT_ONCE = 8 }; /* loads that are under way */
	size_t all = (size_t)gridDim.x * blockDim.x;
	size_t first = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
	uint32_t sum = 0;

	for (size_t i = first; i < a->quads; i += AT_ONCE * all) {
		struct quad v[AT_ONCE];

		for (int k = 0; k < AT_ONCE; k++)
			v[k] = load_stream(a->from + (i + (size_t)k * all) * sizeof *v);
		for (int k = 0; k < AT_ONCE; k++)
			sum ^= v[k].x ^ v[k].y ^ v[k].z ^ v[k].w;
	}
	a->to[first] = sum;
}

/* The workspace, again and again: it is larger than any cache. */
double cuda_read_rate(void)
{
	enum { TIMES = 5 };
	struct device *d = device_now();
	double best = 0;

	for (int i = 0; i < TIMES && device_well(); i++) {
		const struct read_args a = { d->work, READ / sizeof(struct quad),
			(uint32_t *)(d->work + READ) };
		uint64_t before, took;

		if (!queue_sync())
			return 0;
		before = count_of(COUNT_BUSY);
		for (int k = 0; k < 8; k++)
			launch(read_all, READ_BLOCKS, 1, 1, THREADS, 0, a);
		if (!queue_sync())
			return 0;
		took = count_of(COUNT_BUSY) - before;
		if (took && 8e9 * READ / (double)took > best)
			best = 8e9 * READ / (double)took;
		if (took > 100000000)
			break; /* an emulated one */
	}
	return best;
}

/* queue.cu - launches are held back, go together, and become graphs; see queue.h.
 *
 * A ring of segments of page-locked memory takes the arguments; what is held goes as one copy
 * to one slab on the device and the launches behind it.  One slab is enough: all is in order on one
 * stream, so the next copy waits for the kernels that read the last one.  A segment is
 * written again when the event behind its copy and kernels has come.
 *
 * The two events of a segment also say how long the device took for it.  From the longest of
 * the last ones follows how many may be under way at once, and how many launches go together.
 */
#include "kernels/cuda/device.h"
#include "kernels/cuda/join.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SEGMENTS = 8,
	SLAB = 1 << 20,
	HELD = 4096, /* launches held in a step */
	BATCH = 32,  /* ... and outside of one */
	GRAPHS = 8,
	FEWEST = 3, /* launches that are worth a graph */
	LAST = 8,   /* segments whose times count */
	KERNELS = 512, /* a power of two */
	PLAIN_SHARED = 48 << 10 /* bytes a block gets without being asked for more */
};

#define AHEAD_MS 50.0f
#define BATCH_MS 10.0f

struct kept {
	const void *kernel;
	const char *name;
	size_t offset, shared;
	unsigned grid[3], block;
};

struct segment {
	unsigned char *host;
	cudaEvent_t begin, end;
	bool sent;
	size_t launches; /* 0: other work */
};

struct graph {
	struct kept *k;
	size_t n;
	uint64_t used;
	cudaGraphExec_t exec;
};

static struct {
	struct segment ring[SEGMENTS];
	size_t now, oldest;
	unsigned char *slab, *host;
	struct kept *held;
	size_t n, used;
	size_t size, extra; /* bytes of the last one held: its arguments, and what is behind them */
	bool step;
	struct graph graph[GRAPHS];
	uint64_t clock;
	size_t ahead, batch;
	float ms[LAST], each[LAST]; /* of a segment, of a launch in it */
	size_t times;
	struct {
		const void *kernel;
		size_t shared; /* bytes it may have */
	} known[KERNELS];      /* at the first free place from their hash on */
	size_t n_known;
} q;

/* ---- opening ---- */

bool queue_open(struct err *e)
{
	memset(&q, 0, sizeof q);
	q.ahead = 2;
	q.batch = BATCH;
	q.held = (struct kept *)calloc(HELD, sizeof *q.held);
	if (!q.held) {
		(void)err_set(e, ST_UNSUPPORTED, "no memory for the queue of the device");
		return false;
	}
	if (!open_ok(cudaMalloc((void **)&q.slab, SLAB), "arguments", e) ||
		!open_ok(cudaMallocHost((void **)&q.host, SEGMENTS * (size_t)SLAB),
			"page-locked memory", e))
		return false;
	for (size_t i = 0; i < SEGMENTS; i++) {
		q.ring[i].host = q.host + i * SLAB;
		if (!open_ok(cudaEventCreate(&q.ring[i].begin), "an event", e) ||
			!open_ok(cudaEventCreate(&q.ring[i].end), "an event", e))
			return false;
	}
	return true;
}

static void graph_free(struct graph *g)
{
	if (g->exec)
		(void)cudaGraphExecDestroy(g->exec);
	free(g->k);
	memset(g, 0, sizeof *g);
}

bool queue_spare(void)
{
	bool some = false;

	for (size_t i = 0; i < GRAPHS; i++) {
		some |= q.graph[i].exec != NULL;
		graph_free(&q.graph[i]);
	}
	return some;
}

void queue_close(void)
{
	(void)queue_spare();
	for (size_t i = 0; i < SEGMENTS; i++) {
		if (q.ring[i].begin)
			(void)cudaEventDestroy(q.ring[i].begin);
		if (q.ring[i].end)
			(void)cudaEventDestroy(q.ring[i].end);
	}
	if (q.host)
		(void)cudaFreeHost(q.host);
	if (q.slab)
		(void)cudaFree(q.slab);
	free(q.held);
	memset(&q, 0, sizeof q);
}

void queue_drop(void)
{
	q.n = q.used = 0;
}

/* ---- how much is under way ---- */

static float most(const float *v)
{
	float max = 0;

	for (size_t i = 0; i < LAST; i++)
		max = v[i] > max ? v[i] : max;
	return max;
}

static size_t within(float v, size_t least, size_t largest)
{
	return v < (float)least ? least : v > (float)largest ? largest : (size_t)v;
}

static void took(const struct segment *s, float ms)
{
	count_add(COUNT_BUSY, (uint64_t)((double)ms * 1e6));
	q.ms[q.times % LAST] = ms;
	q.each[q.times % LAST] = s->launches ? ms / (float)s->launches : 0;
	q.times++;
	q.ahead = within(AHEAD_MS / (most(q.ms) + 1e-3f), 1, SEGMENTS - 1);
	q.batch = within(BATCH_MS / (most(q.each) + 1e-3f), 1, BATCH);
}

/* Takes the oldest segment back; false when it is still under way. */
static bool take_back(bool wait)
{
	struct segment *s = &q.ring[q.oldest % SEGMENTS];
	cudaError_t code = wait ? cudaEventSynchronize(s->end) : cudaEventQuery(s->end);
	float ms = 0;

	if (code == cudaErrorNotReady) {
		(void)cudaGetLastError();
		return false;
	}
	s->sent = false;
	q.oldest++;
	if (device_ok(code, "work on the device") &&
		device_ok(cudaEventElapsedTime(&ms, s->begin, s->end), "its time"))
		took(s, ms);
	return true;
}

static void take_all_back(void)
{
	while (q.oldest != q.now && device_well() && take_back(false)) {
	}
	if (!device_well())
		q.oldest = q.now; /* device_fault waits for all */
}

/* A segment of launches, or of other work, begins and ends. */
static bool segment_begin(void)
{
	return device_ok(
		cudaEventRecord(q.ring[q.now % SEGMENTS].begin, device_now()->stream), "an event");
}

static void segment_end(size_t launches)
{
	struct segment *s = &q.ring[q.now % SEGMENTS];

	if (!device_ok(cudaEventRecord(s->end, device_now()->stream), "an event"))
		return;
	s->sent = true;
	s->launches = launches;
	q.now++;
	take_all_back();
	while (q.now - q.oldest > q.ahead && device_well())
		(void)take_back(true);
	if (!device_well())
		q.oldest = q.now;
}

/* ---- sending ---- */

static bool start(const struct kept *k)
{
	unsigned char *at = q.slab + k->offset;
	void *args[] = { &at };

	return device_ok(cudaLaunchKernel(k->kernel, dim3(k->grid[0], k->grid[1], k->grid[2]),
				 dim3(k->block), args, k->shared, device_now()->stream),
		k->name);
}

static bool start_each(void)
{
	for (size_t i = 0; i < q.n; i++)
		if (!start(&q.held[i]))
			return false;
	return true;
}

static struct graph *graph_find(void)
{
	for (size_t i = 0; i < GRAPHS; i++)
		if (q.graph[i].exec && q.graph[i].n == q.n &&
			!memcmp(q.graph[i].k, q.held, q.n * sizeof *q.held))
			return &q.graph[i];
	return NULL;
}

/* What is held as a graph that can be started; NULL: the code says why. */
static cudaGraphExec_t record(cudaError_t *code)
{
	cudaStream_t stream = device_now()->stream;
	cudaGraphExec_t exec = NULL;
	cudaGraph_t graph = NULL;
	bool well;

	*code = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
	if (*code != cudaSuccess)
		return NULL;
	well = start_each();
	if (device_lost())
		return NULL;
	*code = cudaStreamEndCapture(stream, &graph);
	if (*code == cudaSuccess && well)
		*code = cudaGraphInstantiate(&exec, graph, 0);
	if (graph)
		(void)cudaGraphDestroy(graph);
	return well ? exec : NULL;
}

/* The one that was not used for longest makes room. */
static struct graph *graph_make(cudaError_t *code)
{
	struct graph *g = &q.graph[0];
	size_t bytes = q.n * sizeof *q.held;
	struct kept *k = (struct kept *)malloc(bytes);
	cudaGraphExec_t exec = k ? record(code) : NULL;

	if (!exec) {
		free(k);
		return NULL;
	}
	for (size_t i = 1; i < GRAPHS; i++)
		if (q.graph[i].used < g->used)
			g = &q.graph[i];
	if (g->exec)
		(void)device_ok(cudaStreamSynchronize(device_now()->stream), "work on the device");
	if (!device_well()) {
		if (!device_lost())
			(void)cudaGraphExecDestroy(exec);
		free(k);
		return NULL;
	}
	graph_free(g);
	memcpy(k, q.held, bytes);
	g->k = k;
	g->n = q.n;
	g->exec = exec;
	count_add(COUNT_BUILT, 1);
	return g;
}

static bool start_graph(void)
{
	cudaError_t code = cudaSuccess;
	struct graph *g = graph_find();

	if (g) {
		count_add(COUNT_REPLAYED, 1);
	} else if (!(g = graph_make(&code))) {
		/* no memory for it: slower, not wrong */
		if (code == cudaErrorMemoryAllocation) {
			(void)cudaGetLastError();
			/* one that still runs is not taken away */
			code = cudaStreamSynchronize(device_now()->stream);
			(void)queue_spare();
		}
		if (!device_well() || !device_ok(code, "making a graph"))
			return false;
		count_add(COUNT_LAUNCHES, q.n);
		return start_each();
	}
	g->used = ++q.clock;
	return device_ok(cudaGraphLaunch(g->exec, device_now()->stream), "starting a graph");
}

void queue_flush(void)
{
	size_t n = q.n;
	bool ok;

	if (!n || !device_well()) {
		queue_drop();
		return;
	}
	ok = segment_begin() &&
	     device_ok(cudaMemcpyAsync(q.slab, q.ring[q.now % SEGMENTS].host, q.used,
			       cudaMemcpyHostToDevice, device_now()->stream),
		     "sending arguments");
	if (ok && q.step && n >= FEWEST) {
		ok = start_graph();
	} else if (ok) {
		count_add(COUNT_LAUNCHES, n);
		ok = start_each();
	}
	queue_drop();
	if (ok)
		segment_end(n);
}

bool queue_sync(void)
{
	queue_flush();
	if (!device_well() ||
		!device_ok(cudaStreamSynchronize(device_now()->stream), "work on the device"))
		return false;
	take_all_back();
	return device_well();
}

bool queue_before(void)
{
	queue_flush();
	return device_well() && segment_begin();
}

void queue_after(void)
{
	if (device_well())
		segment_end(0);
}

void queue_step(bool begin)
{
	queue_flush(); /* of a step that ends, or is ended by the next, as a graph */
	q.step = begin;
}

/* ---- holding ---- */

/* A kernel that is seen for the first time is loaded now: not while a graph is recorded, which may
 * not allow it.  One whose blocks want more than 48 KiB of shared memory is told so. */
static bool prepare(const struct launch *l)
{
	size_t i = (size_t)((uintptr_t)l->kernel / 16 % KERNELS);
	struct cudaFuncAttributes is;

	while (q.known[i].kernel && q.known[i].kernel != l->kernel)
		i = (i + 1) % KERNELS;
	if (!q.known[i].kernel) {
		if (!device_ok(cudaFuncGetAttributes(&is, l->kernel), l->name))
			return false;
		if (q.n_known == KERNELS - 1) /* more than there are */
			memset(q.known, 0, sizeof q.known);
		q.n_known = q.n_known % (KERNELS - 1) + 1;
		q.known[i].kernel = l->kernel;
		q.known[i].shared = PLAIN_SHARED;
	}
	if (l->shared <= q.known[i].shared)
		return true;
	if (!device_ok(cudaFuncSetAttribute(l->kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
			       (int)l->shared),
		    l->name))
		return false;
	q.known[i].shared = l->shared;
	return true;
}

static size_t up16(size_t n)
{
	return (n + 15) / 16 * 16;
}

static size_t bytes_of(const struct put *p)
{
	return up16(p->size) + up16(p->extra_bytes);
}

/* There is room.  What lies behind the arguments may lie there already, a little lower. */
static void hold(const struct put *p)
{
	unsigned char *to = q.ring[q.now % SEGMENTS].host + q.used;
	struct kept *k = &q.held[q.n++];

	if (p->extra_bytes)
		memmove(to + up16(p->size), p->extra, p->extra_bytes);
	memcpy(to, p->args, p->size);
	memset(k, 0, sizeof *k);
	k->kernel = p->l.kernel;
	k->name = p->l.name;
	k->offset = q.used;
	k->shared = p->l.shared;
	memcpy(k->grid, p->l.grid, sizeof k->grid);
	k->block = p->l.block;
	q.used += bytes_of(p);
	q.size = p->size;
	q.extra = p->extra_bytes;
}

/* With the last one held, as one launch in its place. */
static bool hold_joined(const struct put *p)
{
	const struct kept *k;
	const unsigned char *at;
	struct put both;

	if (!q.n)
		return false;
	k = &q.held[q.n - 1];
	at = q.ring[q.now % SEGMENTS].host + k->offset;
	both = { { k->kernel, k->name, { k->grid[0], k->grid[1], k->grid[2] }, k->block,
			 k->shared },
		at, at + up16(q.size), q.size, q.extra };
	if (!join(&both, p) || bytes_of(&both) > QUEUE_ARGS || k->offset + bytes_of(&both) > SLAB)
		return false;
	q.used = k->offset;
	q.n--;
	hold(&both);
	return true;
}

void queue_put(const struct launch *l, const void *args, size_t size, const void *extra,
	size_t extra_bytes)
{
	const struct put p = { *l, args, extra, size, extra_bytes };

	if (!l->grid[0] || !l->grid[1] || !l->grid[2] || !device_well() || !prepare(l))
		return;
	if (bytes_of(&p) > QUEUE_ARGS) {
		char why[200];

		snprintf(why, sizeof why, "%s: %zu bytes of arguments, there is room for %d",
			l->name, bytes_of(&p), (int)QUEUE_ARGS);
		device_failed(why);
		return;
	}
	if (hold_joined(&p))
		return;
	if (q.n == HELD || (!q.step && q.n >= q.batch) || q.used + bytes_of(&p) > SLAB) {
		queue_flush();
		if (!device_well())
			return;
	}
	hold(&p);
}

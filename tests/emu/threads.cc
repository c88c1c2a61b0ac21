/* threads.cc - blocks of threads, barriers and warps, on one thread of the host.
 *
 * A thread of a block runs on a fiber until it has to wait.  One that never waits needs no
 * switch: its fiber goes on with the next thread.  What waits keeps its fiber.
 */
#include "emu.h"

#include "fiber.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <utility>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
unsigned emu_thread;

enum { PAGE = 4096, RING = 2 * EMU_THREADS /* a power of two */ };

/* ---- the block that runs ---- */

enum state { FRESH, READY, AT_BARRIER, AT_WARP, GONE };

struct copy {
	void *to;
	const void *from;
};

struct thread {
	enum state state;
	struct fiber *fiber;
	/* where it waits */
	unsigned mask;
	emu_done *done;
	void *part;
	const char *file;
	int line;
	/* cp.async: `landed` of copies are done, batch ends where ends says */
	std::vector<struct copy> copies;
	std::vector<size_t> ends;
};

static struct {
	const void *kernel;
	void *arg;
	unsigned count;
	struct thread thread[EMU_THREADS];
	uint3 index[EMU_THREADS];
	unsigned order[EMU_THREADS];
	unsigned fresh, gone, waiting;      /* begun; returned; at the barrier */
	unsigned first;                     /* who came to it first */
	unsigned arrived[EMU_THREADS / 32]; /* lanes at a warp's meeting */
	unsigned ring[RING], head, ready;
	/* shared memory: its end is the end of a page that nobody may touch */
	unsigned char *shared_end, *shared;
	size_t shared_bytes;
	bool runs;
} b;

enum { FORWARD, REVERSE, SHUFFLED };
static int ordering;
static uint64_t seed;

static uint64_t random_bits(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

void emu_thread_name(char *out, size_t size)
{
	snprintf(out, size, "kernel %s, block (%u, %u, %u), thread %u of %u", emu_symbol(b.kernel),
		blockIdx.x, blockIdx.y, blockIdx.z, emu_thread, b.count);
}

void emu_wrong(const char *fmt, ...)
{
	char name[384], text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!b.runs)
		emu_die("%s", text);
	emu_thread_name(name, sizeof name);
	emu_die("%s: %s", name, text);
}

static void push_back(unsigned t)
{
	b.ring[(b.head + b.ready++) % RING] = t;
}

static void push_front(unsigned t)
{
	b.head = (b.head + RING - 1) % RING;
	b.ring[b.head] = t;
	b.ready++;
}

static void becomes(unsigned t)
{
	emu_thread = t;
	threadIdx = b.index[t];
}

static void take_threads(void);

/* Goes on with whoever may run; comes back when the caller's thread may. */
static void wait(void)
{
	if (b.ready) {
		const unsigned t = b.ring[b.head];

		b.head = (b.head + 1) % RING;
		b.ready--;
		becomes(t);
		b.thread[t].state = READY;
		fiber_go(b.thread[t].fiber);
	} else if (b.fresh < b.count) {
		fiber_go(fiber_take(take_threads));
	} else {
		fiber_go(fiber_home());
	}
}

/* Every kernel takes a pointer to arguments of its own; here it is a pointer. */
#ifdef __clang__
__attribute__((no_sanitize("function")))
#endif
static void
call_kernel(void)
{
	((void (*)(void *))b.kernel)(b.arg);
}

/* A fiber takes threads as long as there are some that have not begun. */
static void take_threads(void)
{
	fiber_begun();
	for (;;) {
		while (!b.ready && b.fresh < b.count) {
			const unsigned t = b.order[b.fresh++];

			becomes(t);
			b.thread[t].state = READY;
			b.thread[t].fiber = fiber_now;
			call_kernel();
			b.thread[emu_thread].state = GONE;
			b.gone++;
		}
		fiber_give(fiber_now);
		wait();
	}
}

/* ---- waiting for each other ---- */

static void shuffle(void)
{
	if (ordering == SHUFFLED)
		for (unsigned i = b.count; i > 1; i--)
			std::swap(b.order[i - 1], b.order[random_bits() % i]);
}

static bool same_line(const struct thread *t, const char *file, int line)
{
	return t->line == line && (t->file == file || !strcmp(t->file, file));
}

void emu_barrier(const char *file, int line)
{
	struct thread *t = &b.thread[emu_thread];

	if (!b.waiting++) {
		b.first = emu_thread;
	} else {
		const struct thread *o = &b.thread[b.first];

		if (!same_line(o, file, line))
			emu_wrong("is at the barrier of %s:%d, thread %u at that of %s:%d", file,
				line, b.first, o->file, o->line);
	}
	t->state = AT_BARRIER;
	t->file = file;
	t->line = line;
	if (b.waiting == b.count) {
		b.waiting = 0;
		shuffle();
		for (unsigned i = 0; i < b.count; i++)
			push_back(b.order[i]);
	}
	wait();
}

static void check_meeting(unsigned mask, emu_done *done, const char *file, int line)
{
	const unsigned lane = emu_thread % 32, w = emu_thread / 32;

	if (!(mask >> lane & 1))
		emu_wrong("%s:%d names lanes 0x%08x, not lane %u, which calls it", file, line, mask,
			lane);
	for (unsigned i = 0; i < 32; i++) {
		const struct thread *o = &b.thread[w * 32 + i];

		if (!(mask & b.arrived[w] & ~(1u << lane)) || !(mask & b.arrived[w] & 1u << i))
			continue;
		if (o->mask != mask || o->done != done || !same_line(o, file, line))
			emu_wrong("is at %s:%d with lanes 0x%08x, lane %u of its warp at %s:%d "
				  "with lanes 0x%08x",
				file, line, mask, i, o->file, o->line, o->mask);
		return; /* the others agreed with this one */
	}
}

/* The lanes of mask go on, before other warps do: races between warps show. */
static void meeting_over(unsigned mask, unsigned w)
{
	const unsigned turn = ordering == FORWARD   ? 0
			      : ordering == REVERSE ? 31
						    : random_bits() % 32;

	b.arrived[w] &= ~mask;
	for (unsigned i = 32; i-- > 0;)
		if (mask >> (i ^ turn) & 1)
			push_front(w * 32 + (i ^ turn));
}

void emu_meet(unsigned mask, emu_done *done, void *part, const char *file, int line)
{
	struct thread *t = &b.thread[emu_thread];
	const unsigned w = emu_thread / 32, lane = emu_thread % 32;

	check_meeting(mask, done, file, line);
	t->state = AT_WARP;
	t->mask = mask;
	t->done = done;
	t->part = part;
	t->file = file;
	t->line = line;
	b.arrived[w] |= 1u << lane;
	if ((b.arrived[w] & mask) == mask) {
		void *parts[32];

		for (unsigned i = 0; i < 32; i++)
			parts[i] = mask >> i & 1 ? b.thread[w * 32 + i].part : nullptr;
		done(parts, mask);
		meeting_over(mask, w);
	}
	wait();
}

/* Nobody can go on, and not all have returned: who waits for whom. */
[[noreturn]] static void stuck(void)
{
	for (unsigned i = 0; i < b.count; i++) {
		const struct thread *t = &b.thread[i];

		if (t->state != AT_WARP)
			continue;
		for (unsigned k = 0; k < 32; k++) {
			const unsigned o = i / 32 * 32 + k;

			if (!(t->mask >> k & 1) || (o < b.count && b.thread[o].state == AT_WARP))
				continue;
			becomes(i);
			if (o >= b.count)
				emu_wrong(
					"waits at %s:%d for lane %u, and the block ends before it",
					t->file, t->line, k);
			if (b.thread[o].state == GONE)
				emu_wrong("waits at %s:%d for lane %u, which has returned", t->file,
					t->line, k);
			emu_wrong("waits at %s:%d for lane %u, which is at the barrier of %s:%d",
				t->file, t->line, k, b.thread[o].file, b.thread[o].line);
		}
	}
	for (unsigned i = 0; i < b.count; i++)
		if (b.thread[i].state == GONE) {
			becomes(b.first);
			emu_wrong("waits at the barrier of %s:%d with %u others, thread %u has "
				  "returned without it",
				b.thread[b.first].file, b.thread[b.first].line, b.waiting - 1, i);
		}
	emu_wrong("waits, and nobody can go on");
}

/* ---- shared memory ---- */

enum {
	SHARED_ROOM = (EMU_SHARED + 2 * PAGE) / PAGE * PAGE,
	GAP = 1 << 20, /* behind it */
	PAD = 0xa5,
	BEFORE = 128
};

static void shared_new(void)
{
	unsigned char *p = (unsigned char *)mmap(nullptr, SHARED_ROOM + GAP, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + SHARED_ROOM, GAP, PROT_NONE))
		emu_die("no memory for the shared memory of a block");
	b.shared_end = p + SHARED_ROOM;
}

static void shared_begin(size_t bytes)
{
	b.shared = b.shared_end - (bytes + 127) / 128 * 128;
	b.shared_bytes = bytes;
	memset(b.shared - BEFORE, PAD, BEFORE);
	memset(b.shared, 0xff, bytes);
	memset(b.shared + bytes, PAD, (size_t)(b.shared_end - b.shared) - bytes);
}

static void shared_check(void)
{
	for (unsigned char *p = b.shared - BEFORE; p < b.shared; p++)
		if (*p != PAD)
			emu_wrong("or one beside it wrote %td bytes before its shared memory",
				b.shared - p);
	for (unsigned char *p = b.shared + b.shared_bytes; p < b.shared_end; p++)
		if (*p != PAD)
			emu_wrong("or one beside it wrote byte %td of %zu bytes of shared memory",
				p - b.shared, b.shared_bytes);
}

unsigned char *shared(void);
unsigned char *shared(void)
{
	return b.shared;
}

void emu_shared(const void *p, size_t bytes, const char *what)
{
	const uintptr_t a = (uintptr_t)p, s = (uintptr_t)b.shared;

	if (a < s || a + bytes > s + b.shared_bytes)
		emu_wrong("%s of %p, which is not in its %zu bytes of shared memory at %p", what, p,
			b.shared_bytes, (void *)b.shared);
	if (a % bytes)
		emu_wrong("%s of %p, which is not %zu-aligned", what, p, bytes);
}

/* ---- copies behind a thread's back ---- */

void emu_copy(void *to, const void *from)
{
	struct thread *t = &b.thread[emu_thread];

	t->copies.push_back({ to, from });
	/* neither what was there nor what will be: whoever looks now did not wait */
	memset(to, 0xff, 16);
}

void emu_copy_commit(void)
{
	struct thread *t = &b.thread[emu_thread];

	t->ends.push_back(t->copies.size());
}

void emu_copy_wait(int n)
{
	struct thread *t = &b.thread[emu_thread];
	size_t land = 0, done;

	if (t->ends.size() <= (size_t)n)
		return;
	done = t->ends.size() - (size_t)n;
	for (; land < t->ends[done - 1]; land++) {
		if (t->copies[land].from)
			memcpy(t->copies[land].to, t->copies[land].from, 16);
		else
			memset(t->copies[land].to, 0, 16);
	}
	t->copies.erase(t->copies.begin(), t->copies.begin() + (ptrdiff_t)land);
	t->ends.erase(t->ends.begin(), t->ends.begin() + (ptrdiff_t)done);
	for (size_t &end : t->ends)
		end -= land;
}

/* ---- a grid ---- */

static void prepare(dim3 block)
{
	const char *s = getenv("EMU_ORDER");

	ordering = !s || !*s || !strcmp(s, "forward") ? FORWARD
		   : !strcmp(s, "reverse")            ? REVERSE
						      : SHUFFLED;
	seed = ordering == SHUFFLED ? strtoull(s, nullptr, 10) * 0x9e3779b97f4a7c15u + 1 : 1;
	b.count = block.x * block.y * block.z;
	for (unsigned i = 0; i < b.count; i++) {
		b.index[i] = { i % block.x, i / block.x % block.y, i / block.x / block.y };
		b.order[i] = ordering == REVERSE ? b.count - 1 - i : i;
	}
}

static void run_block(void)
{
	for (unsigned i = 0; i < b.count; i++) {
		b.thread[i].state = FRESH;
		b.thread[i].copies.clear();
		b.thread[i].ends.clear();
	}
	memset(b.arrived, 0, sizeof b.arrived);
	b.fresh = b.gone = b.waiting = b.head = b.ready = 0;
	shuffle();
	shared_begin(b.shared_bytes);
	wait();
	if (b.gone != b.count)
		stuck();
	shared_check();
}

static uint64_t gcd(uint64_t x, uint64_t y)
{
	return y ? gcd(y, x % y) : x;
}

void emu_run(const void *kernel, dim3 grid, dim3 block, size_t shared_bytes, void *arg)
{
	const uint64_t n = (uint64_t)grid.x * grid.y * grid.z;
	uint64_t step = 1, at = 0;

	if (!b.shared_end)
		shared_new();
	emu_watch();
	prepare(block);
	b.kernel = kernel;
	b.arg = arg;
	b.shared_bytes = shared_bytes;
	blockDim = block;
	gridDim = grid;
	if (ordering == REVERSE) {
		step = n - 1;
		at = n - 1;
	} else if (ordering == SHUFFLED) {
		at = random_bits() % n;
		do
			step = 1 + random_bits() % n;
		while (gcd(step, n) != 1);
	}
	b.runs = true;
	for (uint64_t i = 0; i < n; i++, at = (at + step) % n) {
		blockIdx = { (unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y),
			(unsigned)(at / grid.x / grid.y) };
		run_block();
	}
	b.runs = false;
}

const char *emu_touched(const void *p)
{
	static char out[256];
	const unsigned char *c = (const unsigned char *)p;

	if (!b.runs)
		return nullptr;
	if (fiber_past_stack(p))
		snprintf(out, sizeof out, "runs out of its stack");
	else if (c >= b.shared_end && c < b.shared_end + GAP)
		snprintf(out, sizeof out, "touches byte %td of its %zu bytes of shared memory",
			c - b.shared, b.shared_bytes);
	else
		snprintf(out, sizeof out, "touches %s (%p)", emu_where(p), p);
	return out;
}

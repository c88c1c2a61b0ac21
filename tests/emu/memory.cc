/* memory.cc - device memory: an arena of addresses that only device work may touch.
 *
 * Every allocation has pages of its own, with pages that nobody may touch around it, and
 * stands as near to the end of them as its 256-alignment allows.  What is left of its first
 * and last page is filled with a pattern that is looked at when it is freed.
 * Addresses are not used again before all have been.
 * The host is kept out by a protection key, which is a matter of nanoseconds, or by mprotect
 * on each allocation: device work finds all closed, what it touches opens by its fault
 * (emu_admit), as most work touches few of many, and is closed behind it.
 */
#include "emu.h"

#include <errno.h>
#include <fcntl.h>
#include <map>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

uintptr_t emu_arena, emu_arena_end;

enum { PAGE = 4096, PAD = 0xa5, ALIGN = 256 };
static const size_t PIECE = 4 << 20, GAP = 1 << 20;

struct allocation {
	size_t bytes, mapped; /* asked for; of pages, from the page it begins in */
	unsigned long number;
	bool open; /* PAGES: it can be touched */
};

typedef std::map<uintptr_t, struct allocation> allocations;

static allocations live, freed, locked;
static unsigned long numbers;
static uintptr_t next_free;
static size_t used;
static int depth;

static enum { NO_FENCE, PAGES, KEYS } fence;
static int key;

static uintptr_t page_of(uintptr_t a)
{
	return a / PAGE * PAGE;
}

static void start(void)
{
	const char *s = getenv("EMU_FENCE");
	size_t room = (size_t)1 << 40;
	void *p;

	do {
		p = mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			0);
		room /= 2;
	} while (p == MAP_FAILED && room >= (size_t)1 << 30);
	if (p == MAP_FAILED)
		emu_die("no addresses for device memory");
	emu_arena = next_free = (uintptr_t)p;
	emu_arena_end = emu_arena + room * 2;
	emu_watch();
	fence = s && !strcmp(s, "0") ? NO_FENCE : PAGES;
	if (fence && !(s && !strcmp(s, "pages"))) {
		key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
		if (key >= 0)
			fence = KEYS;
	}
}

static void fence_set(bool open)
{
	if (fence == KEYS) {
		pkey_set(key, open ? 0 : PKEY_DISABLE_ACCESS);
	} else if (fence == PAGES && open) {
		emu_watch();
	} else if (fence == PAGES) {
		for (auto &a : live)
			if (a.second.open) {
				mprotect((void *)page_of(a.first), a.second.mapped, PROT_NONE);
				a.second.open = false;
			}
	}
}

/* In a signal handler, so nothing that takes memory. */
bool emu_admit(const void *p)
{
	const uintptr_t page = page_of((uintptr_t)p);

	if (fence != PAGES || !depth || live.empty())
		return false;
	auto i = live.lower_bound(page);

	if (i == live.end() || page_of(i->first) != page) {
		if (i == live.begin())
			return false;
		--i;
	}
	if (i->second.open || page - page_of(i->first) >= i->second.mapped)
		return false;
	i->second.open =
		!mprotect((void *)page_of(i->first), i->second.mapped, PROT_READ | PROT_WRITE);
	return i->second.open;
}

void emu_open(void)
{
	if (!depth++)
		fence_set(true);
}

void emu_close(void)
{
	if (!--depth)
		fence_set(false);
}

/* ---- pages ---- */

/* A file of PIECE bytes 0xff, mapped again and again: fresh memory costs what is written of
 * it. */
static int filler(void)
{
	static int fd = -1;

	if (fd < 0) {
		void *p;

		fd = memfd_create("emu", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, PIECE))
			emu_die("no memory for fresh device memory");
		p = mmap(nullptr, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			emu_die("no memory for fresh device memory");
		memset(p, 0xff, PIECE);
		munmap(p, PIECE);
	}
	return fd;
}

/* Of the filler, at `at`. */
static bool map_filler(uintptr_t at, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += PIECE) {
		const size_t n = bytes - done < PIECE ? bytes - done : PIECE;

		if (mmap((void *)(at + done), n, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, filler(), 0) == MAP_FAILED)
			return false;
	}
	return true;
}

static bool map_pages(uintptr_t at, size_t bytes)
{
	const int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;

	if (bytes < PIECE / 16) {
		if (mmap((void *)at, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0) ==
			MAP_FAILED)
			return false;
		memset((void *)at, 0xff, bytes);
	} else if (!map_filler(at, bytes)) {
		return false;
	}
	return fence != KEYS || !pkey_mprotect((void *)at, bytes, PROT_READ | PROT_WRITE, key);
}

static void unmap_pages(uintptr_t at, size_t bytes)
{
	if (mmap((void *)at, bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		emu_die("device memory cannot be given back: %s", strerror(errno));
}

/* Pages for so many bytes with a GAP before and one behind, or 0. */
static uintptr_t room_for(size_t mapped)
{
	uintptr_t at = next_free + GAP;

	if (mapped > emu_arena_end - emu_arena - 2 * GAP)
		return 0;
	if (at + mapped + GAP > emu_arena_end) {
		/* from the beginning again, over what has been freed since */
		freed.clear();
		at = emu_arena + GAP;
	}
	for (auto a = live.upper_bound(at); a != live.end(); ++a) {
		if (page_of(a->first) >= at + mapped + GAP)
			break;
		at = page_of(a->first) + a->second.mapped + GAP;
	}
	return at + mapped + GAP > emu_arena_end ? 0 : at;
}

/* ---- what surrounds an allocation ---- */

static unsigned char *begin_of(const allocations::value_type &a)
{
	return (unsigned char *)page_of(a.first);
}

static void paint(const allocations::value_type &a)
{
	unsigned char *p = begin_of(a), *user = (unsigned char *)a.first;

	memset(p, PAD, (size_t)(user - p));
	memset(user + a.second.bytes, PAD, (size_t)(p + a.second.mapped - user) - a.second.bytes);
}

static void look(const allocations::value_type &a, const char *when)
{
	const unsigned char *p = begin_of(a), *user = (const unsigned char *)a.first;
	const unsigned char *end = p + a.second.mapped;

	for (; p < end; p++) {
		if (p == user)
			p += a.second.bytes;
		if (p == end)
			break;
		if (*p != PAD)
			emu_die("%s: somebody wrote byte %td of allocation %lu, which has %zu "
				"bytes",
				when, p - user, a.second.number, a.second.bytes);
	}
}

void emu_check(const char *after)
{
	emu_open();
	for (const auto &a : live)
		look(a, after);
	emu_close();
}

/* ---- questions ---- */

static const allocations::value_type *around(const allocations &in, uintptr_t a)
{
	auto i = in.upper_bound(a);

	if (i == in.begin())
		return nullptr;
	--i;
	return a - i->first < i->second.mapped ? &*i : nullptr;
}

const char *emu_where(const void *p)
{
	static char out[160];
	const uintptr_t a = (uintptr_t)p;
	const allocations::value_type *is;

	if (a < emu_arena || a >= emu_arena_end)
		return a < PAGE ? "a null pointer" : "memory of the host";
	if ((is = around(freed, a))) {
		snprintf(out, sizeof out, "allocation %lu of %zu bytes, which was freed",
			is->second.number, is->second.bytes);
		return out;
	}
	auto i = live.upper_bound(a);

	if (i != live.begin()) {
		--i;
		if (a - i->first < i->second.bytes)
			snprintf(out, sizeof out, "byte %zu of allocation %lu of %zu bytes",
				(size_t)(a - i->first), i->second.number, i->second.bytes);
		else
			snprintf(out, sizeof out,
				"%zu bytes behind the end of allocation %lu of "
				"%zu bytes",
				(size_t)(a - i->first - i->second.bytes), i->second.number,
				i->second.bytes);
		return out;
	}
	return "device memory that nobody took";
}

enum emu_place emu_place(const void *p)
{
	const uintptr_t a = (uintptr_t)p;

	if (a >= emu_arena && a < emu_arena_end)
		return EMU_DEVICE;
	const allocations::value_type *is = around(locked, a);

	return is && a - is->first < is->second.bytes ? EMU_LOCKED : EMU_PAGEABLE;
}

void emu_range(const void *p, size_t bytes, const char *what)
{
	const uintptr_t a = (uintptr_t)p;
	const enum emu_place place = emu_place(p);
	const allocations::value_type *is =
		place == EMU_PAGEABLE ? nullptr : around(place == EMU_DEVICE ? live : locked, a);

	if (place == EMU_PAGEABLE || !bytes)
		return;
	if (!is || a - is->first > is->second.bytes || bytes > is->second.bytes - (a - is->first))
		emu_die("%s of %zu bytes at %p: %s", what, bytes, p, emu_where(p));
}

void emu_global(const void *p, size_t bytes, const char *what)
{
	const uintptr_t a = (uintptr_t)p;

	if ((a < emu_arena || a >= emu_arena_end) && emu_place(p) == EMU_PAGEABLE)
		emu_wrong("%s of %p, which is not memory of the device", what, p);
	if (a % bytes)
		emu_wrong("%s of %p, which is not %zu-aligned", what, p, bytes);
}

/* ---- the API ---- */

static size_t total(void)
{
	static const size_t there_is = (size_t)emu_env("EMU_MEMORY", 2l << 30);

	return there_is;
}

extern "C" cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *all)
{
	const cudaError_t e = emu_call();

	*free_bytes = *all = 0;
	if (e)
		return emu_return(e);
	*all = total();
	*free_bytes = total() - __atomic_load_n(&used, __ATOMIC_RELAXED);
	return cudaSuccess;
}

extern "C" cudaError_t cudaMalloc(void **p, size_t bytes)
{
	const emu_lock l;
	const cudaError_t e = emu_call();
	size_t padded, mapped;
	uintptr_t at;

	*p = nullptr;
	if (e || !bytes)
		return emu_return(e);
	if (emu_capturing(nullptr))
		return emu_return(cudaErrorStreamCaptureUnsupported);
	if (!emu_arena)
		start();
	if (bytes > total() - used)
		return emu_return(cudaErrorMemoryAllocation);
	padded = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	mapped = (padded + PAGE - 1) / PAGE * PAGE;
	at = room_for(mapped);
	emu_open();
	if (!at || !map_pages(at, mapped)) {
		emu_close();
		return emu_return(cudaErrorMemoryAllocation);
	}
	next_free = at + mapped;
	paint(*live.insert({ at + mapped - padded, { bytes, mapped, ++numbers, true } }).first);
	emu_close();
	__atomic_fetch_add(&used, bytes, __ATOMIC_RELAXED);
	*p = (void *)(at + mapped - padded);
	return cudaSuccess;
}

extern "C" cudaError_t cudaFree(void *p)
{
	const emu_lock l;
	const cudaError_t e = cudaDeviceSynchronize();

	if (e || !p)
		return e;
	auto i = live.find((uintptr_t)p);

	if (i == live.end())
		emu_die("cudaFree of %p: %s", p, emu_where(p));
	emu_open();
	look(*i, "cudaFree");
	emu_close();
	unmap_pages(page_of(i->first), i->second.mapped);
	__atomic_fetch_sub(&used, i->second.bytes, __ATOMIC_RELAXED);
	freed.insert(*i);
	live.erase(i);
	return cudaSuccess;
}

extern "C" cudaError_t cudaMallocHost(void **p, size_t bytes)
{
	const emu_lock l;
	const cudaError_t e = emu_call();
	size_t mapped;
	void *at;

	*p = nullptr;
	if (e || !bytes)
		return emu_return(e);
	mapped = (bytes + PAGE - 1) / PAGE * PAGE;
	at = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED || !map_filler((uintptr_t)at, mapped))
		return emu_return(cudaErrorMemoryAllocation);
	*p = at;
	locked.insert({ (uintptr_t)at, { bytes, mapped, ++numbers, true } });
	return cudaSuccess;
}

extern "C" cudaError_t cudaFreeHost(void *p)
{
	const emu_lock l;
	const cudaError_t e = cudaDeviceSynchronize();

	if (e || !p)
		return e;
	const auto i = locked.find((uintptr_t)p);

	if (i == locked.end())
		emu_die("cudaFreeHost of %p, which cudaMallocHost did not give", p);
	munmap(p, i->second.mapped);
	locked.erase(i);
	return cudaSuccess;
}

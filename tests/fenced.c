/* fenced.c - a device whose memory the host cannot touch: ref's operations on an arena that is
 * closed but while one runs, so that any other access ends the program (or those of the
 * program's processor, which are quicker).  The fence is a protection key, which is a matter of
 * nanoseconds, or mprotect where there is none or BITDIAL_FENCED_PAGES is set.
 *
 * A shared object with the devices "fenced:0" and "fenced:1", of which the one opened last
 * computes, as those of CUDA.  Memory is filled with NaN before it is cleared and after it was
 * given back.  The nth operation can be made to fail (fenced.h; BITDIAL_FENCED_FAIL=n, n! for
 * good): from then on operations do nothing and leave NaN, until the failure was told.
 * BITDIAL_FENCED_MIB is the size of a device, 512 if it is not set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/backend.h"
#include "tests/fenced.h"

extern const struct backend bd_backend_ref;
const struct backend *const *bd_backend_entry(void);
extern const struct fenced_controls bd_fenced;

static const struct backend *by = &bd_backend_ref; /* whose operations */

enum { DEVICES = 2, BLOCKS = 1 << 16, ALIGN = 64 };

struct block {
	size_t at, bytes;
};

static struct arena {
	unsigned char *memory; /* NULL: not opened yet */
	struct block *block;   /* by place */
	size_t n, high;
	uint64_t ours;
	bool closed;
} arena[DEVICES];

static size_t size, most; /* of an arena; what alloc gives */
static int now = -1;      /* the one that computes */
static int key = -1;      /* of a thread that has not opened it itself: no access */
static bool failed, lost, stepping;
static unsigned long ops, fails_at, steps;
static bool for_good;
static unsigned long each = 1; /* operations after which pages are closed */
static char sentence[120];

/* Where its blocks end, in pages. */
static size_t high(const struct arena *a)
{
	size_t n = a->n ? a->block[a->n - 1].at + a->block[a->n - 1].bytes : 0;

	n = n > a->high ? n : a->high;
	return (n + 4095) / 4096 * 4096;
}

/* ---- the fence */

static void fence_open(struct arena *a)
{
	if (key >= 0)
		pkey_set(key, 0);
	else if (a->closed)
		mprotect(a->memory, high(a), PROT_READ | PROT_WRITE);
	a->closed = false;
}

static void fence_close(struct arena *a)
{
	if (key >= 0)
		pkey_set(key, PKEY_DISABLE_ACCESS);
	else
		mprotect(a->memory, high(a), PROT_NONE);
	a->closed = true;
}

/* ---- failing */

static bool begin(const char *name)
{
	ops++;
	if (fails_at && --fails_at == 0 && !lost) {
		failed = true;
		lost = for_good;
		snprintf(sentence, sizeof sentence, "fenced:%d: operation %lu, %s, %s", now, ops,
			name, lost ? "broke the device" : "failed");
	}
	if (failed || lost)
		return false;
	fence_open(&arena[now]);
	return true;
}

static void end(void)
{
	if (key >= 0 || ops % each == 0)
		fence_close(&arena[now]);
}

static void nothing(void *host, size_t bytes)
{
	if (host)
		memset(host, 0xff, bytes);
}

static enum st fault(struct err *e)
{
	if (!failed && !lost)
		return ST_OK;
	failed = false;
	if (e) {
		e->st = ST_DEVICE;
		snprintf(e->msg, sizeof e->msg, "%s", sentence);
	}
	return ST_DEVICE;
}

static bool is_lost(void)
{
	return lost;
}

static void wait_all(void) {}

static void step(bool is_first)
{
	if (is_first == stepping) /* begun twice, or ended without having begun */
		abort();
	stepping = is_first;
	steps += is_first;
}

/* ---- memory */

static void *fence_alloc(size_t bytes)
{
	struct arena *a = &arena[now];
	size_t at = 0, i;

	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	bytes = bytes ? bytes : ALIGN;
	for (i = 0; i < a->n && a->block[i].at - at < bytes; i++)
		at = a->block[i].at + a->block[i].bytes;
	if (at + bytes > size || a->ours + bytes > most || a->n == BLOCKS || !begin("alloc"))
		return NULL;
	memmove(a->block + i + 1, a->block + i, (a->n - i) * sizeof *a->block);
	a->block[i] = (struct block){ at, bytes };
	a->n++;
	a->ours += bytes;
	a->high = high(a);
	if (key < 0)
		mprotect(a->memory, a->high, PROT_READ | PROT_WRITE); /* it may have grown */
	memset(a->memory + at, 0xff, bytes);
	memset(a->memory + at, 0, bytes);
	end();
	return a->memory + at;
}

static void fence_free(void *p)
{
	struct arena *a = arena;
	size_t i = 0;

	while ((unsigned char *)p < a->memory || (unsigned char *)p >= a->memory + size)
		if (++a == arena + DEVICES)
			abort(); /* it is nobody's */
	while (i < a->n && a->memory + a->block[i].at != (unsigned char *)p)
		i++;
	if (i == a->n)
		abort();  /* twice */
	a->closed = true; /* as high as it was */
	fence_open(a);
	memset(p, 0xff, a->block[i].bytes);
	fence_close(a);
	a->ours -= a->block[i].bytes;
	memmove(a->block + i, a->block + i + 1, (--a->n - i) * sizeof *a->block);
}

static void fence_put(void *dst, const void *host, size_t bytes)
{
	if (!begin("put"))
		return;
	memcpy(dst, host, bytes);
	end();
}

static void fence_get(void *host, const void *src, size_t bytes)
{
	if (!begin("get")) {
		nothing(host, bytes);
		return;
	}
	memcpy(host, src, bytes);
	end();
}

static void fence_copy(void *dst, const void *src, size_t bytes)
{
	if (!begin("copy"))
		return;
	memcpy(dst, src, bytes);
	end();
}

static double read_rate(void)
{
	return 1e9;
}

/* ---- ref's operations */

#define FENCED(op, params, args)      \
	static void fence_##op params \
	{                             \
		if (!begin(#op))      \
			return;       \
		by->op args;          \
		end();                \
	}

/* clang-format off */
FENCED(products, (const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math),
	(p, n, x, ldx, m, math))
FENCED(dequant, (float *out, const struct mat *w, size_t first, size_t n), (out, w, first, n))
FENCED(embed, (float *y, const struct mat *w, const int32_t *ids, size_t m), (y, w, ids, m))
FENCED(gemm, (bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
	const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math),
	(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, math))
FENCED(rmsnorm, (float *y, const float *x, const float *gain, size_t m, size_t n, float eps),
	(y, x, gain, m, n, eps))
FENCED(rope, (float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
	const float *inv_freq, enum rope_style style), (x, ld, m, heads, dim, pos, inv_freq, style))
FENCED(round_kv, (int8_t *q, float *scale, const float *x, size_t rows, size_t heads, size_t dim),
	(q, scale, x, rows, heads, dim))
FENCED(attention, (float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape), (out, q, seqs, n, shape))
FENCED(swiglu, (float *y, const float *gate, const float *up, size_t count), (y, gate, up, count))
FENCED(add, (float *y, const float *x, size_t count), (y, x, count))
FENCED(products_back, (float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math), (dx, ldx, add, dy, ldy, m, w, math))
FENCED(rmsnorm_back, (float *dx, float *dgain, const float *dy, const float *x, const float *gain,
	size_t m, size_t n, float eps), (dx, dgain, dy, x, gain, m, n, eps))
FENCED(attention_back, (float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *q, const struct attn_seq *seqs, size_t n, const struct attn_shape *shape),
	(dq, dk, dv, dout, out, q, seqs, n, shape))
FENCED(swiglu_back, (float *dgate, float *dup, const float *dy, const float *gate, const float *up,
	size_t count), (dgate, dup, dy, gate, up, count))
FENCED(embed_back, (float *dw, const float *dy, const int32_t *ids, size_t m, size_t cols),
	(dw, dy, ids, m, cols))
/* clang-format on */

static void fence_row_stats(double *lse, int32_t *argmax, const float *z, size_t m, size_t n)
{
	if (!begin("row_stats")) {
		nothing(lse, m * sizeof *lse);
		if (argmax)
			memset(argmax, 0, m * sizeof *argmax);
		return;
	}
	by->row_stats(lse, argmax, z, m, n);
	end();
}

static void fence_kl(double *kl, const float *zp, const double *lse_p, const float *zq,
	const double *lse_q, size_t m, size_t n)
{
	if (!begin("kl")) {
		nothing(kl, m * sizeof *kl);
		return;
	}
	by->kl(kl, zp, lse_p, zq, lse_q, m, n);
	end();
}

static void fence_sq_diff(double *num, double *den, const float *a, const float *b, size_t count)
{
	if (!begin("sq_diff")) {
		nothing(num, sizeof *num);
		nothing(den, sizeof *den);
		return;
	}
	by->sq_diff(num, den, a, b, count);
	end();
}

static void fence_cross_entropy(
	double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale)
{
	if (!begin("cross_entropy")) {
		nothing(loss, m * sizeof *loss);
		return;
	}
	by->cross_entropy(loss, z, label, m, n, scale);
	end();
}

static void fence_kl_back(double *kl, float *zq, const float *zp, size_t m, size_t n, float scale)
{
	if (!begin("kl_back")) {
		nothing(kl, m * sizeof *kl);
		return;
	}
	by->kl_back(kl, zq, zp, m, n, scale);
	end();
}

/* ---- the table */

static int score(void)
{
	return lost ? 0 : 1;
}

static const char *path(void)
{
	return "fenced";
}

static void settings(void)
{
	const char *mib = getenv("BITDIAL_FENCED_MIB"), *fail = getenv("BITDIAL_FENCED_FAIL");
	char *rest;

	if (size)
		return;
	size = (mib ? strtoul(mib, NULL, 10) : 512) << 20;
	most = most ? most : size;
	key = getenv("BITDIAL_FENCED_PAGES") ? -1 : pkey_alloc(0, PKEY_DISABLE_ACCESS);
	if (fail) {
		fails_at = strtoul(fail, &rest, 10);
		for_good = *rest == '!';
	}
}

static enum st open_it(int i, struct err *e)
{
	struct arena *a = &arena[i];

	settings();
	if (lost) {
		if (e) {
			e->st = ST_UNSUPPORTED;
			snprintf(e->msg, sizeof e->msg, "%s", sentence);
		}
		return ST_UNSUPPORTED;
	}
	if (!a->memory) {
		a->memory = mmap(
			NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		a->block = calloc(BLOCKS + 1, sizeof *a->block);
		if (a->memory == MAP_FAILED || !a->block)
			abort();
		if (key >= 0 && pkey_mprotect(a->memory, size, PROT_READ | PROT_WRITE, key))
			abort();
	}
	now = i;
	return ST_OK;
}

static enum st open_0(struct err *e)
{
	return open_it(0, e);
}

static enum st open_1(struct err *e)
{
	return open_it(1, e);
}

static void info_of(int i, struct backend_device *out)
{
	uint64_t ours = arena[i].ours;

	*out = (struct backend_device){ .name = "a fenced arena", .kernels = "ref" };
	if (!arena[i].memory)
		return;
	out->total = size;
	out->free = most > ours ? most - ours : 0;
	out->ours = ours;
}

static void info_0(struct backend_device *out)
{
	info_of(0, out);
}

static void info_1(struct backend_device *out)
{
	info_of(1, out);
}

#define DEVICE(i)                                                                                \
	{                                                                                        \
		.abi = BD_BACKEND_ABI, .size = sizeof(struct backend), .name = "fenced:" #i,     \
		.score = score, .path = path, .open = open_##i, .fault = fault, .lost = is_lost, \
		.wait = wait_all, .step = step, .info = info_##i, .alloc = fence_alloc,          \
		.free = fence_free, .put = fence_put, .get = fence_get, .copy = fence_copy,      \
		.read_rate = read_rate, .products = fence_products, .dequant = fence_dequant,    \
		.embed = fence_embed, .gemm = fence_gemm, .rmsnorm = fence_rmsnorm,              \
		.rope = fence_rope, .round_kv = fence_round_kv, .attention = fence_attention,    \
		.swiglu = fence_swiglu, .add = fence_add, .row_stats = fence_row_stats,          \
		.kl = fence_kl, .sq_diff = fence_sq_diff, .products_back = fence_products_back,  \
		.rmsnorm_back = fence_rmsnorm_back, .attention_back = fence_attention_back,      \
		.swiglu_back = fence_swiglu_back, .cross_entropy = fence_cross_entropy,          \
		.kl_back = fence_kl_back, .embed_back = fence_embed_back                         \
	}

const struct backend *const *bd_backend_entry(void)
{
	static const struct backend device[DEVICES] = { DEVICE(0), DEVICE(1) };
	static const struct backend *const list[DEVICES + 1] = { &device[0], &device[1], NULL };

	return list;
}

/* ---- controls */

static void fail_at(unsigned long n, bool good)
{
	fails_at = n;
	for_good = good;
}

static unsigned long count(void)
{
	return ops;
}

static void limit(size_t bytes)
{
	settings();
	most = bytes ? bytes : size;
}

static uint64_t ours(void)
{
	return arena[0].ours + arena[1].ours;
}

static unsigned long steps_begun(void)
{
	return steps;
}

static bool in_step(void)
{
	return stepping;
}

static void revive(void)
{
	failed = lost = false;
	fails_at = 0;
}

static void quickly(const struct backend *b)
{
	by = b;
	each = 64;
}

const struct fenced_controls bd_fenced = { fail_at, count, limit, ours, steps_begun, in_step,
	revive, quickly };

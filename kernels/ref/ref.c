/* ref - every operation in plain C, sums in double: slow, obvious, the answer. */
#include "kernels/ref/ref.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/stream.h"

enum {
	ALIGN = 64,
	HUGE = 2 << 20, /* a huge page of x86 and of most others, which ... */
	LARGE = 8 << 20 /* ... from here on is asked for */
};

/* Before each piece of memory: where it really begins, and the bytes of its mapping; 0: malloc's. */
struct block {
	void *base;
	size_t mapped;
};

static void *aligned_in(void *base, size_t align, size_t mapped)
{
	uintptr_t p = ((uintptr_t)base + ALIGN + align - 1) / align * align;

	((struct block *)(p - ALIGN))[0] = (struct block){ base, mapped };
	return (void *)p;
}

/* Pages come zeroed, one by one when first written: by the threads that fill them.  The block
 * stands in a small page of its own before the huge ones. */
static void *map(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), all = bytes + HUGE + page, before;
	char *base = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	before = HUGE - ((uintptr_t)base + page) % HUGE;
	if (before)
		(void)munmap(base, before);
	base += before;
	all -= before;
#if defined(MADV_HUGEPAGE)
	/* Streams over weights then spend less time looking pages up; a refusal is fine. */
	(void)madvise(base + page, bytes, MADV_HUGEPAGE);
#endif
	return aligned_in(base, HUGE, all);
}

void *ref_alloc(size_t bytes)
{
	void *base;

	if (bytes > SIZE_MAX / 2)
		return NULL;
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	if (bytes >= LARGE)
		return map(bytes);
	base = calloc(1, bytes + 2 * ALIGN);
	return base ? aligned_in(base, ALIGN, 0) : NULL;
}

void ref_free(void *p)
{
	struct block b;

	if (!p)
		return;
	b = *(struct block *)((uintptr_t)p - ALIGN);
	if (b.mapped)
		(void)munmap(b.base, b.mapped);
	else
		free(b.base);
}

void ref_copy(void *dst, const void *src, size_t bytes)
{
	if (bytes)
		memmove(dst, src, bytes);
}

static int score(void)
{
	return 1;
}

static const char *path(void)
{
	return "plain c, one thread";
}

extern const struct backend bd_backend_ref;
const struct backend bd_backend_ref = {
	.abi = BD_BACKEND_ABI,
	.size = sizeof(struct backend),
	.name = "ref",
	.host_memory = true,
	.score = score,
	.path = path,
	.alloc = ref_alloc,
	.free = ref_free,
	.put = ref_copy,
	.get = ref_copy,
	.copy = ref_copy,
	.read_rate = stream_rate,
	.products = ref_products,
	.dequant = ref_dequant,
	.embed = ref_embed,
	.gemm = ref_gemm,
	.rmsnorm = ref_rmsnorm,
	.rope = ref_rope,
	.round_kv = ref_round_kv,
	.attention = ref_attention,
	.swiglu = ref_swiglu,
	.add = ref_add,
	.row_stats = ref_row_stats,
	.kl = ref_kl,
	.sq_diff = ref_sq_diff,
	.products_back = ref_products_back,
	.rmsnorm_back = ref_rmsnorm_back,
	.attention_back = ref_attention_back,
	.swiglu_back = ref_swiglu_back,
	.cross_entropy = ref_cross_entropy,
	.kl_back = ref_kl_back,
	.embed_back = ref_embed_back,
};

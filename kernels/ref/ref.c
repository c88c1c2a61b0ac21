/* ref - every operation in plain C, sums in double: slow, obvious, the answer. */
#include "kernels/ref/ref.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/stream.h"

enum {
	ALIGN = 64,
	HUGE = 2 << 20, /* a huge page of x86 and of most others, which ... */
	LARGE = 8 << 20 /* ... from here on is asked for */
};

void *ref_alloc(size_t bytes)
{
	size_t align = bytes >= LARGE ? HUGE : ALIGN;
	void *p;

	if (bytes > SIZE_MAX - ALIGN)
		return NULL;
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	if (posix_memalign(&p, align, bytes ? bytes : ALIGN))
		return NULL;
#if defined(MADV_HUGEPAGE)
	/* Streams over weights then spend less time looking pages up; a refusal is fine. */
	if (align == HUGE)
		(void)madvise(p, bytes, MADV_HUGEPAGE);
#endif
	memset(p, 0, bytes);
	return p;
}

void ref_free(void *p)
{
	free(p);
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
};

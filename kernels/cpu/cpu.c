/* cpu - all cores of this machine, by the widest instructions it has. */
#include "kernels/cpu/cpu.h"

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref/ref.h"

enum { LEAVES = 3 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct leaf *leaves[LEAVES + 1]; /* what the processor can run, slowest first */
static const struct leaf *in_use;
static const char *unknown; /* what BITDIAL_CPU asked for in vain */

/* OpenBLAS starts a thread a core when it is loaded, with no signal blocked.  We call it
 * from our own threads only, and those would take signals from the thread that waits
 * for them: end them. */
static void quiet_blas(void)
{
	void (*end)(void);

	openblas_set_num_threads(1);
	*(void **)&end = dlsym(RTLD_DEFAULT, "blas_thread_shutdown_");
	if (end)
		end();
}

static void choose(void)
{
	const char *want = getenv("BITDIAL_CPU");
	size_t n = 0;

	quiet_blas();
	leaves[n++] = &leaf_plain;
#if defined(__x86_64__)
	__builtin_cpu_init();
	/* every processor with AVX2 and FMA has F16C, too */
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		leaves[n++] = &leaf_avx2;
		if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
			__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
			leaves[n++] = &leaf_avx512;
	}
#endif
	in_use = leaves[n - 1];
	if (!want || !*want)
		return;
	unknown = want;
	for (size_t i = 0; leaves[i]; i++)
		if (!strcmp(leaves[i]->name, want)) {
			in_use = leaves[i];
			unknown = NULL;
		}
}

const struct leaf *cpu_leaf(void)
{
	pthread_once(&once, choose);
	return in_use;
}

const struct leaf *cpu_leaf_at(size_t i)
{
	pthread_once(&once, choose);
	return leaves[i];
}

void cpu_use(const struct leaf *l)
{
	pthread_once(&once, choose);
	in_use = l;
}

static int score(void)
{
	/* without AVX2 it still has OpenBLAS and threads */
	return cpu_leaf() == &leaf_plain ? 10 : 100;
}

static const char *path(void)
{
	static char text[128];
	size_t at = (size_t)snprintf(text, sizeof text, "%s (of", cpu_leaf()->name);

	for (size_t i = 0; leaves[i] && at < sizeof text; i++)
		at += (size_t)snprintf(
			text + at, sizeof text - at, "%s %s", i ? "," : "", leaves[i]->name);
	if (at < sizeof text)
		at += (size_t)snprintf(text + at, sizeof text - at, ")");
	if (unknown && at < sizeof text)
		snprintf(text + at, sizeof text - at, "; BITDIAL_CPU=%.16s is not here", unknown);
	return text;
}

extern const struct backend bd_backend_cpu;
const struct backend bd_backend_cpu = {
	.abi = BD_BACKEND_ABI,
	.name = "cpu",
	.host_memory = true,
	.score = score,
	.path = path,
	.alloc = ref_alloc,
	.free = ref_free,
	.put = ref_copy,
	.get = ref_copy,
	.copy = ref_copy,
	.linear = cpu_linear,
	.dequant = cpu_dequant,
	.embed = cpu_embed,
	.gemm = cpu_gemm,
	.rmsnorm = cpu_rmsnorm,
	.rope = cpu_rope,
	.attention = cpu_attention,
	.swiglu = cpu_swiglu,
	.add = cpu_add,
	.row_stats = cpu_row_stats,
	.kl = cpu_kl,
	.sq_diff = cpu_sq_diff,
};

/* cpu - all cores of this machine, by the widest instructions it has. */
#include "kernels/cpu/cpu.h"

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/probe.h"
#include "kernels/ref/ref.h"
#include "kernels/stream.h"

static bool have_plain(void)
{
	return true;
}

#if defined(__x86_64__)
static bool have_avx2(void)
{
	/* every processor with AVX2 and FMA has F16C, too */
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool have_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool have_vnni(void)
{
	return __builtin_cpu_supports("avx512vnni");
}
#endif

/* Slowest first; each needs the ones before it, and takes from them what it lacks.  A new
 * one is one line. */
static const struct level {
	const struct leaf *leaf;
	bool (*have)(void);
} levels[] = {
	{ &leaf_plain, have_plain },
#if defined(__x86_64__)
	{ &leaf_avx2, have_avx2 },
	{ &leaf_avx512, have_avx512 },
	{ &leaf_vnni, have_vnni },
	{ &leaf_bf16, cpu_has_bf16 },
	{ &leaf_amx, cpu_has_amx },
#endif
};

enum { LEVELS = sizeof levels / sizeof *levels };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct leaf leaves[LEVELS]; /* what the processor can run, slowest first */
static size_t n_leaves;
static const struct leaf *in_use;
static const char *unknown; /* what BITDIAL_CPU asked for in vain */
static const char *broken;  /* what the processor announces, and fails at */
static const char *spoilt;  /* by cpu_spoil */

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

/* A leaf with what it lacks from the one below. */
static struct leaf over(struct leaf below, const struct leaf *l)
{
	below.name = l->name;
	if (l->mm.mul)
		below.mm = l->mm;
	if (l->v.rmsnorm)
		below.v = l->v;
	if (l->back.rmsnorm)
		below.back = l->back;
	if (l->i8.product)
		below.i8 = l->i8;
	if (l->pair.few)
		below.pair = l->pair;
	if (l->b16.mul) {
		below.b16 = l->b16;
		below.bf16_beats_int8 = l->bf16_beats_int8;
	}
	if (l->b16x3.mul)
		below.b16x3 = l->b16x3;
	return below;
}

void cpu_spoil(const char *level)
{
	spoilt = level;
}

static bool never(void)
{
	__builtin_trap();
}

/* How many levels are announced and, in a child process, turn out to run. */
static size_t running(void)
{
	bool (*probe[LEVELS])(void);
	size_t n = 0, good;

	for (; n < LEVELS && levels[n].have(); n++)
		probe[n] = spoilt && !strcmp(levels[n].leaf->name, spoilt) ? never
									   : levels[n].leaf->probe;
	good = cpu_probe(probe, n);
	if (good < n)
		broken = levels[good].leaf->name;
	return good;
}

static void choose(void)
{
	const char *want = getenv("BITDIAL_CPU");
	size_t good;

	quiet_blas();
#if defined(__x86_64__)
	__builtin_cpu_init();
#endif
	good = running();
	for (; n_leaves < good; n_leaves++)
		leaves[n_leaves] = n_leaves ? over(leaves[n_leaves - 1], levels[n_leaves].leaf)
					    : *levels[0].leaf;
	in_use = &leaves[n_leaves - 1];
	while (levels[in_use - leaves].leaf->pays && !levels[in_use - leaves].leaf->pays())
		in_use--;
	if (!want || !*want)
		return;
	unknown = want;
	for (size_t i = 0; i < n_leaves; i++)
		if (!strcmp(leaves[i].name, want)) {
			in_use = &leaves[i];
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
	return i < n_leaves ? &leaves[i] : NULL;
}

void cpu_use(const struct leaf *l)
{
	pthread_once(&once, choose);
	in_use = l;
}

static int score(void)
{
	/* without AVX2 it still has OpenBLAS and threads */
	return cpu_leaf() == leaves ? 10 : 100;
}

static const char *path(void)
{
	static char text[192];
	size_t at = (size_t)snprintf(text, sizeof text, "%s (of", cpu_leaf()->name);

	for (size_t i = 0; i < n_leaves && at < sizeof text; i++)
		at += (size_t)snprintf(
			text + at, sizeof text - at, "%s %s", i ? "," : "", leaves[i].name);
	if (at < sizeof text)
		at += (size_t)snprintf(text + at, sizeof text - at, ")");
	if (broken && at < sizeof text)
		at += (size_t)snprintf(
			text + at, sizeof text - at, "; %s is announced and does not run", broken);
	if (unknown && at < sizeof text)
		snprintf(text + at, sizeof text - at, "; BITDIAL_CPU=%.16s is not here", unknown);
	return text;
}

extern const struct backend bd_backend_cpu;
const struct backend bd_backend_cpu = {
	.abi = BD_BACKEND_ABI,
	.size = sizeof(struct backend),
	.name = "cpu",
	.host_memory = true,
	.score = score,
	.path = path,
	.alloc = ref_alloc,
	.free = ref_free,
	.put = ref_copy,
	.get = ref_copy,
	.copy = ref_copy,
	.read_rate = stream_rate,
	.products = cpu_products,
	.dequant = cpu_dequant,
	.embed = cpu_embed,
	.gemm = cpu_gemm,
	.rmsnorm = cpu_rmsnorm,
	.rope = cpu_rope,
	.round_kv = ref_round_kv, /* of new rows only: no time is spent in it */
	.attention = cpu_attention,
	.swiglu = cpu_swiglu,
	.add = cpu_add,
	.row_stats = cpu_row_stats,
	.kl = cpu_kl,
	.sq_diff = cpu_sq_diff,
	.products_back = cpu_products_back,
	.rmsnorm_back = cpu_rmsnorm_back,
	.attention_back = cpu_attention_back,
	.swiglu_back = cpu_swiglu_back,
	.cross_entropy = cpu_cross_entropy,
	.kl_back = cpu_kl_back,
	.embed_back = cpu_embed_back,
};

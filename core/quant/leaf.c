/* leaf.c - which loops this machine runs. */
#include "core/quant/leaf.h"

#include <stdlib.h>
#include <string.h>

const struct leaf *const leaf_table[] = {
	&leaf_quant_plain,
#if defined(__x86_64__)
	&leaf_quant_avx2,
	&leaf_quant_avx512,
#endif
	NULL,
};

bool leaf_runs(const struct leaf *l)
{
#if defined(__x86_64__)
	if (l == &leaf_quant_avx2)
		return __builtin_cpu_supports("avx2");
	if (l == &leaf_quant_avx512)
		return __builtin_cpu_supports("avx512f");
#endif
	return l == &leaf_quant_plain;
}

const struct leaf *leaf_best(void)
{
	const char *forced = getenv("BITDIAL_CPU"); /* as kernels/cpu has it */
	const struct leaf *best = leaf_table[0];

	if (forced && !strcmp(forced, "ref"))
		return best;
	for (size_t i = 1; leaf_table[i]; i++) {
		if (leaf_runs(leaf_table[i]))
			best = leaf_table[i];
		if (forced && !strcmp(forced, leaf_table[i]->name))
			break;
	}
	return best;
}

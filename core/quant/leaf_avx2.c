/* leaf_avx2.c - the quantizers' loops for AVX2. */
#include "core/quant/leaf.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include "core/quant/lanes.h"

/* the bodies, for these lanes */
#include "core/quant/tile.inc"
#include "core/quant/hqq.inc"
#include "core/quant/clip.inc"
#include "core/quant/feed.inc"

const struct leaf leaf_quant_avx2 = {
	.name = "avx2",
	.load = load,
	.store = store,
	.clean = clean,
	.ranges = ranges,
	.stats = stats,
	.codes = codes,
	.hqq_begin = hqq_begin,
	.hqq_go = hqq_go,
	.hqq_end = hqq_end,
	.clip = clip,
	.feed = feed,
};
#endif

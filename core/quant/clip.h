/* clip.h - statistics of one group that leave the least weighted squared error.
 *
 * For clip itself, where all weights are alike, and for gptq, where each input counts by
 * what its error costs.  Private to core/quant.  Pure; any thread.
 */
#ifndef BD_QUANT_CLIP_H
#define BD_QUANT_CLIP_H

#include "core/quant/rows.h"

/* w, weight: [n], weights >= 0. */
struct stats clip_group(const float *w, const float *weight, size_t n, int top);

#endif

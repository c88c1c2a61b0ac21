/* mix.h - the product with a MAT_MIX, for a backend on host memory.
 *
 * The inputs are gathered once in the order of the mix, each part is a product of its own
 * by `linear`, and the two are added: y = x_high * high^T + x_low * low^T.  Keeps its
 * buffers (8 MiB, touched when first used); the engine thread, as all operations.
 */
#ifndef BD_KERNELS_MIX_H
#define BD_KERNELS_MIX_H

#include "kernels/mat.h"

/* As backend.linear, of which `linear` is the one for MAT_INT. */
typedef void mix_linear_fn(
	float *y, size_t ldy, const float *x, size_t ldx, size_t m, const struct mat *w);
void mix_linear(mix_linear_fn *linear, float *y, size_t ldy, const float *x, size_t ldx, size_t m,
	const struct mat *w);

#endif

/* mix.h - the product with a MAT_MIX, for a backend on host memory.
 *
 * The inputs are gathered once in the order of the mix, each part is a product of its own
 * by `products`, and the two are added: y = x_high * high^T + x_low * low^T.  Keeps its
 * buffers (8 MiB, touched when first used); the engine thread, as all operations.
 */
#ifndef BD_KERNELS_MIX_H
#define BD_KERNELS_MIX_H

#include "kernels/backend.h"

/* As backend.products, of which `products` is the one for MAT_INT. */
typedef void mix_products_fn(const struct product *p, size_t n, const float *x, size_t ldx,
	size_t m, enum math math);
void mix_product(mix_products_fn *products, const struct product *p, const float *x, size_t ldx,
	size_t m, enum math math);

#endif

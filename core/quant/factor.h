/* factor.h - what gptq needs of the second moments: the factor of their inverse.
 *
 * Private to core/quant.  Engine thread.
 */
#ifndef BD_QUANT_FACTOR_H
#define BD_QUANT_FACTOR_H

#include "core/quant/quantizer.h"

/* u[n][n], upper: (h / mean(diag h) + damping I)^-1 = u^T u.  Where that matrix is not
 * positive definite the damping grows tenfold until it is. */
BD_MUST_USE enum st factor_inverse(float *u, const float *h, size_t n, double damping,
	const struct backend *be, const struct sink *s, struct err *e);

/* The factor for in->moments, from in->cache where there is one; otherwise it is the
 * caller's: big_free *own. */
BD_MUST_USE enum st cache_factor(const struct quant_input *in, double damping, const float **u,
	float **own, const struct sink *s, struct err *e);
/* tr(W H W^T) if the cache knows it. */
bool cache_energy(const struct quant_input *in, double *energy);
void cache_keep_energy(const struct quant_input *in, double energy);

/* The backend of in, or one on host memory. */
const struct backend *input_backend(const struct quant_input *in);

#endif

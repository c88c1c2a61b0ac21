/* ortho.c - orthonormal rows by modified Gram-Schmidt, twice: in fp32 one sweep leaves the
 * rounding of what was cancelled, the second removes it. */
#include <math.h>

#include "core/tune/state.h"
#include "kernels/pool.h"

enum { SHARE = 8 }; /* rows a part */

struct sweep {
	const struct tune_loops *l;
	float *p;
	size_t n, len, k; /* k: the row that is taken out of those after it */
};

static void take_out(void *arg, size_t part)
{
	struct sweep *s = arg;
	const float *by = s->p + s->k * s->len;

	for (size_t j = s->k + 1 + part * SHARE; j < s->n && j < s->k + 1 + (part + 1) * SHARE;
		j++) {
		float *x = s->p + j * s->len;

		s->l->axpy(x, -s->l->dot(by, x, s->len), by, s->len);
	}
}

static void normalize(const struct sweep *s, float *x, double least)
{
	double size = sqrt(s->l->squares(x, s->len));

	s->l->clip(x, size > least ? (float)(1 / size) : 0, 1, s->len);
}

void ortho_rows(float *p, size_t n, size_t len)
{
	struct sweep s = { tune_loops(), p, n, len, 0 };

	for (size_t i = 0; i < n; i++)
		normalize(&s, p + i * len, 0);
	for (int round = 0; round < 2; round++)
		for (s.k = 0; s.k < n; s.k++) {
			/* of a row of length 1, less than fp32's noise is left */
			normalize(&s, p + s.k * len, 1e-5);
			pool_run(take_out, &s, (n - s.k - 1 + SHARE - 1) / SHARE);
		}
}

/* rope.cu - rotary positions (Su et al. 2021): pairs of each head turn by their row's angle.
 *
 * The angle is a product in double and loses its quarter turns there (pi/2 as two doubles),
 * so that sine and cosine are of what is at most pi/4 however far the position is, by the float
 * polynomials of Cephes (Moshier, sinf.c): six operations in double a pair and row, shared by
 * eight heads.
 */
#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

enum {
	HEADS = 8,    /* of a block */
	PAIRS = 4096, /* of a launch: their sines are in shared memory */
	ROWS = 4096,  /* of a launch: their positions travel with it */
	THREADS = 256
};

/* float inv_freq[pairs], then int32_t pos[rows] behind it */
struct rope {
	float *x;
	size_t ld, heads, dim;
	unsigned first, pairs; /* of the dim / 2 */
	int halves;
};

DEVICE float2 turn_of(double angle)
{
	double turns = rint(angle * 0.63661977236758134308);
	double rest = fma(-turns, 6.123233995736766e-17, fma(-turns, 1.5707963267948966, angle));
	float x = (float)rest, xx = x * x;
	float s = ((-1.9515295891e-4f * xx + 8.3321608736e-3f) * xx - 1.6666654611e-1f) * xx;
	float c = ((2.443315711809948e-5f * xx - 1.388731625493765e-3f) * xx +
			  4.166664568298827e-2f) *
		  xx * xx;

	s = s * x + x;
	c = c - 0.5f * xx + 1;

	switch ((int)((long long)turns & 3)) {
	case 0:
		return floats2(c, s);
	case 1:
		return floats2(-s, c);
	case 2:
		return floats2(-c, -s);
	default:
		return floats2(s, -c);
	}
}

KERNEL void rope_rows(const struct rope *a)
{
	const float *inv_freq = (const float *)extra_of(a);
	const int32_t *pos = (const int32_t *)(const void *)(inv_freq + a->pairs);
	float2 *turn = (float2 *)(void *)shared();
	size_t h0 = (size_t)blockIdx.y * HEADS;
	unsigned heads = (unsigned)least(a->heads - h0, HEADS);
	float *x = a->x + blockIdx.x * a->ld + h0 * a->dim;
	double p = (double)pos[blockIdx.x];

	for (unsigned i = threadIdx.x; i < a->pairs; i += blockDim.x)
		turn[i] = turn_of(p * (double)inv_freq[i]);
	__syncthreads();
	for (unsigned k = threadIdx.x; k < heads * a->pairs; k += blockDim.x) {
		unsigned h = k / a->pairs, i = k % a->pairs;
		float *v = x + h * a->dim + (size_t)(a->first + i) * (a->halves ? 1 : 2);
		float *w = v + (a->halves ? a->dim / 2 : 1);
		float2 t = turn[i];
		float from = *v, to = *w;

		*v = from * t.x - to * t.y;
		*w = to * t.x + from * t.y;
	}
}

/* Some rows, some pairs; what travels with them is at most half of QUEUE_ARGS. */
static void rope_part(struct rope a, size_t rows, const int32_t *pos, const float *inv_freq)
{
	enum { MOST_HEADS = 65535 * HEADS };
	unsigned char extra[(PAIRS + ROWS) * 4];
	size_t freqs = a.pairs * sizeof *inv_freq, heads = a.heads;
	unsigned threads = THREADS;

	memcpy(extra, inv_freq + a.first, freqs);
	memcpy(extra + freqs, pos, rows * sizeof *pos);
	while (threads > 64 && threads / 2 >= a.pairs * HEADS)
		threads /= 2;
	for (size_t h = 0; h < heads; h += MOST_HEADS, a.x += MOST_HEADS * a.dim) {
		a.heads = least(heads - h, MOST_HEADS);
		launch(rope_rows, (unsigned)rows, (unsigned)((a.heads + HEADS - 1) / HEADS), 1,
			threads, a.pairs * sizeof(float2), a, extra, freqs + rows * sizeof *pos);
	}
}

void cuda_rope(float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
	const float *inv_freq, enum rope_style style)
{
	size_t pairs = dim / 2;

	for (size_t r = 0; heads && r < m; r += ROWS)
		for (size_t i = 0; i < pairs; i += PAIRS) {
			struct rope a = { x + r * ld, ld, heads, dim, (unsigned)i,
				(unsigned)least(pairs - i, PAIRS), style == ROPE_HALVES };

			rope_part(a, least(m - r, ROWS), pos + r, inv_freq);
		}
}

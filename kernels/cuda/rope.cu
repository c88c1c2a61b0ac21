/* rope.cu - rotary positions (Su et al. 2021): pairs of each head turn by their row's angle.
 *
 * The angle is a product in double and loses its quarter turns there (pi/2 as two doubles),
 * so that sine and cosine are of what is at most pi/4 however far the position is, by the float
 * polynomials of Cephes (Moshier, sinf.c): six operations in double a pair and row, shared by
 * eight heads.
 */
#include "kernels/cuda/join.h"
#include "kernels/cuda/ops.h"
#include "kernels/cuda/reduce.h"

enum {
	HEADS = 8,    /* of a block */
	PAIRS = 4096, /* of a launch: their sines are in shared memory */
	ROWS = 4096,  /* of a launch: their positions travel with it */
	MOST_Y = 65535,
	THREADS = 256
};

struct turned {
	float *x;
	size_t ld, heads;
	unsigned blocks; /* of the grid's y */
};

/* float inv_freq[pairs], then int32_t pos[rows] behind it */
struct rope {
	struct turned of[2]; /* one x, or two: queries and keys */
	size_t dim;
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
	bool second = blockIdx.y >= a->of[0].blocks;
	const struct turned *of = &a->of[second];
	size_t h0 = (size_t)(blockIdx.y - (second ? a->of[0].blocks : 0)) * HEADS;
	unsigned heads = (unsigned)least(of->heads - h0, HEADS);
	float *x = of->x + blockIdx.x * of->ld + h0 * a->dim;
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
	unsigned char extra[(PAIRS + ROWS) * 4];
	size_t freqs = a.pairs * sizeof *inv_freq, heads = a.of[0].heads;
	unsigned threads = THREADS;

	memcpy(extra, inv_freq + a.first, freqs);
	memcpy(extra + freqs, pos, rows * sizeof *pos);
	while (threads > 64 && threads / 2 >= a.pairs * HEADS)
		threads /= 2;
	for (size_t h = 0; h < heads; h += MOST_Y * HEADS) {
		a.of[0].heads = least(heads - h, MOST_Y * HEADS);
		a.of[0].blocks = (unsigned)((a.of[0].heads + HEADS - 1) / HEADS);
		launch(rope_rows, (unsigned)rows, a.of[0].blocks, 1, threads,
			a.pairs * sizeof(float2), a, extra, freqs + rows * sizeof *pos);
		a.of[0].x += MOST_Y * HEADS * a.dim;
	}
}

void cuda_rope(float *x, size_t ld, size_t m, size_t heads, size_t dim, const int32_t *pos,
	const float *inv_freq, enum rope_style style)
{
	size_t pairs = dim / 2;

	for (size_t r = 0; heads && r < m; r += ROWS)
		for (size_t i = 0; i < pairs; i += PAIRS) {
			struct rope a = { { { x + r * ld, ld, heads, 0 }, {} }, dim, (unsigned)i,
				(unsigned)least(pairs - i, PAIRS), style == ROPE_HALVES };

			rope_part(a, least(m - r, ROWS), pos + r, inv_freq);
		}
}

static struct touched touches(const struct turned *t, size_t rows, size_t dim)
{
	const struct range x = { t->x, ((rows - 1) * t->ld + t->heads * dim) * sizeof *t->x };

	return { { x, {} }, x };
}

/* By the same angles: those of the first. */
bool ropes_join(struct put *first, const struct put *second)
{
	static struct rope both; /* engine thread */
	const struct rope *b = (const struct rope *)second->args;
	struct touched x, y;

	if (first->l.kernel != (const void *)rope_rows || second->l.kernel != first->l.kernel)
		return false;
	memcpy(&both, first->args, sizeof both);
	if (both.of[1].blocks || both.of[0].blocks + b->of[0].blocks > MOST_Y ||
		both.dim != b->dim || both.first != b->first || both.pairs != b->pairs ||
		both.halves != b->halves || first->l.grid[0] != second->l.grid[0] ||
		first->extra_bytes != second->extra_bytes ||
		memcmp(first->extra, second->extra, first->extra_bytes) != 0)
		return false;
	x = touches(&both.of[0], first->l.grid[0], both.dim);
	y = touches(&b->of[0], first->l.grid[0], both.dim);
	if (!touched_apart(&x, &y))
		return false;
	both.of[1] = b->of[0];
	first->args = &both;
	first->l.grid[1] += second->l.grid[1];
	return true;
}

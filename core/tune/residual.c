/* residual.c - the fraction of a level that rounding leaves, an int8 a weight.
 *
 * 256 q + r is one fixed-point number (FORMULAS.md 3.4); the forward sees q.
 */
#include <math.h>
#include <string.h>

#include "core/base/f16.h"
#include "core/tune/state.h"

struct start {
	struct tuned *t;
	int8_t *r;
	const float *w;
	uint64_t seed;
};

static void random_row(void *arg, size_t row, size_t part)
{
	struct start *s = arg;
	size_t cols = s->t->w.cols;
	uint32_t h[CHUNK];

	(void)part;
	for (size_t c = 0; c < cols; c += CHUNK) {
		size_t n = cols - c < CHUNK ? cols - c : CHUNK;

		tune_loops()->hash(h,
			row_key((uint32_t)(s->seed + s->t->index * 0x9e3779b9u), row, 3),
			(uint32_t)c, n);
		for (size_t i = 0; i < n; i++)
			s->r[row * cols + c + i] = (int8_t)((int)(h[i] >> 24) - 128);
	}
}

void residual_init(struct tuned *t, size_t at, uint64_t seed)
{
	struct start s = { t, state_at(t, at), NULL, seed };

	each_row(t->w.rows, random_row, &s);
}

static void exact_row(void *arg, size_t row, size_t part)
{
	struct start *s = arg;
	const struct mat *w = &s->t->w;
	struct pass p = { .t = s->t, .l = tune_loops() };
	const uint8_t *q = row_codes(&p, row);

	(void)part;
	for (size_t c = 0; c < w->cols; c++) {
		float scale = f16_to_f32(mat_stat(w->scale, w, row, c / w->group));
		float offset = f16_to_f32(mat_stat(w->offset, w, row, c / w->group));
		float x = scale != 0 ? (s->w[row * w->cols + c] - offset) / scale - (float)q[c] : 0;

		x = nearbyintf(256 * x);
		/* a code that is not the nearest was chosen for others' sake (gptq): it stands
		 * firm, where on the edge any push would undo that */
		s->r[row * w->cols + c] = (int8_t)(x >= -128 && x <= 127 ? x : 0);
	}
}

void residual_from(struct tuned *t, size_t at, const float *w)
{
	struct start s = { t, state_at(t, at), w, 0 };

	each_row(t->w.rows, exact_row, &s);
}

void residual_step(struct pass *p, size_t at, size_t row, size_t col, size_t n, const uint8_t *q,
	const float *u)
{
	const struct mat *w = &p->t->w;
	int8_t *r = (int8_t *)state_at(p->t, at) + row * w->cols + col, move[CHUNK], left[CHUNK];
	float by[CHUNK];
	uint32_t h[CHUNK];

	p->rows[row].update2 += p->lr * p->lr * p->l->squares(u, n);
	row_levels(p, row, col, n, (float)(-256 * p->lr), by);
	p->l->hash(h, row_key(p->key, row, 2), (uint32_t)col, n);
	memcpy(left, r, n);
	p->l->residual(left, move, q + col, u, by, h, (1 << w->bits) - 1, n);
	memcpy(r, left, n);
	move_codes(p, row, col, move, n);
}

/* codes.c - packed codes and their statistics, read and moved in place (mat.h's layout).
 *
 * A word holds codes of one row only, so rows are independent; the padding is never written.
 */
#include <string.h>

#include "core/base/f16.h"
#include "core/tune/state.h"
#include "kernels/pool.h"

static uint32_t *lane_of(const struct mat *w, size_t row)
{
	size_t blocks = w->cols / MAT_BLOCK + (w->cols % MAT_BLOCK != 0);

	return (uint32_t *)w->data + row / MAT_TILE * blocks * (size_t)w->bits * MAT_TILE +
	       row % MAT_TILE;
}

uint8_t *row_codes(const struct pass *p, size_t row)
{
	const struct mat *w = &p->t->w;
	uint8_t *q = pool_scratch();

	p->l->codes(q, lane_of(w, row), w->bits, w->cols / MAT_BLOCK + (w->cols % MAT_BLOCK != 0));
	return q;
}

void row_put(const struct pass *p, size_t row, const uint8_t *q)
{
	const struct mat *w = &p->t->w;

	p->l->words(lane_of(w, row), q, w->bits, w->cols / MAT_BLOCK + (w->cols % MAT_BLOCK != 0));
}

size_t stat_at(const struct mat *w, size_t row, size_t g)
{
	return (row / MAT_TILE * mat_groups(w->cols, w->group) + g) * MAT_TILE + row % MAT_TILE;
}

float row_scale(const struct pass *p, size_t row, size_t col)
{
	const struct mat *w = &p->t->w;

	return f16_to_f32(w->scale[stat_at(w, row, col / w->group)]);
}

bool row_signs(const struct pass *p, size_t row)
{
	const struct mat *w = &p->t->w;

	for (size_t g = 0; g < mat_groups(w->cols, w->group); g++) {
		uint16_t s = w->scale[stat_at(w, row, g)];

		if (s & 0x8000 || !s)
			return true;
	}
	return false;
}

void row_levels(const struct pass *p, size_t row, size_t col, size_t n, float factor, float *out)
{
	const struct mat *w = &p->t->w;
	size_t end = col + n;

	while (col < end) {
		size_t g = col / w->group, stop = (g + 1) * w->group;
		float s = f16_to_f32(w->scale[stat_at(w, row, g)]), by = s != 0 ? factor / s : 0;

		for (; col < stop && col < end; col++)
			*out++ = by;
	}
}

/* Add `by` to one code.  The planes of a code: widest first, highest bits first. */
static int add_code(const struct mat *w, size_t row, size_t col, int by)
{
	uint32_t *block = lane_of(w, row) + col / MAT_BLOCK * (size_t)w->bits * MAT_TILE;
	size_t c = col % MAT_BLOCK;
	int code = 0, plane = 0, left = w->bits;

	for (int write = 0; write < 2; write++, plane = 0, left = w->bits, code += by)
		for (int width = 8; width; width /= 2) {
			size_t per = 32 / (size_t)width, shift = c % per * (size_t)width;
			uint32_t mask = (1u << width) - 1, *word;

			if (!(w->bits & width))
				continue;
			left -= width;
			word = block + ((size_t)plane + c / per) * MAT_TILE;
			plane += width;
			if (write)
				*word = (*word & ~(mask << shift)) | ((uint32_t)code >> left & mask)
									     << shift;
			else
				code |= (int)(*word >> shift & mask) << left;
		}
	return code - by; /* the new one: `by` was added once more at the end */
}

void code_changed(struct pass *p, size_t row, size_t col)
{
	size_t bytes = p->t->w.cols / 8 + (p->t->w.cols % 8 != 0);
	uint8_t *ever = (uint8_t *)state_at(p->t, p->codes.ever) + row * bytes + col / 8;
	uint8_t bit = (uint8_t)(1u << col % 8);

	p->rows[row].fresh += !(*ever & bit);
	*ever |= bit;
}

void move_code(struct pass *p, size_t row, size_t col, int by)
{
	const struct mat *w = &p->t->w;
	struct row_counts *n = &p->rows[row];
	int top = (1 << w->bits) - 1, now = add_code(w, row, col, by), was = now - by;

	n->flips++;
	n->ends += (uint32_t)(now == 0 || now == top);
	n->ends -= (uint32_t)(was == 0 || was == top);
	if (!p->codes.counted)
		return;
	code_changed(p, row, col);
	if (row % MAT_TILE == 0) {
		int8_t *recent =
			(int8_t *)state_at(p->t, p->codes.recent) + row / MAT_TILE * w->cols + col;

		n->seen++;
		n->reversals += (uint32_t)(by > 0 ? *recent < 0 : *recent > 0);
		*recent = by > 0 ? RECENT : -RECENT;
	}
}

void move_codes(struct pass *p, size_t row, size_t col, const int8_t *move, size_t n)
{
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t eight;

		memcpy(&eight, move + i, sizeof eight);
		for (size_t j = i; eight && j < i + 8; j++)
			if (move[j])
				move_code(p, row, col + j, move[j]);
	}
	for (; i < n; i++)
		if (move[i])
			move_code(p, row, col + i, move[i]);
}

void row_count(struct pass *p, size_t row, const uint8_t *q)
{
	size_t cols = p->t->w.cols;
	int top = (1 << p->t->w.bits) - 1;
	int8_t *recent = (int8_t *)state_at(p->t, p->codes.recent) + row / MAT_TILE * cols;

	p->rows[row].ends = (uint32_t)p->l->at_ends(q, top, cols);
	for (size_t i = 0; p->codes.counted && row % MAT_TILE == 0 && i < cols; i++)
		recent[i] = (int8_t)(recent[i] - (recent[i] > 0) + (recent[i] < 0));
}

void row_grid(const struct pass *p, size_t row, size_t g, float *offset, float *inverse)
{
	const struct mat *w = &p->t->w;
	size_t at = stat_at(w, row, g);
	float s = f16_to_f32(w->scale[at]);

	*offset = f16_to_f32(w->offset[at]);
	*inverse = s != 0 ? 1 / s : 0;
}

/* Gradients of the centre and the scale of a group. */
static void group_step(
	struct pass *p, size_t row, size_t g, const uint8_t *q, float half, float *gc, float *gs)
{
	const struct mat *w = &p->t->w;
	size_t c = g * w->group, n = w->cols - c < w->group ? w->cols - c : w->group;
	float *grad = p->grad + row * w->cols + c, offset, inverse;

	if (!p->master) {
		p->l->group(gc, gs, grad, q + c, half, n);
		return;
	}
	row_grid(p, row, g, &offset, &inverse);
	p->l->straight(gs, gc, grad, p->master + row * w->cols + c, offset, inverse,
		(1 << w->bits) - 1, n);
}

void stats_step(struct pass *p, size_t row, const uint8_t *q)
{
	const struct mat *w = &p->t->w;
	size_t groups = mat_groups(w->cols, w->group);
	float *all = state_at(p->t, p->codes.stats), gs[CHUNK], gc[CHUNK];
	float s[6][CHUNK];
	float half = (float)((1 << w->bits) - 1) / 2;
	struct stats_step o = { (float)p->o->b1, (float)p->o->b2, p->fix1, p->fix2,
		(float)p->o->eps, (float)p->lr_s, half };

	row_count(p, row, q);
	if (!p->master && (p->o->lr_s == 0 || !p->codes.trained))
		return;
	for (size_t first = 0; first < groups; first += CHUNK) {
		size_t n = groups - first < CHUNK ? groups - first : CHUNK;

		for (size_t i = 0; i < n; i++)
			group_step(p, row, first + i, q, half, &gc[i], &gs[i]);
		if (p->o->lr_s == 0)
			continue;
		for (size_t i = 0; i < 6; i++)
			memcpy(s[i], all + (i * w->rows + row) * groups + first, n * sizeof *all);
		p->l->stats(s, gs, gc, &o, n);
		for (size_t i = 0; i < 6; i++)
			memcpy(all + (i * w->rows + row) * groups + first, s[i], n * sizeof *all);
	}
}

/* Beyond fp16: its largest. */
static uint16_t half_bits(float x)
{
	return f16_from_f32(x > 65504 ? 65504 : x < -65504 ? -65504 : x);
}

void stats_write(struct pass *p, size_t row)
{
	const struct mat *w = &p->t->w;
	size_t groups = mat_groups(w->cols, w->group);
	const float *s = (float *)state_at(p->t, p->codes.stats) + row * groups;
	const float *c = s + w->rows * groups;
	float half = (float)((1 << w->bits) - 1) / 2;

	if (p->lr_s == 0 || !p->codes.trained)
		return;
	for (size_t g = 0; g < groups; g++) {
		size_t at = stat_at(w, row, g);
		uint16_t scale = half_bits(s[g]);

		((uint16_t *)w->scale)[at] = scale;
		/* about the centre of what is written, so that rounding s moves no mean */
		((uint16_t *)w->offset)[at] = half_bits(c[g] - f16_to_f32(scale) * half);
	}
}

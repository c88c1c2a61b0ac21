#include "tests/lib_tune.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"

static void *room(size_t bytes)
{
	struct err e;
	void *p = big_alloc(bytes ? bytes : 64, "test", &e);

	cr_assert_not_null(p, "%s", e.msg);
	return p;
}

/* One row's codes and statistics, min-max. */
static void quantize(
	const float *w, size_t cols, int bits, size_t group, uint8_t *q, uint16_t *s, uint16_t *o)
{
	int top = (1 << bits) - 1;

	for (size_t g = 0, c = 0; c < cols; g++) {
		size_t end = c + group < cols ? c + group : cols;
		float low = w[c], high = w[c], step;

		for (size_t i = c; i < end; i++) {
			low = w[i] < low ? w[i] : low;
			high = w[i] > high ? w[i] : high;
		}
		s[g] = f16_from_f32((high - low) / (float)top);
		o[g] = f16_from_f32(low);
		step = f16_to_f32(s[g]);
		for (; c < end; c++) {
			float x = step > 0 ? nearbyintf((w[c] - f16_to_f32(o[g])) / step) : 0;

			q[c] = (uint8_t)(x < 0 ? 0 : x > (float)top ? (float)top : x);
		}
	}
}

static void pack(struct trained *m, int bits, size_t group, const float *w)
{
	struct mat *to = &m->t.w;
	size_t rows = to->rows, cols = to->cols, groups = mat_groups(cols, group);
	size_t stats = mat_stat_count(rows, cols, group);
	uint8_t *q = room(rows * cols);
	uint16_t *s = room(rows * groups * 2), *o = room(rows * groups * 2);

	for (size_t r = 0; r < rows; r++)
		quantize(w + r * cols, cols, bits, group, q + r * cols, s + r * groups,
			o + r * groups);
	to->type = MAT_INT;
	to->bits = bits;
	to->group = group;
	to->data = room(mat_code_bytes(bits, rows, cols));
	to->scale = room(stats * 2);
	to->offset = room(stats * 2);
	mat_pack((uint32_t *)to->data, bits, rows, cols, q);
	mat_pack_stats((uint16_t *)to->scale, rows, cols, group, s);
	mat_pack_stats((uint16_t *)to->offset, rows, cols, group, o);
	big_free(q);
	big_free(s);
	big_free(o);
}

struct trained tune_make(const char *by, const struct tune_options *o, int bits, size_t group,
	size_t rows, size_t cols, uint64_t seed)
{
	struct trained m = { .by = optimizer_find(by), .o = *o };
	float *w = room(rows * cols * sizeof *w);
	struct tune_plan p;
	struct rng r;
	struct err e;

	cr_assert_not_null(m.by, "%s", by);
	rng_seed(&r, seed);
	for (size_t i = 0; i < rows * cols; i++)
		w[i] = (float)(0.02 * rng_normal(&r));
	m.t.index = 3;
	m.t.w = (struct mat){ .type = MAT_F32, .rows = rows, .cols = cols, .data = w };
	m.dense = room(rows * cols * sizeof *m.dense);
	m.grad = room(rows * cols * sizeof *m.grad);
	if (bits) {
		pack(&m, bits, group, w);
		big_free(w);
	}
	cr_assert_eq(optim_plan(&p, m.by, &m.t.w, &m.o, &e), ST_OK, "%s", e.msg);
	m.t.state = room(p.state);
	m.t.state_bytes = p.state;
	m.scratch = room(p.scratch);
	m.scratch_bytes = p.scratch;
	optim_init(m.by, &m.t, &m.o);
	return m;
}

void tune_free(struct trained *m)
{
	big_free((void *)m->t.w.data);
	big_free((void *)m->t.w.scale);
	big_free((void *)m->t.w.offset);
	big_free(m->t.state);
	big_free(m->dense);
	big_free(m->grad);
	big_free(m->scratch);
}

void tune_step(struct trained *m, uint64_t step)
{
	memset(m->scratch, 0xff, m->scratch_bytes);
	m->c = (struct tune_counts){ 0 };
	optim_step(m->by, &m->t, m->grad, step, &m->o, m->scratch, &m->c);
	optim_finish(m->by, &m->t, 1, step, &m->o, m->scratch, &m->c);
}

const float *tune_dense(struct trained *m)
{
	for (size_t r = 0; r < m->t.w.rows; r++)
		mat_row_f32(&m->t.w, r, m->dense + r * m->t.w.cols);
	return m->dense;
}

void tune_noise(struct trained *m, struct rng *r, double size)
{
	for (size_t i = 0; i < m->t.w.rows * m->t.w.cols; i++)
		m->grad[i] = (float)(size * rng_normal(r));
}

size_t tune_w_bytes(const struct trained *m)
{
	const struct mat *w = &m->t.w;

	return w->type == MAT_INT ? mat_code_bytes(w->bits, w->rows, w->cols)
				  : w->rows * w->cols * sizeof(float);
}

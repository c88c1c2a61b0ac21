/* state.c - state blocks, rows in parallel, counts. */
#include "core/tune/state.h"

#include <string.h>

#include "core/base/checked.h"
#include "core/base/f16.h"
#include "kernels/pool.h"

size_t room_take(struct room *r, size_t n, size_t each)
{
	size_t at = r->at, bytes;

	if (!size_mul(&bytes, n, each) || !size_add(&bytes, bytes, at) ||
		!size_align_up(&r->at, bytes, 64))
		r->over = true;
	return at;
}

size_t chunks_of(size_t cols)
{
	return cols / CHUNK + (cols % CHUNK != 0);
}

size_t moment_size(enum tune_moments kind)
{
	return kind == MOMENTS_8BIT ? 1 : kind == MOMENTS_BF16 ? 2 : 4;
}

static size_t product(struct room *r, size_t a, size_t b)
{
	size_t n = 0;

	if (!size_mul(&n, a, b))
		r->over = true;
	return n;
}

struct moments_at room_moments(struct room *r, const struct mat *w, enum tune_moments kind)
{
	struct moments_at at;

	at.data = room_take(r, product(r, w->rows, w->cols), moment_size(kind));
	at.exponents =
		room_take(r, kind == MOMENTS_8BIT ? product(r, w->rows, chunks_of(w->cols)) : 0, 1);
	return at;
}

static size_t tiles_of(size_t rows)
{
	return rows / MAT_TILE + (rows % MAT_TILE != 0);
}

struct codes_at room_codes(struct room *r, const struct mat *w, bool counted, bool trained)
{
	struct codes_at at = { .counted = counted, .trained = trained };

	room_take(r, 1, sizeof(struct tune_head));
	at.ever = room_take(r, counted ? w->rows : 0, w->cols / 8 + (w->cols % 8 != 0));
	at.recent = room_take(r, counted ? tiles_of(w->rows) : 0, w->cols);
	at.stats = room_take(r, trained ? product(r, w->rows, mat_groups(w->cols, w->group)) : 0,
		6 * sizeof(float));
	return at;
}

size_t room_rows(struct room *r, const struct mat *w)
{
	return room_take(r, w->rows, sizeof(struct row_counts));
}

void *state_at(const struct tuned *t, size_t offset)
{
	return (char *)t->state + offset;
}

uint64_t optim_changed(const struct tuned *t)
{
	return ((const struct tune_head *)t->state)->changed;
}

double tune_mean_scale(const struct mat *w)
{
	size_t groups = mat_groups(w->cols, w->group);
	double sum = 0;

	for (size_t r = 0; r < w->rows; r++)
		for (size_t g = 0; g < groups; g++) {
			double s = (double)f16_to_f32(mat_stat(w->scale, w, r, g));

			sum += s < 0 ? -s : s;
		}
	return sum / (double)(w->rows * groups);
}

void head_init(
	struct tuned *t, const char *by, enum tune_moments kind, const struct tune_options *o)
{
	struct tune_head *h = t->state;
	bool codes = t->w.type == MAT_INT;

	memset(t->state, 0, t->state_bytes);
	memcpy(h->magic, "bdtune1", sizeof h->magic);
	strncpy(h->by, by, sizeof h->by - 1);
	h->rows = t->w.rows;
	h->cols = t->w.cols;
	h->group = codes ? t->w.group : 0;
	h->bits = codes ? (uint64_t)t->w.bits : 0;
	h->moments = o->moments;
	h->kind = kind;
	h->rank = o->rank;
	h->mean_scale = codes ? tune_mean_scale(&t->w) : 0;
	h->floor = 1;
}

/* The six planes of a row's statistics. */
static void stats_row(const struct pass *p, size_t row, float *s[6])
{
	const struct mat *w = &p->t->w;
	size_t groups = mat_groups(w->cols, w->group);
	float *all = state_at(p->t, p->codes.stats);

	for (size_t i = 0; i < 6; i++)
		s[i] = all + (i * w->rows + row) * groups;
}

void codes_init(struct tuned *t, const struct codes_at *at)
{
	const struct mat *w = &t->w;
	struct pass p = { .t = t, .codes = *at };
	float half = (float)((1 << w->bits) - 1) / 2, *s[6];

	for (size_t r = 0; at->trained && r < w->rows; r++) {
		stats_row(&p, r, s);
		for (size_t g = 0; g < mat_groups(w->cols, w->group); g++) {
			s[0][g] = f16_to_f32(mat_stat(w->scale, w, r, g));
			s[1][g] = f16_to_f32(mat_stat(w->offset, w, r, g)) + s[0][g] * half;
		}
	}
}

size_t parts_of(size_t rows)
{
	return tiles_of(rows) < TUNE_PARTS ? tiles_of(rows) : TUNE_PARTS;
}

struct rows_job {
	row_fn *fn;
	void *arg;
	size_t rows;
};

static void rows_part(void *arg, size_t part)
{
	struct rows_job *j = arg;
	size_t tiles = tiles_of(j->rows), parts = parts_of(j->rows);
	size_t from = tiles * part / parts * MAT_TILE, to = tiles * (part + 1) / parts * MAT_TILE;

	for (size_t r = from; r < to && r < j->rows; r++)
		j->fn(j->arg, r, part);
}

void each_row(size_t rows, row_fn *fn, void *arg)
{
	struct rows_job j = { fn, arg, rows };

	pool_run(rows_part, &j, parts_of(rows));
}

static void look(void *arg, size_t row, size_t part)
{
	struct pass *p = arg;
	size_t cols = p->t->w.cols;

	(void)part;
	p->rows[row] = (struct row_counts){ .grad2 = p->l->squares(p->grad + row * cols, cols) };
}

static uint32_t mixed(uint64_t seed, uint64_t index, uint64_t step)
{
	uint64_t z = seed;

	for (int i = 0; i < 3; i++) { /* splitmix64 */
		z += 0x9e3779b97f4a7c15u + (i == 0 ? index : i == 1 ? step : 0);
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		z ^= z >> 31;
	}
	return (uint32_t)(z >> 32);
}

uint32_t row_key(uint32_t key, size_t row, uint32_t stream)
{
	return mixed(key, row, stream);
}

static double power(double b, uint64_t n)
{
	double x = 1;

	for (; n; n >>= 1, b *= b)
		if (n & 1)
			x *= b;
	return x;
}

bool pass_begin(struct pass *p, struct tuned *t, float *grad, uint64_t step,
	const struct tune_options *o, void *scratch, struct tune_counts *c)
{
	struct tune_head *h = t->state;
	double grad2 = 0, rate = tune_schedule(o, step);

	*p = (struct pass){ .t = t,
		.o = o,
		.l = tune_loops(),
		.head = h,
		.grad = grad,
		.step = step,
		.rows = scratch,
		.key = mixed(o->seed, t->index, step) };
	each_row(t->w.rows, look, p);
	for (size_t r = 0; r < t->w.rows; r++)
		grad2 += p->rows[r].grad2;
	if (!(grad2 < 1e300)) { /* a row beyond float's squares is infinite */
		c->frozen++;
		return false;
	}
	c->grad2 += grad2;
	h->steps++;
	h->last = step;
	p->fix1 = (float)(1 / (1 - power(o->b1, h->steps)));
	p->fix2 = (float)(1 / (1 - power(o->b2, h->steps)));
	p->lr = rate * o->lr * (h->bits && o->unit == LR_LEVELS ? h->mean_scale : 1);
	p->lr_s = rate * o->lr_s;
	return true;
}

void pass_end(struct pass *p, struct tune_counts *c)
{
	const struct mat *w = &p->t->w;
	uint64_t flips = 0, ends = 0;

	for (size_t r = 0; r < w->rows; r++) {
		const struct row_counts *n = &p->rows[r];

		flips += n->flips;
		ends += n->ends;
		c->reversals += n->reversals;
		c->seen_flips += n->seen;
		c->update2 += n->update2;
		p->head->changed += n->fresh;
	}
	c->values += (uint64_t)w->rows * w->cols;
	if (w->type != MAT_INT)
		return;
	c->weights[w->bits] += (uint64_t)w->rows * w->cols;
	c->flips[w->bits] += flips;
	c->saturated[w->bits] += ends;
	c->changed += p->head->changed;
}

void moments_load(const struct pass *p, const struct moments_at *at, bool v, size_t row, size_t col,
	size_t n, float *out)
{
	size_t cols = p->t->w.cols, chunks = chunks_of(cols);
	enum tune_moments kind = (enum tune_moments)p->head->kind;
	const uint8_t *e = state_at(p->t, at->exponents);

	p->l->load(out, (char *)state_at(p->t, at->data) + (row * cols + col) * moment_size(kind),
		kind, v, kind == MOMENTS_8BIT ? e[row * chunks + col / CHUNK] : 0, n);
}

void moments_store(const struct pass *p, const struct moments_at *at, bool v, size_t row,
	size_t col, size_t n, const float *x, const uint32_t *noise)
{
	size_t cols = p->t->w.cols, chunks = chunks_of(cols);
	enum tune_moments kind = (enum tune_moments)p->head->kind;
	uint8_t *e = state_at(p->t, at->exponents), got;

	got = p->l->store((char *)state_at(p->t, at->data) + (row * cols + col) * moment_size(kind),
		x, kind, v, noise, n);
	if (kind == MOMENTS_8BIT)
		e[row * chunks + col / CHUNK] = got;
}

void moments_adam(struct pass *p, const struct moments_at *m, const struct moments_at *v,
	size_t row, size_t col, size_t n, float *u)
{
	const float *g = p->grad + row * p->t->w.cols + col;
	float first[CHUNK], second[CHUNK];
	uint32_t h[CHUNK];

	moments_load(p, m, false, row, col, n, first);
	moments_load(p, v, true, row, col, n, second);
	p->l->ema(first, g, (float)p->o->b1, n);
	p->l->ema2(second, g, (float)p->o->b2, n);
	p->l->hash(h, row_key(p->key, row, 1), (uint32_t)col, n);
	moments_store(p, m, false, row, col, n, first, h);
	moments_store(p, v, true, row, col, n, second, h);
	p->l->adam(u, first, second, p->fix1, p->fix2, (float)p->o->eps, n);
	p->rows[row].update2 += p->lr * p->lr * p->l->squares(u, n);
}

/* bench_cuda_products.c - packed products of every shape, width and number of rows beside cuBLAS,
 * each checked against fp64 first.
 *
 * x has 16 random rows; further rows are those times powers of two, so that the fp64 product of 16
 * rows is the answer for all.  Both sides are held to the exact product of the same W and x: what each
 * one rounds of them to compute with counts, as do its sums and, of cuBLAS, its 16-bit result.
 */
#include "tests/bench_cuda.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "kernels/pool.h"

enum { BASE = 16, MOST_M = 2048, COPIES = 1024 };

static const struct shape {
	const char *name;
	size_t rows, cols, parts; /* parts of the rows in one call, as gate and up are */
	double us4, us2, times4, times2; /* targets at one row, of int4g128 and int2g64; 0: none */
} shapes[] = { { "4096x4096", 4096, 4096, 1, 5.0, 4.2, 2.2, 2.6 },
	{ "14336x4096", 14336, 4096, 1, 11.5, 8.5, 2.8, 3.8 },
	{ "4096x14336", 4096, 14336, 1, 11.5, 8.5, 2.8, 3.8 },
	{ "28672x4096", 28672, 4096, 2, 19.5, 13.5, 3.1, 4.4 },
	{ "8192x8192", 8192, 8192, 1, 13, 9.5, 0, 0 } };
static const struct shape small_shapes[] = { { "64x128", 64, 128, 1, 0, 0, 0, 0 },
	{ "96x160", 96, 160, 2, 0, 0, 0, 0 } };

static const struct format {
	const char *name;
	int bits;
	size_t group;
} formats[] = { { "int4g128", 4, 128 }, { "int2g64", 2, 64 }, { "int3g64", 3, 64 },
	{ "int8g128", 8, 128 } };

struct ours {
	const struct backend *b;
	struct mat host, w[COPIES];
	size_t copies, parts, m;
	enum math math;
	char *mem;
	float *x, *y;
};

static void call(struct ours *o, size_t copy)
{
	struct mat w[2];
	struct product p[2];
	size_t rows = o->host.rows / o->parts;

	for (size_t i = 0; i < o->parts; i++) {
		w[i] = o->parts == 1 ? o->w[copy] : mat_rows(&o->w[copy], i * rows, rows);
		p[i] = (struct product){ o->y + i * rows, o->host.rows, &w[i] };
	}
	o->b->products(p, o->parts, o->x, o->host.cols, o->m, o->math);
}

static void run(void *arg, size_t replays)
{
	struct ours *o = arg;
	size_t copy = 0;

	for (size_t i = 0; i < replays; i++) {
		o->b->step(true);
		for (int k = 0; k < CALLS; k++, copy = (copy + 1) % o->copies)
			call(o, copy);
		o->b->step(false);
	}
	o->b->wait();
}

/* ---- numbers */

struct numbers {
	const struct ours *o;
	uint16_t *half, *bf16; /* [rows][cols]: W rounded */
	float *x;      /* [BASE][cols] */
	double *exact; /* [BASE][rows]: W x in fp64 */
};

static double power_of(size_t row)
{
	return ldexp(1, (int)(row / BASE % 8) - 4);
}

static void dot(double *y, size_t rows, const float *w, const float *x, size_t cols)
{
	for (size_t i = 0; i < BASE; i++, x += cols) {
		double sum[4] = { 0 };

		for (size_t c = 0; c < cols; c++)
			sum[c % 4] += (double)w[c] * (double)x[c];
		y[i * rows] = sum[0] + sum[1] + (sum[2] + sum[3]);
	}
}

static void part_of_answer(void *arg, size_t r)
{
	struct numbers *n = arg;
	size_t cols = n->o->host.cols, rows = n->o->host.rows;
	float *w = pool_scratch();

	mat_row_f32(&n->o->host, r, w);
	dot(n->exact + r, rows, w, n->x, cols);
	for (size_t c = 0; c < cols; c++) {
		n->half[r * cols + c] = f16_from_f32(w[c]);
		n->bf16[r * cols + c] = bf16_from_f32(w[c]);
	}
}

struct compared {
	const double *want; /* [BASE][rows] */
	const float *y;     /* one of these, [m][rows] */
	const uint16_t *half, *bf16;
	size_t rows;
	double diff[MOST_M], norm[MOST_M], most[MOST_M];
};

static void part_of_error(void *arg, size_t i)
{
	struct compared *c = arg;
	double scale = power_of(i), diff = 0, norm = 0, most = 0;

	for (size_t r = 0; r < c->rows; r++) {
		size_t at = i * c->rows + r;
		double want = c->want[i % BASE * c->rows + r];
		double got = (double)(c->y      ? c->y[at]
				      : c->half ? f16_to_f32(c->half[at])
						: bf16_to_f32(c->bf16[at]));
		double e = fabs(got / scale - want);

		diff += e * e;
		norm += want * want;
		if (!(e <= most))
			most = isnan(e) ? INFINITY : e;
	}
	c->diff[i] = diff;
	c->norm[i] = norm;
	c->most[i] = most;
}

/* Root mean square of the error over that of the result; infinite where a single value is off by
 * more than an eighth of it, which no rounding does. */
static double error_of(struct compared *c, size_t m)
{
	double diff = 0, norm = 0, most = 0;

	pool_run(part_of_error, c, m);
	for (size_t i = 0; i < m; i++) {
		diff += c->diff[i];
		norm += c->norm[i];
		most = fmax(most, c->most[i]);
	}
	if (!isfinite(diff) || most > 0.125 * sqrt(norm / (double)(m * c->rows)))
		return INFINITY;
	return sqrt(diff / norm);
}

/* ---- weights */

static void make_host(struct mat *w, const struct shape *s, const struct format *f, struct rng *r)
{
	size_t words = mat_code_bytes(f->bits, s->rows, s->cols) / sizeof(uint32_t);
	size_t stats = mat_stat_count(s->rows, s->cols, f->group);
	uint32_t *data = xarray(words, sizeof *data);
	uint16_t *scale = xarray(stats, sizeof *scale), *offset = xarray(stats, sizeof *offset);
	double levels = (1 << f->bits) - 1;

	for (size_t i = 0; i < words; i++)
		data[i] = (uint32_t)(rng_u64(r) >> 32);
	for (size_t i = 0; i < stats; i++) {
		double size = 0.02 + 0.1 * rng_unit(r);

		scale[i] = f16_from_f32((float)(size / levels));
		offset[i] = f16_from_f32((float)(-size * rng_unit(r)));
	}
	*w = (struct mat){ .type = MAT_INT, .bits = f->bits, .group = f->group, .rows = s->rows,
		.cols = s->cols, .data = data, .scale = scale, .offset = offset };
}

static void free_host(struct mat *w)
{
	xfree((void *)(uintptr_t)w->data);
	xfree((void *)(uintptr_t)w->scale);
	xfree((void *)(uintptr_t)w->offset);
}

static size_t padded(size_t bytes)
{
	return (bytes + 255) / 256 * 256;
}

static void make_copies(struct ours *o)
{
	const struct mat *h = &o->host;
	size_t codes = mat_code_bytes(h->bits, h->rows, h->cols);
	size_t stats = mat_stat_count(h->rows, h->cols, h->group) * sizeof *h->scale;
	size_t each = padded(codes) + 2 * padded(stats);

	o->copies = peer_copies(mat_bytes(h));
	if (o->copies > COPIES)
		o->copies = COPIES; /* shapes of nothing */
	o->mem = o->b->alloc(o->copies * each);
	if (!o->mem)
		stop("no memory for %zu copies of %zu bytes", o->copies, each);
	for (size_t i = 0; i < o->copies; i++) {
		char *at = o->mem + i * each;

		o->w[i] = *h;
		o->w[i].data = at;
		o->w[i].scale = (uint16_t *)(void *)(at + padded(codes));
		o->w[i].offset = (uint16_t *)(void *)(at + padded(codes) + padded(stats));
		if (i) {
			o->b->copy(at, o->mem, each);
			continue;
		}
		o->b->put(at, h->data, codes);
		o->b->put(at + padded(codes), h->scale, stats);
		o->b->put(at + padded(codes) + padded(stats), h->offset, stats);
	}
}

/* ---- a row of the table */

struct bench {
	const struct bench_options *o;
	const struct shape *s;
	const struct format *f;
	struct ours ours;
	struct numbers n;
	struct peer *f16, *bf16;
	uint16_t *x16; /* [MOST_M][cols], for a peer */
	void *y;       /* [MOST_M][rows] of anything */
	double first[MATH_FAST + 1]; /* seconds at one row */
};

static double error_of_ours(struct bench *b, enum math math)
{
	static struct compared c;
	struct ours *o = &b->ours;
	size_t bytes = o->m * o->host.rows * sizeof(float);
	double limit = math == MATH_F32 ? 1e-5 : 2e-2, e;
	struct err why;

	memset(b->y, 0xff, bytes);
	o->b->put(o->y, b->y, bytes);
	o->math = math;
	call(o, o->copies - 1);
	o->b->get(b->y, o->y, bytes);
	if (backend_fault(o->b, &why))
		stop("%s", why.msg);
	c = (struct compared){ .want = b->n.exact, .y = b->y, .rows = o->host.rows };
	e = error_of(&c, o->m);
	if (!(e < limit)) {
		say("**WRONG: %s %s, %zu rows: error %g**\n", b->s->name, b->f->name, o->m, e);
		bench_missed++;
	}
	return e;
}

static double error_of_peer(struct bench *b, struct peer *p, bool half)
{
	static struct compared c;

	for (size_t i = 0; i < b->ours.m * b->s->cols; i++) {
		size_t row = i / b->s->cols;
		size_t at = row % BASE * b->s->cols + i % b->s->cols;
		float by = (float)power_of(row);

		b->x16[i] = half ? f16_from_f32(b->n.x[at] * by) : bf16_from_f32(b->n.x[at] * by);
	}
	peer_x(p, b->x16, b->ours.m);
	peer_y(p, b->y);
	c = (struct compared){ .want = b->n.exact, .rows = b->s->rows };
	if (half)
		c.half = b->y;
	else
		c.bf16 = b->y;
	return error_of(&c, b->ours.m);
}

static void target(char *out, size_t size, const char *what, bool met)
{
	size_t n = strlen(out);

	bench_targets++;
	bench_met += met;
	snprintf(out + n, size - n, "%s%s %s", n ? ", " : "", what, met ? "met" : "MISSED");
}

/* What is wanted of this row. */
static void targets(struct bench *b, char *out, size_t size, enum math math, double us, double times,
	double times_bf16, double e, double peer_e)
{
	bool four = b->f->bits == 4 && b->f->group == 128, two = b->f->bits == 2;
	double want_us = four ? b->s->us4 : b->s->us2, want = four ? b->s->times4 : b->s->times2;
	size_t m = b->ours.m;
	char text[60];

	out[0] = 0;
	if ((!four && !two) || b->o->small)
		return;
	if (m == 1 && math == MATH_FAST) {
		snprintf(text, sizeof text, "<= %.1f us", want_us);
		target(out, size, text, us <= want_us);
		snprintf(text, sizeof text, ">= %.1fx", want);
		if (want > 0)
			target(out, size, text, times >= want);
	}
	if (m == 16 && math == MATH_FAST) {
		snprintf(text, sizeof text, "%.2f of M=1 <= 1.25", us * 1e-6 / b->first[math]);
		target(out, size, text, us * 1e-6 <= 1.25 * b->first[math]);
	}
	if (m == 64 && math == MATH_FAST)
		target(out, size, ">= 2x", times >= 2);
	if (m >= 512 && math == MATH_BF16)
		target(out, size, ">= 0.85x bf16", times_bf16 >= 0.85);
	if (m <= BASE || math == MATH_BF16)
		target(out, size, m <= BASE ? "error <= fp16's" : "error <= bf16's", e <= peer_e);
}

static void row(struct bench *b, size_t m)
{
	/* the last one of the maths that chat takes, one that measures or scans */
	static const enum math few[] = { MATH_FAST, MATH_F32 }, many[] = { MATH_FAST, MATH_BF16 };
	static const char *const name[] = { "f32", "int8", "bf16", "bf16x3", "fast" };
	const enum math *maths = m <= BASE ? few : many;
	struct ours turn[2];
	struct timed t[4];
	struct act acts[4];
	bool bf16 = m > BASE;
	double e[2], peer_e, bf16_e = 0, bytes;

	b->ours.m = m;
	for (int k = 0; k < 2; k++) {
		e[k] = error_of_ours(b, maths[k]);
		turn[k] = b->ours; /* its copies of w are the same memory */
		acts[k] = (struct act){ run, &turn[k] };
	}
	peer_e = error_of_peer(b, b->f16, true);
	acts[2] = (struct act){ peer_run, b->f16 };
	if (bf16)
		bf16_e = error_of_peer(b, b->bf16, false);
	acts[3] = (struct act){ peer_run, b->bf16 };
	bench_turns(t, acts, bf16 ? 4 : 3);
	bytes = (double)mat_bytes(&b->ours.host) +
		4.0 * (double)m * (double)(b->s->rows + b->s->cols);
	for (int k = 0; k < 2; k++) {
		double us = t[k].median * 1e6, times = t[2].median / t[k].median;
		double of_bf16 = bf16 ? t[3].median / t[k].median : 0;
		char said[200], beside[24] = "";

		if (m == 1)
			b->first[maths[k]] = t[k].median;
		targets(b, said, sizeof said, maths[k], us, times, of_bf16, e[k],
			maths[k] == MATH_BF16 ? bf16_e : peer_e);
		if (bf16)
			snprintf(beside, sizeof beside, " (%.2f)", of_bf16);
		say("| %s | %s | %zu | %s | %.2f +- %.2f | %.0f | %.0f %% | %.2f | %.2f%s | %.1e | %.1e "
		    "| %s |\n",
			b->s->name, b->f->name, m, name[maths[k]], us,
			0.5e6 * (t[k].most - t[k].least), bytes / t[k].median * 1e-9,
			100 * bytes / t[k].median / b->o->wall, t[2].median * 1e6, times, beside, e[k],
			maths[k] == MATH_BF16 ? bf16_e : peer_e, said);
	}
}

/* ---- all of one shape and format */

static void make_x(struct bench *b, struct rng *r)
{
	size_t cols = b->s->cols;
	float *all = xarray(MOST_M * cols, sizeof *all);

	b->n.x = xarray(BASE * cols, sizeof *b->n.x);
	for (size_t i = 0; i < BASE * cols; i++)
		b->n.x[i] = (float)rng_normal(r);
	for (size_t i = 0; i < MOST_M * cols; i++)
		all[i] = b->n.x[i / cols % BASE * cols + i % cols] * (float)power_of(i / cols);
	b->ours.x = b->ours.b->alloc(MOST_M * cols * sizeof *all);
	b->ours.y = b->ours.b->alloc(MOST_M * b->s->rows * sizeof *all);
	if (!b->ours.x || !b->ours.y)
		stop("no memory for x and y");
	b->ours.b->put(b->ours.x, all, MOST_M * cols * sizeof *all);
	xfree(all);
}

static void shape_and_format(struct bench *b, const size_t *ms, size_t n)
{
	static struct rng r;
	size_t rows = b->s->rows, cols = b->s->cols;
	const struct backend *be = b->ours.b;

	rng_seed(&r, 1);
	b->ours.parts = b->s->parts;
	make_host(&b->ours.host, b->s, b->f, &r);
	make_copies(&b->ours);
	make_x(b, &r);
	b->n.o = &b->ours;
	b->n.half = xarray(rows * cols, sizeof *b->n.half);
	b->n.bf16 = xarray(rows * cols, sizeof *b->n.bf16);
	b->n.exact = xarray(BASE * rows, sizeof *b->n.exact);
	pool_run(part_of_answer, &b->n, rows);
	b->f16 = peer_new(PEER_F16, rows, cols, MOST_M, b->n.half);
	b->bf16 = peer_new(PEER_BF16, rows, cols, MOST_M, b->n.bf16);
	b->x16 = xarray(MOST_M * cols, sizeof *b->x16);
	b->y = xarray(MOST_M * rows, sizeof(float));
	for (size_t i = 0; i < n; i++)
		row(b, ms[i]);
	peer_free(b->f16);
	peer_free(b->bf16);
	xfree(b->x16);
	xfree(b->y);
	xfree(b->n.half);
	xfree(b->n.bf16);
	xfree(b->n.exact);
	xfree(b->n.x);
	be->free(b->ours.mem);
	be->free(b->ours.x);
	be->free(b->ours.y);
	free_host(&b->ours.host);
}

void bench_products(const struct backend *be, const struct bench_options *o)
{
	static const size_t ms[] = { 1, 2, 4, 8, 16, 64, 512, 2048 }, few[] = { 1, 16, 512 };
	static const size_t none[] = { 1, 16, 64 };
	static struct bench b;
	const struct shape *all = o->small ? small_shapes : shapes;
	size_t n = o->small ? sizeof small_shapes / sizeof *all : sizeof shapes / sizeof *all;

	say("\n## Products\n\nHalf-precision times are cuBLAS fp16's, in brackets behind the ratio that to "
	    "its bf16; errors are root mean squares as shares of the result's, the peer's is bf16's "
	    "beside bf16.\n\n"
	    "| rows x cols | format | M | math | us | GB/s | of read | cuBLAS us | times as fast | "
	    "error | peer's | targets |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
	for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
		for (size_t s = 0; s < n; s++) {
			b = (struct bench){ .o = o, .s = &all[s], .f = &formats[f], .ours = { .b = be } };
			if (o->small)
				shape_and_format(&b, none, 3);
			else if (f < 2)
				shape_and_format(&b, ms, 8);
			else
				shape_and_format(&b, few, 3);
		}
}

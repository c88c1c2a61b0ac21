/* lib_ops_products.c - products with packed, mixed and dense W.
 *
 * Errors are shares of 1e-5 of the sum of |x| |W| of an output (packed: codes and offsets apart),
 * what the suites of the processor's kernels allow, too.  MATH_BF16 and MATH_BF16X3 may be computed
 * as they are or in float, whichever the result is nearer to, or MATH_BF16 by any rounding that
 * leaves less error than bfloat16's (x in half precision); MATH_FAST may round W and x by 2^-8
 * each, 2e-2 of the output on average (int8's, where few values are far above the others).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/pool.h"
#include "tests/lib_ops.h"

static const double sums = 1e-5, rounded = 0x1.02p-7, fast = 2e-2;
enum { MATHS = MATH_FAST + 1, SAMPLE = 40 };
static const char *const math_name[MATHS] = { "f32", "int8", "bf16", "bf16x3", "fast" };

/* ---- the answer */

struct truth {
	struct mat w;
	const float *x; /* [m][cols] */
	size_t m;
	enum math math;
	float *y;    /* [m][rows] */
	double *mag; /* [m][rows] */
};

static void part_of_y(void *arg, size_t part)
{
	const struct truth *t = arg;
	size_t first = part * MAT_TILE, left = t->w.rows - first;
	struct mat rows = mat_rows(&t->w, first, left < MAT_TILE ? left : MAT_TILE);
	const struct product p = { t->y + first, t->w.rows, &rows };

	bd_backend_ref.products(&p, 1, t->x, t->w.cols, t->m, t->math);
}

/* |scale code| + |offset| of one row of a packed part, each to its input's place. */
static void absolute_part(const struct mat *w, const uint16_t *order, size_t row, float *out)
{
	struct mat codes = *w, scaled;
	uint16_t none[MAT_TILE] = { 0 };

	for (size_t c = 0; c < w->cols; c += MAT_BLOCK) {
		size_t n = w->cols - c < MAT_BLOCK ? w->cols - c : MAT_BLOCK, g = c / w->group;
		size_t lane = row % MAT_TILE;
		float a[MAT_BLOCK], o;
		uint16_t offset[MAT_TILE];

		codes = mat_rows(w, row - lane, MAT_TILE);
		codes.data = (const char *)codes.data + mat_code_bytes(w->bits, MAT_TILE, c);
		codes.scale += g * MAT_TILE;
		memcpy(offset, codes.offset + g * MAT_TILE, sizeof offset);
		codes.offset = none;
		codes.cols = n;
		mat_row_f32(&codes, lane, a);
		scaled = (struct mat){ .type = MAT_F16, .rows = 1, .cols = 1, .data = offset + lane };
		mat_row_f32(&scaled, 0, &o);
		for (size_t i = 0; i < n; i++)
			out[order ? order[c + i] : c + i] = fabsf(a[i]) + fabsf(o);
	}
}

static void absolute_row(const struct mat *w, size_t row, float *out)
{
	if (w->type == MAT_INT) {
		absolute_part(w, NULL, row, out);
	} else if (w->type == MAT_MIX) {
		struct mat high = mat_part(w, true), low = mat_part(w, false);

		absolute_part(&high, w->order, row, out);
		absolute_part(&low, w->order + w->high, row, out);
	} else {
		mat_row_f32(w, row, out);
		for (size_t c = 0; c < w->cols; c++)
			out[c] = fabsf(out[c]);
	}
}

static void part_of_mag(void *arg, size_t part)
{
	const struct truth *t = arg;
	float *row = pool_scratch();

	absolute_row(&t->w, part, row);
	for (size_t i = 0; i < t->m; i++) {
		const float *x = t->x + i * t->w.cols;
		double sum = 0;

		for (size_t c = 0; c < t->w.cols; c++)
			sum += (double)row[c] * fabs((double)x[c]);
		t->mag[i * t->w.rows + part] = sum;
	}
}

static void part_of_rows(void *arg, size_t part)
{
	const struct truth *t = arg;

	mat_row_f32(&t->w, part, t->y + part * t->w.cols);
}

/* A mix in one piece: ref's mix keeps buffers of its own, which parts would share. */
static struct mat in_one(struct op_run *r, const struct mat *w)
{
	struct truth t = { .w = *w };

	if (w->type != MAT_MIX)
		return *w;
	t.y = op_host(r, w->rows * w->cols * sizeof *t.y);
	pool_run(part_of_rows, &t, w->rows);
	return (struct mat){ .type = MAT_F32, .rows = w->rows, .cols = w->cols, .data = t.y };
}

static float *answer(struct op_run *r, const struct mat *w, const float *x, size_t m, enum math math)
{
	struct truth t = { .w = *w, .x = x, .m = m, .math = math };

	t.y = op_host(r, m * w->rows * sizeof *t.y);
	if (w->type == MAT_MIX && math == MATH_INT8) {
		const struct product p = { t.y, w->rows, w };

		bd_backend_ref.products(&p, 1, x, w->cols, m, math);
		return t.y;
	}
	t.w = in_one(r, w);
	pool_run(part_of_y, &t, (w->rows + MAT_TILE - 1) / MAT_TILE);
	return t.y;
}

static double *magnitude(struct op_run *r, const struct mat *w, const float *x, size_t m)
{
	struct truth t = { .w = *w, .x = x, .m = m };

	t.mag = op_host(r, m * w->rows * sizeof *t.mag);
	pool_run(part_of_mag, &t, w->rows);
	return t.mag;
}

/* ---- one matrix, some numbers of rows of x, some maths */

struct trial {
	struct op_run *r;
	const struct op_mat *w;
	size_t ldx, ldy, most, skew;
	float *x; /* host, [most][ldx] */
	const float *dev;
	size_t pick[SAMPLE], picks; /* ascending: rows of x whose outputs are compared */
	float *few;                 /* [picks][cols] */
	double *mag;
	float *want[MATHS];
};

static void begin(struct trial *t, struct op_run *r, const struct op_mat *w, const size_t *ms,
	size_t n, size_t skew)
{
	size_t cols = w->host.cols;

	*t = (struct trial){ .r = r, .w = w, .skew = skew, .most = ms[n - 1] };
	t->ldx = cols + skew / sizeof(float);
	t->ldy = w->host.rows + (skew ? 5 : 0);
	t->x = op_floats(r, (t->most - 1) * t->ldx + cols, 1);
	/* as a layer has it: some columns far larger in every row; NaN between the rows */
	for (size_t i = 0; i < (t->most - 1) * t->ldx + cols; i++)
		if (i % t->ldx >= cols)
			t->x[i] = NAN;
		else if (i % t->ldx % 97 == 11)
			t->x[i] *= 30;
	t->dev = op_put(r, t->x, ((t->most - 1) * t->ldx + cols) * sizeof *t->x, skew);
	for (size_t i = 0; i < t->most; i++) {
		bool last = false; /* of some number of rows, which are always looked at */

		for (size_t k = 0; k < n; k++)
			last = last || i + 1 == ms[k];
		if (t->most <= SAMPLE || last || rng_below(&r->rng, (uint32_t)t->most) < SAMPLE - 16)
			if (t->picks < SAMPLE)
				t->pick[t->picks++] = i;
	}
	if (t->pick[t->picks - 1] != t->most - 1)
		t->pick[t->picks - 1] = t->most - 1;
	t->few = op_host(r, t->picks * cols * sizeof *t->few);
	for (size_t i = 0; i < t->picks; i++)
		memcpy(t->few + i * cols, t->x + t->pick[i] * t->ldx, cols * sizeof *t->few);
	t->mag = magnitude(r, &w->host, t->few, t->picks);
}

static const float *want(struct trial *t, enum math math)
{
	if (math == MATH_FAST || (math == MATH_INT8 && t->w->host.type < MAT_INT))
		math = MATH_F32;
	if (!t->want[math])
		t->want[math] = answer(t->r, &t->w->host, t->few, t->picks, math);
	return t->want[math];
}

/* Largest error among the picked rows below m as a share of `allowed` of mag, and the root of the
 * mean squares in *rms, a share of that of what is wanted. */
static double far_off(const struct trial *t, const float *y, size_t m, const float *want_y,
	double allowed, double *rms)
{
	size_t rows = t->w->host.rows;
	double most = 0, diff = 0, norm = 1e-300;

	for (size_t i = 0; i < t->picks && t->pick[i] < m; i++)
		for (size_t k = 0; k < rows; k++) {
			double g = (double)y[t->pick[i] * t->ldy + k];
			double w = (double)want_y[i * rows + k], e = fabs(g - w);

			diff += e * e;
			norm += w * w;
			e /= allowed * t->mag[i * rows + k] + 1e-35;
			if (!(e <= most))
				most = isnan(e) ? INFINITY : e;
		}
	*rms = sqrt(diff / norm);
	return most;
}

/* Every value is a number, and nothing between the rows was written. */
static void whole(const struct trial *t, const float *y, size_t m)
{
	size_t rows = t->w->host.rows;
	uint32_t bits;

	for (size_t i = 0; i < (m - 1) * t->ldy + rows; i++) {
		if (i % t->ldy < rows) {
			if (!isfinite(y[i])) {
				op_fail(t->r, "row %zu, value %zu is %g", i / t->ldy, i % t->ldy,
					(double)y[i]);
				return;
			}
			continue;
		}
		memcpy(&bits, y + i, sizeof bits);
		if (bits != 0xffffffff) {
			op_fail(t->r, "writes beyond row %zu", i / t->ldy);
			return;
		}
	}
}

/* MATH_BF16 otherwise than ref: nearer to the exact result than ref's is, on average and within
 * what each rounding of x and of W may do. */
static double nearer(struct trial *t, const float *y, size_t m)
{
	struct trial ref = *t;
	float *all = op_host(t->r, ((m - 1) * t->ldy + t->w->host.rows) * sizeof *all);
	const float *exact_y = want(t, MATH_F32), *rounded_y = want(t, MATH_BF16);
	double far, rms, allowed;

	for (size_t i = 0; i < t->picks && t->pick[i] < m; i++)
		memcpy(all + t->pick[i] * t->ldy, rounded_y + i * t->w->host.rows,
			t->w->host.rows * sizeof *all);
	(void)far_off(&ref, all, m, exact_y, sums, &allowed);
	far = far_off(t, y, m, exact_y, 0x1.02p-8, &rms);
	return fmax(far, rms / (allowed + 1e-30));
}

static void one(struct trial *t, size_t m, enum math math)
{
	struct op_run *r = t->r;
	size_t bytes = ((m - 1) * t->ldy + t->w->host.rows) * sizeof(float), compared = 0;
	float *to = op_out(r, bytes, t->skew), *y;
	const struct product p = { to, t->ldy, &t->w->dev };
	char name[80];
	double e, other, rms;

	op_case(r, "%s, %zu rows, %s", op_mat_name(&t->w->host, name), m, math_name[math]);
	r->b->products(&p, 1, t->dev, t->ldx, m, math);
	y = op_get(r, to, bytes);
	whole(t, y, m);
	e = far_off(t, y, m, want(t, math), math == MATH_FAST ? rounded : sums, &rms);
	if (math == MATH_FAST) {
		e = fmax(e, rms / fast);
	} else if (math == MATH_BF16 || math == MATH_BF16X3) {
		other = far_off(t, y, m, want(t, MATH_F32), sums, &rms);
		e = fmin(e, other);
		if (math == MATH_BF16 && e > 1)
			e = nearer(t, y, m);
	}
	for (size_t i = 0; i < t->picks; i++)
		compared += t->pick[i] < m ? t->w->host.rows : 0;
	op_share(r, e, compared);
}

static void trial(struct op_run *r, struct op_mat w, const size_t *ms, size_t n,
	const enum math *maths, size_t n_maths, size_t skew)
{
	struct trial t;

	begin(&t, r, &w, ms, n, skew);
	for (size_t k = 0; k < n_maths; k++)
		for (size_t i = 0; i < n; i++)
			one(&t, ms[i], maths[k]);
	op_end(r);
}

static const size_t groups[] = { 32, 64, 96, 128 };
static const enum math exact[] = { MATH_F32 };
static const enum math all[] = { MATH_F32, MATH_INT8, MATH_BF16, MATH_BF16X3, MATH_FAST };

void op_packed_exact(struct op_run *r)
{
	static const size_t rows[] = { 1, 15, 16, 17, 33, 65, 130, 257 };
	static const size_t cols[] = { 1, 31, 32, 33, 65, 95, 160, 577 };
	static const size_t ms[] = { 1, 3, 4, 5, 9, 17 };
	size_t every = r->large ? 1 : 3; /* of 8 x 8 shapes a width; the emulator takes its time */

	for (int bits = 1; bits <= 8; bits++)
		for (size_t i = (size_t)bits % every; i < 8; i += every)
			for (size_t j = i % every; j < 8; j += every) {
				size_t few = r->large ? 0 : (i + j) % 3 * 2;
				struct op_mat w = op_mat(r, MAT_INT, bits,
					groups[(i + j + (size_t)bits) % 4], rows[i],
					cols[(j + (size_t)bits) % 8]);

				trial(r, w, ms + few, r->large ? COUNTED(ms) : 2, exact, 1,
					(i + j) % 2 * 12);
			}
}

void op_packed_rows(struct op_run *r)
{
	static const size_t ms[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 33,
		64, 127, 512 };
	static const int bits[] = { 4, 2, 3, 8 };

	for (size_t i = 0; i < (r->large ? 4 : 2); i++)
		trial(r,
			op_mat(r, MAT_INT, bits[i], bits[i] == 2 ? 64 : 128, r->large ? 1000 : 40,
				r->large ? 1504 : 136),
			ms, r->large ? COUNTED(ms) : i ? 18 : 20, exact, 1, i % 2 * 4);
}

void op_packed_maths(struct op_run *r)
{
	static const size_t ms[] = { 1, 4, 8, 16, 17, 33, 70 };
	size_t n = r->large ? COUNTED(ms) : 3;

	for (int bits = 1; bits <= 8; bits += r->large || bits == 4 ? 1 : 2)
		trial(r,
			op_mat(r, MAT_INT, bits, groups[bits % 4], r->large ? 529 : 66,
				r->large ? 2100 : 161),
			ms + (r->large ? 0 : bits % 4), n, all, COUNTED(all), bits % 2 * 8);
}

void op_packed_layers(struct op_run *r)
{
	/* of a model of 135M, of 1B and of 8B */
	static const struct {
		size_t rows, cols;
		int bits;
		size_t group;
		bool small;
	} of[] = { { 576, 576, 4, 128, true }, { 192, 1536, 2, 64, true }, { 576, 1536, 4, 32, false },
		{ 1536, 576, 3, 64, false }, { 2048, 2048, 4, 128, false },
		{ 8192, 2048, 2, 64, false }, { 2048, 8192, 4, 128, false },
		{ 512, 2048, 8, 128, false }, { 4096, 4096, 4, 128, false },
		{ 14336, 4096, 4, 128, false }, { 4096, 14336, 2, 64, false },
		{ 1024, 4096, 2, 64, false }, { 4096, 4096, 7, 64, false },
		{ 4096, 14336, 4, 128, false }, { 32000, 2048, 8, 32, false } };
	static const size_t ms[] = { 1, 2, 8, 16, 64, 512 };
	/* the last one where ref, which takes its time for it, has done in a second or two */
	static const enum math maths[] = { MATH_F32, MATH_FAST, MATH_BF16 };
	static const size_t not_long = 20000000;

	for (size_t i = 0; i < COUNTED(of); i++)
		if (r->large || of[i].small)
			trial(r, op_mat(r, MAT_INT, of[i].bits, of[i].group, of[i].rows, of[i].cols), ms,
				r->large ? COUNTED(ms) : 2, maths,
				!r->large ? 1 : of[i].rows * of[i].cols < not_long ? 3 : 2, 0);
}

void op_mixes(struct op_run *r)
{
	static const size_t ms[] = { 1, 5, 16, 17, 64 };
	static const struct {
		int bits, low;
		size_t rows, cols, high;
	} of[] = { { 4, 2, 70, 200, 96 }, { 8, 4, 33, 130, 32 }, { 4, 3, 17, 97, 64 },
		{ 5, 1, 600, 1536, 160 }, { 4, 2, 4096, 4096, 512 } };

	for (size_t i = 0; i < (r->large ? COUNTED(of) : 3); i++)
		trial(r, op_mix(r, of[i].bits, of[i].low, of[i].rows, of[i].cols, of[i].high), ms,
			r->large ? COUNTED(ms) : 3, all, r->large || i == 1 ? COUNTED(all) : 1,
			i % 2 * 4);
}

void op_dense(struct op_run *r)
{
	static const size_t ms[] = { 1, 2, 7, 16, 17, 40 };
	static const size_t shapes[][2] = { { 1, 1 }, { 17, 33 }, { 65, 95 }, { 100, 129 },
		{ 577, 1030 }, { 2048, 2048 } };
	static const enum math maths[] = { MATH_F32, MATH_BF16, MATH_BF16X3, MATH_INT8 };

	for (int type = MAT_F32; type <= MAT_BF16; type++)
		for (size_t i = 0; i < (r->large ? COUNTED(shapes) : 3); i++)
			trial(r,
				op_mat(r, (enum mat_type)type, 0, 0, shapes[i][0], shapes[i][1]), ms,
				r->large ? COUNTED(ms) : 5, maths,
				r->large || i == 1 ? COUNTED(maths) : 1, i % 2 * 4);
}

/* ---- several at once, awkward x */

void op_shared_x(struct op_run *r)
{
	enum { N = 11 };
	static const size_t ms[] = { 1, 4, 16, 37 };
	size_t cols = r->large ? 2052 : 161;

	for (size_t k = 0; k < (r->large ? 4 : 3); k++) {
		size_t m = ms[k];
		struct op_mat w[N];
		struct product p[N];
		float *host = op_floats(r, m * cols, 1);
		const float *x = op_put(r, host, m * cols * sizeof *x, 0);

		for (size_t i = 0; i < N; i++) {
			w[i] = i == 5 ? op_mix(r, 4, 2, 40, cols, 64)
			       : i % 4 ? op_mat(r, MAT_INT, (int)i % 8 + 1, groups[i % 4],
						 16 * i + 3, cols)
				       : op_mat(r, (enum mat_type)(i / 4), 0, 0, 10 * i + 1, cols);
			p[i] = (struct product){ op_out(r, m * w[i].dev.rows * sizeof(float), 0),
				w[i].dev.rows, &w[i].dev };
		}
		op_case(r, "%d products of %zu rows", N, m);
		r->b->products(p, N, x, cols, m, MATH_F32);
		for (size_t i = 0; i < N; i++) {
			size_t rows = w[i].dev.rows, bytes = m * rows * sizeof(float);
			struct trial t = { .r = r, .w = &w[i], .ldy = rows, .most = m, .few = host };
			struct product alone = { op_out(r, bytes, 0), rows, p[i].w };
			float *among = op_get(r, p[i].y, bytes);
			char name[80];
			double rms;

			for (; t.picks < m; t.picks++)
				t.pick[t.picks] = t.picks;
			t.mag = magnitude(r, &w[i].host, host, m);
			op_case(r, "%s, %zu rows, among %d", op_mat_name(&w[i].host, name), m, N);
			op_share(r, far_off(&t, among, m, want(&t, MATH_F32), sums, &rms), m * rows);
			if (!r->b->host_memory) /* what it is cut into may depend on the others */
				continue;
			r->b->products(&alone, 1, x, cols, m, MATH_F32);
			op_same(r, op_get(r, alone.y, bytes), among, bytes, "alone");
		}
		op_end(r);
	}
}

/* Rows of x of far apart sizes, of zeros, with one value far above the others. */
void op_ranges(struct op_run *r)
{
	static const float size[] = { 1, 1e-20f, 1e20f, 0, 1e-3f };
	enum { M = 5 };
	size_t cols = r->large ? 4096 : 200, rows = r->large ? 1024 : 40;

	for (int bits = 2; bits <= 4; bits += 2)
		for (size_t m = 1; m <= M; m += M - 1) {
			struct op_mat w = op_mat(r, MAT_INT, bits, 64, rows, cols);
			float *x = op_floats(r, M * cols, 1), *y, *to;
			struct trial t = { .r = r, .w = &w, .ldx = cols, .ldy = rows, .most = m };
			double rms;

			for (size_t i = 0; i < M * cols; i++)
				x[i] *= size[i / cols] * (i % cols == 33 ? 1e4f : 1);
			for (; t.picks < m; t.picks++)
				t.pick[t.picks] = t.picks;
			t.few = m == 1 ? x + cols : x;
			t.mag = magnitude(r, &w.host, t.few, m);
			to = op_out(r, m * rows * sizeof *to, 0);
			op_case(r, "int%d, %zu rows of x from 1e-20 to 1e20", bits, m);
			r->b->products(&(struct product){ to, rows, &w.dev }, 1,
				op_put(r, t.few, m * cols * sizeof *x, 0), cols, m, MATH_F32);
			y = op_get(r, to, m * rows * sizeof *to);
			op_share(r, far_off(&t, y, m, want(&t, MATH_F32), sums, &rms), m * rows);
			op_end(r);
		}
}

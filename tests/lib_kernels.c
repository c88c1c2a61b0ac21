/* lib_kernels.c - see lib_kernels.h. */
#include "tests/lib_kernels.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/f16.h"
#include "kernels/cpu/cpu.h"
#include "kernels/pool.h"

enum { MOST = 4096 };

static struct {
	void *at;
	size_t bytes;
} maps[MOST];
static size_t n_maps;

void *guarded(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page + page;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || n_maps == MOST || mprotect(p + size - page, page, PROT_NONE)) {
		fprintf(stderr, "no guarded memory\n");
		exit(2);
	}
	memset(p, 0xff, size - page);
	maps[n_maps].at = p;
	maps[n_maps++].bytes = size;
	return p + size - page - bytes;
}

void guarded_free_all(void)
{
	while (n_maps) {
		n_maps--;
		munmap(maps[n_maps].at, maps[n_maps].bytes);
	}
}

float *guarded_floats(struct rng *r, size_t n, double size)
{
	float *p = guarded(n * sizeof *p);

	for (size_t i = 0; i < n; i++)
		p[i] = (float)(rng_normal(r) * size);
	return p;
}

static void random_int(struct rng *r, struct mat *w)
{
	size_t stats = mat_stat_count(w->rows, w->cols, w->group);
	size_t groups = mat_groups(w->cols, w->group);
	uint32_t *words = guarded(mat_code_bytes(w->bits, w->rows, w->cols));
	uint16_t *scale = guarded(stats * sizeof *scale), *offset = guarded(stats * sizeof *offset);
	uint8_t *codes = malloc(w->rows * w->cols);
	uint16_t *s = malloc(w->rows * groups * sizeof *s),
		 *o = malloc(w->rows * groups * sizeof *o);
	double levels = (1 << w->bits) - 1;

	for (size_t i = 0; i < w->rows * w->cols; i++)
		codes[i] = (uint8_t)(rng_u64(r) >> 32 & ((1u << w->bits) - 1));
	for (size_t i = 0; i < w->rows * groups; i++) {
		double size = 0.02 + 0.1 * rng_unit(r);

		s[i] = f16_from_f32((float)(size / levels));
		o[i] = f16_from_f32((float)(-size * rng_unit(r)));
	}
	mat_pack(words, w->bits, w->rows, w->cols, codes);
	mat_pack_stats(scale, w->rows, w->cols, w->group, s);
	mat_pack_stats(offset, w->rows, w->cols, w->group, o);
	w->data = words;
	w->scale = scale;
	w->offset = offset;
	free(codes);
	free(s);
	free(o);
}

struct mat random_mat(
	struct rng *r, enum mat_type type, int bits, size_t group, size_t rows, size_t cols)
{
	struct mat w = { .type = type, .bits = bits, .group = group, .rows = rows, .cols = cols };
	uint16_t *half;

	if (type == MAT_INT) {
		random_int(r, &w);
		return w;
	}
	if (type == MAT_F32) {
		w.data = guarded_floats(r, rows * cols, 0.05);
		return w;
	}
	w.data = half = guarded(rows * cols * sizeof *half);
	for (size_t i = 0; i < rows * cols; i++) {
		float f = (float)(rng_normal(r) * 0.05);

		half[i] = type == MAT_F16 ? f16_from_f32(f) : bf16_from_f32(f);
	}
	return w;
}

/* |scale code| + |offset| of a packed row: the two may be summed apart. */
static void absolute_row(const struct mat *w, size_t row, uint8_t *codes, float *out)
{
	if (w->type != MAT_INT) {
		mat_row_f32(w, row, out);
		return;
	}
	mat_unpack_row(w, row, codes);
	for (size_t c = 0; c < w->cols; c++) {
		float s = f16_to_f32(mat_stat(w->scale, w, row, c / w->group));

		out[c] = fabsf(s * (float)codes[c]) +
			 fabsf(f16_to_f32(mat_stat(w->offset, w, row, c / w->group)));
	}
}

void magnitudes(double *mag, const float *x, size_t ldx, size_t m, const struct mat *w)
{
	float *row = malloc(w->cols * sizeof *row);
	uint8_t *codes = malloc(w->cols);

	for (size_t r = 0; r < w->rows; r++) {
		absolute_row(w, r, codes, row);
		for (size_t i = 0; i < m; i++) {
			double sum = 0;

			for (size_t c = 0; c < w->cols; c++)
				sum += fabs((double)row[c] * (double)x[i * ldx + c]);
			mag[i * w->rows + r] = sum;
		}
	}
	free(row);
	free(codes);
}

const struct backend *way(size_t i, const char **name)
{
	for (size_t b = 0; backends()[b]; b++) {
		const char *is = backends()[b]->name;

		if (!strcmp(is, "ref") || backends()[b]->score() <= 0)
			continue;
		if (!strcmp(is, "cpu")) {
			for (size_t l = 0; cpu_leaf_at(l); l++)
				if (i-- == 0) {
					cpu_use(cpu_leaf_at(l));
					*name = cpu_leaf()->name;
					return backend_find(is);
				}
		} else if (i-- == 0) {
			*name = is;
			return backend_find(is);
		}
	}
	return NULL;
}

double worst(const float *got, const float *want, const double *mag, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < n; i++) {
		double e = fabs((double)got[i] - (double)want[i]) / (mag[i] + 1e-30);

		if (!(e <= most))
			most = e; /* NaN counts, too */
	}
	return most;
}

bool untouched(const float *y, size_t n)
{
	const unsigned char *at = (const unsigned char *)y;

	for (size_t i = 0; i < n * sizeof *y; i++)
		if (at[i] != 0xff)
			return false;
	return true;
}

bool only_there(const float *x, size_t rows, size_t width, size_t from, size_t to, size_t left,
	size_t right)
{
	for (size_t i = 0; i < rows * width; i++)
		if (isnan(x[i]) && !(i / width >= from && i / width < to && i % width >= left &&
					   i % width < right))
			return false;
	return true;
}

void product(const struct backend *b, float *y, size_t ldy, const float *x, size_t ldx, size_t m,
	const struct mat *w, enum math math)
{
	b->products(&(struct product){ y, ldy, w }, 1, x, ldx, m, math);
}

bool rounds(const struct backend *b, size_t m, enum math math)
{
	enum { FROM = 16 }; /* rows of x: below it they are multiplied in float */

	if (strcmp(b->name, "cpu") || m < FROM)
		return false;
	return math == MATH_BF16 ? cpu_leaf()->b16.mul != NULL
				 : math == MATH_BF16X3 && cpu_leaf()->b16x3.mul;
}

static const size_t odd_rows[] = { 1, 15, 16, 17, 31, 33, 64, 65 };
static const size_t odd_cols[] = { 1, 2, 31, 32, 33, 63, 64, 65, 95 };
static const size_t groups[] = { 32, 64, 96, 128 };
const enum mat_type dense_types[3] = { MAT_F32, MAT_F16, MAT_BF16 };

void each_packed(uint64_t seed, check_mat *check, const size_t *ms, size_t n)
{
	struct rng r;

	rng_seed(&r, seed);
	pool_start(2);
	for (int bits = 1; bits <= 8; bits++)
		for (size_t i = 0; i < COUNT(odd_rows); i++)
			for (size_t j = 0; j < COUNT(odd_cols); j++) {
				struct mat w = random_mat(&r, MAT_INT, bits, groups[(i + j) % 4],
					odd_rows[i], odd_cols[j]);

				check(&w, &r, ms, n);
			}
	pool_stop();
}

void each_dense(uint64_t seed, check_mat *check, const size_t *ms, size_t n)
{
	struct rng r;

	rng_seed(&r, seed);
	pool_start(2);
	for (size_t t = 0; t < COUNT(dense_types); t++)
		for (size_t i = 0; i < COUNT(odd_rows); i++)
			for (size_t j = 0; j < COUNT(odd_cols); j++) {
				struct mat w = random_mat(
					&r, dense_types[t], 0, 0, odd_rows[i], odd_cols[j]);

				check(&w, &r, ms, n);
			}
	pool_stop();
}

void each_large(uint64_t seed, check_mat *check, const size_t *ms, size_t n)
{
	static const size_t packed[][2] = { { 96, 576 }, { 577, 95 }, { 40, 1536 }, { 17, 2100 } };
	static const size_t dense[][2] = { { 100, 129 }, { 17, 4133 } };
	struct rng r;

	rng_seed(&r, seed);
	pool_start(2);
	for (int bits = 1; bits <= 8; bits++)
		for (size_t i = (size_t)bits % 2; i < COUNT(packed); i += 2) {
			struct mat w = random_mat(&r, MAT_INT, bits, groups[((size_t)bits + i) % 4],
				packed[i][0], packed[i][1]);

			check(&w, &r, ms, n);
		}
	for (size_t t = 0; t < COUNT(dense_types); t++)
		for (size_t i = 0; i < COUNT(dense); i++) {
			struct mat w =
				random_mat(&r, dense_types[t], 0, 0, dense[i][0], dense[i][1]);

			check(&w, &r, ms, n);
		}
	pool_stop();
}

struct mat random_mix(struct rng *r, size_t rows, size_t cols, size_t high)
{
	struct mat w = random_mat(r, MAT_INT, 4, 32, rows, high);
	struct mat low = random_mat(r, MAT_INT, 2, 64, rows, cols - high);
	uint16_t *order = guarded(cols * sizeof *order);

	for (size_t i = 0; i < cols; i++)
		order[i] = (uint16_t)(i * 77 % cols);
	w.type = MAT_MIX;
	w.cols = cols;
	w.high = high;
	w.low_bits = low.bits;
	w.low_group = low.group;
	w.low_data = low.data;
	w.low_scale = low.scale;
	w.low_offset = low.offset;
	w.order = order;
	return w;
}

void check_shared_x(enum math math)
{
	enum { N = 11, M = 37, COLS = 577, WIDEST = 500 }; /* more than one run of the pool takes */
	const struct backend *b;
	const char *name;
	struct rng r;
	struct mat w[N];
	float *x, *one = malloc(M * WIDEST * sizeof *one);

	rng_seed(&r, 6);
	pool_start(2);
	for (size_t i = 0; i < N; i++)
		w[i] = i % 4 ? random_mat(&r, MAT_INT, (int)i % 8 + 1, 64, 16 * i + 3, COLS)
			     : random_mat(&r, dense_types[i / 4], 0, 0, 40 * i + 1, COLS);
	x = guarded_floats(&r, M * COLS, 1);
	for (size_t i = 0; (b = way(i, &name)); i++) {
		struct product p[N];

		for (size_t k = 0; k < N; k++)
			p[k] = (struct product){ guarded(M * w[k].rows * sizeof(float)), w[k].rows,
				&w[k] };
		b->products(p, N, x, COLS, M, math);
		for (size_t k = 0; k < N; k++) {
			product(b, one, w[k].rows, x, COLS, M, &w[k], math);
			cr_expect(!memcmp(one, p[k].y, M * w[k].rows * sizeof *one), "%s %zu", name,
				k);
		}
	}
	free(one);
	pool_stop();
	guarded_free_all();
}

void check_threads(enum math math)
{
	enum { M = 161, ROWS = 577, COLS = 1030 };
	static const size_t ms[] = { 1, 12, M };
	float *one = malloc(2 * M * ROWS * sizeof *one), *more = malloc(2 * M * ROWS * sizeof *one);
	const struct backend *b;
	const char *name;
	struct mat w[2];
	struct rng r;
	float *x;

	rng_seed(&r, 8);
	w[0] = random_mat(&r, MAT_INT, 3, 64, ROWS, COLS);
	w[1] = random_mat(&r, MAT_F32, 0, 0, ROWS, COLS);
	x = guarded_floats(&r, M * COLS, 1);
	for (size_t i = 0; (b = way(i, &name)); i++)
		for (size_t k = 0; k < COUNT(ms); k++)
			for (int threads = 1; threads <= 5; threads += threads) {
				size_t n = ms[k] * ROWS;
				float *y = threads == 1 ? one : more;
				struct product p[2] = { { y, ROWS, &w[0] },
					{ y + n, ROWS, &w[1] } };

				pool_start(threads);
				b->products(p, 2, x, COLS, ms[k], math);
				cr_expect(threads == 1 || !memcmp(one, more, 2 * n * sizeof *one),
					"%s, %zu rows, with %d threads", name, ms[k], threads);
				pool_stop();
			}
	free(one);
	free(more);
	guarded_free_all();
}

/* lib_kernels.c - see lib_kernels.h. */
#include "tests/lib_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/f16.h"
#include "kernels/cpu/cpu.h"

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

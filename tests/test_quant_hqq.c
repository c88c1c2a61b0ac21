/* test_quant_hqq.c - our hqq against the package of that name (golden/quant_hqq.py). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/quant/lanes.h"
#include "tests/lib_quant.h"

enum { ROWS = 4, COLS = 256 };

/* As in the script: exact in float. */
static void draw(float *w, uint32_t state, double amplitude)
{
	for (size_t i = 0; i < ROWS * COLS; i++) {
		long total = 0;

		for (int k = 0; k < 3; k++) {
			state = state * 1664525u + 1013904223u;
			total += (long)(state >> 16) - 32768;
		}
		w[i] = (float)((double)total / 65536 * amplitude);
	}
}

/* fp16 rounds: a hundredth of a step.  Where as many weights of a group are rounded up as down
 * and no code changes, the error stays what it was to the last bit, and rounding decides which of
 * two zeros as good stays: the package itself and the same steps in double differ in 9 of these
 * groups. */
static size_t compare_row(FILE *f, const struct qcodes *q, size_t row, const float *w)
{
	size_t groups = mat_groups(COLS, q->format.group), far = 0;
	double scale, offset, want, got = 0;
	float back[COLS];

	for (size_t g = row * groups; g < (row + 1) * groups; g++) {
		double s = (double)f16_to_f32(q->scale[g]), z = (double)f16_to_f32(q->offset[g]);
		double top = (1 << q->format.bits) - 1;

		cr_assert_eq(fscanf(f, "%lf %lf", &scale, &offset), 2);
		cr_expect_float_eq(s, scale, 0.0005 * scale, "scale %g, hqq %g", s, scale);
		/* The offset in fp16 has 11 bits of the range, too. */
		far += fabs(z - offset) > 0.01 * scale + fabs(offset) / 2048 + scale * top / 65536;
	}
	cr_assert_eq(fscanf(f, " error %lf", &want), 1);
	qcodes_row(q, row, back);
	for (size_t i = 0; i < COLS; i++)
		got += fabs((double)w[i] - (double)back[i]) / COLS;
	cr_expect_float_eq(got, want, 0.02 * want + 1e-5, "mean error %g, hqq %g", got, want);
	return far;
}

Test(quant_hqq, agrees_with_the_package_to_rounding)
{
	FILE *f = fopen("tests/golden/quant_hqq.txt", "r");
	size_t group, cases = 0, far = 0, all = 0;
	float w[ROWS * COLS];
	double amplitude;
	int bits;

	cr_assert(f, "tests/golden/quant_hqq.txt is missing: run from the root of the tree");
	while (fscanf(f, " case %d %zu %lf", &bits, &group, &amplitude) == 3) {
		struct quant_input in = { .w = w, .rows = ROWS, .cols = COLS };
		struct qcodes q;
		char name[32];

		draw(w, (uint32_t)(bits * 1000) + (uint32_t)group, amplitude);
		snprintf(name, sizeof name, "int%dg%zu", bits, group);
		q = lib_quantize("hqq", name, &in);
		for (size_t row = 0; row < ROWS; row++)
			far += compare_row(f, &q, row, w + row * COLS);
		all += ROWS * mat_groups(COLS, group);
		cases++;
		qcodes_release(&q);
	}
	fclose(f);
	cr_assert_eq(cases, 42);
	cr_assert_leq(far * 50, all, "%zu of %zu offsets differ", far, all);
}

Test(quant_hqq, powers_in_lanes_are_those_of_the_library)
{
	static const float some[] = { 1e-30f, 1e-6f, 0.001f, 0.1f, 0.5f, 0.70710677f, 0.7072f,
		0.9999999f, 1, 1.0001f, 1.4142135f, 1.4143f, 2, 3.1415927f, 1000, 1e30f };

	for (int i = 0; i < 16; i++) {
		for (float p = -0.9f; p < 1; p += 0.3f) {
			lanes y = lanes_pow(lanes_all(some[i]), p);
			double want = pow((double)some[i], (double)p);

			cr_expect_float_eq(y[LANES - 1], want, 6e-4 * want, "%g^%g = %g",
				(double)some[i], (double)p, (double)y[LANES - 1]);
		}
	}
}

/* test_quant_leaf.c - the quantizers' loops: every instruction set gives the same bits. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/rng.h"
#include "core/quant/leaf.h"
#include "tests/lib_quant.h"

enum { MOST = 160 };
static const size_t lengths[] = { 1, 3, 15, 16, 17, 33, 64, 100, 128, 160 };
enum { LENGTHS = sizeof lengths / sizeof *lengths };
static const int tops[] = { 1, 3, 7, 15, 31, 255 };
enum { TOPS = sizeof tops / sizeof *tops };

/* Sixteen rows: of all sizes, one constant, one hardly not, one far from zero. */
static float *rows_of(size_t n, uint64_t seed)
{
	float *w = lib_weights(TILE, n, 1, seed);

	for (size_t r = 0; r < TILE; r++)
		for (size_t i = 0; i < n; i++) {
			float *x = w + r * n + i;

			*x *= r == 1 ? 0 : r == 2 ? 1e-6f : r == 3 ? 300 : 0.02f * (float)(r * r);
			*x += r == 4 ? 5000 : r == 5 ? -0.5f : 0;
		}
	return w;
}

/* Each leaf that runs here, but the first. */
#define EACH_LEAF(l, i)                                                                         \
	for (size_t i = 1; leaf_table[i]; i++)                                                  \
		for (const struct leaf *l = leaf_runs(leaf_table[i]) ? leaf_table[i] : NULL; l; \
			l = NULL)

static void compare_hqq(
	const struct leaf *a, const struct leaf *b, const float *w, size_t n, int top)
{
	static _Alignas(64) float u[2][MOST * TILE];
	struct tile_stats st[2], end[2];
	struct hqq_tile h[2] = { { .u = u[0] }, { .u = u[1] } };
	struct hqq_plan p;

	for (int i = 0; i < HQQ_ITERATIONS; i++)
		p.quiet[i] = 0.17f - 0.001f * (float)i;
	for (int k = 0; k < 2; k++) {
		const struct leaf *l = k ? b : a;

		l->load(u[k], w, n, TILE, n);
		cr_assert(l->hqq_begin(&h[k], &st[k], n, top));
		if (k) /* where it pauses changes nothing */
			l->hqq_go(&h[k], n, top, &p, 9);
		l->hqq_go(&h[k], n, top, &p, 0);
		l->hqq_end(&h[k], &end[k]);
	}
	cr_expect(!memcmp(&st[0], &st[1], sizeof *st), "%s, %zu weights to %d", b->name, n, top);
	cr_expect(!memcmp(&end[0], &end[1], sizeof *end), "%s, %zu weights to %d", b->name, n, top);
	cr_expect(!memcmp(h[0].zero, h[1].zero, sizeof h->zero), "%s, %zu to %d", b->name, n, top);
}

Test(quant_leaf, hqq_is_the_same_for_every_instruction_set)
{
	for (int k = 0; k < LENGTHS; k++) {
		float *w = rows_of(lengths[k], (uint64_t)k + 1);

		for (int t = 0; t < TOPS; t++) {
			compare_hqq(leaf_table[0], leaf_table[0], w, lengths[k], tops[t]);
			EACH_LEAF(l, i) compare_hqq(leaf_table[0], l, w, lengths[k], tops[t]);
		}
		big_free(w);
	}
}

static void compare_clip(
	const struct leaf *l, const float *w, const float *weight, size_t n, int top)
{
	static _Alignas(64) float t[MOST * TILE];
	struct tile_stats a, b;

	l->load(t, w, n, TILE, n);
	cr_assert(leaf_table[0]->clip(&a, t, weight, n, top));
	cr_assert(l->clip(&b, t, weight, n, top));
	cr_expect(!memcmp(&a, &b, sizeof a), "%s, %zu weights to %d", l->name, n, top);
}

Test(quant_leaf, clip_is_the_same_for_every_instruction_set)
{
	for (int k = 0; k < LENGTHS; k++) {
		float *w = rows_of(lengths[k], (uint64_t)k + 20),
		      *weight = lib_weights(1, MOST, 1, 9);

		for (size_t i = 0; i < MOST; i++)
			weight[i] *= weight[i];
		for (int t = 0; t < TOPS; t++)
			EACH_LEAF(l, i)
			{
				compare_clip(l, w, NULL, lengths[k], tops[t]);
				compare_clip(l, w, weight, lengths[k], tops[t]);
			}
		big_free(w);
		big_free(weight);
	}
}

Test(quant_leaf, error_feedback_is_the_same_for_every_instruction_set)
{
	static _Alignas(64) float x[2][MOST * TILE], code[2][MOST * TILE], error[2][MOST * TILE];
	float *tri = lib_weights(MOST, MOST, 0.2, 30), inverse[MOST];
	struct tile_stats st;

	for (size_t i = 0; i < MOST; i++)
		inverse[i] = 1 / (1 + (float)i / MOST);
	for (size_t r = 0; r < TILE; r++) {
		st.scale[r] = f16_from_f32(0.1f * (float)r);
		st.offset[r] = f16_from_f32(-0.7f * (float)r);
	}
	for (int k = 0; k < LENGTHS; k++) {
		size_t n = lengths[k];
		float *w = lib_weights(TILE, n, 1, 31);

		EACH_LEAF(l, i)
		{
			struct feed f = { tri, inverse, MOST, n, n / 3, n - n / 5, 15 };

			for (int a = 0; a < 2; a++) {
				const struct leaf *by = a ? l : leaf_table[0];

				by->load(x[a], w, n, TILE, n);
				by->feed(x[a], code[a], error[a], &f, &st);
			}
			cr_expect(!memcmp(x[0], x[1], sizeof *x), "%s, %zu columns", l->name, n);
			cr_expect(!memcmp(code[0], code[1], sizeof *x), "%s, %zu", l->name, n);
			cr_expect(!memcmp(error[0], error[1], sizeof *x), "%s, %zu", l->name, n);
		}
		big_free(w);
	}
	big_free(tri);
}

/* Ranges against their definition, then statistics and codes leaf by leaf. */
static void compare_row(const struct leaf *l, const float *w, size_t n, size_t group, int top)
{
	float lo[2][TILE], hi[2][TILE];
	uint8_t code[2][16 * MOST] = { { 0 } };
	struct tile_stats st[2];

	for (int k = 0; k < 2; k++) {
		const struct leaf *by = k ? l : leaf_table[0];
		struct grid g = { st[k].scale, st[k].offset, group, top };

		cr_assert(by->ranges(lo[k], hi[k], w, n, group));
		by->stats(&st[k], lo[k], hi[k], top);
		by->codes(code[k], w, n, &g);
	}
	for (size_t g = 0; g * group < n; g++) {
		float a = w[g * group], b = a;

		for (size_t i = g * group; i < (g + 1) * group && i < n; i++) {
			a = fminf(a, w[i]);
			b = fmaxf(b, w[i]);
		}
		cr_expect(lo[1][g] == a && hi[1][g] == b, "%s, group %zu", l->name, g);
		cr_expect(lo[0][g] == a && hi[0][g] == b, "group %zu", g);
	}
	cr_expect(!memcmp(&st[0], &st[1], sizeof *st), "%s, %zu by %zu", l->name, n, group);
	cr_expect(!memcmp(code[0], code[1], sizeof *code), "%s, %zu by %zu", l->name, n, group);
}

Test(quant_leaf, ranges_statistics_and_codes_are_the_same_for_every_instruction_set)
{
	for (int k = 0; k < LENGTHS; k++) {
		float *w = rows_of(lengths[k], (uint64_t)k + 40);

		for (int t = 0; t < TOPS; t++)
			EACH_LEAF(l, i)
			{
				compare_row(l, w, lengths[k] * TILE, lengths[k], tops[t]);
				compare_row(l, w, lengths[k] * 7, lengths[k] * 2, tops[t]);
			}
		big_free(w);
	}
}

Test(quant_leaf, tiles_come_back_and_leave_the_rest_alone)
{
	static _Alignas(64) float t[MOST * TILE];
	float back[TILE * (MOST + 3)];

	for (size_t i = 0; leaf_table[i]; i++)
		for (int k = 0; leaf_runs(leaf_table[i]) && k < LENGTHS * 16; k++) {
			size_t n = lengths[k / 16], rows = (size_t)k % 16 + 1, ld = n + 3;
			float *w = lib_weights(rows, ld, 1, 50);

			memset(back, 0, sizeof back);
			leaf_table[i]->load(t, w, ld, rows, n);
			leaf_table[i]->store(back, ld, rows, t, n);
			for (size_t at = 0; at < TILE * ld; at++)
				cr_assert_eq(back[at], at / ld < rows && at % ld < n ? w[at] : 0,
					"%s, %zu rows of %zu at %zu", leaf_table[i]->name, rows, n,
					at);
			cr_assert_eq(t[(n - 1) * TILE + 15], w[(rows - 1) * ld + n - 1]);
			big_free(w);
		}
}

Test(quant_leaf, what_is_no_number_is_seen_wherever_it_stands)
{
	static const float odd[] = { NAN, -NAN, INFINITY, -INFINITY, 65536, -1e30f };
	static const float want[] = { 0, 0, 65504, -65504, 65504, -65504 };
	float w[MOST], out[MOST], lo[TILE], hi[TILE];

	for (size_t i = 0; leaf_table[i]; i++) {
		const struct leaf *l = leaf_table[i];

		for (size_t at = 0; leaf_runs(l) && at < 40; at++)
			for (int k = 0; k < 6; k++) {
				for (size_t x = 0; x < 40; x++)
					w[x] = x % 2 ? 65504 : -65504;
				cr_assert(l->clean(NULL, w, 40) && l->ranges(lo, hi, w, 40, 32));
				w[at] = odd[k];
				cr_expect(!l->ranges(lo, hi, w, 40, 32), "%s at %zu", l->name, at);
				cr_expect(!l->clean(NULL, w, 40), "%s at %zu", l->name, at);
				cr_expect(!l->clean(out, w, 40), "%s at %zu", l->name, at);
				for (size_t x = 0; x < 40; x++)
					cr_assert_eq(out[x], x == at ? want[k] : w[x], "%s: %g",
						l->name, (double)out[x]);
			}
	}
}

/* test_kernels_mat.c - the packed layout and the table of backends. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/f16.h"
#include "kernels/cpu/cpu.h"
#include "tests/lib_kernels.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const size_t rows[] = { 1, 15, 16, 17, 65 }, cols[] = { 1, 31, 32, 33, 64, 65, 576 };

Test(mat, codes_of_any_width_come_back_as_they_went_in)
{
	struct rng r;

	rng_seed(&r, 1);
	for (int bits = 1; bits <= 8; bits++)
		for (size_t i = 0; i < COUNT(rows); i++)
			for (size_t j = 0; j < COUNT(cols); j++) {
				size_t n = rows[i], c = cols[j];
				uint8_t *codes = guarded(n * c), *back = guarded(c);
				uint32_t *words = guarded(mat_code_bytes(bits, n, c));
				struct mat w = { .type = MAT_INT,
					.bits = bits,
					.group = 32,
					.rows = n,
					.cols = c,
					.data = words };

				for (size_t k = 0; k < n * c; k++)
					codes[k] = (uint8_t)rng_below(&r, 1u << bits);
				mat_pack(words, bits, n, c, codes);
				for (size_t row = 0; row < n; row++) {
					mat_unpack_row(&w, row, back);
					cr_assert(!memcmp(back, codes + row * c, c),
						"%d bits, %zu x %zu", bits, n, c);
				}
				guarded_free_all();
			}
}

Test(mat, a_width_costs_its_bits_and_padding_only)
{
	for (int bits = 1; bits <= 8; bits++) {
		cr_expect_eq(mat_code_bytes(bits, 16, 32), 16u * 32 * (size_t)bits / 8);
		cr_expect_eq(mat_code_bytes(bits, 17, 33), 4 * 16u * 32 * (size_t)bits / 8);
	}
	cr_expect_eq(mat_groups(576, 128), 5);
	cr_expect_eq(mat_stat_count(17, 576, 128), 2 * 16 * 5);
}

/* The layout is a file format of ours: written out once by hand. */
Test(mat, planes_lie_where_the_header_says)
{
	uint8_t codes[32] = { 0 };
	uint32_t words[7 * 16];

	codes[9] = 0x5b; /* 101 10 11 as seven bits: 4-plane 1011, 2-plane 01, 1-plane 1 */
	mat_pack(words, 7, 1, 32, codes);
	cr_expect_eq(words[1 * 16], 0xbu << 4, "4-bit plane: word 1 holds columns 8 to 15");
	cr_expect_eq(words[4 * 16], 0x1u << 18, "2-bit plane: word 0 holds columns 0 to 15");
	cr_expect_eq(words[6 * 16], 0x1u << 9, "1-bit plane: one word holds all");
	words[1 * 16] = words[4 * 16] = words[6 * 16] = 0;
	for (size_t i = 0; i < COUNT(words); i++)
		cr_expect_eq(words[i], 0);
}

Test(mat, statistics_come_back_and_rows_are_scale_times_code_plus_offset)
{
	enum { R = 21, C = 100, G = 32, GROUPS = 4 };
	uint16_t scale[R * GROUPS], offset[R * GROUPS];
	uint8_t codes[R * C];
	float row[C];
	struct rng r;
	struct mat w = { .type = MAT_INT, .bits = 5, .group = G, .rows = R, .cols = C }, part;
	uint32_t *words = guarded(mat_code_bytes(5, R, C));
	uint16_t *ps = guarded(mat_stat_count(R, C, G) * 2),
		 *po = guarded(mat_stat_count(R, C, G) * 2);

	rng_seed(&r, 2);
	for (size_t i = 0; i < R * GROUPS; i++) {
		scale[i] = f16_from_f32((float)rng_unit(&r));
		offset[i] = f16_from_f32((float)rng_normal(&r));
	}
	for (size_t i = 0; i < R * C; i++)
		codes[i] = (uint8_t)rng_below(&r, 32);
	mat_pack(words, 5, R, C, codes);
	mat_pack_stats(ps, R, C, G, scale);
	mat_pack_stats(po, R, C, G, offset);
	w.data = words;
	w.scale = ps;
	w.offset = po;
	part = mat_rows(&w, 16, 5);
	for (size_t i = 0; i < R; i++) {
		if (i < 16)
			mat_row_f32(&w, i, row);
		else
			mat_row_f32(&part, i - 16, row);
		for (size_t g = 0; g < GROUPS; g++) {
			cr_expect_eq(mat_stat(ps, &w, i, g), scale[i * GROUPS + g]);
			cr_expect_eq(mat_stat(po, &w, i, g), offset[i * GROUPS + g]);
		}
		for (size_t c = 0; c < C; c++) {
			float s = f16_to_f32(scale[i * GROUPS + c / G]);
			float o = f16_to_f32(offset[i * GROUPS + c / G]);

			cr_expect_eq(row[c], s * (float)codes[i * C + c] + o);
		}
	}
	guarded_free_all();
}

Test(backends, ref_is_there_and_the_best_has_every_operation)
{
	const struct backend *ref = backend_find("ref"), *best = backend_best();

	cr_assert_not_null(ref);
	cr_expect_null(backend_missing(ref, 0));
	cr_expect_null(backend_find("none"));
	cr_assert_not_null(best);
	cr_expect_str_eq(best->name, "cpu");
	cr_expect(best->products && best->dequant && best->embed && best->gemm && best->rmsnorm &&
		  best->rope && best->attention && best->swiglu && best->add && best->row_stats &&
		  best->kl && best->sq_diff);
	cr_expect(best->score() > ref->score());
}

Test(backends, what_is_no_backend_is_refused_with_a_sentence)
{
	struct err e = { ST_OK, "" };

	cr_expect_eq(backend_open("/nonexistent/libnothing.so", &e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "libnothing"), "%s", e.msg);
	cr_expect_eq(backend_open("libm.so.6", &e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "libm.so.6 is not a backend"), "%s", e.msg);
}

Test(backends, memory_is_zeroed_and_aligned)
{
	for (size_t b = 0; backends()[b]; b++) {
		const struct backend *be = backends()[b];
		unsigned char *p;

		if (!be->host_memory || !be->score())
			continue;
		p = be->alloc(1001);
		cr_assert_not_null(p);
		cr_expect_eq((uintptr_t)p % 64, 0);
		for (size_t i = 0; i < 1001; i++)
			cr_expect_eq(p[i], 0);
		be->free(p);
		cr_expect_null(be->alloc(SIZE_MAX - 1));
		be->free(NULL);
	}
}

Test(backends, the_environment_names_the_path)
{
	setenv("BITDIAL_CPU", "ref", 1);
	cr_expect_str_eq(cpu_leaf()->name, "ref");
	cr_expect(strstr(backend_find("cpu")->path(), "ref (of ref"), "%s",
		backend_find("cpu")->path());
}

Test(backends, a_path_that_is_not_here_is_named_and_the_best_one_runs)
{
	const struct leaf *last = NULL;

	setenv("BITDIAL_CPU", "avx1024", 1);
	for (size_t i = 0; cpu_leaf_at(i); i++)
		last = cpu_leaf_at(i);
	cr_expect_eq(cpu_leaf(), last);
	cr_expect(strstr(backend_find("cpu")->path(), "avx1024 is not here"));
}

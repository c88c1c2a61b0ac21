/* test_base_num.c - checked sizes, random numbers, half floats, SHA-256. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/checked.h"
#include "core/base/clock.h"
#include "core/base/f16.h"
#include "core/base/rng.h"
#include "core/base/sha256.h"
#include "core/base/sink.h"

/* ---- checked.h */

Test(checked, a_sum_that_wraps_is_refused_and_out_stays)
{
	size_t out = 7;

	cr_assert_not(size_add(&out, SIZE_MAX, 1));
	cr_assert_not(size_add(&out, 1, SIZE_MAX));
	cr_assert_not(size_add(&out, SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1));
	cr_assert_eq(out, 7);
	cr_assert(size_add(&out, SIZE_MAX - 1, 1));
	cr_assert_eq(out, SIZE_MAX);
}

Test(checked, a_product_that_wraps_is_refused_and_out_stays)
{
	size_t out = 7;

	cr_assert_not(size_mul(&out, SIZE_MAX, 2));
	cr_assert_not(size_mul(&out, (size_t)1 << 32, (size_t)1 << 32));
	cr_assert_not(size_mul(&out, SIZE_MAX / 3 + 1, 3));
	cr_assert_eq(out, 7);
	cr_assert(size_mul(&out, SIZE_MAX / 3, 3));
	cr_assert_eq(out, SIZE_MAX);
	cr_assert(size_mul(&out, 0, SIZE_MAX));
	cr_assert_eq(out, 0);
	cr_assert(size_mul(&out, SIZE_MAX, 0));
	cr_assert_eq(out, 0);
}

Test(checked, rounding_up_does_not_wrap_to_nothing)
{
	size_t out = 7;

	cr_assert_not(size_align_up(&out, SIZE_MAX, 32));
	cr_assert_not(size_align_up(&out, SIZE_MAX - 30, 32));
	cr_assert_not(size_align_up(&out, 8, 0));
	cr_assert_not(size_align_up(&out, 8, 24));
	cr_assert_eq(out, 7);
	cr_assert(size_align_up(&out, SIZE_MAX - 31, 32));
	cr_assert_eq(out, SIZE_MAX - 31);
	cr_assert(size_align_up(&out, 0, 32));
	cr_assert_eq(out, 0);
	cr_assert(size_align_up(&out, 33, 32));
	cr_assert_eq(out, 64);
}

/* ---- rng.h */

/* From an independent program in Python, for three seeds. */
Test(rng, the_stream_of_a_seed_is_the_published_one)
{
	static const struct {
		uint64_t seed, out[4];
	} golden[] = {
		{ 0, { 0x53175d61490b23df, 0x61da6f3dc380d507, 0x5c0fdf91ec9a7bfc,
			     0x02eebf8c3bbe5e1a } },
		{ 42, { 0xd0764d4f4476689f, 0x519e4174576f3791, 0xfbe07cfb0c24ed8c,
			      0xb37d9f600cd835b8 } },
		{ UINT64_MAX, { 0x56ccf8ce948e27b2, 0xe68588432e5a5b90, 0xe3e9b5a48119ca8b,
				      0x460f19495532ae73 } },
	};

	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
		struct rng r;

		rng_seed(&r, golden[i].seed);
		for (int k = 0; k < 4; k++)
			cr_assert_eq(rng_u64(&r), golden[i].out[k]);
	}
}

Test(rng, normal_numbers_are_those_of_the_polar_method)
{
	static const double golden[] = { 0x1.ac8da7097b412p+0, 0x1.13676381fc58bp-1,
		0x1.353ac93b4003ap+0, 0x1.503885ad1394ep-2 };
	double sum = 0, squares = 0;
	struct rng r;

	rng_seed(&r, 7);
	for (int i = 0; i < 4; i++) {
		double x = rng_normal(&r);

		cr_assert(fabs(x - golden[i]) <= 4e-16 * fabs(golden[i]), "%a", x);
	}
	for (int i = 0; i < 100000; i++) {
		double x = rng_normal(&r);

		sum += x;
		squares += x * x;
	}
	cr_assert_float_eq(sum / 100000, 0, 0.02);
	cr_assert_float_eq(squares / 100000, 1, 0.03);
}

Test(rng, unit_and_below_stay_in_their_ranges_and_reach_all_of_it)
{
	unsigned seen[7] = { 0 };
	struct rng r;

	rng_seed(&r, 1);
	for (int i = 0; i < 70000; i++) {
		double u = rng_unit(&r);
		uint32_t k = rng_below(&r, 7);

		cr_assert(u >= 0 && u < 1);
		cr_assert(k < 7);
		seen[k]++;
	}
	for (int k = 0; k < 7; k++)
		cr_assert(seen[k] > 9500 && seen[k] < 10500, "%d came %u times", k, seen[k]);
	cr_assert_eq(rng_below(&r, 1), 0);
}

/* ---- f16.h */

Test(f16, every_half_comes_back_from_float)
{
	for (uint32_t h = 0; h <= 0xffff; h++) {
		float f = f16_to_f32((uint16_t)h);

		cr_assert_eq(f16_from_f32(f), h, "%04x became %a", h, (double)f);
		cr_assert_eq(bf16_from_f32(bf16_to_f32((uint16_t)h)), h, "bf16 %04x", h);
	}
}

Test(f16, known_values_widen_exactly)
{
	cr_assert_eq(f16_to_f32(0x3c00), 1.0f);
	cr_assert_eq(f16_to_f32(0xc000), -2.0f);
	cr_assert_eq(f16_to_f32(0x7bff), 65504.0f);
	cr_assert_eq(f16_to_f32(0x0001), 0x1p-24f);
	cr_assert_eq(f16_to_f32(0x03ff), 0x3ffp-24f);
	cr_assert_eq(f16_to_f32(0x0400), 0x1p-14f);
	cr_assert(signbit(f16_to_f32(0x8000)) && f16_to_f32(0x8000) == 0);
	cr_assert(isinf(f16_to_f32(0x7c00)));
	cr_assert(isnan(f16_to_f32(0x7e01)));
	cr_assert_eq(bf16_to_f32(0x3f80), 1.0f);
}

/* The nearest half, found by looking at both neighbours in double. */
static uint16_t slow_half(float f)
{
	uint16_t best = 0;
	double a = fabs((double)f), least = INFINITY;

	for (uint16_t h = 0; h < 0x7c00; h++) {
		double d = fabs((double)f16_to_f32(h) - a);

		if (d < least || (d == least && !(h & 1))) {
			least = d;
			best = h;
		}
	}
	return (uint16_t)(best | (signbit(f) ? 0x8000 : 0));
}

Test(f16, narrowing_rounds_to_nearest_even)
{
	static const float tricky[] = { 0x1.002p0f, 0x1.006p0f, 0x1.0021p0f, 0x1p-25f, 0x1.8p-25f,
		0x1.0002p-25f, 0x3p-25f, 0x1.ffcp-15f, 0x1.ffep-15f, 65503.0f, 65519.99f };
	struct rng r;

	for (size_t i = 0; i < sizeof tricky / sizeof *tricky; i++)
		cr_assert_eq(
			f16_from_f32(tricky[i]), slow_half(tricky[i]), "%a", (double)tricky[i]);
	rng_seed(&r, 3);
	for (int i = 0; i < 200; i++) {
		float f = (float)ldexp(rng_unit(&r) - 0.5, (int)rng_below(&r, 42) - 25);

		cr_assert_eq(f16_from_f32(f), slow_half(f), "%a", (double)f);
	}
	cr_assert_eq(f16_from_f32(65520.0f), 0x7c00);
	cr_assert_eq(f16_from_f32(-INFINITY), 0xfc00);
	cr_assert_eq(f16_from_f32(1e-30f), 0);
}

Test(f16, nan_stays_nan_and_bfloat_rounds_to_even)
{
	cr_assert(isnan(f16_to_f32(f16_from_f32(NAN))));
	cr_assert(isnan(bf16_to_f32(bf16_from_f32(NAN))));
	/* A NaN whose payload lies wholly in the bits that are cut off. */
	for (uint32_t bits = 0x7f800001u; bits <= 0x7f800003u; bits++) {
		float f;

		memcpy(&f, &bits, sizeof f);
		cr_assert(isnan(f16_to_f32(f16_from_f32(f))));
		cr_assert(isnan(bf16_to_f32(bf16_from_f32(f))));
	}
	cr_assert_eq(bf16_from_f32(0x1.01p0f), 0x3f80); /* tie, down to even */
	cr_assert_eq(bf16_from_f32(0x1.03p0f), 0x3f82); /* tie, up to even */
	cr_assert_eq(bf16_from_f32(0x1.0101p0f), 0x3f81);
	cr_assert_eq(bf16_from_f32(3.4e38f), 0x7f80);
}

/* ---- sha256.h */

Test(sha256, the_published_vectors_and_every_padding_length)
{
	static const struct {
		size_t n;
		const char *hex;
	} of_a[] = {
		{ 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
		{ 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a" },
		{ 57, "f13b2d724659eb3bf47f2dd6af1accc87b81f09f59f2b75e5c0bed6589dfe8c6" },
		{ 63, "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34" },
		{ 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
		{ 65, "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0" },
		{ 119, "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb" },
		{ 120, "2f3d335432c70b580af0e8e1b3674a7c020d683aa5f73aaaedfdc55af904c21c" },
		{ 128, "6836cf13bac400e9105071cd6af47084dfacad4e5e302c94bfed24e013afb73e" },
	};
	char hex[65], a[128];

	memset(a, 'a', sizeof a);
	sha256_of("", 0, hex);
	cr_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_of("abc", 3, hex);
	cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	for (size_t i = 0; i < sizeof of_a / sizeof *of_a; i++) {
		sha256_of(a, of_a[i].n, hex);
		cr_assert_str_eq(hex, of_a[i].hex, "%zu bytes", of_a[i].n);
	}
}

Test(sha256, the_processors_own_instructions_give_the_same_sum)
{
	unsigned char data[1000];
	char own[65], plain[65];
	struct rng r;

	rng_seed(&r, 9);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)rng_below(&r, 256);
	for (size_t n = 0; n < sizeof data; n += 1 + n / 7) {
		struct sha256 s;

		sha256_of(data, n, own); /* whichever is there */
		sha256_init(&s);
		s.ni = false;
		sha256_add(&s, data, n);
		sha256_hex(&s, plain);
		cr_assert_str_eq(own, plain, "%zu bytes", n);
	}
}

Test(sha256, pieces_of_any_size_give_the_sum_of_the_whole)
{
	static unsigned char data[100000];
	struct sha256 s;
	struct rng r;
	char hex[65];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 % 251);
	rng_seed(&r, 5);
	for (int round = 0; round < 5; round++) {
		size_t at = 0;

		sha256_init(&s);
		while (at < sizeof data) {
			size_t n = rng_below(&r, 200);

			n = n < sizeof data - at ? n : sizeof data - at;
			sha256_add(&s, data + at, n);
			at += n;
		}
		sha256_hex(&s, hex);
		cr_assert_str_eq(
			hex, "96ad0ddabe9c733d4550fde750255a94806811029be67504bd9bd68e556686b9");
	}
}

/* ---- clock.h, sink.h */

static bool say_stop(const struct sink *s)
{
	return *(bool *)s->self;
}

Test(sink, an_absent_sink_never_stops_and_a_present_one_decides)
{
	bool stop = false;
	struct sink empty = { 0 }, s = { .poll = say_stop, .self = &stop };

	cr_assert_not(sink_poll(NULL));
	cr_assert_not(sink_poll(&empty));
	sink_progress(NULL, 1, 2);
	sink_progress(&empty, 1, 2);
	sink_point(NULL, "kl", 1, 2);
	sink_point(&empty, "kl", 1, 2);
	cr_assert_not(sink_poll(&s));
	stop = true;
	cr_assert(sink_poll(&s));
}

Test(clock, time_does_not_run_backwards)
{
	double last = clock_now();

	for (int i = 0; i < 1000; i++) {
		double now = clock_now();

		cr_assert(now >= last);
		last = now;
	}
}

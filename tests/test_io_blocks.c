/* test_io_blocks.c - every element type as float, against tests/golden/blocks.txt. */
#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/fs.h"
#include "core/io/checkpoint.h"

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Hexadecimal up to the next blank; returns what follows it. */
static char *from_hex(char *s, unsigned char *out, size_t *n)
{
	for (*n = 0; *s > ' '; s += 2)
		out[(*n)++] = (unsigned char)(digit(s[0]) << 4 | digit(s[1]));
	return s + 1;
}

static enum dtype type_named(const char *s, size_t n)
{
	for (enum dtype t = DT_F32; t <= DT_Q6_K; t++)
		if (strlen(dtype_name(t)) == n && memcmp(dtype_name(t), s, n) == 0)
			return t;
	cr_assert_fail("no type %.*s", (int)n, s);
	return DT_F32;
}

Test(io_blocks, floats_of_every_type_are_those_of_ggml)
{
	unsigned char block[256], raw[1024];
	unsigned seen[DT_Q6_K + 1] = { 0 };
	struct err e = { 0 };
	char *text, *at;
	size_t n;

	cr_assert_eq(
		fs_read("tests/golden/blocks.txt", 1 << 20, &text, &n, &e), ST_OK, "%s", e.msg);
	for (at = text; *at;) {
		char *blank = strchr(at, ' ');
		struct tensor t = { .dtype = type_named(at, (size_t)(blank - at)), .data = block };
		float want[256], got[256];
		size_t bytes;

		at = from_hex(blank + 1, block, &t.bytes);
		at = from_hex(at, raw, &bytes);
		memcpy(want, raw, bytes);
		cr_assert_eq(t.bytes, dtype_block_bytes(t.dtype));
		cr_assert_eq(bytes / 4, dtype_block(t.dtype));
		tensor_f32(&t, 0, bytes / 4, got);
		for (size_t i = 0; i < bytes / 4; i++)
			cr_assert(memcmp(&got[i], &want[i], 4) == 0 ||
					  (isnan(got[i]) && isnan(want[i])),
				"%s block %u element %zu: %a, not %a", dtype_name(t.dtype),
				seen[t.dtype], i, (double)got[i], (double)want[i]);
		seen[t.dtype]++;
	}
	for (enum dtype t = DT_F16; t <= DT_Q6_K; t++)
		cr_expect(t == DT_U8 || seen[t] >= 4, "%s has no golden blocks", dtype_name(t));
	big_free(text);
}

Test(io_blocks, a_range_begins_at_its_block)
{
	unsigned char data[3 * 34] = { 0 };
	struct tensor t = {
		.dtype = DT_Q8_0, .rank = 1, .dim = { 96 }, .data = data, .bytes = sizeof data
	};
	float y[64];

	for (size_t b = 0; b < 3; b++) {
		data[b * 34] = 0;
		data[b * 34 + 1] = 0x3c; /* 1.0 */
		memset(data + b * 34 + 2, (int)b + 1, 32);
	}
	tensor_f32(&t, 32, 64, y);
	cr_expect_float_eq(y[0], 2, 0);
	cr_expect_float_eq(y[31], 2, 0);
	cr_expect_float_eq(y[32], 3, 0);
	tensor_f32(&t, 96, 0, y);
	cr_expect_float_eq(y[0], 2, 0, "an empty range writes nothing");
}

Test(io_blocks, plain_types_need_no_alignment)
{
	unsigned char data[16] = { 0 };
	struct tensor t = { .dtype = DT_F32, .data = data + 1 };
	float v = 1.5f, y[3];

	memcpy(data + 1, &v, 4);
	tensor_f32(&t, 0, 1, y);
	cr_expect_float_eq(y[0], 1.5, 0);
	t.dtype = DT_U8;
	data[1] = 255;
	tensor_f32(&t, 0, 1, y);
	cr_expect_float_eq(y[0], 255, 0);
	t.dtype = DT_BF16;
	data[1] = 0x80;
	data[2] = 0x3f;
	tensor_f32(&t, 0, 1, y);
	cr_expect_float_eq(y[0], 1, 0);
	t.dtype = DT_F16;
	data[3] = 0x00;
	data[4] = 0xc0;
	tensor_f32(&t, 1, 1, y);
	cr_expect_float_eq(y[0], -2, 0);
}

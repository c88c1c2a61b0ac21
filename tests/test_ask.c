/* test_ask.c - what a person may type as a budget, and what is said of anything else. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/work/ask.h"

static const struct {
	const char *text;
	enum ask_what what;
	double value;
} good[] = {
	{ "2.9", ASK_BPW, 2.9 },
	{ " 4 ", ASK_BPW, 4 },
	{ ".5", ASK_BPW, 0.5 },
	{ "4.25bpw", ASK_BPW, 4.25 },
	{ "4.25 bpw", ASK_BPW, 4.25 },
	{ "+0.05", ASK_STEP, 0.05 },
	{ "-0.5", ASK_STEP, -0.5 },
	{ "-0.5 bpw", ASK_STEP, -0.5 },
	{ "120MiB", ASK_BYTES, 120.0 * 1048576 },
	{ "120 MB", ASK_BYTES, 120e6 },
	{ "1.2GiB", ASK_BYTES, 1.2 * 1073741824 },
	{ "1.2gb", ASK_BYTES, 1.2e9 },
	{ "64KiB", ASK_BYTES, 65536 },
	{ "64kB", ASK_BYTES, 64000 },
	{ "1000000 B", ASK_BYTES, 1e6 },
	{ "file 150MiB", ASK_FILE, 150.0 * 1048576 },
	{ "file  1 GB", ASK_FILE, 1e9 },
	{ "kl<=0.2", ASK_KL, 0.2 },
	{ "KL <= 1e-3", ASK_KL, 1e-3 },
	{ "kl<=0", ASK_KL, 0 },
	{ "60tok/s", ASK_SPEED, 60 },
	{ "60.5 tok/s", ASK_SPEED, 60.5 },
};

Test(ask, every_face_of_the_budget_is_understood)
{
	struct err e;
	struct ask a;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		cr_assert_eq(ask_parse(&a, good[i].text, &e), ST_OK, "%s: %s", good[i].text, e.msg);
		cr_assert_eq(a.what, good[i].what, "%s", good[i].text);
		cr_assert_float_eq(a.value, good[i].value, fabs(good[i].value) * 1e-12, "%s: %.17g",
			good[i].text, a.value);
	}
}

static const struct {
	const char *text, *says;
} bad[] = {
	{ "", "expected 4.25, +0.05, 120MiB, file 150MiB, kl<=0.02 or 60tok/s" },
	{ "many", "or 60tok/s, got \"many\"" },
	{ "inf", "got \"inf\"" },
	{ "nan", "got \"nan\"" },
	{ "+inf", "got \"+inf\"" },
	{ "0x10", "got \"0x10\"" },
	{ "1e999", "got \"1e999\"" },
	{ "-", "got \"-\"" },
	{ ".", "got \".\"" },
	{ "0", "expected more than 0" },
	{ "0MiB", "expected more than 0" },
	{ "0tok/s", "expected more than 0" },
	{ "0.1B", "expected from 1 B to" },
	{ "9e17GiB", "expected from 1 B to" },
	{ "4 parsec", "unit \"parsec\" is none of bpw, kB, MB, GB, KiB, MiB, GiB, B and tok/s" },
	{ "4.25 4.5", "unit \"4.5\"" },
	{ "4MiBs", "unit \"MiBs\"" },
	{ "+5MiB", "a step is in bits a weight" },
	{ "-3tok/s", "a step is in bits a weight" },
	{ "kl", "expected kl<= and nats" },
	{ "kl<0.2", "such as kl<=0.02, got \"kl<0.2\"" },
	{ "kl>=0.2", "expected kl<=" },
	{ "kl<=", "expected kl<=" },
	{ "kl<=-1", "nats of 0 or more" },
	{ "kl<=x", "expected kl<=" },
	{ "kl<=0.2 nats", "expected kl<=" },
	{ "file", "such as file 150MiB, got \"file\"" },
	{ "file 4.25", "expected file and bytes" },
	{ "file -3MiB", "expected file and bytes" },
	{ "file +3MiB", "expected file and bytes" },
	{ "file 3tok/s", "expected file and bytes" },
	{ "filet", "expected file and bytes" },
};

Test(ask, anything_else_is_one_sentence_that_says_what_was_expected)
{
	struct ask a;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err e = { 0 };

		cr_assert_neq(ask_parse(&a, bad[i].text, &e), ST_OK, "\"%s\"", bad[i].text);
		cr_assert(strstr(e.msg, bad[i].says), "\"%s\": %s", bad[i].text, e.msg);
		cr_assert(strncmp(e.msg, "budget: ", 8) == 0, "%s", e.msg);
		cr_assert_null(strchr(e.msg, '\n'));
	}
}

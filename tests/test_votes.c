/* test_votes.c - votes written, read back from files in any state, and what they can tell. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/votes.h"
#include "tests/lib_base.h"

static struct err e;

static void ok(enum st st)
{
	cr_assert_eq(st, ST_OK, "%s", e.msg);
}

static struct vote vote(const char *a, double a_bpw, const char *b, double b_bpw,
	enum vote_winner winner, bool blind)
{
	struct vote v = { .bpw = { a_bpw, b_bpw }, .winner = winner, .blind = blind };

	snprintf(v.id[0], sizeof v.id[0], "%s", a);
	snprintf(v.id[1], sizeof v.id[1], "%s", b);
	snprintf(v.prompt, sizeof v.prompt, "0123456789abcdef");
	v.sampler = sampler_default;
	v.sampler.seed = UINT64_MAX; /* more than a double holds */
	return v;
}

Test(votes, they_come_back_counted_by_pair_whichever_side_was_a)
{
	char *path = xprintf("%s/new/folder/chat.ndjson", tmp_dir()), *text;
	struct vote v[] = { vote("aaaaaaaa", 3, "bbbbbbbb", 4, VOTED_B, true),
		vote("bbbbbbbb", 4, "aaaaaaaa", 3, VOTED_A, true), /* the same one won */
		vote("aaaaaaaa", 3, "bbbbbbbb", 4, VOTED_A, false),
		vote("bbbbbbbb", 4, "aaaaaaaa", 3, VOTED_TIE, false),
		vote("aaaaaaaa", 3, "bbbbbbbb", 4, VOTED_BAD, true),
		vote("aaaaaaaa", 3, "cccccccc", 4, VOTED_B, false) };
	struct snap_votes *s;
	size_t len;

	ok(votes_count(&s, path, &e));
	cr_assert_eq(s->n, 0, "no file is no vote");
	snap_unref(&s->snap);
	for (size_t i = 0; i < sizeof v / sizeof *v; i++)
		ok(votes_append(path, &v[i], &e));
	ok(fs_read(path, 1 << 20, &text, &len, &e));
	cr_assert(strstr(text, "\"seed\":\"18446744073709551615\""), "%s", text);
	cr_assert(strstr(text, "\"prompt\":\"0123456789abcdef\""), "%s", text);
	big_free(text);
	ok(votes_count(&s, path, &e));
	cr_assert_eq(s->n, 2);
	cr_assert_eq(s->strange, 0);
	cr_assert_str_eq(s->pair[0].id[0], "aaaaaaaa");
	cr_assert_str_eq(s->pair[0].id[1], "bbbbbbbb");
	cr_assert_eq(s->pair[0].bpw[1], 4);
	cr_assert_eq(s->pair[0].won[0], 1);
	cr_assert_eq(s->pair[0].won[1], 2);
	cr_assert_eq(s->pair[0].tie, 1);
	cr_assert_eq(s->pair[0].bad, 1);
	cr_assert_eq(s->pair[0].blind, 3);
	cr_assert_eq(s->pair[1].won[1], 1);
	snap_unref(&s->snap);
	xfree(path);
}

Test(votes, a_damaged_file_loses_only_the_damaged_lines)
{
	static const char strange[] =
		"\n"
		"not json\n"
		"[1,2]\n"
		"{\"v\":1}\n"
		"{\"v\":2,\"ev\":\"vote\"}\n"
		"{\"v\":1,\"ev\":\"said\",\"text\":\"of another kind, and welcome\"}\n"
		"{\"v\":1,\"ev\":\"vote\",\"a\":{\"id\":\"aaaaaaaa\",\"bpw\":3}}\n"
		"{\"v\":1,\"ev\":\"vote\",\"a\":{\"id\":\"AAAAAAAA\",\"bpw\":3},\"b\":{\"id\":"
		"\"bbbbbbbb\","
		"\"bpw\":4},\"winner\":\"a\",\"blind\":true}\n"
		"{\"v\":1,\"ev\":\"vote\",\"a\":{\"id\":\"aaaaaaaa\",\"bpw\":-3},\"b\":{\"id\":"
		"\"bbbbbbbb\","
		"\"bpw\":4},\"winner\":\"a\",\"blind\":true}\n"
		"{\"v\":1,\"ev\":\"vote\",\"a\":{\"id\":\"aaaaaaaa\",\"bpw\":3},\"b\":{\"id\":"
		"\"bbbbbbbb\","
		"\"bpw\":4},\"winner\":\"c\",\"blind\":true}\n"
		"{\"v\":1,\"ev\":\"vote\",\"a\":{\"id\":\"aaaaaaaa\",\"bpw\":3},\"b\":{\"id\":"
		"\"bbbbbbbb\","
		"\"bpw\":4},\"winner\":\"a\",\"blind\":true,\"later\":1}\n"
		"\xff\xfe\n";
	const char *path = tmp_path("chat.ndjson");
	struct vote v = vote("aaaaaaaa", 3, "bbbbbbbb", 4, VOTED_B, true);
	struct snap_votes *s;
	char *text;
	size_t len;

	tmp_write(path, strange, sizeof strange - 1);
	ok(votes_count(&s, path, &e));
	cr_assert_eq(s->n, 1);
	cr_assert_eq(s->pair[0].won[0], 1);
	cr_assert_eq(s->strange, 10);
	snap_unref(&s->snap);
	/* cut anywhere, the next vote still counts */
	ok(votes_append(path, &v, &e));
	ok(fs_read(path, 1 << 20, &text, &len, &e));
	for (size_t cut = sizeof strange - 1; cut < len; cut += 7) {
		tmp_write(path, text, cut);
		ok(votes_count(&s, path, &e));
		cr_assert_eq(s->pair[0].won[1], 0, "cut at %zu", cut);
		snap_unref(&s->snap);
		ok(votes_append(path, &v, &e));
		ok(votes_count(&s, path, &e));
		cr_assert_eq(s->pair[0].won[1], 1, "cut at %zu", cut);
		snap_unref(&s->snap);
	}
	big_free(text);
}

Test(votes, a_full_disk_is_a_sentence_and_the_votes_before_stay)
{
	const char *path = tmp_path("chat.ndjson");
	struct vote v = vote("aaaaaaaa", 3, "bbbbbbbb", 4, VOTED_B, true);
	struct snap_votes *s;

	ok(votes_append(path, &v, &e));
	for (unsigned long n = 1; n < 20; n++) {
		unsigned long before = fs_count();
		enum st st;

		fs_fail_at(n, 28); /* ENOSPC */
		st = votes_append(path, &v, &e);
		fs_fail_at(0, 0);
		if (!st && fs_count() - before < n)
			break;
		if (st)
			cr_assert(strstr(e.msg, "chat.ndjson"), "%s", e.msg);
	}
	ok(votes_count(&s, path, &e));
	cr_assert_eq(s->strange, 0);
	cr_assert_geq(s->pair[0].won[1], 2);
	snap_unref(&s->snap);
}

/* From the formula by hand, and as textbooks print them. */
Test(votes, the_interval_is_wilsons)
{
	double lo, hi, z = 1.959963984540054;

	wilson(0, 0, &lo, &hi);
	cr_assert(lo == 0 && hi == 1);
	wilson(3, 5, &lo, &hi);
	cr_assert_float_eq(lo, 0.2307, 1e-4, "%g", lo);
	cr_assert_float_eq(hi, 0.8824, 1e-4, "%g", hi);
	wilson(0, 10, &lo, &hi);
	cr_assert_eq(lo, 0);
	cr_assert_float_eq(hi, 0.2775, 1e-4, "%g", hi);
	wilson(10, 10, &lo, &hi);
	cr_assert_float_eq(lo, 0.7225, 1e-4, "%g", lo);
	cr_assert_eq(hi, 1);
	/* its ends p solve |k/n - p| = z sqrt(p (1 - p) / n) */
	for (size_t k = 1; k < 40; k++) {
		wilson(k, 40, &lo, &hi);
		cr_assert_float_eq(k / 40.0 - lo, z * sqrt(lo * (1 - lo) / 40), 1e-12);
		cr_assert_float_eq(hi - k / 40.0, z * sqrt(hi * (1 - hi) / 40), 1e-12);
	}
}

Test(votes, five_of_five_against_chance_and_four_of_five_not)
{
	double lo, hi;

	wilson(5, 5, &lo, &hi);
	cr_assert_gt(lo, 0.5);
	wilson(4, 5, &lo, &hi);
	cr_assert_lt(lo, 0.5);
}

Test(votes, a_models_file_has_a_name_without_surprises)
{
	char *path, sha[65];

	memset(sha, 'a', 64);
	sha[64] = 0;
	setenv("XDG_DATA_HOME", "/data", 1);
	path = votes_path("../My model\n", sha);
	cr_assert_str_eq(path, "/data/bitdial/chats/..-My-model--aaaaaaaa/chat.ndjson");
	xfree(path);
}

Test(votes, a_layout_is_known_by_its_formats)
{
	struct format f[3] = { { .bits = 2, .group = 64 }, { .bits = 4, .group = 128 },
		{ .bits = 8, .group = 128 } },
		      g[2] = { { .bits = 4, .group = 128 }, { .bits = 2, .group = 64 } };
	uint8_t a[4] = { 0, 1, 1, 0 }, b[4] = { 1, 0, 0, 1 }, c[4] = { 0, 1, 1, 2 };
	char x[9], y[9];

	votes_layout_id(x, f, a, 4);
	votes_layout_id(y, g, b, 4);
	cr_assert_str_eq(x, y, "however the dial numbers them");
	votes_layout_id(y, f, c, 4);
	cr_assert_str_neq(x, y);
}

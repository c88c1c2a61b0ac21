/* test_tokenizer_long.c - texts of megabytes: the same ids as from their pieces, stopped in the
 * middle of anything, and how far it is.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/text/pretok.h"
#include "core/text/tok.h"
#include "tests/lib_text.h"

static const char *const marks[] = { "<|im_start|>", NULL };

/* What a poll sees; stops at the given one. */
struct watch {
	struct sink sink;
	int polls, stop_at;
	double done, total;
};

static bool poll(const struct sink *s)
{
	struct watch *w = s->self;

	return ++w->polls == w->stop_at;
}

static void progress(const struct sink *s, double done, double total)
{
	struct watch *w = s->self;

	cr_assert_geq(done, w->done);
	cr_assert_leq(done, total);
	w->done = done;
	w->total = total;
}

static void look(struct watch *w, int stop_at)
{
	*w = (struct watch){ .sink = { .poll = poll, .progress = progress, .self = w },
		.stop_at = stop_at };
}

/* Words, numbers, line ends, blanks, letters of two and three bytes, and marks that compose. */
static char *long_text(size_t n)
{
	static const char *const bit[] = { " ", "  ", "\n", "\r\n\n", "word", "It's", "42", "7",
		"...", "!", "\xc3\xa9", "\xe4\xb8\xad", "\xe3\x80\x80", "e\xcc\x81", "'", "\t",
		" the", " of", "\xff" };
	char *s = big_alloc(n + 8, "text", NULL);
	size_t at = 0;
	struct rng r;

	rng_seed(&r, 5);
	while (at < n) {
		const char *b = bit[rng_below(&r, sizeof bit / sizeof *bit)];

		memcpy(s + at, b, strlen(b));
		at += strlen(b);
	}
	memset(s + n, 0, 8);
	return s;
}

static void open_with(struct text_fixture *f, enum vocab_pre pre, bool nfc)
{
	struct vocab *v;

	arena_init(&f->arena, 0);
	v = text_bytes_vocab(&f->arena, marks);
	v->pre = pre;
	v->nfc = nfc;
	text_open_vocab(f, v);
}

Test(tokenizer_long, parts_are_scanned_as_the_whole_would_be)
{
	static const enum vocab_pre all[] = { PRE_GPT2, PRE_LLAMA3, PRE_QWEN2, PRE_SMOLLM };
	const size_t n = 5 << 20;
	char *s = long_text(n);

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct pretok whole, part;
		size_t ends = 0;

		pretok_init(&whole, all[i], s, n);
		for (size_t at = 0, end; at < n; at = end) {
			size_t a, b, la, lb;

			end = tok_part_end(s, n, at);
			ends++;
			pretok_init(&part, all[i], s + at, end - at);
			while (pretok_next(&part, &b, &lb)) {
				cr_assert(pretok_next(&whole, &a, &la));
				cr_assert(a == at + b && la == lb, "scanner %zu at %zu", i, a);
			}
		}
		cr_assert_geq(ends, 4, "it is cut");
	}
	big_free(s);
}

Test(tokenizer_long, normalised_in_parts_it_is_what_it_would_be_as_a_whole)
{
	const size_t n = 2 << 20;
	char *s = long_text(n), *out, *one;
	struct tok_pace pace = { 0 };
	size_t len, at = 0, k;
	struct err e;

	cr_assert_eq(tok_nfc(s, n, &out, &len, &pace, &e), ST_OK);
	cr_assert_not_null(out);
	cr_assert_lt(len, n);
	for (size_t from = 0, end; from < n; from = end) { /* lines: another cut */
		const char *nl = memchr(s + from, '\n', n - from);

		end = nl ? (size_t)(nl - s) + 1 : n;
		cr_assert_eq(tok_nfc(s + from, end - from, &one, &k, &pace, &e), ST_OK);
		cr_assert(
			at + k <= len && !memcmp(out + at, one ? one : s + from, k), "at %zu", at);
		at += k;
		big_free(one);
	}
	cr_assert_eq(at, len);
	big_free(out);
	big_free(s);
}

/* Stops at each of some polls, and counts them without a stop. */
static void stopped_anywhere(const struct tokenizer *t, const char *s, size_t n, int least)
{
	struct tok_ids ids = { 0 };
	struct watch w;
	struct err e = { 0 };
	int polls;

	look(&w, 0);
	cr_assert_eq(tokenizer_encode_long(t, s, n, &ids, &w.sink, &e), ST_OK, "%s", e.msg);
	cr_assert_geq(w.polls, least);
	cr_assert_float_eq(w.done, (double)n, 0);
	cr_assert_float_eq(w.total, (double)n, 0);
	polls = w.polls;
	for (int at = 1; at < polls; at = at * 3 + 1) {
		look(&w, at);
		ids.n = 0;
		cr_assert_eq(tokenizer_encode_long(t, s, n, &ids, &w.sink, &e), ST_CANCELLED);
		cr_assert_str_eq(e.msg, "stopped");
		cr_assert_eq(w.polls, at, "it left off at once");
	}
	tok_ids_release(&ids);
}

Test(tokenizer_long, it_stops_within_some_kilobytes_wherever_it_is)
{
	const size_t n = 3 << 20;
	struct text_fixture f;
	char *s = long_text(n);

	open_with(&f, PRE_SMOLLM, true);
	stopped_anywhere(f.tok, s, n, 3 << 5); /* one in 32 kB, and those of the normaliser */
	text_close(&f);
	open_with(&f, PRE_LLAMA3, false);
	memset(s, 'a', n); /* one piece */
	stopped_anywhere(f.tok, s, n, 3 << 5);
	text_close(&f);
	open_with(&f, PRE_NONE, false);
	stopped_anywhere(f.tok, s, n, 3 << 5);
	text_close(&f);
	big_free(s);
}

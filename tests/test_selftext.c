/* test_selftext.c - text the model writes: the same whatever is asked for beside it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/selftext.h"
#include "tests/lib_model.h"

static void more(struct token_text *t, const struct model *m, uint64_t seed, size_t n)
{
	struct err e = { 0 };

	cr_assert_eq(selftext_more(t, m, seed, NULL, 0, n, NULL, &e), ST_OK, "%s", e.msg);
}

Test(selftext, a_sequence_depends_on_its_seed_and_number_only)
{
	static const char *const backend[] = { "ref", "cpu" };
	size_t b;

	for (b = 0; b < 2; b++) {
		struct model *m = lib_demo(backend[b], 1);
		struct token_text once = { .len = 12 }, bits = { .len = 12 }, other = { .len = 12 };

		more(&once, m, 5, 11);
		more(&bits, m, 5, 3);
		more(&bits, m, 5, 1);
		more(&bits, m, 5, 6);
		more(&bits, m, 5, 1);
		more(&other, m, 6, 11);
		cr_assert_eq(once.n_seq, 11);
		cr_assert_eq(bits.n_seq, 11);
		cr_assert_arr_eq(once.id, bits.id, 11 * 12 * sizeof *once.id);
		cr_assert_neq(memcmp(once.id, other.id, 11 * 12 * sizeof *once.id), 0);
		cr_assert_neq(memcmp(once.id, once.id + 12, 12 * sizeof *once.id), 0);
		token_text_release(&once);
		token_text_release(&bits);
		token_text_release(&other);
		model_free(m);
	}
}

Test(selftext, a_start_conditions_the_text_and_is_not_part_of_it)
{
	struct model *m = lib_demo("cpu", 1);
	struct token_text a = { .len = 1 }, b = { .len = 1 };
	const int32_t q[] = { 'a', 'n' };
	size_t i, n = 0;

	cr_assert_eq(selftext_more(&a, m, 1, q, 2, 64, NULL, NULL), ST_OK);
	more(&b, m, 1, 64);
	for (i = 0; i < 64; i++)
		n += a.id[i] != b.id[i];
	cr_assert_gt(n, 30, "only %zu of 64 first letters differ", n);
	token_text_release(&a);
	token_text_release(&b);
	model_free(m);
}

Test(selftext, a_stop_keeps_whole_rounds)
{
	struct model *m = lib_demo("cpu", 1);
	struct token_text t = { .len = 4 }, want = { .len = 4 };
	struct lib_stop s;

	lib_stop_init(&s, 0);
	cr_assert_eq(selftext_more(&want, m, 1, NULL, 0, 16, &s.sink, NULL), ST_OK);
	lib_stop_init(&s, s.polls - 3);
	cr_assert_eq(selftext_more(&t, m, 1, NULL, 0, 16, &s.sink, NULL), ST_CANCELLED);
	cr_assert_eq(t.n_seq, 8);
	more(&t, m, 1, 8);
	cr_assert_arr_eq(t.id, want.id, 16 * 4 * sizeof *t.id);
	token_text_release(&t);
	token_text_release(&want);
	model_free(m);
}

Test(selftext, sequences_longer_than_the_context_are_refused)
{
	struct model *m = lib_demo("ref", 1);
	struct token_text t = { .len = 2048 };
	struct err e = { 0 };

	cr_assert_eq(selftext_more(&t, m, 1, NULL, 0, 1, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "2049 tokens a sequence exceed the model's context of 2048");
	cr_assert_eq(t.n_seq, 0);
	token_text_release(&t);
	model_free(m);
}

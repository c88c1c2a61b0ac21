/* test_pack.c - batches of windows, sides, and what is left out. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/text/pack.h"
#include "tests/lib_base.h"
#include "tests/lib_text.h"

/* A model of 256 bytes and an end token: an id is a byte. */
struct bytes {
	struct text_fixture f;
	struct pack_how how;
};

static void bytes_open(struct bytes *b, size_t window)
{
	static const char *const special[] = { "</s>", "<s>", NULL };
	struct vocab *v;

	arena_init(&b->f.arena, 0);
	v = text_bytes_vocab(&b->f.arena, special);
	v->eos = 256;
	text_open_vocab(&b->f, v);
	b->how = (struct pack_how){ .tok = b->f.tok, .window = window, .seed = 7 };
}

static struct pack *read_as(
	const struct bytes *b, const char *name, const char *s, enum st want, struct err *e)
{
	const char *path = tmp_path(name);
	struct dataset *d;
	struct pack *p;

	tmp_write(path, s, strlen(s));
	cr_assert_eq(dataset_open(&d, path, 0, e), ST_OK, "%s", e->msg);
	cr_assert_eq(pack_read(&p, d, &b->how, NULL, e), want, "%s", e->msg);
	dataset_close(d);
	return p;
}

/* Rows whose answers are of 1 to 24 letters, each another; xfree. */
static char *many_rows(size_t n)
{
	char *s = xalloc(n * 80 + 1), *at = s;

	for (size_t i = 0; i < n; i++)
		at += snprintf(at, 80, "{\"prompt\": \"%zu?\", \"completion\": \"%.*s\"}\n", i,
			(int)(1 + i * 7 % 24), "abcdefghijklmnopqrstuvwxyz");
	return s;
}

Test(pack, a_short_row_gives_the_labels_of_its_answer)
{
	static const int32_t ids[] = { 'h', 'i', '\n', 'y', 'o' },
			     labels[] = { -1, -1, 'y', 'o', 256 };
	struct pack_place place = { 0 };
	struct pack_batch got = { 0 };
	struct bytes b;
	struct pack *p;
	struct err e;

	bytes_open(&b, 8);
	p = read_as(&b, "a.jsonl", "{\"prompt\":\"hi\",\"completion\":\"yo\"}\n", ST_OK, &e);
	cr_assert_eq(pack_next(p, &place, 2, &got, &e), ST_OK, "%s", e.msg);
	cr_assert(got.rows == 10 && got.n_spans == 2 && got.n_windows == 2 && got.labelled == 6);
	for (size_t i = 0; i < 10; i++) {
		cr_expect_eq(got.ids[i], ids[i % 5]);
		cr_expect_eq(got.labels[i], labels[i % 5]);
	}
	cr_expect(got.spans[1].start == 5 && got.spans[1].rows == 5);
	cr_expect(got.windows[1].row == 5 && got.windows[1].span == 1);
	cr_expect(place.epoch == 2 && place.at == 0, "one row: an epoch a window");
	pack_batch_release(&got);
	pack_free(p);
	text_close(&b.f);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sequences of an epoch as text, sorted; checks windows and spans on the way. */
static size_t epoch_texts(struct pack *p, uint64_t epoch, size_t window, char **out)
{
	struct pack_place place = { .epoch = epoch };
	struct pack_batch b = { 0 };
	size_t n = 0, labelled = 0;
	struct err e;

	while (place.epoch == epoch) {
		cr_assert_eq(pack_next(p, &place, 1, &b, &e), ST_OK, "%s", e.msg);
		cr_assert(b.n_windows == 1 && b.rows && b.rows <= window);
		cr_assert_eq(b.windows[1].row, b.rows);
		labelled += b.labelled;
		for (size_t i = 0, at = 0; i < b.n_spans; i++) {
			const struct pack_span *k = &b.spans[i];
			char *s = xalloc(k->rows + 1);

			cr_assert_eq(k->start, at);
			at += k->rows;
			for (size_t j = 0; j < k->rows; j++)
				s[j] = (char)b.ids[k->start + j];
			cr_assert_eq(b.labels[at - 1], 256, "each ends with eos");
			out[n++] = s;
		}
	}
	cr_expect_eq(labelled, pack_counts(p)->labelled);
	qsort(out, n, sizeof *out, by_id);
	pack_batch_release(&b);
	return n;
}

Test(pack, an_epoch_gives_every_row_once_in_another_order)
{
	enum { N = 300 };
	char *rows = many_rows(N), *one[N], *two[N];
	struct pack_place a = { 0 }, c = { .epoch = 1 };
	struct pack_batch x = { 0 }, y = { 0 };
	size_t windows, used;
	struct bytes b;
	struct pack *p;
	struct err e;

	bytes_open(&b, 40);
	p = read_as(&b, "a.jsonl", rows, ST_OK, &e);
	cr_assert_eq(epoch_texts(p, 0, 40, one), N);
	cr_assert_eq(epoch_texts(p, 1, 40, two), N);
	for (size_t i = 0; i < N; i++) {
		cr_expect_str_eq(one[i], two[i]);
		cr_expect(!i || strcmp(one[i - 1], one[i]), "once");
	}
	cr_assert_eq(pack_windows(p, 0, &windows, &e), ST_OK);
	used = pack_counts(p)->tokens;
	cr_expect_leq(windows, used / 40 + used / 400, "%zu windows of 40 for %zu", windows, used);
	cr_assert_eq(pack_next(p, &a, 4, &x, &e), ST_OK);
	cr_assert_eq(pack_next(p, &c, 4, &y, &e), ST_OK);
	cr_expect(x.rows != y.rows || memcmp(x.ids, y.ids, x.rows * sizeof *x.ids));
	for (size_t i = 0; i < N; i++) {
		xfree(one[i]);
		xfree(two[i]);
	}
	pack_batch_release(&x);
	pack_batch_release(&y);
	pack_free(p);
	text_close(&b.f);
	xfree(rows);
}

static bool same_batch(const struct pack_batch *a, const struct pack_batch *b)
{
	return a->rows == b->rows && a->n_spans == b->n_spans && a->labelled == b->labelled &&
	       a->n_windows == b->n_windows && !memcmp(a->ids, b->ids, a->rows * sizeof *a->ids) &&
	       !memcmp(a->labels, b->labels, a->rows * sizeof *a->labels) &&
	       !memcmp(a->spans, b->spans, a->n_spans * sizeof *a->spans) &&
	       !memcmp(a->windows, b->windows, (a->n_windows + 1) * sizeof *a->windows);
}

Test(pack, a_run_resumes_at_any_window_with_the_same_batches)
{
	char *rows = many_rows(90);
	struct pack_place place = { 0 };
	struct pack_batch x = { 0 }, y = { 0 };
	struct pack *p, *q;
	struct bytes b;
	struct err e;

	bytes_open(&b, 40);
	b.how.held = 0.1;
	p = read_as(&b, "a.jsonl", rows, ST_OK, &e);
	q = read_as(&b, "b.jsonl", rows, ST_OK, &e);
	cr_expect_str_eq(pack_sha256(p), pack_sha256(q));
	while (place.epoch < 3) {
		struct pack_place again = place, other = { 5, 1 };

		cr_assert_eq(pack_next(p, &place, 4, &x, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(pack_next(q, &other, 1, &y, &e), ST_OK, "%s", e.msg);
		cr_assert_eq(pack_next(q, &again, 4, &y, &e), ST_OK, "%s", e.msg);
		cr_expect(same_batch(&x, &y));
		cr_expect(again.epoch == place.epoch && again.at == place.at);
	}
	place.at = 1000;
	cr_expect_eq(pack_next(p, &place, 1, &x, &e), ST_INVALID);
	cr_expect(strstr(e.msg, "is the data still the same"), "%s", e.msg);
	cr_expect_eq(place.at, 1000);
	pack_free(q);
	b.how.seed++;
	q = read_as(&b, "b.jsonl", rows, ST_OK, &e);
	cr_expect_str_neq(pack_sha256(p), pack_sha256(q));
	place = (struct pack_place){ 0 };
	cr_assert_eq(pack_next(q, &place, 4, &y, &e), ST_OK);
	place = (struct pack_place){ 0 };
	cr_assert_eq(pack_next(p, &place, 4, &x, &e), ST_OK);
	cr_expect(!same_batch(&x, &y), "another seed, another order");
	pack_free(p);
	pack_free(q);
	pack_batch_release(&x);
	pack_batch_release(&y);
	text_close(&b.f);
	xfree(rows);
}

/* ---- sides */

/* What is held out, one text behind the other; xfree. */
static char *held_texts(struct pack *p)
{
	struct pack_batch b = { 0 };
	char *s = xalloc(1 << 16);
	size_t at = 0, n = 0;
	struct err e;

	do {
		cr_assert_eq(pack_held(p, &at, 3, &b, &e), ST_OK, "%s", e.msg);
		for (size_t i = 0; i < b.rows; i++)
			s[n++] = (char)b.ids[i];
	} while (b.n_windows);
	pack_batch_release(&b);
	return s;
}

Test(pack, what_is_held_out_its_content_alone_decides)
{
	char *rows = many_rows(200), *twice = xprintf("%s%s", rows, rows), *one, *two;
	struct pack *p, *q;
	struct bytes b;
	struct err e;

	bytes_open(&b, 40);
	b.how.held = 0.2;
	p = read_as(&b, "a.jsonl", rows, ST_OK, &e);
	cr_expect(pack_counts(p)->held > 20 && pack_counts(p)->held < 60, "%llu",
		(unsigned long long)pack_counts(p)->held);
	cr_expect_eq(pack_counts(p)->held + pack_counts(p)->sequences, 200);
	b.how.seed = 99;
	q = read_as(&b, "b.jsonl", rows, ST_OK, &e);
	one = held_texts(p);
	two = held_texts(q);
	cr_expect_str_eq(one, two, "another seed holds out the same");
	pack_free(q);
	q = read_as(&b, "c.jsonl", twice, ST_OK, &e);
	cr_expect_eq(pack_counts(q)->held, 2 * pack_counts(p)->held);
	cr_expect_eq(pack_counts(q)->held_labelled, 2 * pack_counts(p)->held_labelled);
	pack_free(p);
	pack_free(q);
	text_close(&b.f);
	xfree(one);
	xfree(two);
	xfree(rows);
	xfree(twice);
}

Test(pack, samples_lie_evenly_over_the_file_and_what_is_held_out_stays_the_same)
{
	char *text = many_rows(60), all[65], some[65];
	struct pack_batch x = { 0 };
	struct pack *whole, *p;
	struct err e = { 0 };
	size_t n, at = 0;
	struct bytes b;

	bytes_open(&b, 64);
	b.how.held = 0.2;
	whole = read_as(&b, "rows.jsonl", text, ST_OK, &e);
	n = (size_t)pack_counts(whole)->sequences;
	b.how.samples = 10;
	p = read_as(&b, "rows.jsonl", text, ST_OK, &e);
	cr_expect_eq(pack_counts(p)->sequences, 10);
	cr_expect_eq(pack_counts(p)->held_sequences, pack_counts(whole)->held_sequences);
	cr_assert_eq(pack_in_order(p, &at, 10, 640, &x, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(at, 10);
	for (size_t i = 0; i < x.n_spans; i++)
		cr_expect(x.spans[i].seq == i && x.spans[i].rows == pack_rows(p, i));
	/* of the last tenth is one, too */
	cr_expect_eq(pack_rows(p, 9), pack_rows(whole, n - 1));
	pack_train_sha256(whole, all);
	pack_train_sha256(p, some);
	cr_expect_str_neq(all, some);
	pack_free(p);
	b.how.samples = n + 5;
	b.how.seed = 9;
	b.how.all = true;
	p = read_as(&b, "rows.jsonl", text, ST_OK, &e);
	pack_train_sha256(p, some);
	cr_expect_str_eq(all, some, "neither the seed nor what is learned of it counts");
	pack_free(p);
	pack_free(whole);
	pack_batch_release(&x);
	xfree(text);
	text_close(&b.f);
}

Test(pack, a_share_of_one_holds_out_every_row)
{
	char *rows = many_rows(9);
	struct pack_place place = { 0 };
	struct pack_batch got = { 0 };
	struct bytes b;
	struct pack *p;
	struct err e;

	bytes_open(&b, 64);
	b.how.held = 1;
	p = read_as(&b, "a.jsonl", rows, ST_OK, &e);
	cr_expect_eq(pack_counts(p)->held, 9);
	cr_expect_eq(pack_counts(p)->sequences, 0);
	cr_expect_eq(pack_next(p, &place, 1, &got, &e), ST_INVALID);
	pack_batch_release(&got);
	pack_free(p);
	xfree(rows);
	text_close(&b.f);
}

Test(pack, of_two_rows_one_is_held_out_and_of_one_none)
{
	static const char two[] = "{\"prompt\":\"a\",\"completion\":\"b\"}\n"
				  "{\"prompt\":\"c\",\"completion\":\"d\"}\n";
	static const double shares[] = { 1e-300, 0.001, 0.5, 0.999 };
	struct bytes b;
	struct pack *p;
	struct err e;

	bytes_open(&b, 8);
	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
		b.how.held = shares[i];
		p = read_as(&b, "a.jsonl", two, ST_OK, &e);
		cr_expect_eq(pack_counts(p)->held, 1);
		cr_expect_eq(pack_counts(p)->sequences, 1);
		pack_free(p);
		p = read_as(&b, "b.jsonl", "{\"prompt\":\"a\",\"completion\":\"b\"}", ST_OK, &e);
		cr_expect_eq(pack_counts(p)->held, 0);
		pack_free(p);
	}
	text_close(&b.f);
}

/* ---- rows longer than the window, and what is left out */

Test(pack, a_long_row_is_cut_and_one_without_its_answer_is_left_out)
{
	struct pack_place place = { 0 };
	struct pack_batch got = { 0 };
	struct bytes b;
	struct pack *p;
	struct err e;

	bytes_open(&b, 6);
	p = read_as(&b, "a.jsonl",
		"{\"prompt\":\"hi\",\"completion\":\"abcdefgh\"}\n"
		"{\"prompt\":\"longer than\",\"completion\":\"x\"}\n"
		"{\"prompt\":\"why\",\"completion\":\"  \"}\n"
		"{\"prompt\":\"h\",\"completion\":\"abcd\"}\n",
		ST_OK, &e);
	cr_expect_eq(pack_counts(p)->rows, 4);
	cr_expect_eq(pack_counts(p)->cut, 1);
	cr_expect_eq(pack_counts(p)->lost, 1);
	cr_expect_eq(pack_counts(p)->empty, 1);
	cr_expect_eq(pack_counts(p)->sequences, 2);
	cr_assert_eq(pack_next(p, &place, 2, &got, &e), ST_OK);
	cr_expect_eq(got.rows, 12);
	cr_expect_eq(got.labelled, 4 + 5);
	pack_batch_release(&got);
	pack_free(p);
	cr_expect_null(read_as(&b, "b.jsonl", "{\"prompt\":\"longer than\",\"completion\":\"x\"}",
		ST_INVALID, &e));
	cr_expect(strstr(e.msg, "set a longer window"), "%s", e.msg);
	cr_expect_null(read_as(&b, "c.jsonl",
		"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", ST_INVALID, &e));
	cr_expect(strstr(e.msg, "(--all, or all=on)"), "%s", e.msg);
	text_close(&b.f);
}

Test(pack, a_text_goes_on_in_further_sequences_and_no_token_is_learned_twice)
{
	static const char text[] = "{\"text\":\"abcdefghijklmnopqrstu\"}";
	size_t window[] = { 1, 2, 5, 20, 21, 22, 30 };
	struct bytes b;
	struct err e;

	for (size_t bos = 0; bos < 2; bos++)
		for (size_t i = 0; i < sizeof window / sizeof *window; i++) {
			char seen[257] = { 0 };
			struct pack_batch got = { 0 };
			struct pack_place place = { 0 };
			struct pack *p;

			bytes_open(&b, window[i]);
			b.f.vocab->add_bos = bos;
			b.f.vocab->bos = bos ? 257 : -1;
			p = read_as(&b, "a.jsonl", text, ST_OK, &e);
			while (!place.epoch) {
				cr_assert_eq(pack_next(p, &place, 1, &got, &e), ST_OK);
				cr_assert_leq(got.rows, window[i]);
				cr_expect(!bos || got.ids[0] == 257);
				for (size_t k = 0; k < got.rows; k++)
					cr_expect_eq(seen[got.labels[k]]++, 0);
			}
			for (int c = 'a'; c <= 'u'; c++)
				cr_expect_eq(seen[c], bos || c > 'a', "%c", c);
			cr_expect_eq(seen[256], 1, "the end, too");
			pack_batch_release(&got);
			pack_free(p);
			text_close(&b.f);
		}
}

Test(pack, what_is_asked_for_wrongly_is_refused)
{
	struct dataset *d;
	struct pack *p;
	struct bytes b;
	struct err e;

	bytes_open(&b, 0);
	tmp_write(tmp_path("a.txt"), "abc", 3);
	cr_assert_eq(dataset_open(&d, tmp_path("a.txt"), 0, &e), ST_OK);
	cr_expect_eq(pack_read(&p, d, &b.how, NULL, &e), ST_INVALID);
	cr_expect_null(p);
	b.how.window = 4;
	b.how.held = 1.5;
	cr_expect_eq(pack_read(&p, d, &b.how, NULL, &e), ST_INVALID);
	b.how.held = 0.0 / (b.how.held - 1.5);
	cr_expect_eq(pack_read(&p, d, &b.how, NULL, &e), ST_INVALID);
	dataset_close(d);
	text_close(&b.f);
}

Test(pack, out_of_memory_is_an_answer_wherever_it_comes)
{
	char *rows = many_rows(60);
	struct pack_batch got = { 0 };
	struct dataset *d;
	struct pack *p;
	struct bytes b;
	struct err e = { 0 };
	unsigned long k = 0;
	enum st st;

	bytes_open(&b, 40);
	b.how.held = 0.2;
	tmp_write(tmp_path("a.jsonl"), rows, strlen(rows));
	do {
		struct pack_place place = { 0 };

		cr_assert_eq(dataset_open(&d, tmp_path("a.jsonl"), 0, &e), ST_OK);
		alloc_fail_at(++k, false);
		st = pack_read(&p, d, &b.how, NULL, &e);
		if (!st)
			st = pack_next(p, &place, 2, &got, &e);
		alloc_fail_at(0, false);
		cr_expect(st == ST_OK || st == ST_NOMEM, "%s", e.msg);
		cr_expect_eq(!st, place.at == 2, "a place does not go on without its batch");
		pack_free(p);
		pack_batch_release(&got);
		dataset_close(d);
	} while (st);
	cr_expect_gt(k, 100);
	text_close(&b.f);
	xfree(rows);
}

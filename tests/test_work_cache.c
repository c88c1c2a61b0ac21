/* test_work_cache.c - what was computed before: kept, found again, left out when damaged. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <utime.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/rng.h"
#include "core/model/model.h"
#include "core/work/cache.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_work.h"

TestSuite(work_cache, .init = work_home);

static struct checkpoint *ck_open(const char *path)
{
	struct checkpoint *ck = NULL;
	struct err e = { 0 };

	cr_assert_eq(checkpoint_open(&ck, path, &e), ST_OK, "%s", e.msg);
	return ck;
}

static struct cache *cache_of(const struct checkpoint *ck)
{
	struct cache *c = NULL;
	struct err e = { 0 };

	cr_assert_eq(cache_open(&c, ck, false, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(cache_identify(c, ck, NULL, &e), ST_OK, "%s", e.msg);
	return c;
}

static char *journal(const struct cache *c)
{
	char *dir = cache_dir();
	char *path = xprintf("%s/models/%.16s/cells.tsv", dir, cache_sha(c));

	xfree(dir);
	return path;
}

static struct cached_cell cell(uint32_t linear, double kl)
{
	return (struct cached_cell){ .linear = linear,
		.format = { 2, 64 },
		.by = "hqq2",
		.text = "0123456789abcdef",
		.tokens = 64,
		.kl = kl,
		.se = kl / 10,
		.top1 = 0.5 };
}

Test(work_cache, the_second_opening_needs_no_reading_of_the_file)
{
	struct checkpoint *ck = ck_open(work_demo(1));
	struct cache *c = cache_of(ck);
	char sha[65];

	cr_assert_not(cache_was_quick(c));
	cr_assert_eq(strlen(cache_sha(c)), 64);
	strcpy(sha, cache_sha(c));
	cache_close(c);
	c = cache_of(ck);
	cr_assert(cache_was_quick(c));
	cr_assert_str_eq(cache_sha(c), sha);
	cr_assert(cache_verify(c, ck, NULL));
	cache_close(c);
	checkpoint_close(ck);
}

Test(work_cache, without_a_cache_nothing_is_kept_and_nothing_fails)
{
	struct checkpoint *ck = ck_open(work_demo(1));
	struct cache *c = (struct cache *)ck;
	const struct cached_cell *cells;
	struct token_text t = { 0 };
	struct cached_cell one = cell(0, 1);

	cr_assert_eq(cache_open(&c, ck, true, NULL), ST_OK);
	cr_assert_null(c);
	cr_assert_str_eq(cache_sha(c), "");
	cache_put_cell(c, &one);
	cr_assert_eq(cache_cells(c, &cells), 0);
	cr_assert_not(cache_get_text(c, 1, 1, 64, &t));
	cache_put_text(c, 1, &t);
	cr_assert(cache_verify(c, ck, NULL));
	cache_drop_variants(c);
	cache_close(c);
	cr_assert_not(fs_is_dir(tmp_path("cache")));
	checkpoint_close(ck);
}

Test(work_cache, a_stop_while_the_file_is_read_is_a_stop)
{
	struct checkpoint *ck = ck_open(work_demo(1));
	const struct cached_cell *cells;
	struct cached_cell one = cell(0, 1);
	struct lib_stop stop;
	struct cache *c;
	struct err e = { 0 };

	lib_stop_init(&stop, 1);
	cr_assert_eq(cache_open(&c, ck, false, &e), ST_OK);
	cr_assert(cache_pending(c));
	cr_assert_eq(cache_identify(c, ck, &stop.sink, &e), ST_CANCELLED);
	cr_assert(cache_pending(c), "and can be asked again");
	cache_put_cell(c, &one);
	cr_assert_eq(cache_cells(c, &cells), 0, "nothing is kept before the file is known");
	cr_assert_eq(cache_identify(c, ck, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_not(cache_pending(c));
	cache_put_cell(c, &one);
	cr_assert_eq(cache_cells(c, &cells), 1);
	cache_close(c);
	checkpoint_close(ck);
}

Test(work_cache, texts_come_back_and_a_flipped_byte_does_not)
{
	struct checkpoint *ck = ck_open(work_demo(1));
	struct cache *c = cache_of(ck);
	struct token_text t = { .n_seq = 3, .len = 16 }, got = { 0 };
	char *dir = cache_dir(),
	     *path = xprintf("%s/models/%.16s/text-7-16.ids", dir, cache_sha(c)), *s;
	size_t n;

	t.id = big_array(48, sizeof *t.id, "ids", NULL);
	for (int i = 0; i < 48; i++)
		t.id[i] = i * 3;
	cache_put_text(c, 7, &t);
	cr_assert_not(cache_get_text(c, 7, 4, 16, &got), "so many there are not");
	cr_assert_not(cache_get_text(c, 8, 1, 16, &got), "another seed");
	cr_assert_not(cache_get_text(c, 7, 1, 8, &got), "another length");
	cr_assert(cache_get_text(c, 7, 2, 16, &got));
	cr_assert_eq(got.n_seq, 3, "all there is");
	cr_assert_eq(got.len, 16);
	cr_assert_arr_eq(got.id, t.id, 48 * sizeof *t.id);
	token_text_release(&got);
	cr_assert_eq(fs_read(path, 1 << 20, &s, &n, NULL), ST_OK);
	for (size_t i = 0; i < n; i += 13) {
		s[i] ^= 4;
		tmp_write(path, s, n);
		cr_assert_not(cache_get_text(c, 7, 1, 16, &got), "byte %zu", i);
		s[i] ^= 4;
	}
	tmp_write(path, s, n - 1);
	cr_assert_not(cache_get_text(c, 7, 1, 16, &got));
	big_free(s);
	xfree(path);
	xfree(dir);
	token_text_release(&t);
	cache_close(c);
	checkpoint_close(ck);
}

Test(work_cache, cells_come_back_as_they_were_put)
{
	struct checkpoint *ck = ck_open(work_demo(1));
	struct cache *c = cache_of(ck);
	const struct cached_cell *cells;
	struct cached_cell one;

	for (uint32_t i = 0; i < 5; i++) {
		one = cell(i, 0.1 * i + 1e-7);
		if (i == 4)
			one.se = (double)NAN; /* of a single piece of text none is known */
		cache_put_cell(c, &one);
	}
	cr_assert_eq(cache_cells(c, &cells), 5, "in this sitting, too");
	one = cell(9, (double)NAN);
	cache_put_cell(c, &one);
	cache_close(c);
	c = cache_of(ck);
	cr_assert_eq(cache_cells(c, &cells), 5);
	for (uint32_t i = 0; i < 5; i++) {
		cr_assert_eq(cells[i].linear, i);
		cr_assert_float_eq(cells[i].kl, 0.1 * i + 1e-7, 1e-9);
		cr_assert_str_eq(cells[i].by, "hqq2");
		cr_assert_str_eq(cells[i].text, "0123456789abcdef");
		cr_assert(format_equal(cells[i].format, format_int(2, 64)));
		cr_assert_eq(cells[i].tokens, 64);
	}
	cr_assert(isnan(cells[4].se));
	cache_close(c);
	checkpoint_close(ck);
}

Test(work_cache, a_torn_tail_and_a_damaged_line_cost_one_cell_each)
{
	struct checkpoint *ck = ck_open(work_demo(1));
	struct cache *c = cache_of(ck);
	const struct cached_cell *cells;
	struct cached_cell one;
	char *path = journal(c), *s;
	size_t n;

	for (uint32_t i = 0; i < 6; i++) {
		one = cell(i, 1 + i);
		cache_put_cell(c, &one);
	}
	cache_close(c);
	cr_assert_eq(fs_read(path, 1 << 20, &s, &n, NULL), ST_OK);
	s[n / 2] ^= 1;
	tmp_write(path, s, n - 4); /* the last line without its end */
	big_free(s);
	c = cache_of(ck);
	cr_assert_eq(cache_cells(c, &cells), 4);
	one = cell(7, 7);
	cache_put_cell(c, &one); /* behind a torn tail */
	cache_close(c);
	c = cache_of(ck);
	cr_assert_eq(cache_cells(c, &cells), 5);
	cr_assert_eq(cells[4].linear, 7);
	cache_close(c);
	xfree(path);
	checkpoint_close(ck);
}

Test(work_cache, a_full_disk_costs_the_journal_and_not_the_scan)
{
	struct checkpoint *ck = ck_open(work_demo(1));
	struct cache *c = cache_of(ck);
	const struct cached_cell *cells;
	struct cached_cell one = cell(0, 1);
	struct token_text t = { .n_seq = 1, .len = 4 };

	t.id = big_array(4, sizeof *t.id, "ids", NULL);
	for (unsigned long at = 1; at < 12; at++) {
		fs_fail_at(at, ENOSPC);
		cache_put_cell(c, &one);
		cache_put_text(c, 1, &t);
		fs_fail_at(0, 0);
	}
	cr_assert_eq(cache_cells(c, &cells), 11, "in memory they are all");
	cache_close(c);
	for (unsigned long at = 1; at < 20; at++) { /* opening itself */
		struct err e = { 0 };
		enum st st;

		cr_assert_eq(cache_clear(NULL), ST_OK);
		fs_fail_at(at, ENOSPC);
		st = cache_open(&c, ck, false, &e);
		if (!st)
			st = cache_identify(c, ck, NULL, &e);
		fs_fail_at(0, 0);
		cr_assert(!st || e.msg[0], "call %lu", at);
		cache_close(c);
	}
	token_text_release(&t);
	checkpoint_close(ck);
}

/* A set of one format on the demo model, every other linear filled. */
static void fill(struct variant_set *v, const struct model *m, size_t step)
{
	struct format f[] = { { .bits = 2, .group = 64 } };
	struct err e;
	struct rng r;

	rng_seed(&r, 5);
	cr_assert_eq(variant_set_alloc(v, m->n_linears, f, 1, &e), ST_OK);
	for (size_t i = 0; i < m->n_linears; i += step) {
		const struct linear *l = &m->linear[i];
		struct qcodes q;

		cr_assert_eq(qcodes_alloc(&q, f[0], l->rows, l->cols, &e), ST_OK);
		for (size_t j = 0; j < l->rows * l->cols; j++)
			q.code[j] = (uint8_t)rng_below(&r, 4);
		for (size_t j = 0; j < l->rows * mat_groups(l->cols, 64); j++)
			q.scale[j] = (uint16_t)(0x3000 + rng_below(&r, 256));
		cr_assert_eq(variant_pack(variant_at(v, i, 0), &q, quantizer_find("hqq"), 0.5, &e),
			ST_OK);
		qcodes_release(&q);
	}
}

static bool same(const struct variant *a, const struct variant *b)
{
	const struct mat *x = &a->mat, *y = &b->mat;

	if (!x->data || !y->data)
		return !x->data && !y->data;
	return x->rows == y->rows && x->cols == y->cols && a->by == b->by && a->error == b->error &&
	       a->bytes == b->bytes &&
	       !memcmp(x->data, y->data, mat_code_bytes(x->bits, x->rows, x->cols)) &&
	       !memcmp(x->scale, y->scale, mat_stat_count(x->rows, x->cols, x->group) * 2) &&
	       !memcmp(x->offset, y->offset, mat_stat_count(x->rows, x->cols, x->group) * 2);
}

Test(work_cache, variants_come_back_bit_for_bit_also_where_some_are_missing)
{
	struct model *m = lib_demo("ref", 1);
	struct cache *c = cache_of(m->ck);

	for (size_t step = 1; step < 3; step++) {
		struct variant_set v, w;
		struct err e;

		fill(&v, m, step);
		cache_put_variants(c, &v, 0, "hqq2", NULL);
		cache_flush(c);
		cr_assert_eq(variant_set_alloc(&w, m->n_linears, v.format, 1, &e), ST_OK);
		cr_assert_not(cache_get_variants(c, m, &w, 0, "hqq3", NULL), "another version");
		cr_assert(cache_get_variants(c, m, &w, 0, "hqq2", NULL));
		for (size_t i = 0; i < m->n_linears; i++)
			cr_assert(
				same(variant_at(&v, i, 0), variant_at(&w, i, 0)), "linear %zu", i);
		variant_set_release(&v);
		variant_set_release(&w);
		cache_drop_variants(c);
	}
	cache_close(c);
	model_free(m);
}

Test(work_cache, maps_are_given_back_so_that_formats_may_change_for_ever)
{
	struct model *m = lib_demo("ref", 1);
	struct cache *c = cache_of(m->ck);
	struct variant_set v;

	fill(&v, m, 1);
	cache_put_variants(c, &v, 0, "hqq2", NULL);
	cache_flush(c);
	for (int i = 0; i < 100; i++) {
		cr_assert(cache_get_variants(c, m, &v, 0, "hqq2", NULL), "time %d", i);
		variant_set_release(&v);
		cache_drop_variants(c);
		fill(&v, m, 1);
	}
	variant_set_release(&v);
	cache_close(c);
	model_free(m);
}

Test(work_cache, damaged_variants_are_left_out_wherever_the_byte_is)
{
	struct model *m = lib_demo("ref", 1);
	struct cache *c = cache_of(m->ck);
	struct variant_set v, w;
	struct err e;
	char *dir = cache_dir(),
	     *path = xprintf("%s/models/%.16s/int2g64-hqq2.var", dir, cache_sha(c)), *s;
	size_t n;

	fill(&v, m, 1);
	cache_put_variants(c, &v, 0, "hqq2", NULL);
	cache_flush(c);
	cr_assert_eq(variant_set_alloc(&w, m->n_linears, v.format, 1, &e), ST_OK);
	cr_assert_eq(fs_read(path, 16 << 20, &s, &n, NULL), ST_OK);
	for (size_t i = 0; i < n; i += i < 4096 ? 37 : n / 61) {
		s[i] ^= 0x10;
		tmp_write(path, s, n);
		s[i] ^= 0x10;
		/* the padding behind the name is the only part of the head that may be anything */
		cr_assert(!cache_get_variants(c, m, &w, 0, "hqq2", NULL) || (i > 12 && i < 24),
			"byte %zu", i);
	}
	for (size_t cut = 0; cut < 5; cut++) {
		tmp_write(path, s, cut == 4 ? n - 1 : n * cut / 4);
		cr_assert_not(cache_get_variants(c, m, &w, 0, "hqq2", NULL));
	}
	tmp_write(path, s, n);
	cr_assert(cache_get_variants(c, m, &w, 0, "hqq2", NULL));
	big_free(s);
	variant_set_release(&v);
	variant_set_release(&w);
	xfree(path);
	xfree(dir);
	cache_close(c);
	model_free(m);
}

Test(work_cache, a_stop_while_variants_are_written_leaves_what_was_there)
{
	struct model *m = lib_demo("ref", 1);
	struct cache *c = cache_of(m->ck);
	struct variant_set v;
	struct lib_stop stop;

	fill(&v, m, 1);
	lib_stop_init(&stop, 1);
	cache_put_variants(c, &v, 0, "hqq2", &stop.sink);
	cache_flush(c);
	cr_assert_not(cache_get_variants(c, m, &v, 0, "hqq2", NULL));
	variant_set_release(&v);
	cache_close(c);
	model_free(m);
}

/* The file with other weights under the same size, time and inode. */
Test(work_cache, a_file_changed_under_the_same_key_is_noticed)
{
	const char *path = work_demo(1);
	struct checkpoint *ck = ck_open(path);
	struct cache *c = cache_of(ck);
	const struct cached_cell *cells;
	struct cached_cell one = cell(0, 1);
	struct stat sb;
	struct timespec t[2];
	FILE *f;
	char b;

	cache_put_cell(c, &one);
	cache_close(c);
	cr_assert_eq(stat(path, &sb), 0);
	f = fopen(path, "r+b");
	cr_assert(f && !fseek(f, -64, SEEK_END) && fread(&b, 1, 1, f) == 1);
	b ^= 1;
	cr_assert(!fseek(f, -64, SEEK_END) && fwrite(&b, 1, 1, f) == 1 && !fclose(f));
	t[0] = sb.st_atim;
	t[1] = sb.st_mtim;
	cr_assert_eq(utimensat(AT_FDCWD, path, t, 0), 0);
	checkpoint_close(ck);
	ck = ck_open(path);
	c = cache_of(ck);
	cr_assert(cache_was_quick(c), "so far it looks the same");
	cr_assert_eq(cache_cells(c, &cells), 1);
	cr_assert_not(cache_verify(c, ck, NULL));
	cr_assert_eq(cache_cells(c, &cells), 0, "nothing of it is used any more");
	cache_put_cell(c, &one);
	cr_assert_eq(cache_cells(c, &cells), 0);
	cache_close(c);
	c = cache_of(ck);
	cr_assert_not(cache_was_quick(c));
	cr_assert_eq(cache_cells(c, &cells), 0);
	cache_close(c);
	checkpoint_close(ck);
}

Test(work_cache, trimming_keeps_what_was_opened_last)
{
	struct checkpoint *ck[3];
	struct cache *c;
	uint64_t all;
	size_t models;

	for (uint64_t i = 0; i < 3; i++) {
		struct cached_cell one = cell(0, 1);
		struct utimbuf old = { 1000 + (time_t)i, 1000 + (time_t)i };
		char *dir = cache_dir(), *used;

		ck[i] = ck_open(work_demo(i + 1));
		c = cache_of(ck[i]);
		for (int j = 0; j < 100; j++)
			cache_put_cell(c, &one);
		used = xprintf("%s/models/%.16s/used", dir, cache_sha(c));
		cache_close(c);
		if (i < 2)
			cr_assert_eq(utime(used, &old), 0);
		xfree(used);
		xfree(dir);
	}
	all = cache_bytes(&models);
	cr_assert_eq(models, 3);
	cache_trim(NULL, all);
	cache_bytes(&models);
	cr_assert_eq(models, 3);
	cache_trim(NULL, all * 3 / 4);
	cache_bytes(&models);
	cr_assert_eq(models, 2);
	c = cache_of(ck[1]);
	cr_assert_gt(
		cache_cells(c, &(const struct cached_cell *){ NULL }), 0, "the second is there");
	cache_trim(c, 0);
	cache_bytes(&models);
	cr_assert_eq(models, 1, "the open one stays");
	cache_close(c);
	cr_assert_eq(cache_clear(NULL), ST_OK);
	cache_bytes(&models);
	cr_assert_eq(models, 0);
	for (int i = 0; i < 3; i++)
		checkpoint_close(ck[i]);
}

/* desk_text.c - the texts a desk scans, calibrates and measures on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/sha256.h"
#include "core/base/text.h"
#include "core/text/corpus.h"
#include "core/work/desk_private.h"

enum { TEXT_MAX = 1 << 30 };

/* Is this to be said of the file?  Once a file it is. */
static bool first_time(struct desk *d, const char *what, const char *path)
{
	char *mine = xprintf("\n%s %s\n", what, path), *former = d->text_told;
	bool first = !former || !strstr(former, mine);

	if (first) {
		d->text_told = xprintf("%s%s", former ? former : "", mine);
		xfree(former);
	}
	xfree(mine);
	return first;
}

static void tell_oddities(struct desk *d, const char *path, const char *s, size_t n)
{
	size_t bad, lost;

	if (!first_time(d, "bytes", path))
		return;
	bad = utf8_first_bad(s, n);
	lost = tokenizer_first_lost(d->tok, s, n);
	if (bad < n)
		log_at(LOG_WARN, "text", "%s is not UTF-8 from byte %zu on; taken as bytes", path,
			bad);
	if (lost < n)
		log_at(LOG_WARN, "text",
			"%s: the model's vocabulary has no token for byte %zu and others like it; "
			"they are left out",
			path, lost);
}

enum st desk_tokens(
	struct desk *d, const char *path, size_t limit, struct tok_ids *ids, struct err *e)
{
	char *bytes;
	size_t n, cut;
	enum st st;

	if (!d->tok)
		return err_set(e, d->tok_err.st, "%s", d->tok_err.msg);
	st = corpus_read(path, TEXT_MAX, &bytes, &n, e);
	if (st)
		return st;
	tell_oddities(d, path, bytes, n);
	/* No token is longer than 1 KiB, so much of a long file needs no reading. */
	cut = limit && limit < n / 64 ? limit * 64 : n;
	while (cut < n && ((unsigned char)bytes[cut] & 0xc0) == 0x80)
		cut++;
	st = tokenizer_encode_text(d->tok, bytes, cut, ids, e);
	while (!st && cut < n && ids->n < limit + 16) { /* rare: very long tokens */
		cut = cut * 2 < n ? cut * 2 : n;
		ids->n = 0;
		st = tokenizer_encode_text(d->tok, bytes, cut, ids, e);
	}
	big_free(bytes);
	if (!st && limit && ids->n > limit)
		ids->n = limit;
	return st ? err_at(e, st, "%s", path) : ST_OK;
}

size_t desk_start(const struct desk *d, int32_t start[8])
{
	const struct vocab *v = d->m->ck->vocab;
	struct tok_ids ids = { 0 };
	size_t n = 0;

	if (v && v->bos >= 0) {
		start[0] = v->bos;
		return 1;
	}
	if (d->tok && d->template) {
		struct chat_message none = { "user", "", 0 };

		if (!template_render(
			    d->template, v->chat_template, d->tok, &none, 1, false, &ids, NULL))
			for (; n < ids.n && n < 1; n++)
				start[n] = ids.id[n];
		tok_ids_release(&ids);
	}
	if (!n)
		start[n++] = v && v->eos >= 0 ? v->eos : 0;
	return n;
}

void desk_hash_text(const struct token_text *t, char out[17])
{
	char hex[65];

	sha256_of(t->id, t->n_seq * t->len * sizeof *t->id, hex);
	memcpy(out, hex, 16);
	out[16] = 0;
}

/* At least n_seq sequences that the model wrote by itself. */
enum st desk_self_text(struct desk *d, uint64_t seed, size_t n_seq, size_t len,
	struct token_text *t, const struct sink *s, struct err *e)
{
	int32_t start[8];
	size_t n_start = desk_start(d, start), have;
	struct token_text kept = { 0 };
	enum st st;

	have = t->n_seq;
	if (have >= n_seq)
		return ST_OK;
	if (cache_get_text(d->cache, seed, have + 1, len, &kept)) {
		token_text_release(t);
		*t = kept;
		have = t->n_seq;
		if (have >= n_seq) {
			t->n_seq = n_seq; /* the same text whatever more is in the cache */
			return ST_OK;
		}
	}
	t->len = len;
	st = selftext_more(t, d->m, seed, start, n_start, n_seq - have, s, e);
	if (t->n_seq > have)
		cache_put_text(d->cache, seed, t);
	return st;
}

/* n_seq sequences of len ids of the file, `skip` ids in; fewer when the file is short. */
enum st desk_file_text(struct desk *d, const char *path, size_t skip, size_t n_seq, size_t len,
	struct token_text *t, struct err *e)
{
	struct tok_ids ids = { 0 };
	enum st st;
	size_t have;

	token_text_release(t);
	st = desk_tokens(d, path, skip + n_seq * len, &ids, e);
	if (st) {
		tok_ids_release(&ids);
		return st;
	}
	have = ids.n > skip ? ids.n - skip : 0;
	if (have < len && ids.n >= 2 && skip) { /* take its end again, rather than nothing */
		if (first_time(d, "length", path))
			log_at(LOG_WARN, "text",
				"%s has only %zu tokens: parts of it serve more than once", path,
				ids.n);
		skip = ids.n > len ? ids.n - len : 0;
		have = ids.n - skip;
	}
	if (have < 2) {
		tok_ids_release(&ids);
		return err_set(
			e, ST_INVALID, "%s has %zu tokens; a scan needs at least 2", path, ids.n);
	}
	t->len = have < len ? have : len;
	t->n_seq = have / t->len < n_seq ? have / t->len : n_seq;
	t->id = big_array(t->n_seq * t->len, sizeof *t->id, "text", e);
	if (t->id)
		memcpy(t->id, ids.id + skip, t->n_seq * t->len * sizeof *t->id);
	tok_ids_release(&ids);
	return t->id ? ST_OK : ST_NOMEM;
}

size_t desk_scan_seqs(const struct desk *d)
{
	return (d->scan_tokens + DESK_SCAN_LEN - 1) / DESK_SCAN_LEN;
}

size_t desk_scan_part(const struct desk *d)
{
	return (d->scan_tokens + DESK_FILE_LEN - 1) / DESK_FILE_LEN * DESK_FILE_LEN;
}

enum st desk_scan_text_of(
	struct desk *d, const char *path, struct token_text *t, const struct sink *s, struct err *e)
{
	if (!path)
		return desk_self_text(d, SEED_SCAN, desk_scan_seqs(d), DESK_SCAN_LEN, t, s, e);
	return desk_file_text(d, path, 0, desk_scan_part(d) / DESK_FILE_LEN,
		d->scan_tokens < DESK_FILE_LEN ? d->scan_tokens : DESK_FILE_LEN, t, e);
}

enum st desk_scan_text(struct desk *d, const struct sink *s, struct err *e)
{
	enum st st;

	if (d->scan_text.n_seq && d->text_hash[0])
		return ST_OK;
	if (desk_many_texts(d)) {
		st = desk_texts_scan(d, s, e);
	} else {
		st = desk_scan_text_of(d, d->text_path, &d->scan_text, s, e);
		if (!st)
			desk_hash_text(&d->scan_text, d->text_hash);
	}
	if (st)
		return st;
	desk_apply_cells(d);
	desk_tell(d, DESK_TEXT);
	return ST_OK;
}

enum st desk_calib_text(struct desk *d, size_t n_seq, const struct sink *s, struct err *e)
{
	if (desk_many_texts(d))
		return desk_texts_calib(d, n_seq, s, e);
	if (!d->text_path)
		return desk_self_text(d, SEED_CALIB, n_seq, DESK_CALIB_LEN, &d->calib_text, s, e);
	if (d->calib_text.n_seq)
		return ST_OK;
	return desk_file_text(
		d, d->text_path, desk_scan_part(d), n_seq, DESK_CALIB_LEN, &d->calib_text, e);
}

enum st desk_measure_text(
	struct desk *d, size_t tokens, struct token_text *t, const struct sink *s, struct err *e)
{
	size_t n_seq = (tokens + DESK_CALIB_LEN - 1) / DESK_CALIB_LEN;

	if (desk_many_texts(d))
		return desk_texts_measure(d, tokens, t, s, e);
	if (!d->text_path)
		return desk_self_text(d, SEED_MEASURE, n_seq, DESK_CALIB_LEN, t, s, e);
	return desk_file_text(d, d->text_path, desk_scan_part(d) + DESK_CALIB_SEQS * DESK_CALIB_LEN,
		n_seq, DESK_CALIB_LEN, t, e);
}

enum st desk_more_text_of(struct desk *d, const char *path, size_t tokens, struct token_text *t,
	const struct sink *s, struct err *e)
{
	/* Of a file, what lies behind the parts that are scanned, calibrated and measured on. */
	size_t behind = desk_scan_part(d) + (DESK_CALIB_SEQS + DESK_MEASURE_SEQS) * DESK_CALIB_LEN;
	struct tok_ids ids = { 0 };
	size_t have;
	enum st st;

	*t = (struct token_text){ 0 };
	if (!path)
		return desk_self_text(d, SEED_SCAN, (tokens + DESK_SCAN_LEN - 1) / DESK_SCAN_LEN,
			DESK_SCAN_LEN, t, s, e);
	st = desk_tokens(d, path, behind + tokens, &ids, e);
	have = ids.n;
	tok_ids_release(&ids);
	if (st || have < behind + tokens)
		return st;
	return desk_file_text(d, path, behind, tokens / DESK_FILE_LEN, DESK_FILE_LEN, t, e);
}

/* One text to calibrate on: a file as it was when it was named, or what the model writes. */
char *desk_calib_source(const struct desk *d, const char *path, const struct fs_id *id)
{
	if (!path)
		return xprintf("self %d", SEED_CALIB);
	return xprintf("%s %llu %lld %zu", path, (unsigned long long)id->size,
		(long long)id->mtime_ns, desk_scan_part(d));
}

/* Calibrated variants depend on the quantizers, on where the text begins and on the text. */
void desk_best_key(const struct desk *d, char out[16])
{
	char hex[65], plain[12], best[12], *s, *of;

	desk_by(quantizer_find(quantizer_data_free), plain);
	desk_by(quantizer_find(quantizer_calibrated), best);
	of = desk_many_texts(d) ? desk_texts_key(d)
				: desk_calib_source(d, d->text_path, &d->text_id);
	s = xprintf("%s %s %s", plain, best, of);
	sha256_of(s, strlen(s), hex);
	xfree(of);
	xfree(s);
	snprintf(out, 16, "best-%.8s", hex);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In whatever order and with whatever weights: cells hold under other weights, too. */
void desk_name_calib(struct desk *d)
{
	size_t n = desk_many_texts(d) ? d->sources.n : 1;
	char *of[SOURCES_MAX], hex[65], *all = xstrdup("");

	for (size_t i = 0; i < n; i++)
		of[i] = desk_many_texts(d)
				? desk_calib_source(d, d->sources.at[i].path, &d->source[i].id)
				: desk_calib_source(d, d->text_path, &d->text_id);
	qsort(of, n, sizeof *of, by_text);
	for (size_t i = 0; i < n; i++) {
		char *former = all;

		all = xprintf("%s%s\n", former, of[i]);
		xfree(former);
		xfree(of[i]);
	}
	sha256_of(all, strlen(all), hex);
	xfree(all);
	snprintf(d->calib_id, sizeof d->calib_id, "%.8s", hex);
}

/* The text's own name for people, and what the cache has of it. */
void desk_begin_text(
	struct desk *d, const char *path, const struct fs_id *id, size_t tokens)
{
	const char *slash = path ? strrchr(path, '/') : NULL, *name = slash ? slash + 1 : path;
	char *copy = path ? xstrdup(path) : NULL; /* path may be the former one */

	token_text_release(&d->scan_text);
	token_text_release(&d->calib_text);
	moments_free(&d->moments);
	d->text_hash[0] = '\0';
	if (tokens)
		d->scan_tokens = tokens;
	if (path)
		text_clean(d->text_name, sizeof d->text_name, name, strlen(name), true);
	else
		snprintf(d->text_name, sizeof d->text_name, "self-sampled, seed %d", SEED_SCAN);
	xfree(d->text_path);
	d->text_path = copy;
	d->text_id = id ? *id : (struct fs_id){ 0 };
	desk_forget_sources(d);
	desk_name_calib(d);
	if (!path && cache_get_text(d->cache, SEED_SCAN, desk_scan_seqs(d), DESK_SCAN_LEN,
			     &d->scan_text)) {
		d->scan_text.n_seq = desk_scan_seqs(d);
		desk_hash_text(&d->scan_text, d->text_hash);
	}
}

enum st desk_set_text(struct desk *d, const char *path, size_t tokens, const struct sink *s,
	struct err *e)
{
	struct tok_ids ids = { 0 };
	struct fs_id id = { 0 };
	enum st st = ST_OK, formats;

	if (path) { /* refused before anything is given up for it */
		st = fs_identify(path, &id, e);
		if (!st)
			st = desk_tokens(d, path, 2, &ids, e);
		if (!st && ids.n < 2)
			st = err_set(e, ST_INVALID, "%s has %zu tokens; a scan needs at least 2",
				path, ids.n);
		tok_ids_release(&ids);
	}
	if (st)
		return st;
	desk_begin_text(d, path, &id, tokens);
	if (path)
		st = desk_scan_text(d, s, e);
	formats = desk_set_formats(d, d->formats, s, st ? NULL : e); /* cells of this text, or none */
	return st ? st : formats;
}

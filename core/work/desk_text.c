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

enum { TEXT_MAX = 1 << 30, PIECE = 1 << 20 };

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

/* Where a text is first not UTF-8 and where it first has what no token is for; n: nowhere. */
static enum st odd_bytes(const struct desk *d, const char *text, size_t n, size_t *bad,
	size_t *lost, const struct sink *s, struct err *e)
{
	*bad = *lost = n;
	for (size_t at = 0, len; at < n && (*bad == n || *lost == n); at += len) {
		size_t b, l;

		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped");
		len = n - at < PIECE ? n - at : PIECE;
		b = utf8_first_bad(text + at, len);
		l = tokenizer_first_lost(d->tok, text + at, len);
		if (*lost == n && l < len)
			*lost = at + l;
		if (b && len - b <= 3 && at + len < n)
			len = b; /* a character that the piece cut */
		else if (*bad == n && b < len)
			*bad = at + b;
	}
	return ST_OK;
}

static enum st tell_oddities(struct desk *d, const char *path, const char *text, size_t n,
	const struct sink *s, struct err *e)
{
	size_t bad, lost;
	enum st st = odd_bytes(d, text, n, &bad, &lost, s, e);

	if (!st && bad < n && first_time(d, "bytes", path))
		log_at(LOG_WARN, "text", "%s is not UTF-8 from byte %zu on; taken as bytes", path,
			bad);
	if (!st && lost < n && first_time(d, "lost", path))
		log_at(LOG_WARN, "text",
			"%s: the model's vocabulary has no token for byte %zu and others like it; "
			"they are left out",
			path, lost);
	return st;
}

/* A text of the desk's as it was when it was named; NULL: none of them. */
static const struct fs_id *named(const struct desk *d, const char *path)
{
	if (d->text_path && !strcmp(d->text_path, path))
		return &d->text_id;
	for (size_t i = 0; i < d->sources.n; i++)
		if (d->sources.at[i].path && !strcmp(d->sources.at[i].path, path))
			return &d->source[i].id;
	return NULL;
}

/* was NULL: whatever file it is.  is may be NULL. */
static enum st read_tokens(struct desk *d, const char *path, const struct fs_id *was,
	struct fs_id *is, size_t limit, struct tok_ids *ids, const struct sink *s, struct err *e)
{
	/* No token is longer than 1 KiB, so much of a long file needs no reading. */
	size_t want = limit < TEXT_MAX / 64 ? limit * 64 : 0;
	bool more = true;
	enum st st = ST_OK;

	if (!d->tok)
		return err_set(e, d->tok_err.st, "%s", d->tok_err.msg);
	for (; !st && more; want *= 2) { /* again: rare, very long tokens */
		struct corpus c;

		ids->n = 0;
		st = corpus_read(&c, path, TEXT_MAX, want, s, e);
		if (st)
			return st;
		if (is)
			*is = c.id;
		if (was && (!c.still || !fs_id_equal(was, &c.id)))
			st = err_set(e, ST_INVALID,
				"%s changed while it was in use; name it again (:text) to scan it "
				"as it is now",
				path);
		if (!st)
			st = tell_oddities(d, path, c.text, c.n, s, e);
		if (!st) {
			st = tokenizer_encode_long(d->tok, c.text, c.n, ids, s, e);
			if (st && st != ST_CANCELLED)
				st = err_at(e, st, "%s", path);
		}
		more = !c.whole && ids->n < limit + 16;
		big_free(c.text);
	}
	if (!st && limit && ids->n > limit)
		ids->n = limit;
	return st;
}

enum st desk_tokens(struct desk *d, const char *path, size_t limit, struct tok_ids *ids,
	const struct sink *s, struct err *e)
{
	return read_tokens(d, path, named(d, path), NULL, limit, ids, s, e);
}

enum st desk_name_file(struct desk *d, const char *path, size_t tokens, struct fs_id *id,
	size_t *have, const struct sink *s, struct err *e)
{
	struct tok_ids ids = { 0 };
	struct sink quiet;
	enum st st = read_tokens(d, path, NULL, id, tokens, &ids, desk_silent(s, &quiet), e);

	*have = ids.n;
	tok_ids_release(&ids);
	return st;
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
	struct token_text *t, const struct sink *s, struct err *e)
{
	struct tok_ids ids = { 0 };
	struct sink quiet; /* its caller counts something else */
	enum st st;
	size_t have;

	token_text_release(t);
	st = desk_tokens(d, path, skip + n_seq * len, &ids, desk_silent(s, &quiet), e);
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
		have = ids.n;
		tok_ids_release(&ids);
		return err_set(
			e, ST_INVALID, "%s has %zu tokens; a scan needs at least 2", path, have);
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
		d->scan_tokens < DESK_FILE_LEN ? d->scan_tokens : DESK_FILE_LEN, t, s, e);
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
		d, d->text_path, desk_scan_part(d), n_seq, DESK_CALIB_LEN, &d->calib_text, s, e);
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
		n_seq, DESK_CALIB_LEN, t, s, e);
}

/* Of a file, what lies behind the parts that are scanned, calibrated and measured on. */
static size_t behind_parts(const struct desk *d)
{
	return desk_scan_part(d) + (DESK_CALIB_SEQS + DESK_MEASURE_SEQS) * DESK_CALIB_LEN;
}

enum st desk_has_more(struct desk *d, const char *path, size_t tokens, bool *has,
	const struct sink *s, struct err *e)
{
	struct tok_ids ids = { 0 };
	struct sink quiet;
	enum st st = path ? desk_tokens(d, path, behind_parts(d) + tokens, &ids,
				    desk_silent(s, &quiet), e)
			  : ST_OK;

	*has = !path || (!st && ids.n >= behind_parts(d) + tokens);
	tok_ids_release(&ids);
	return st;
}

enum st desk_more_text_of(struct desk *d, const char *path, size_t tokens, struct token_text *t,
	const struct sink *s, struct err *e)
{
	bool has;
	enum st st = desk_has_more(d, path, tokens, &has, s, e);

	*t = (struct token_text){ 0 };
	if (st || !has)
		return st;
	if (!path)
		return desk_self_text(d, SEED_SCAN, (tokens + DESK_SCAN_LEN - 1) / DESK_SCAN_LEN,
			DESK_SCAN_LEN, t, s, e);
	return desk_file_text(
		d, path, behind_parts(d), tokens / DESK_FILE_LEN, DESK_FILE_LEN, t, s, e);
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
void desk_begin_text(struct desk *d, const char *path, const struct fs_id *id, size_t tokens)
{
	char *copy = path ? xstrdup(path) : NULL; /* path may be the former one */

	token_text_release(&d->scan_text);
	token_text_release(&d->calib_text);
	moments_free(&d->moments);
	d->text_hash[0] = '\0';
	if (tokens)
		d->scan_tokens = tokens;
	if (path)
		text_clean(d->text_name, sizeof d->text_name, fs_name(path), strlen(fs_name(path)),
			true);
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

enum st desk_set_text(
	struct desk *d, const char *path, size_t tokens, const struct sink *s, struct err *e)
{
	struct fs_id id = { 0 };
	enum st st = ST_OK, formats;
	size_t have = 2;

	if (path) /* refused before anything is given up for it */
		st = desk_name_file(d, path, 2, &id, &have, s, e);
	if (!st && have < 2)
		st = err_set(
			e, ST_INVALID, "%s has %zu tokens; a scan needs at least 2", path, have);
	if (st)
		return st;
	desk_begin_text(d, path, &id, tokens);
	if (path)
		st = desk_scan_text(d, s, e);
	formats =
		desk_set_formats(d, d->formats, s, st ? NULL : e); /* cells of this text, or none */
	return st ? st : formats;
}

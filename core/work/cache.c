/* cache.c - keys, texts and the journal of cells; variants are in cache_variants.c. */
#include "core/work/cache.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/sha256.h"
#include "core/work/cache_private.h"

enum { LINE_MAX_CELL = 256, JOURNAL_MAX = 256 << 20 };

char *cache_dir(void)
{
	return fs_place(FS_CACHE);
}

static void quick_key(const struct checkpoint *ck, char out[65])
{
	char *s = xprintf("%s %llu %lld %llu %llu", ck->header_sha256,
		(unsigned long long)ck->id.size, (long long)ck->id.mtime_ns,
		(unsigned long long)ck->id.ino, (unsigned long long)ck->id.dev);

	sha256_of(s, strlen(s), out);
	xfree(s);
}

enum st cache_hash(
	char out[65], const struct checkpoint *ck, const struct sink *s, struct err *e)
{
	struct sha256 sum;
	uint64_t at = 0;

	while (at < ck->file_bytes) {
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped");
		checkpoint_hash_step(ck, &sum, &at, 4u << 20); /* begins the sum at 0 */
		sink_progress(s, (double)at, (double)ck->file_bytes);
	}
	sha256_hex(&sum, out);
	return ST_OK;
}

/* The full hash that the quick key stands for; false: unknown or damaged. */
static bool read_quick(const char *path, char out[65])
{
	char *text;
	size_t n;
	bool ok;

	if (!fs_is_file(path) || fs_read(path, 256, &text, &n, NULL))
		return false;
	ok = n >= 64 && strspn(text, "0123456789abcdef") == 64;
	if (ok) {
		memcpy(out, text, 64);
		out[64] = 0;
	}
	big_free(text);
	return ok;
}

/* "12 int4g128 gptq1 TEXT 64 kl se top1 sum", with tabs: a line whose sum does not fit is a
 * torn or damaged one and is left out. */
uint32_t cache_line_sum(const char *s, size_t n)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

static bool parse_cell(const char *line, size_t n, struct cached_cell *c)
{
	char buf[LINE_MAX_CELL], fmt[FORMAT_NAME], *sum;
	unsigned long want;

	if (n >= sizeof buf)
		return false;
	memcpy(buf, line, n);
	buf[n] = 0;
	sum = strrchr(buf, '\t');
	if (!sum)
		return false;
	want = strtoul(sum + 1, NULL, 16);
	if (want != cache_line_sum(buf, (size_t)(sum - buf)))
		return false;
	*sum = 0;
	if (sscanf(buf, "%u\t%31s\t%23s\t%16s\t%u\t%lf\t%lf\t%lf", &c->linear, fmt, c->by, c->text,
		    &c->tokens, &c->kl, &c->se, &c->top1) != 8)
		return false;
	return !format_parse(&c->format, fmt, NULL) && isfinite(c->kl) && c->kl >= 0 &&
	       !(c->se < 0); /* NAN: a first score has none */
}

static void add_cell(struct cache *c, const struct cached_cell *cell)
{
	if (c->n_cells == c->cap_cells) {
		c->cap_cells = c->cap_cells ? 2 * c->cap_cells : 1024;
		c->cells = xrealloc(c->cells, c->cap_cells * sizeof *c->cells);
	}
	c->cells[c->n_cells++] = *cell;
}

bool cache_read_journal(const char *path, size_t max, char **text, size_t *n)
{
	struct err e;

	if (!fs_is_file(path))
		return false;
	if (!fs_read(path, max, text, n, &e))
		return true;
	log_at(LOG_WARN, "cache", "%s; what it holds is measured again (remove it)", e.msg);
	return false;
}

void cache_cannot(struct cache *c, const struct err *e)
{
	if (!atomic_exchange(&c->told, true))
		log_at(LOG_WARN, "cache",
			"%s; what of this run cannot be written is not kept for the next", e->msg);
}

static void read_journal(struct cache *c)
{
	char *path = xprintf("%s/cells.tsv", c->path), *text;
	size_t n, bad = 0;

	if (cache_read_journal(path, JOURNAL_MAX, &text, &n)) {
		for (size_t at = 0; at < n;) {
			const char *nl = memchr(text + at, '\n', n - at);
			struct cached_cell cell;

			if (!nl) { /* torn tail, unless no line is as long */
				bad += n - at >= LINE_MAX_CELL;
				break;
			}
			if (parse_cell(text + at, (size_t)(nl - text) - at, &cell))
				add_cell(c, &cell);
			else
				bad++;
			at = (size_t)(nl - text) + 1;
		}
		big_free(text);
	}
	if (bad)
		log_at(LOG_WARN, "cache", "%s: %zu damaged lines left out", path, bad);
	xfree(path);
}

/* The quick key for the next time, and the stamp by which the least recently opened is found.
 * Without them the cache is slower, not wrong. */
static void leave_marks(struct cache *c, const struct checkpoint *ck)
{
	char *folder = xprintf("%.*s", (int)(strrchr(c->mark, '/') - c->mark), c->mark);
	char *used = xprintf("%s/used", c->path);
	struct err e;

	if (!c->quick && (fs_mkdirs(folder, &e) || fs_note(c->mark, c->sha, 64, &e)))
		cache_cannot(c, &e);
	if (fs_note(used, ck->name, strlen(ck->name), &e))
		cache_cannot(c, &e);
	xfree(folder);
	xfree(used);
}

/* From the hash on: what there is of this model. */
static enum st enter(struct cache *c, const struct checkpoint *ck, struct err *e)
{
	char *dir = cache_dir();
	enum st st;

	c->path = xprintf("%s/models/%.16s", dir, c->sha);
	xfree(dir);
	if (c->read_only) {
		c->dead = !fs_is_dir(c->path);
		if (!c->dead)
			read_journal(c);
		if (c->anew)
			cache_anew(c);
		return ST_OK;
	}
	st = fs_mkdirs(c->path, e);
	if (st) {
		c->dead = true;
		return err_at(e, st, "cache");
	}
	fs_sweep(c->path);
	leave_marks(c, ck);
	read_journal(c);
	if (c->anew)
		cache_anew(c);
	return ST_OK;
}

enum st cache_open(struct cache **out, const struct checkpoint *ck, bool read_only, struct err *e)
{
	struct cache *c;
	char *dir, key[65];
	enum st st;

	*out = NULL;
	dir = cache_dir();
	if (read_only && !fs_is_dir(dir)) { /* not worth a hash */
		xfree(dir);
		return ST_OK;
	}
	c = xalloc(sizeof *c);
	c->read_only = read_only;
	c->cells_at = c->points_at = SIZE_MAX;
	quick_key(ck, key);
	c->mark = xprintf("%s/quick/%.16s", dir, key);
	xfree(dir);
	c->quick = read_quick(c->mark, c->sha);
	st = c->quick ? enter(c, ck, e) : ST_OK;
	if (st)
		cache_close(c);
	else
		*out = c;
	return st;
}

bool cache_pending(const struct cache *c)
{
	return c && !c->path;
}

enum st cache_identify(
	struct cache *c, const struct checkpoint *ck, const struct sink *s, struct err *e)
{
	enum st st;

	if (!cache_pending(c))
		return ST_OK;
	st = cache_hash(c->sha, ck, s, e);
	return st ? st : enter(c, ck, e);
}

void cache_close(struct cache *c)
{
	if (!c)
		return;
	cache_flush(c);
	fs_log_close(c->journal);
	fs_log_close(c->points);
	cache_drop_variants(c);
	xfree(c->cells);
	xfree(c->path);
	xfree(c->mark);
	xfree(c);
}

bool cache_was_quick(const struct cache *c)
{
	return c && c->quick;
}
bool cache_keeps(const struct cache *c)
{
	return c && !c->dead && !c->read_only;
}

const char *cache_sha(const struct cache *c)
{
	return c ? c->sha : "";
}

bool cache_verify(struct cache *c, const struct checkpoint *ck, const struct sink *s)
{
	char sha[65];

	if (!cache_usable(c) || !c->quick || cache_hash(sha, ck, s, NULL) || !strcmp(sha, c->sha))
		return true;
	if (!c->read_only)
		remove(c->mark);
	c->dead = true;
	return false;
}

static char *text_path(const struct cache *c, uint64_t seed, size_t len)
{
	return xprintf("%s/text-%llu-%zu.ids", c->path, (unsigned long long)seed, len);
}

char *cache_file(const struct cache *c, const char *what, uint64_t seed, size_t len)
{
	if (!c || !c->path || !cache_keeps(c))
		return NULL;
	return xprintf("%s/%s-%llu-%zu.jsonl", c->path, what, (unsigned long long)seed, len);
}

bool cache_get_text(struct cache *c, uint64_t seed, size_t n_seq, size_t len, struct token_text *t)
{
	char *path, *bytes = NULL;
	size_t n = 0, have = 0;

	if (!cache_usable(c))
		return false;
	path = text_path(c, seed, len);
	if (fs_is_file(path) && !fs_read(path, 64u << 20, &bytes, &n, NULL))
		have = n > 8 ? (n - 8) / 4 / len : 0;
	if (have >= n_seq && n == 8 + have * len * 4 &&
		!memcmp(bytes, &(uint64_t){ cache_sum(bytes + 8, n - 8) }, 8)) {
		t->id = big_array(have * len, sizeof *t->id, "cached text", NULL);
		if (t->id) {
			memcpy(t->id, bytes + 8, have * len * 4);
			t->n_seq = have;
			t->len = len;
		}
	} else {
		have = 0;
	}
	big_free(bytes);
	xfree(path);
	return have && t->id;
}

void cache_put_text(struct cache *c, uint64_t seed, const struct token_text *t)
{
	size_t n = t->n_seq * t->len * 4;
	struct fs_out *o;
	struct err e = { 0 };
	uint64_t sum;
	char *path;

	if (!cache_writable(c))
		return;
	path = text_path(c, seed, t->len);
	sum = cache_sum(t->id, n);
	if (!fs_out_open(&o, path, n + 8, &e)) {
		if (fs_out_write(o, &sum, 8, &e) || fs_out_write(o, t->id, n, &e))
			fs_out_abort(o);
		else if (!fs_out_place(o, &e))
			e.msg[0] = 0;
	}
	if (e.msg[0])
		cache_cannot(c, &e);
	xfree(path);
}

size_t cache_cells(struct cache *c, const struct cached_cell **cells)
{
	*cells = cache_usable(c) ? c->cells : NULL;
	if (!cache_usable(c))
		return 0;
	return c->n_cells < c->cells_at ? c->n_cells : c->cells_at;
}

void cache_put_cell(struct cache *c, const struct cached_cell *cell)
{
	char fmt[FORMAT_NAME], line[LINE_MAX_CELL];
	struct err e = { 0 };
	int n;

	if (!cache_usable(c) || c->cells_at < SIZE_MAX || !isfinite(cell->kl))
		return;
	add_cell(c, cell);
	if (!c->read_only && !c->journal && !c->journal_failed) {
		char *path = xprintf("%s/cells.tsv", c->path);

		if (fs_log_open(&c->journal, path, &e)) {
			cache_cannot(c, &e);
			c->journal_failed = true;
		}
		xfree(path);
	}
	if (!c->journal)
		return;
	n = snprintf(line, sizeof line, "%u\t%s\t%s\t%s\t%u\t%.9g\t%.9g\t%.9g", cell->linear,
		format_name(cell->format, fmt), cell->by, cell->text, cell->tokens,
		fmax(cell->kl, 0), /* below it by rounding */
		cell->se, cell->top1);
	snprintf(line + n, sizeof line - (size_t)n, "\t%08x", cache_line_sum(line, (size_t)n));
	if (fs_log_line(c->journal, line, &e)) {
		cache_cannot(c, &e);
		fs_log_close(c->journal);
		c->journal = NULL;
		c->journal_failed = true; /* the scan goes on in memory */
	}
}

uint64_t cache_bytes(size_t *models)
{
	char *dir = cache_dir(), *sub = xprintf("%s/models", dir), **names = NULL;
	uint64_t bytes = fs_tree_bytes(dir);

	*models = 0;
	if (fs_is_dir(sub) && !fs_list(sub, &names, models, NULL)) {
		for (size_t i = 0; i < *models; i++)
			xfree(names[i]);
		xfree(names);
	}
	xfree(sub);
	xfree(dir);
	return bytes;
}

enum st cache_clear(struct err *e)
{
	static const char *const parts[] = { "models", "quick" };
	char *dir = cache_dir();
	enum st st = ST_OK;

	for (size_t i = 0; i < 2 && !st; i++) {
		char *sub = xprintf("%s/%s", dir, parts[i]);

		if (fs_is_dir(sub))
			st = fs_remove_tree(sub, e);
		xfree(sub);
	}
	xfree(dir);
	return st;
}

void cache_trim(struct cache *c, uint64_t max)
{
	char *dir, *sub, **names = NULL;
	size_t n = 0;

	if (c && c->read_only)
		return;
	dir = cache_dir();
	sub = xprintf("%s/models", dir);
	xfree(dir);
	if (!fs_is_dir(sub) || fs_list(sub, &names, &n, NULL))
		n = 0;
	while (fs_tree_bytes(sub) > max) {
		char *oldest = NULL;
		int64_t when = INT64_MAX;

		for (size_t i = 0; i < n; i++) {
			char *path = xprintf("%s/%s", sub, names[i]);
			char *used = xprintf("%s/used", path);
			struct fs_id id = { 0 };

			if (!fs_is_dir(path) || (c && c->path && !strcmp(path, c->path))) {
				/* gone already, or in use by us */
			} else if (fs_identify(used, &id, NULL) || id.mtime_ns < when) {
				when = id.mtime_ns;
				xfree(oldest);
				oldest = xstrdup(path);
			}
			xfree(used);
			xfree(path);
		}
		if (!oldest || fs_remove_tree(oldest, NULL)) {
			xfree(oldest);
			break;
		}
		log_at(LOG_INFO, "cache", "removed %s: over %llu bytes", oldest,
			(unsigned long long)max);
		xfree(oldest);
	}
	for (size_t i = 0; i < n; i++)
		xfree(names[i]);
	xfree(names);
	xfree(sub);
}

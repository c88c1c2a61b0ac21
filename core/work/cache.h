/* cache.h - what was computed for a model, kept for the next time it is opened.
 *
 * $XDG_CACHE_HOME/bitdial/models/SHA16/ holds one model's self-sampled texts, its
 * journal of measured cells and its packed variants; quick/ maps (header hash, size,
 * mtime, inode) to the full hash, so that opening needs no reading of the file.
 * Deleting any of it is always safe; damaged entries are ignored.  At most 4 GiB, least
 * recently opened models first out.  One thread at a time; two processes may share it
 * (files are replaced whole, journals appended by lines).
 */
#ifndef BD_WORK_CACHE_H
#define BD_WORK_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/fs.h"
#include "core/io/checkpoint.h"
#include "core/model/selftext.h"
#include "core/quant/variant.h"

struct cache;

/* read_only: what is there is read and no file is made, changed or removed; what is put stays
 * in memory.  NULL result (and ST_OK) when read_only finds no cache at all.  Where the quick key
 * is not known the cache is pending: it has nothing and keeps nothing until cache_identify. */
BD_MUST_USE enum st cache_open(
	struct cache **out, const struct checkpoint *ck, bool read_only, struct err *e);
bool cache_pending(const struct cache *c);
/* Hashes the file in pieces if the cache is pending, else does nothing. */
BD_MUST_USE enum st cache_identify(
	struct cache *c, const struct checkpoint *ck, const struct sink *s, struct err *e);
void cache_close(struct cache *c); /* NULL is fine, here and below (then: nothing is kept) */
bool cache_was_quick(const struct cache *c); /* full hash taken from the quick key */
/* Computes the full hash now; false: the file changed under the same key, the entry was
 * dropped from use. */
bool cache_verify(struct cache *c, const struct checkpoint *ck, const struct sink *s);
bool cache_keeps(const struct cache *c);      /* is what is put written? */
const char *cache_sha(const struct cache *c); /* full hash, hex; "" without a cache */
/* That hash, of all weight files, now: a second a gigabyte or so.  Polls, tells progress. */
BD_MUST_USE enum st cache_hash(
	char out[65], const struct checkpoint *ck, const struct sink *s, struct err *e);

/* Self-sampled text by seed: false when there is none with at least n_seq sequences. */
bool cache_get_text(struct cache *c, uint64_t seed, size_t n_seq, size_t len, struct token_text *t);
/* The path of a text in another form ("self-4-250.jsonl"), for whoever writes it; NULL: nothing is
 * kept.  xfree. */
char *cache_file(const struct cache *c, const char *what, uint64_t seed, size_t len);
void cache_put_text(struct cache *c, uint64_t seed, const struct token_text *t);

/* Journal of cells.  text: hash of the tokens measured on.  by: quantizer and its version, and
 * of a calibrated one which text it was calibrated on: "clip1", "gptq1@dd912b18". */
enum { CACHE_BY = 24 };
struct cached_cell {
	uint32_t linear;
	struct format format;
	char by[CACHE_BY];
	char text[17];
	uint32_t tokens;
	double kl, se, top1;
};
/* As read at open and put since; good until the next cache_put_cell. */
size_t cache_cells(struct cache *c, const struct cached_cell **cells);
void cache_put_cell(struct cache *c, const struct cached_cell *cell);

/* Journal of measured layouts, under a key of what their numbers depend on. */
struct cached_point {
	char key[17];
	char what[16]; /* one word: "measured", "uniform" */
	uint32_t tokens;
	double kl, se;
	size_t n;
	uint8_t *choice; /* [n] */
};
/* In the order they were put; choice is good until each returns. */
void cache_each_point(struct cache *c, const char *key,
	void (*each)(void *arg, const struct cached_point *p), void *arg);
void cache_put_point(struct cache *c, const struct cached_point *p);

/* A number as the journals have it: what is measured now is what is read back later. */
double cache_round(double v);
/* How many cells and layouts the journals hold, whatever their text and key: a place in them says
 * what was known then. */
void cache_length(struct cache *c, size_t *cells, size_t *points);
/* As they were at that place: no more is given, and nothing is put.  SIZE_MAX: as they are. */
void cache_at(struct cache *c, size_t cells, size_t points);
/* What was measured and made before is passed over from now on, and the lengths count from 0; texts
 * stay. */
void cache_anew(struct cache *c);

/* The variants of one format in place of what the slots hold, mapped until
 * cache_drop_variants or cache_close; by: what made them ("clip1", "best-...").  false: none,
 * damaged, of other shapes, or stopped (both poll s between pieces).  Slots that were empty
 * when they were put stay as they are. */
struct model;
bool cache_get_variants(
	struct cache *c, const struct model *m, struct variant_set *v, size_t fmt, const char *by,
	const struct sink *s);
/* A stop leaves what was there. */
void cache_put_variants(struct cache *c, const struct variant_set *v, size_t fmt, const char *by,
	const struct sink *s);
/* No variant that came from the cache is used any more. */
void cache_drop_variants(struct cache *c);

/* Variants are put in place by a thread of their own (the fsync); this waits for it. */
void cache_flush(struct cache *c);

/* Where, how many models, how many bytes; for doctor. */
uint64_t cache_bytes(size_t *models);
char *cache_dir(void); /* xfree */
BD_MUST_USE enum st cache_clear(struct err *e);
/* Removes least recently opened models until at most `max` bytes stay; keeps `c`'s. */
void cache_trim(struct cache *c, uint64_t max);

#endif

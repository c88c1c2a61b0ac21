/* cache_private.h - what cache.c and cache_variants.c share; nobody else. */
#ifndef BD_WORK_CACHE_PRIVATE_H
#define BD_WORK_CACHE_PRIVATE_H

#include <stdatomic.h>

#include "core/work/cache.h"

enum { CACHE_MAPS = 4 * FORMAT_MAX };

struct cache {
	char *path; /* .../models/SHA16; NULL: the hash is not known yet */
	char sha[65];
	char *mark; /* .../quick/KEY */
	bool quick; /* sha was looked up, not computed */
	bool dead;  /* the lookup proved wrong: nothing is read or written any more */
	bool read_only;
	struct cached_cell *cells; /* of the journal, and put since */
	size_t n_cells, cap_cells;
	size_t cells_at, points_at;   /* no further than there; SIZE_MAX: all */
	size_t points_from, n_points; /* passed over; counted, where points_read */
	bool points_read;
	bool anew; /* nothing from before but texts */
	struct fs_log *journal;
	bool journal_failed;
	struct fs_log *points; /* measured layouts */
	bool points_failed;
	atomic_bool told; /* that something cannot be written: once is enough */
	struct fs_map maps[CACHE_MAPS]; /* variants in use */
	size_t n_maps;
	struct cache_commit *commit; /* a file on its way to the disk; NULL: none */
};

static inline bool cache_usable(const struct cache *c)
{
	return c && c->path && !c->dead;
}

static inline bool cache_writable(const struct cache *c)
{
	return cache_usable(c) && !c->read_only;
}

/* What a write failed with, said once as long as the cache is open.  Any thread. */
void cache_cannot(struct cache *c, const struct err *e);
/* A journal whole; one that cannot be read is said.  big_free *text. */
bool cache_read_journal(const char *path, size_t max, char **text, size_t *n);

/* A quick sum against torn and flipped bytes, no protection against malice: the worst that
 * wrong codes do is a wrong model. */
uint64_t cache_sum(const void *p, size_t n);
/* The same for a line of a journal. */
uint32_t cache_line_sum(const char *s, size_t n);

#endif

/* cache_variants.c - packed variants of one format in one file, as kernels want them.
 *
 * Layout: struct head, n struct entry, then the arrays, each at a multiple of 64.  An entry
 * with no rows is a linear that has no variant in this format. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/log.h"
#include "core/base/sig.h"
#include "core/model/model.h"
#include "core/work/cache_private.h"

static const char magic[8] = "BDVAR\0\0\3";

struct head {
	char magic[8], by[16];
	uint64_t n, bits, group, size, sum; /* sum: of everything behind the head */
};

struct entry {
	uint64_t rows, cols, codes, scale, offset; /* the last three: places in the file */
	char by[16];
	double error;
};

/* A bijection of h for each w, and of w for each h: one that differs is never lost again. */
static uint64_t mix(uint64_t h, uint64_t w)
{
	h = (h ^ w) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

/* Four lanes, so that it is as fast as memory. */
uint64_t cache_sum(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h[4] = { 1, 2, 3, 4 }, w[4] = { 0 }, sum = n;

	for (; n >= 32; s += 32, n -= 32) {
		memcpy(w, s, 32);
		for (int i = 0; i < 4; i++)
			h[i] = mix(h[i], w[i]);
	}
	memset(w, 0, sizeof w);
	memcpy(w, s, n);
	for (int i = 0; i < 4; i++)
		sum = mix(sum, mix(h[i], w[i]));
	return sum;
}

/* Of everything behind the head, in pieces of a few milliseconds; false: stopped. */
static bool file_sum(uint64_t *sum, const unsigned char *file, size_t size, const struct sink *sink)
{
	enum { PIECE = 4 << 20 };

	*sum = size;
	for (size_t at = sizeof(struct head); at < size; at += PIECE) {
		if (sink_poll(sink))
			return false;
		*sum = mix(*sum, cache_sum(file + at, size - at < PIECE ? size - at : PIECE));
	}
	return true;
}

static char *variants_path(const struct cache *c, struct format f, const char *by)
{
	char name[FORMAT_NAME];

	return xprintf("%s/%s-%s.var", c->path, format_name(f, name), by);
}

static size_t align64(size_t n)
{
	return (n + 63) / 64 * 64;
}

/* Is [at, at + bytes) inside the file and aligned? */
static bool inside(uint64_t at, size_t bytes, size_t size)
{
	size_t end;

	return at % 64 == 0 && size_add(&end, (size_t)at, bytes) && end <= size;
}

static bool fits(const struct fs_map *map, const struct model *m, struct format f, const char *by)
{
	const struct head *h = (const void *)map->data;
	const struct entry *en = (const void *)(map->data + sizeof *h);

	if (map->size < sizeof *h + m->n_linears * sizeof *en || memcmp(h->magic, magic, 8) ||
		strncmp(h->by, by, sizeof h->by) || h->n != m->n_linears ||
		h->bits != (uint64_t)f.bits || h->group != f.group || h->size != map->size)
		return false;
	for (size_t i = 0; i < m->n_linears; i++) {
		const struct linear *l = &m->linear[i];
		size_t stats = mat_stat_count(l->rows, l->cols, f.group) * 2;

		if (!en[i].rows && !en[i].cols)
			continue;
		if (en[i].rows != l->rows || en[i].cols != l->cols ||
			!inside(en[i].codes, mat_code_bytes(f.bits, l->rows, l->cols), map->size) ||
			!inside(en[i].scale, stats, map->size) ||
			!inside(en[i].offset, stats, map->size) ||
			!memchr(en[i].by, 0, sizeof en[i].by) || !quantizer_find(en[i].by))
			return false;
	}
	return true;
}

static struct variant entry_variant(
	const struct fs_map *map, const struct entry *en, struct format f)
{
	return (struct variant){
		.mat = { .type = MAT_INT,
			.bits = f.bits,
			.group = f.group,
			.rows = en->rows,
			.cols = en->cols,
			.data = map->data + en->codes,
			.scale = (const void *)(map->data + en->scale),
			.offset = (const void *)(map->data + en->offset) },
		.by = quantizer_find(en->by),
		.error = en->error,
		.bytes = format_bytes(f, en->rows, en->cols),
	};
}

/* Each to its slot, by way of the device where the model is on one; false: stopped, or it took no
 * more.  What has come by then stays. */
static bool take_entries(const struct fs_map *map, const struct model *m, struct variant_set *v,
	size_t fmt, const struct sink *s)
{
	const struct entry *en = (const void *)(map->data + sizeof(struct head));
	struct err e;

	for (size_t i = 0; i < m->n_linears; i++) {
		struct variant one;

		if (!en[i].rows)
			continue;
		one = entry_variant(map, &en[i], v->format[fmt]);
		if (variant_place(&one, m, &e)) {
			if (!m->be->lost || !m->be->lost()) /* else what comes next says so */
				log_at(LOG_WARN, "cache", "%s", e.msg);
			return false;
		}
		variant_release(variant_at(v, i, fmt));
		*variant_at(v, i, fmt) = one;
		if (one.home && sink_poll(s))
			return false;
	}
	return true;
}

bool cache_get_variants(struct cache *c, const struct model *m, struct variant_set *v, size_t fmt,
	const char *by, const struct sink *s)
{
	struct format f = v->format[fmt];
	struct fs_map *map;
	bool good, stopped;
	uint64_t sum;
	char *path;

	if (!cache_usable(c) || c->anew || c->n_maps == CACHE_MAPS)
		return false;
	cache_flush(c); /* it may be the one asked for */
	map = &c->maps[c->n_maps];
	path = variants_path(c, f, by);
	if (!fs_is_file(path) || fs_map_open(map, path, NULL)) {
		xfree(path);
		return false;
	}
	good = fits(map, m, f, by);
	stopped = good && !file_sum(&sum, map->data, map->size, s);
	if (!good || stopped || sum != ((const struct head *)(const void *)map->data)->sum) {
		if (!stopped)
			log_at(LOG_WARN, "cache",
				"%s is of another version or damaged: it will be made again", path);
		fs_map_close(map);
		xfree(path);
		return false;
	}
	xfree(path);
	c->n_maps++;
	good = take_entries(map, m, v, fmt, s);
	if (!m->be->host_memory) /* the device has copies */
		fs_map_close(&c->maps[--c->n_maps]);
	return good;
}

void cache_drop_variants(struct cache *c)
{
	while (c && c->n_maps)
		fs_map_close(&c->maps[--c->n_maps]);
}

static void put(unsigned char *file, size_t *at, uint64_t *place, const void *p, size_t n)
{
	*place = *at;
	memcpy(file + *at, p, n);
	*at = align64(*at + n);
}

/* Bytes of the file; 0: there is no variant of this format. */
static size_t file_size(const struct variant_set *v, size_t fmt)
{
	size_t head = align64(sizeof(struct head) + v->n * sizeof(struct entry)), size = head;

	for (size_t i = 0; i < v->n; i++) {
		const struct mat *w = &variant_at(v, i, fmt)->mat;

		if (w->data)
			size += align64(mat_code_bytes(w->bits, w->rows, w->cols)) +
				2 * align64(mat_stat_count(w->rows, w->cols, w->group) * 2);
	}
	return size == head ? 0 : size;
}

/* The fsync of 50 MB takes the disk some tenths of a second, in which the engine has better
 * things to do. */
struct cache_commit {
	pthread_t thread;
	struct cache *cache;
	struct fs_out *out;
};

static void *commit(void *arg)
{
	struct cache_commit *k = arg;
	struct err e;

	if (fs_out_commit(k->out, &e))
		cache_cannot(k->cache, &e);
	return NULL;
}

void cache_flush(struct cache *c)
{
	if (!c || !c->commit)
		return;
	pthread_join(c->commit->thread, NULL);
	xfree(c->commit);
	c->commit = NULL;
}

static void commit_aside(struct cache *c, struct fs_out *out)
{
	struct cache_commit *k = xalloc(sizeof *k);
	sigset_t all, old;
	bool failed;

	k->cache = c;
	k->out = out;
	sig_all_but_faults(&all); /* signals are the UI thread's */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	failed = pthread_create(&k->thread, NULL, commit, k) != 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (failed) {
		commit(k);
		xfree(k);
	} else {
		c->commit = k;
	}
}

/* In pieces, so that a stop (and what is more urgent) need not wait for the disk. */
static void write_file(struct cache *c, const char *path, const unsigned char *file, size_t size,
	const struct sink *s)
{
	enum { PIECE = 1 << 20 };
	struct fs_out *o;
	struct err e;
	enum st st;

	cache_flush(c);
	st = fs_out_open(&o, path, size, &e);
	if (!st) {
		for (size_t at = 0; at < size && !st; at += PIECE) {
			st = fs_out_write(o, file + at, size - at < PIECE ? size - at : PIECE, &e);
			if (!st && sink_poll(s))
				st = ST_CANCELLED;
		}
		if (st)
			fs_out_abort(o);
		else
			commit_aside(c, o);
	}
	if (st && st != ST_CANCELLED)
		cache_cannot(c, &e);
}

/* The arrays of every variant, each at its place; false: stopped, or its device failed. */
static bool pack(unsigned char *file, size_t at, const struct variant_set *v, size_t fmt,
	const struct sink *sink)
{
	struct entry *en = (void *)(file + sizeof(struct head));

	for (size_t i = 0; i < v->n; i++) {
		struct mat w;
		void *memory;
		size_t stats;

		if (!en[i].rows)
			continue;
		if (sink_poll(sink) || variant_here(variant_at(v, i, fmt), &w, &memory, NULL))
			return false; /* of a device that failed others say it */
		stats = mat_stat_count(w.rows, w.cols, w.group) * 2;
		put(file, &at, &en[i].codes, w.data, mat_code_bytes(w.bits, w.rows, w.cols));
		put(file, &at, &en[i].scale, w.scale, stats);
		put(file, &at, &en[i].offset, w.offset, stats);
		big_free(memory);
	}
	return true;
}

void cache_put_variants(struct cache *c, const struct variant_set *v, size_t fmt, const char *by,
	const struct sink *sink)
{
	struct format f = v->format[fmt];
	size_t size = cache_writable(c) ? file_size(v, fmt) : 0;
	struct err e = { 0 };
	struct entry *en;
	struct head *h;
	unsigned char *file;

	if (!size)
		return;
	file = big_alloc(size, "variants for the cache", &e);
	if (!file) {
		cache_cannot(c, &e);
		return;
	}
	h = (void *)file;
	en = (void *)(file + sizeof *h);
	/* All entries first: at a poll other work may fill slots that were empty. */
	for (size_t i = 0; i < v->n; i++) {
		const struct variant *s = variant_at(v, i, fmt);

		if (!s->mat.data)
			continue;
		en[i].rows = s->mat.rows;
		en[i].cols = s->mat.cols;
		en[i].error = s->error;
		snprintf(en[i].by, sizeof en[i].by, "%s", s->by->name);
	}
	memcpy(h->magic, magic, 8);
	snprintf(h->by, sizeof h->by, "%s", by);
	h->n = v->n;
	h->bits = (uint64_t)f.bits;
	h->group = f.group;
	h->size = size;
	if (pack(file, align64(sizeof *h + v->n * sizeof *en), v, fmt, sink) &&
		file_sum(&h->sum, file, size, sink)) {
		char *path = variants_path(c, f, by);

		write_file(c, path, file, size, sink);
		xfree(path);
	}
	big_free(file);
}

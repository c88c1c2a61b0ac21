/* teach_read.c - see teach.h: a teacher's cache is read. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/fs.h"
#include "core/tune/teach_private.h"

struct teach {
	size_t vocab, top, parts;
	struct fs_map *map;  /* [parts] */
	size_t (*first)[TEACH_PART]; /* [parts]: rows of a part before a sequence */
};

static enum st missing(const struct teach *t, const char *dir, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < t->parts; i++) {
		char *path = teach_part_path(dir, i);

		n += fs_is_file(path);
		xfree(path);
	}
	return err_set(e, ST_INVALID,
		"%s: %zu of %zu parts are there: bitdial teach makes the rest", dir, n, t->parts);
}

static enum st open_part(struct teach *t, const struct pack *p, const char *dir,
	struct teach_head h, struct err *e)
{
	char *path = teach_part_path(dir, (size_t)h.part);
	struct fs_map *map = &t->map[h.part];
	enum st st;

	if (!fs_is_file(path))
		st = missing(t, dir, e);
	else
		st = fs_map_open(map, path, e);
	if (!st)
		st = teach_check(&h, map->data, map->size, path, e);
	for (size_t i = 0, rows = 0; !st && i < h.n; i++) {
		size_t seq = (size_t)h.part * TEACH_PART + i, n = pack_rows(p, seq);
		uint32_t there;

		memcpy(&there, map->data + sizeof h + i * sizeof there, sizeof there);
		if (there != n)
			st = teach_damaged(path, e);
		t->first[h.part][i] = rows;
		rows += n;
	}
	xfree(path);
	return st;
}

/* How many tokens a row the folder has: what its first part says. */
static enum st top_of(struct teach *t, const char *dir, struct err *e)
{
	char *path = teach_part_path(dir, 0);
	struct teach_head h;
	struct fs_map map = { 0 };
	enum st st = ST_OK;

	if (!fs_is_dir(dir))
		st = err_set(e, ST_IO, "%s is no folder: bitdial teach makes a teacher's cache", dir);
	else if (!fs_is_file(path))
		st = missing(t, dir, e);
	else
		st = fs_map_open(&map, path, e);
	if (!st && (map.size < sizeof h || memcmp(map.data, "bdteach1", 8) != 0))
		st = err_set(e, ST_FORMAT,
			"%s is no part of a teacher's cache: teach again into that folder", path);
	if (!st) {
		memcpy(&h, map.data, sizeof h);
		t->top = (size_t)h.top;
	}
	if (!st && (!h.top || h.top > TEACH_MOST))
		st = teach_damaged(path, e);
	fs_map_close(&map);
	xfree(path);
	return st;
}

enum st teach_open(struct teach **out, const char *dir, const struct model *m,
	const struct pack *p, const char *model, const struct sink *s, struct err *e)
{
	struct teach *t = xalloc(sizeof *t);
	char data[65];
	enum st st;

	pack_train_sha256(p, data);
	t->vocab = m->hp.vocab;
	t->parts = teach_parts(p);
	t->map = xarray(t->parts, sizeof *t->map);
	t->first = xarray(t->parts, sizeof *t->first);
	st = top_of(t, dir, e);
	for (size_t i = 0; !st && i < t->parts; i++) {
		st = open_part(t, p, dir, teach_head_of(m, p, t->top, model, data, i), e);
		if (!st && sink_poll(s))
			st = err_set(e, ST_CANCELLED, "stopped");
	}
	if (st)
		teach_close(t);
	else
		*out = t;
	return st;
}

void teach_close(struct teach *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->parts; i++)
		fs_map_close(&t->map[i]);
	xfree(t->map);
	xfree(t->first);
	xfree(t);
}

void teach_row(const struct teach *t, size_t seq, size_t row, struct teach_row *out)
{
	size_t part = seq / TEACH_PART, i = seq % TEACH_PART, each = t->vocab <= 65536 ? 2 : 4;
	const unsigned char *at = t->map[part].data;
	struct teach_head h;
	uint16_t half;

	memcpy(&h, at, sizeof h);
	at += sizeof h + h.n * sizeof(uint32_t) +
	      (t->first[part][i] + row) * teach_row_bytes(t->vocab, t->top);
	out->top = t->top;
	memcpy(&half, at, sizeof half);
	out->rest = f16_to_f32(half);
	at += sizeof half;
	for (size_t k = 0; k < t->top; k++, at += sizeof half) {
		memcpy(&half, at, sizeof half);
		out->log[k] = f16_to_f32(half);
	}
	for (size_t k = 0; k < t->top; k++, at += each) {
		uint32_t id = 0;

		memcpy(&id, at, each);
		out->token[k] = (int32_t)(id < t->vocab ? id : 0);
	}
}

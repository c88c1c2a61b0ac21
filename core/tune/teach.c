/* teach.c - see teach.h: a part of the cache, and the pass of the reference that writes them. */
#include "core/tune/teach.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/model/backward.h"
#include "core/model/place.h"
#include "core/tune/teach_private.h"

/* ---- a part */

size_t teach_parts(const struct pack *p)
{
	return ((size_t)pack_counts(p)->sequences + TEACH_PART - 1) / TEACH_PART;
}

size_t teach_row_bytes(size_t vocab, size_t top)
{
	return sizeof(uint16_t) + top * (sizeof(uint16_t) + (vocab <= 65536 ? 2 : 4));
}

struct teach_head teach_head_of(const struct model *m, const struct pack *p, size_t top,
	const char *model, const char *data, size_t part)
{
	size_t all = (size_t)pack_counts(p)->sequences, first = part * TEACH_PART;
	struct teach_head h = { .vocab = m->hp.vocab, .top = top, .part = part };

	h.n = all - first < TEACH_PART ? all - first : TEACH_PART;
	for (size_t i = 0; i < h.n; i++)
		h.rows += pack_rows(p, first + i);
	memcpy(h.magic, "bdteach1", sizeof h.magic);
	memcpy(h.data, data, sizeof h.data);
	memcpy(h.model, model, strnlen(model, sizeof h.model));
	return h;
}

size_t teach_part_bytes(const struct teach_head *h)
{
	return sizeof *h + h->n * sizeof(uint32_t) +
	       h->rows * teach_row_bytes(h->vocab, h->top) + TEACH_SUM;
}

char *teach_part_path(const char *dir, size_t part)
{
	return xprintf("%s/part-%06zu.teach", dir, part);
}

uint64_t teach_bytes(const struct model *m, const struct pack *p, size_t top)
{
	static const char none[64];
	uint64_t bytes = 0;

	for (size_t i = 0; i < teach_parts(p); i++) {
		struct teach_head h = teach_head_of(m, p, top, "", none, i);

		bytes += teach_part_bytes(&h);
	}
	return bytes;
}

enum st teach_damaged(const char *path, struct err *e)
{
	return err_set(e, ST_FORMAT, "%s is damaged: teach again into that folder", path);
}

enum st teach_check(const struct teach_head *want, const void *part, size_t bytes,
	const char *path, struct err *e)
{
	struct teach_head h;
	char sum[TEACH_SUM + 1];

	if (bytes < sizeof h || memcmp(part, "bdteach1", 8) != 0)
		return err_set(e, ST_FORMAT,
			"%s is no part of a teacher's cache: teach again into that folder", path);
	memcpy(&h, part, sizeof h);
	if (memcmp(h.model, want->model, sizeof h.model) != 0 || h.vocab != want->vocab)
		return err_set(e, ST_INVALID,
			"%s is what another model said: take another folder for this one", path);
	if (memcmp(h.data, want->data, sizeof h.data) != 0)
		return err_set(e, ST_INVALID,
			"%s was said of other data, or of windows of another length: take another "
			"folder",
			path);
	if (h.top != want->top)
		return err_set(e, ST_INVALID,
			"%s has %llu tokens a row, not %llu: take another folder, or as many", path,
			(unsigned long long)h.top, (unsigned long long)want->top);
	if (memcmp(&h, want, sizeof h) != 0 || bytes != teach_part_bytes(want))
		return teach_damaged(path, e);
	sha256_of(part, bytes - TEACH_SUM, sum);
	if (memcmp(sum, (const char *)part + bytes - TEACH_SUM, TEACH_SUM) != 0)
		return teach_damaged(path, e);
	return ST_OK;
}

/* ---- writing */

enum { BATCH_ROWS = 512, HEAD_ROWS = 64 };

struct pass {
	const struct model *m;
	struct pack *p;
	const struct teach_how *how;
	const struct sink *s;
	struct back *b;
	float *z;    /* [HEAD_ROWS][vocab], backend memory */
	float *row;  /* [vocab], host */
	float *best; /* [top]: largest first */
	int32_t *of; /* [top]: their tokens */
	struct pack_batch batch;
	struct span *span;
	size_t rows;   /* of a batch */
	char data[65]; /* SHA-256 of what is read */
};

static void pass_close(struct pass *a)
{
	back_free(a->b);
	if (a->z)
		a->m->be->free(a->z);
	big_free(a->row);
	xfree(a->best);
	xfree(a->of);
	xfree(a->span);
	pack_batch_release(&a->batch);
}

static enum st pass_open(struct pass *a, struct err *e)
{
	const struct model *m = a->m;
	size_t window = pack_window(a->p), z = HEAD_ROWS * m->hp.vocab * sizeof *a->z;
	enum st st;

	a->rows = window < BATCH_ROWS ? BATCH_ROWS / window * window : window;
	st = back_new(&a->b, m, a->rows, BACK_INPUTS, e);
	if (st)
		return st;
	back_set_math(a->b, a->how->math);
	a->span = xarray(a->rows, sizeof *a->span);
	a->best = xarray(a->how->top, sizeof *a->best);
	a->of = xarray(a->how->top, sizeof *a->of);
	a->row = big_array(m->hp.vocab, sizeof *a->row, "logits of a token", e);
	if (!a->row)
		return ST_NOMEM;
	a->z = m->be->alloc(z);
	return a->z ? ST_OK : place_full(m, "logits of a few tokens", z, "free some", e);
}

/* The largest of a row, largest first and of equals the lowest token. */
static void largest(struct pass *a)
{
	size_t n = 0, top = a->how->top;

	for (size_t i = 0; i < a->m->hp.vocab; i++) {
		float x = a->row[i];
		size_t at;

		if (n == top && !(x > a->best[top - 1]))
			continue;
		for (at = n < top ? n++ : top - 1; at && x > a->best[at - 1]; at--) {
			a->best[at] = a->best[at - 1];
			a->of[at] = a->of[at - 1];
		}
		a->best[at] = x;
		a->of[at] = (int32_t)i;
	}
}

/* One record from a->row, whose log(sum(exp)) is lse. */
static unsigned char *record(struct pass *a, double lse, unsigned char *to)
{
	size_t top = a->how->top;
	double rest = 1;
	uint16_t half;

	largest(a);
	for (size_t i = 0; i < top; i++)
		rest -= exp((double)a->best[i] - lse);
	half = f16_from_f32((float)log(fmax(rest, 1e-7)));
	memcpy(to, &half, sizeof half);
	to += sizeof half;
	for (size_t i = 0; i < top; i++, to += sizeof half) {
		half = f16_from_f32((float)((double)a->best[i] - lse));
		memcpy(to, &half, sizeof half);
	}
	for (size_t i = 0; i < top; i++) {
		uint16_t narrow = (uint16_t)a->of[i];
		bool fits = a->m->hp.vocab <= 65536;

		memcpy(to, fits ? (void *)&narrow : (void *)&a->of[i], fits ? 2 : 4);
		to += fits ? 2 : 4;
	}
	return to;
}

/* All rows of the batch, one record after the other. */
static enum st records(struct pass *a, unsigned char **to, struct err *e)
{
	const struct model *m = a->m;
	enum st st;

	for (size_t i = 0; i < a->batch.n_spans; i++)
		a->span[i] = (struct span){ NULL, a->batch.spans[i].rows };
	st = back_forward(a->b, m->ref, a->batch.ids, a->span, a->batch.n_spans, NULL, a->s, e);
	for (size_t r = 0, n; !st && r < a->batch.rows; r += n) {
		size_t at[HEAD_ROWS];
		double lse[HEAD_ROWS];

		for (n = 0; n < HEAD_ROWS && r + n < a->batch.rows; n++)
			at[n] = r + n;
		st = back_head(a->b, back_hidden(a->b), at, n, a->z, a->s, e);
		if (st)
			break;
		m->be->row_stats(lse, NULL, a->z, n, m->hp.vocab);
		for (size_t i = 0; i < n; i++) {
			m->be->get(a->row, a->z + i * m->hp.vocab, m->hp.vocab * sizeof *a->row);
			*to = record(a, lse[i], *to);
		}
		st = model_fault(m, e);
		if (!st && sink_poll(a->s))
			st = err_set(e, ST_CANCELLED, "stopped");
	}
	return st;
}

/* data: teach_part_bytes. */
static enum st fill(
	struct pass *a, const struct teach_head *h, unsigned char *data, struct err *e)
{
	size_t first = (size_t)h->part * TEACH_PART, at = first, end = first + (size_t)h->n;
	unsigned char *to = data + sizeof *h;
	char sum[TEACH_SUM + 1];
	enum st st = ST_OK;

	memcpy(data, h, sizeof *h);
	for (size_t i = first; i < end; i++, to += sizeof(uint32_t)) {
		uint32_t rows = (uint32_t)pack_rows(a->p, i);

		memcpy(to, &rows, sizeof rows);
	}
	while (!st && at < end) {
		st = pack_in_order(a->p, &at, end, a->rows, &a->batch, e);
		if (!st)
			st = records(a, &to, e);
	}
	if (st)
		return st;
	sha256_of(data, (size_t)(to - data), sum);
	memcpy(to, sum, TEACH_SUM);
	return ST_OK;
}

/* Is the part there, and whole?  One of another model, data or top is an error; what is damaged is
 * written again. */
static enum st done(const struct teach_head *h, const char *path, bool *there, struct err *e)
{
	struct fs_map map;
	enum st st;

	*there = fs_is_file(path);
	if (!*there)
		return ST_OK;
	st = fs_map_open(&map, path, e);
	if (st)
		return st;
	st = teach_check(h, map.data, map.size, path, e);
	if (st == ST_FORMAT) {
		*there = false;
		st = ST_OK;
	}
	fs_map_close(&map);
	return st;
}

static enum st part(struct pass *a, const char *dir, size_t i, struct err *e)
{
	struct teach_head h = teach_head_of(
		a->m, a->p, a->how->top, a->how->model, a->data, i);
	char *path = teach_part_path(dir, i);
	size_t bytes = teach_part_bytes(&h);
	unsigned char *data = NULL;
	bool there;
	enum st st = done(&h, path, &there, e);

	if (!st && !there) {
		data = big_alloc(bytes, "a part of a teacher's cache", e);
		st = data ? fill(a, &h, data, e) : ST_NOMEM;
		if (!st)
			st = fs_write_all(path, data, bytes, e);
	}
	big_free(data);
	xfree(path);
	return st;
}

enum st teach_write(const char *dir, const struct model *m, struct pack *p,
	const struct teach_how *how, const struct sink *s, struct err *e)
{
	struct pass a = { .m = m, .p = p, .how = how, .s = s };
	size_t parts = teach_parts(p);
	enum st st;

	if (!how->top || how->top > TEACH_MOST || how->top > m->hp.vocab)
		return err_set(e, ST_INVALID,
			"a teacher's cache has 1 to %zu tokens a row, not %zu",
			m->hp.vocab < TEACH_MOST ? m->hp.vocab : TEACH_MOST, how->top);
	pack_train_sha256(p, a.data);
	st = fs_mkdirs(dir, e);
	if (!st)
		st = pass_open(&a, e);
	for (size_t i = 0; !st && i < parts; i++) {
		st = part(&a, dir, i, e);
		sink_progress(s, (double)(i + 1), (double)parts);
	}
	pass_close(&a);
	return st;
}

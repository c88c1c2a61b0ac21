/* weights.c - tensors to mats: repacked, run from the map, or made float. */
#include "core/model/weights.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/model/place.h"
#include "kernels/pool.h"

/* Weights between two looks at the stop token: about 10 ms on two cores. */
static const size_t PIECE = 4u << 20;

void *weights_take(struct model_memory *mem, size_t bytes, const char *what, struct err *e)
{
	char need[16];
	void *p;

	if (mem->n == mem->cap) {
		mem->cap = mem->cap ? mem->cap * 2 : 64;
		mem->block = xrealloc(mem->block, mem->cap * sizeof *mem->block);
	}
	p = mem->be->alloc(bytes ? bytes : 1);
	if (!p && !mem->be->host_memory) {
		(void)place_small(mem->be, what, bytes, "open a smaller model, or use --device cpu", e);
		return NULL;
	}
	if (!p) {
		err_set(e, ST_NOMEM,
			"no memory for %s (%s); close other programs or open a smaller model", what,
			text_bytes(bytes, need));
		return NULL;
	}
	mem->block[mem->n++] = p;
	mem->bytes += bytes;
	return p;
}

void weights_release(struct model_memory *mem)
{
	while (mem->n)
		mem->be->free(mem->block[--mem->n]);
	xfree(mem->block);
	mem->block = NULL;
	mem->cap = 0;
	mem->bytes = 0;
}

/* Gives the newest block back before its time. */
static void give_back(struct model_memory *mem, size_t bytes)
{
	mem->be->free(mem->block[--mem->n]);
	mem->bytes -= bytes;
}

/* ---- finding */

static bool shaped(const struct tensor *t, size_t rows, size_t cols)
{
	return t->rank == 2 && t->dim[0] == rows && t->dim[1] == cols;
}

static enum st misshapen(const struct tensor *t, size_t rows, size_t cols, struct err *e)
{
	char have[96] = "no shape";
	int i, n = 0;

	for (i = 0; i < t->rank; i++)
		n += snprintf(have + n, sizeof have - (size_t)n, "%s%llu", i ? " x " : "",
			(unsigned long long)t->dim[i]);
	return err_set(e, ST_FORMAT, "tensor %s is %s, the hyperparameters say %zu x %zu", t->name,
		have, rows, cols);
}

/* NAME.codes, NAME.scale and NAME.offset of our own folder; all three or ST_FORMAT. */
static enum st find_stored(struct weights_source *w, const struct checkpoint *ck, struct err *e)
{
	const struct {
		const struct tensor **to;
		const char *part;
		enum dtype dtype;
		size_t cols;
	} want[] = {
		{ &w->t, "codes", DT_U8, (w->cols * (size_t)w->as.bits + 7) / 8 },
		{ &w->scale, "scale", DT_F16, mat_groups(w->cols, w->as.group) },
		{ &w->offset, "offset", DT_F16, mat_groups(w->cols, w->as.group) },
	};
	char name[96];
	size_t i;

	for (i = 0; i < sizeof want / sizeof *want; i++) {
		snprintf(name, sizeof name, "%s.%s", w->name, want[i].part);
		*want[i].to = checkpoint_find(ck, name);
		if (!*want[i].to)
			return err_set(e, ST_FORMAT, "tensor %s is missing", name);
		if ((*want[i].to)->dtype != want[i].dtype)
			return err_set(e, ST_FORMAT, "tensor %s is %s, expected %s", name,
				dtype_name((*want[i].to)->dtype), dtype_name(want[i].dtype));
		if (!shaped(*want[i].to, w->rows, want[i].cols))
			return misshapen(*want[i].to, w->rows, want[i].cols, e);
	}
	return ST_OK;
}

enum st weights_find(struct weights_source *w, const struct checkpoint *ck, const char *name,
	size_t rows, size_t cols, struct err *e)
{
	*w = (struct weights_source){ .name = name, .rows = rows, .cols = cols };
	if (checkpoint_stored(ck, name, &w->as)) {
		if (w->as.bits < 1 || w->as.bits > 8 || !w->as.group || w->as.group % MAT_BLOCK)
			return err_set(e, ST_FORMAT, "%s: %d bits in groups of %zu cannot be run",
				name, w->as.bits, w->as.group);
		return find_stored(w, ck, e);
	}
	w->t = checkpoint_find(ck, name);
	if (!w->t)
		return err_set(e, ST_FORMAT, "tensor %s is missing", name);
	if (!shaped(w->t, rows, cols))
		return misshapen(w->t, rows, cols, e);
	if (w->t->dtype == DT_U8)
		return err_set(e, ST_FORMAT, "tensor %s holds bytes (U8), not weights", name);
	return ST_OK;
}

uint64_t weights_stored(const struct weights_source *w)
{
	return w->t->bytes + (w->scale ? w->scale->bytes + w->offset->bytes : 0);
}

/* ---- how it will run */

static enum mat_type dense_type(enum dtype t)
{
	return t == DT_F16 ? MAT_F16 : t == DT_BF16 ? MAT_BF16 : MAT_F32;
}

static bool runs_as_is(enum dtype t)
{
	return t == DT_F32 || t == DT_F16 || t == DT_BF16;
}

static bool packed_as(const struct weights_source *w, struct stored_int *as)
{
	const struct repack_kind *k = repack_kind(w->t->dtype);

	if (w->scale) {
		*as = w->as;
		return true;
	}
	if (k)
		*as = (struct stored_int){ k->bits, MAT_BLOCK };
	return k != NULL;
}

/* Bytes of codes and of one of the two statistics. */
static bool packed_bytes(
	const struct weights_source *w, struct stored_int as, size_t *codes, size_t *stats)
{
	size_t r, c;

	/* mat.h pads; refuse what would wrap there before asking */
	if (!size_align_up(&r, w->rows, MAT_TILE) || !size_align_up(&c, w->cols, MAT_BLOCK) ||
		!size_mul(codes, r, c) || !size_mul(codes, *codes, 8))
		return false;
	*codes = mat_code_bytes(as.bits, w->rows, w->cols);
	return size_mul(stats, mat_stat_count(w->rows, w->cols, as.group), sizeof(uint16_t));
}

uint64_t weights_need(const struct weights_source *w)
{
	struct stored_int as;
	size_t codes, stats;

	if (packed_as(w, &as))
		return packed_bytes(w, as, &codes, &stats) ? (uint64_t)codes + 2 * (uint64_t)stats
							   : UINT64_MAX / 4;
	if (runs_as_is(w->t->dtype))
		return w->t->bytes; /* pages of the map, but they must stay to be fast */
	return (uint64_t)w->rows * w->cols * sizeof(float);
}

/* ---- packing */

struct packing {
	const struct weights_source *w;
	const struct repack_kind *kind; /* NULL: bit strings */
	struct stored_int as;
	uint32_t *words;
	uint16_t *scale, *offset;
	size_t first; /* tile of part 0 */
	atomic_bool inexact;
};

static uint16_t stat16(const struct tensor *t, size_t i)
{
	return (uint16_t)(t->data[2 * i] | t->data[2 * i + 1] << 8);
}

static void pack_stats(struct packing *p, size_t tile, size_t row)
{
	size_t groups = mat_groups(p->w->cols, p->as.group), lane = row % MAT_TILE, g;

	for (g = 0; g < groups; g++) {
		p->scale[(tile * groups + g) * MAT_TILE + lane] =
			stat16(p->w->scale, row * groups + g);
		p->offset[(tile * groups + g) * MAT_TILE + lane] =
			stat16(p->w->offset, row * groups + g);
	}
}

/* Lanes inside, so that the words are written in order. */
static void pack_tile(void *arg, size_t part)
{
	struct packing *p = arg;
	size_t tile = p->first + part, cols = p->w->cols;
	size_t blocks = (cols + MAT_BLOCK - 1) / MAT_BLOCK,
	       block_words = (size_t)p->as.bits * MAT_TILE;
	size_t lanes = p->w->rows - tile * MAT_TILE, row_bytes, block_bytes, b, lane;
	bool exact = true;

	lanes = lanes < MAT_TILE ? lanes : MAT_TILE;
	block_bytes = p->kind ? dtype_block_bytes(p->w->t->dtype) : 4 * (size_t)p->as.bits;
	row_bytes = p->kind ? blocks * block_bytes : (cols * (size_t)p->as.bits + 7) / 8;
	for (b = 0; b < blocks; b++) {
		uint32_t *words = p->words + (tile * blocks + b) * block_words;
		size_t stat = (tile * blocks + b) * MAT_TILE;
		size_t n = cols - b * MAT_BLOCK < MAT_BLOCK ? cols - b * MAT_BLOCK : MAT_BLOCK;

		for (lane = 0; lane < lanes; lane++) {
			const unsigned char *src = p->w->t->data +
						   (tile * MAT_TILE + lane) * row_bytes +
						   b * block_bytes;

			if (!p->kind)
				repack_bits(src, p->as.bits, n, words + lane);
			else if (!p->kind->block(src, words + lane, p->scale + stat + lane,
					 p->offset + stat + lane))
				exact = false;
		}
	}
	for (lane = 0; !p->kind && lane < lanes; lane++)
		pack_stats(p, tile, tile * MAT_TILE + lane);
	if (!exact)
		atomic_store(&p->inexact, true);
}

static enum st pack_all(struct packing *p, const struct sink *s, struct err *e)
{
	size_t tiles = (p->w->rows + MAT_TILE - 1) / MAT_TILE, step, n;

	step = PIECE / (MAT_TILE * p->w->cols) + 1;
	for (p->first = 0; p->first < tiles && !atomic_load(&p->inexact); p->first += n) {
		n = tiles - p->first < step ? tiles - p->first : step;
		pool_run(pack_tile, p, n);
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped while %s was loading", p->w->name);
	}
	return ST_OK;
}

/* *exact is false, and nothing is kept, when the native type cannot hold W. */
static enum st load_packed(struct model_memory *mem, struct mat *out,
	const struct weights_source *w, struct stored_int as, bool *exact, const struct sink *s,
	struct err *e)
{
	struct packing p = { .w = w, .as = as };
	size_t codes, stats, all;
	unsigned char *to, *host;
	enum st st;

	if (!packed_bytes(w, as, &codes, &stats) || !size_mul(&all, stats, 2) ||
		!size_add(&all, all, codes))
		return err_set(e, ST_NOMEM, "%s: %zu x %zu weights do not fit any memory", w->name,
			w->rows, w->cols);
	to = weights_take(mem, all, w->name, e);
	if (!to)
		return ST_NOMEM;
	host = mem->be->host_memory ? to : big_alloc(all, w->name, e);
	if (!host)
		return ST_NOMEM;
	p.kind = w->scale ? NULL : repack_kind(w->t->dtype);
	p.words = (uint32_t *)(void *)host;
	p.scale = (uint16_t *)(void *)(host + codes);
	p.offset = p.scale + stats / sizeof(uint16_t);
	st = pack_all(&p, s, e);
	*exact = !atomic_load(&p.inexact);
	if (!st && *exact && !mem->be->host_memory)
		mem->be->put(to, host, all);
	if (!mem->be->host_memory)
		big_free(host);
	if (!st && !*exact)
		give_back(mem, all);
	*out = (struct mat){ .type = MAT_INT,
		.bits = as.bits,
		.group = as.group,
		.rows = w->rows,
		.cols = w->cols,
		.data = to,
		.scale = (const uint16_t *)(const void *)(to + codes) };
	out->offset = out->scale + stats / sizeof(uint16_t);
	return st;
}

/* ---- float */

struct widening {
	const struct tensor *t;
	size_t cols, first; /* row of part 0 */
	float *out;         /* row `first` */
};

static void widen_row(void *arg, size_t part)
{
	struct widening *x = arg;

	tensor_f32(x->t, (x->first + part) * x->cols, x->cols, x->out + part * x->cols);
}

static enum st load_float(struct model_memory *mem, struct mat *out, const struct weights_source *w,
	const struct sink *s, struct err *e)
{
	struct widening x = { .t = w->t, .cols = w->cols };
	size_t all, row = w->cols * sizeof(float), step = PIECE / w->cols + 1, n;
	float *to, *host = NULL;
	enum st st = ST_OK;

	if (!size_mul(&all, w->rows, row))
		return err_set(e, ST_NOMEM, "%s: %zu x %zu weights do not fit any memory", w->name,
			w->rows, w->cols);
	to = weights_take(mem, all, w->name, e);
	if (!to)
		return ST_NOMEM;
	if (!mem->be->host_memory) {
		host = big_array(step, row, w->name, e);
		if (!host)
			return ST_NOMEM;
	}
	for (x.first = 0; !st && x.first < w->rows; x.first += n) {
		n = w->rows - x.first < step ? w->rows - x.first : step;
		x.out = host ? host : to + x.first * w->cols;
		pool_run(widen_row, &x, n);
		if (host)
			mem->be->put(to + x.first * w->cols, host, n * row);
		if (sink_poll(s))
			st = err_set(e, ST_CANCELLED, "stopped while %s was loading", w->name);
	}
	big_free(host);
	*out = (struct mat){ .type = MAT_F32, .rows = w->rows, .cols = w->cols, .data = to };
	return st;
}

/* In pieces: the file may have to be read for it. */
static enum st put_all(const struct backend *be, unsigned char *to, const struct weights_source *w,
	const struct sink *s, struct err *e)
{
	size_t n;

	for (size_t at = 0; at < w->t->bytes; at += n) {
		n = w->t->bytes - at < 4 * PIECE ? w->t->bytes - at : 4 * PIECE;
		be->put(to + at, w->t->data + at, n);
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped while %s was loading", w->name);
	}
	return ST_OK;
}

static enum st load_as_is(struct model_memory *mem, struct mat *out, const struct weights_source *w,
	const struct sink *s, struct err *e)
{
	const void *data = w->t->data;

	if (!mem->be->host_memory) {
		void *to = weights_take(mem, w->t->bytes, w->name, e);
		enum st st = to ? put_all(mem->be, to, w, s, e) : ST_NOMEM;

		if (st)
			return st;
		data = to;
	}
	*out = (struct mat){
		.type = dense_type(w->t->dtype), .rows = w->rows, .cols = w->cols, .data = data
	};
	return ST_OK;
}

enum st weights_load(struct model_memory *mem, struct mat *out, const struct weights_source *w,
	const struct sink *s, struct err *e)
{
	struct stored_int as;
	bool exact = false;

	if (packed_as(w, &as)) {
		enum st st = load_packed(mem, out, w, as, &exact, s, e);

		if (st || exact)
			return st;
	}
	return runs_as_is(w->t->dtype) ? load_as_is(mem, out, w, s, e) : load_float(mem, out, w, s, e);
}

enum st weights_vector(struct model_memory *mem, float **out, const struct checkpoint *ck,
	const char *name, size_t n, struct err *e)
{
	const struct tensor *t = checkpoint_find(ck, name);
	float *host;

	if (!t)
		return err_set(e, ST_FORMAT, "tensor %s is missing", name);
	if (t->rank != 1 || t->dim[0] != n || t->dtype == DT_U8 || n % dtype_block(t->dtype))
		return err_set(e, ST_FORMAT,
			"tensor %s should be one row of %zu numbers, it is %s of rank %d", name, n,
			dtype_name(t->dtype), t->rank);
	host = big_array(n, sizeof *host, name, e);
	if (!host)
		return ST_NOMEM;
	*out = weights_take(mem, n * sizeof *host, name, e);
	if (*out) {
		tensor_f32(t, 0, n, host);
		mem->be->put(*out, host, n * sizeof *host);
	}
	big_free(host);
	return *out ? ST_OK : ST_NOMEM;
}

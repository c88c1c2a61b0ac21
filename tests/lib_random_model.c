/* lib_random_model.c - see lib_random_model.h. */
#include "tests/lib_random_model.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/rng.h"
#include "core/model/fwd.h"

const struct random_shape random_135m = { "135M", 30, 576, 1536, 9, 3, 64, 49152 };
const struct random_shape random_1b = { "1B", 16, 2048, 8192, 32, 8, 64, 128256 };
const struct random_shape random_8b = { "8B", 32, 4096, 14336, 32, 8, 128, 128256 };
const struct random_shape random_tiny = { "tiny", 2, 96, 160, 3, 1, 32, 75 };

/* Memory that the model was given: each piece remembers the one before it. */
struct model_memory {
	const struct backend *b;
	void **block;
	size_t n;
	bool short_of;
	struct rng rng;
};

enum { BLOCKS = 4096, PIECE = 1 << 20 };

static void *take(struct model_memory *mem, size_t bytes)
{
	void *p = mem->short_of ? NULL : mem->b->alloc(bytes);

	if (!p || mem->n == BLOCKS)
		mem->short_of = true;
	else
		mem->block[mem->n++] = p;
	return p;
}

static void put_random(struct model_memory *mem, void *to, size_t bytes)
{
	static uint64_t word[PIECE / sizeof(uint64_t)];
	size_t from;

	for (size_t at = 0; at < bytes; at += PIECE) {
		size_t n = bytes - at < PIECE ? bytes - at : PIECE;

		/* 16 pieces of a matrix are random, later ones copies of them: it may be large */
		if (at < 16 * (size_t)PIECE) {
			for (size_t i = 0; i < (n + 7) / 8; i++)
				word[i] = rng_u64(&mem->rng);
			mem->b->put((char *)to + at, word, n);
			continue;
		}
		from = (size_t)rng_below(&mem->rng, 16) * PIECE;
		mem->b->copy((char *)to + at, (char *)to + from, n);
	}
}

/* fp16 values of half to one and a half times `size`, and `shift`. */
static uint16_t *stats(struct model_memory *mem, size_t n, double size, double shift)
{
	uint16_t *host = xarray(n, sizeof *host), *p = take(mem, n * sizeof *host);

	for (size_t i = 0; p && i < n; i++)
		host[i] = f16_from_f32((float)(size * (0.5 + rng_unit(&mem->rng)) + shift));
	if (p)
		mem->b->put(p, host, n * sizeof *host);
	xfree(host);
	return p;
}

/* Weights of mean 0 that keep the size of what goes through. */
static struct mat packed(struct model_memory *mem, int bits, size_t group, size_t rows, size_t cols)
{
	struct mat w = { .type = MAT_INT, .bits = bits, .group = group, .rows = rows, .cols = cols };
	size_t codes = mat_code_bytes(bits, rows, cols), n = mat_stat_count(rows, cols, group);
	double levels = (1 << bits) - 1, step = 1 / (sqrt((double)cols) * (levels + 1) * 0.29);
	void *data = take(mem, codes);

	w.data = data;
	w.scale = stats(mem, n, step, 0);
	w.offset = stats(mem, n, 0, -0.5 * levels * step);
	if (!mem->short_of)
		put_random(mem, data, codes);
	return w;
}

static float *gains(struct model_memory *mem, size_t n)
{
	float *host = xarray(n, sizeof *host), *p = take(mem, n * sizeof *host);

	for (size_t i = 0; i < n; i++)
		host[i] = 1;
	if (p)
		mem->b->put(p, host, n * sizeof *host);
	xfree(host);
	return p;
}

static void make_linears(struct model *m, const struct random_shape *s, int bits, size_t group)
{
	size_t q = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
	const size_t shape[LINEAR_KINDS][2] = { { q, s->hidden }, { kv, s->hidden }, { kv, s->hidden },
		{ s->hidden, q }, { s->inter, s->hidden }, { s->inter, s->hidden },
		{ s->hidden, s->inter } };

	for (size_t i = 0; i < m->n_linears; i++) {
		struct linear *l = &m->linear[i];

		l->layer = i / LINEAR_KINDS;
		l->kind = (enum linear_kind)(i % LINEAR_KINDS);
		l->rows = shape[l->kind][0];
		l->cols = shape[l->kind][1];
		l->ref = packed(m->memory, bits, group, l->rows, l->cols);
		m->ref[i] = &l->ref;
		m->weights += (uint64_t)l->rows * l->cols;
	}
	for (size_t i = 0; i < s->layers; i++) {
		m->attn_norm[i] = gains(m->memory, s->hidden);
		m->mlp_norm[i] = gains(m->memory, s->hidden);
	}
}

struct model *random_model(const struct backend *b, const struct random_shape *s, int bits,
	size_t group, uint64_t seed)
{
	struct model *m = xalloc(sizeof *m);

	m->be = b;
	m->faults = xalloc(sizeof *m->faults);
	m->hp = (struct hparams){ .arch = "llama", .vocab = s->vocab, .hidden = s->hidden,
		.inter = s->inter, .layers = s->layers, .heads = s->heads, .kv_heads = s->kv_heads,
		.head_dim = s->head_dim, .ctx = 8192, .rope_base = 10000, .eps = 1e-5 };
	m->memory = xalloc(sizeof *m->memory);
	m->memory->b = b;
	m->memory->block = xarray(BLOCKS, sizeof *m->memory->block);
	rng_seed(&m->memory->rng, seed);
	m->n_linears = s->layers * LINEAR_KINDS;
	m->linear = xarray(m->n_linears, sizeof *m->linear);
	m->ref = xarray(m->n_linears, sizeof *m->ref);
	m->attn_norm = xarray(s->layers, sizeof *m->attn_norm);
	m->mlp_norm = xarray(s->layers, sizeof *m->mlp_norm);
	m->inv_freq = xarray(s->head_dim / 2, sizeof *m->inv_freq);
	for (size_t i = 0; i < s->head_dim / 2; i++)
		m->inv_freq[i] = (float)pow(10000, -2.0 * (double)i / (double)s->head_dim);
	make_linears(m, s, bits, group);
	m->final_norm = gains(m->memory, s->hidden);
	m->head = packed(m->memory, 8, 32, s->vocab, s->hidden);
	m->embed = packed(m->memory, 8, 32, s->vocab, s->hidden);
	if (!m->memory->short_of)
		return m;
	random_model_free(m);
	return NULL;
}

void random_model_free(struct model *m)
{
	for (size_t i = 0; i < m->memory->n; i++)
		m->be->free(m->memory->block[i]);
	xfree(m->memory->block);
	xfree(m->memory);
	xfree(m->linear);
	xfree(m->ref);
	xfree(m->attn_norm);
	xfree(m->mlp_norm);
	xfree(m->inv_freq);
	xfree(m->faults);
	xfree(m);
}

uint64_t random_model_bytes(const struct model *m)
{
	uint64_t sum = mat_bytes(&m->head);

	for (size_t i = 0; i < m->n_linears; i++)
		sum += mat_bytes(&m->linear[i].ref);
	return sum;
}

/* cache.c - factors and energies that several calls share. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/quant/factor.h"

enum { FACTORS = 4, ENERGIES = 8, SAMPLES = 256 };

/* What moments (or weights) were, without keeping them. */
struct key {
	const float *p;
	size_t n;
	uint64_t sum;
};

struct factor {
	struct key of;
	double damping;
	float *u;
	unsigned long used;
};

struct energy {
	struct key w, h;
	double value;
};

struct quant_cache {
	struct factor factor[FACTORS];
	struct energy energy[ENERGIES];
	unsigned long clock;
	size_t next_energy;
};

struct quant_cache *quant_cache_new(void)
{
	return xalloc(sizeof(struct quant_cache));
}

void quant_cache_free(struct quant_cache *c)
{
	if (!c)
		return;
	for (int i = 0; i < FACTORS; i++)
		big_free(c->factor[i].u);
	xfree(c);
}

/* FNV-1a over the bits of every step-th value. */
static struct key key_of(const float *p, size_t n, size_t count, size_t step)
{
	struct key k = { p, n, 0xcbf29ce484222325u };

	for (size_t i = 0; p && i < count; i++) {
		uint32_t bits;

		memcpy(&bits, p + i * step, sizeof bits);
		k.sum = (k.sum ^ bits) * 0x100000001b3u;
	}
	return k;
}

static struct key moments_key(const struct quant_input *in)
{
	return key_of(in->moments, in->cols, in->cols, in->cols + 1);
}

static struct key weights_key(const struct quant_input *in)
{
	size_t n = in->rows * in->cols, count = n < SAMPLES ? n : SAMPLES;

	return key_of(in->w, n, count, n / count);
}

static bool key_equal(struct key a, struct key b)
{
	return a.p == b.p && a.n == b.n && a.sum == b.sum;
}

static float *find(struct quant_cache *c, struct key of, double damping)
{
	for (int i = 0; i < FACTORS; i++) {
		struct factor *f = &c->factor[i];

		if (f->u && f->damping == damping && key_equal(f->of, of)) {
			f->used = ++c->clock;
			return f->u;
		}
	}
	return NULL;
}

/* In the place of the one that was not used for longest. */
static void keep(struct quant_cache *c, struct key of, double damping, float *u)
{
	struct factor *oldest = c->factor;

	for (int i = 1; i < FACTORS; i++)
		if (c->factor[i].used < oldest->used)
			oldest = &c->factor[i];
	big_free(oldest->u);
	*oldest = (struct factor){ of, damping, u, ++c->clock };
}

enum st cache_factor(const struct quant_input *in, double damping, const float **u, float **own,
	const struct sink *s, struct err *e)
{
	struct key of = moments_key(in);
	float *made;
	enum st st;

	*own = NULL;
	*u = in->cache ? find(in->cache, of, damping) : NULL;
	if (*u)
		return ST_OK;
	made = big_array(in->cols, in->cols * sizeof *made, "factor of second moments", e);
	if (!made)
		return ST_NOMEM;
	st = factor_inverse(made, in->moments, in->cols, damping, input_backend(in), s, e);
	if (st) {
		big_free(made);
		return st;
	}
	if (in->cache)
		keep(in->cache, of, damping, made);
	else
		*own = made;
	*u = made;
	return ST_OK;
}

bool cache_energy(const struct quant_input *in, double *energy)
{
	struct key w = weights_key(in), h = moments_key(in);

	for (int i = 0; in->cache && i < ENERGIES; i++) {
		const struct energy *n = &in->cache->energy[i];

		if (n->w.p && key_equal(n->w, w) && key_equal(n->h, h)) {
			*energy = n->value;
			return true;
		}
	}
	return false;
}

void cache_keep_energy(const struct quant_input *in, double energy)
{
	struct quant_cache *c = in->cache;

	if (!c)
		return;
	c->energy[c->next_energy++ % ENERGIES] =
		(struct energy){ weights_key(in), moments_key(in), energy };
}

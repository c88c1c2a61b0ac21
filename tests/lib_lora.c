/* lib_lora.c - see lib_lora.h. */
#include "tests/lib_lora.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_plain.h"

struct lora *lib_adapter(const struct model *m, size_t rank, size_t max_rows)
{
	struct lora *l = NULL;
	struct err e = { 0 };

	cr_assert_eq(
		lora_new(&l, m, rank, 2.0 * (double)rank + 1, 5, max_rows, &e), ST_OK, "%s", e.msg);
	return l;
}

size_t lib_count(const struct mat *w)
{
	return w->rows * w->cols;
}

void lib_noise(float *x, size_t n, double size, struct rng *r)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(size * rng_normal(r));
}

void lib_adapter_trained(struct lora *l, const struct model *m, uint64_t seed)
{
	struct err e = { 0 };
	struct rng r;

	rng_seed(&r, seed);
	for (size_t i = 0; i < m->n_linears; i++) {
		const struct mat *b = lora_b(l, i);

		lib_noise((float *)b->data, lib_count(b), 0.05, &r);
		cr_assert_eq(lora_changed(l, i, &e), ST_OK, "%s", e.msg);
	}
}

float *lib_kept(const float *g, size_t n)
{
	float *p = xarray(n, sizeof *p);

	memcpy(p, g, n * sizeof *p);
	return p;
}

float *lib_logits(const struct model *m, struct lora *l, enum math math)
{
	size_t n = ROWS * m->hp.vocab;
	float *h = m->be->alloc(ROWS * m->hp.hidden * sizeof *h), *z = m->be->alloc(n * sizeof *z);
	int32_t *ids = plain_letters();
	struct fwd *f = NULL;
	struct err e = { 0 };
	float *out;

	cr_assert_eq(fwd_new(&f, m, ROWS, &e), ST_OK, "%s", e.msg);
	fwd_set_math(f, math);
	if (l)
		lora_set_math(l, math == MATH_INT8 ? MATH_F32 : math);
	fwd_set_add(f, l ? lora_add : NULL, l);
	cr_assert_eq(fwd_embed(f, ids, ROWS, h, &e), ST_OK);
	cr_assert_eq(fwd_blocks(f, m->ref, 0, m->hp.layers, h, &(struct span){ NULL, ROWS }, 1,
			     NULL, NULL, &e),
		ST_OK);
	cr_assert_eq(fwd_logits(f, h, ROWS, z, NULL, &e), ST_OK);
	out = lib_kept(z, n);
	fwd_free(f);
	m->be->free(h);
	m->be->free(z);
	xfree(ids);
	return out;
}

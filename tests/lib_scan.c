/* lib_scan.c - see lib_scan.h. */
#include "tests/lib_scan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_model.h"

static void quantize(struct setup *s)
{
	struct format f[FORMAT_MAX];
	size_t k;
	struct err e = { 0 };

	cr_assert_eq(format_list(f, &k, "int2g64,int4g128,keep", &e), ST_OK, "%s", e.msg);
	cr_assert_eq(variant_set_alloc(&s->v, s->m->n_linears, f, k, &e), ST_OK);
	for (size_t i = 0; i < s->v.n; i++) {
		const struct linear *l = &s->m->linear[i];
		struct quant_input in = { .rows = l->rows, .cols = l->cols, .backend = s->m->be };
		float *w;

		cr_assert_eq(model_linear_f32(s->m, i, &w, &e), ST_OK);
		in.w = w;
		for (size_t j = 0; j < 2; j++) {
			const struct quantizer *by = quantizer_find("minmax");
			struct qcodes q;

			cr_assert_eq(qcodes_alloc(&q, f[j], l->rows, l->cols, &e), ST_OK);
			cr_assert_eq(by->run(&in, &q, NULL, &e), ST_OK, "%s", e.msg);
			cr_assert_eq(variant_pack(variant_at(&s->v, i, j), &q, by, NAN, &e), ST_OK);
			qcodes_release(&q);
		}
		big_free(w);
	}
}

static void drop_text(struct setup *s)
{
	for (size_t i = 0; i < s->t.n_seq; i++)
		xfree(s->ref[i]);
	xfree(s->ref);
	big_free(s->t.id);
	s->t = (struct token_text){ 0 };
}

void setup_text(struct setup *s, size_t n_seq, size_t len)
{
	int32_t *id = lib_ids(n_seq * len, 256, SETUP_SEED);

	drop_text(s);
	s->t = (struct token_text){ .n_seq = n_seq, .len = len };
	s->t.id = big_array(n_seq * len, sizeof *id, "test text", NULL);
	cr_assert(s->t.id);
	memcpy(s->t.id, id, n_seq * len * sizeof *id);
	s->ref = xarray(n_seq, sizeof *s->ref);
	xfree(id);
}

void setup_begin(struct setup *s, size_t n_seq, size_t len)
{
	*s = (struct setup){ .m = lib_demo("cpu", SETUP_SEED) };
	quantize(s);
	setup_text(s, n_seq, len);
}

void setup_end(struct setup *s)
{
	drop_text(s);
	variant_set_release(&s->v);
	model_free(s->m);
}

struct scan_cell *setup_cells(const struct setup *s, size_t *n)
{
	struct scan_cell *c;

	*n = s->v.n * s->v.k;
	c = xarray(*n, sizeof *c);
	for (size_t i = 0; i < *n; i++)
		c[i] = (struct scan_cell){ .linear = (uint32_t)(i / s->v.k),
			.format = (uint8_t)(i % s->v.k) };
	return c;
}

/* tensorplan.c - which tensors our folder holds, and where each lies in its file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/quant/tensorfile.h"

static struct part_entry *add(struct tensor_plan *p, const char *name, const char *suffix)
{
	struct part_entry *t;

	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->entry = xrealloc(p->entry, p->cap * sizeof *p->entry);
	}
	t = &p->entry[p->n++];
	*t = (struct part_entry){ 0 };
	snprintf(t->name, sizeof t->name, "%s%s", name, suffix);
	return t;
}

static void set_type(struct part_entry *t, enum part part, const char *dtype, size_t unit)
{
	t->part = part;
	t->dtype = dtype;
	t->unit = unit;
}

static void set_shape(struct part_entry *t, size_t rows, size_t cols)
{
	t->rank = 2;
	t->dim[0] = rows;
	t->dim[1] = cols;
}

void tensor_plan_add(struct tensor_plan *p, const char *name, const struct mat *w)
{
	struct part_entry *t = add(p, name, "");

	set_type(t, PART_DENSE,
		w->type == MAT_F32   ? "F32"
		: w->type == MAT_F16 ? "F16"
				     : "BF16",
		w->type == MAT_F32 ? 4 : 2);
	set_shape(t, w->rows, w->cols);
	t->mat = w;
}

static void add_mat(struct tensor_plan *p, const char *name, const struct mat *w)
{
	size_t groups;
	struct part_entry *t;

	if (w->type != MAT_INT) {
		tensor_plan_add(p, name, w);
		return;
	}
	groups = mat_groups(w->cols, w->group);
	t = add(p, name, ".codes");
	set_type(t, PART_CODES, "U8", 1);
	set_shape(t, w->rows, (w->cols * (size_t)w->bits + 7) / 8);
	t->mat = w;
	t = add(p, name, ".scale");
	set_type(t, PART_SCALE, "F16", 2);
	set_shape(t, w->rows, groups);
	t->mat = w;
	t = add(p, name, ".offset");
	set_type(t, PART_OFFSET, "F16", 2);
	set_shape(t, w->rows, groups);
	t->mat = w;
}

/* Norms stay in their own type where safetensors knows it. */
static enum st add_norm(
	struct tensor_plan *p, const struct model *m, const char *name, struct err *e)
{
	const struct tensor *src = checkpoint_find(m->ck, name);
	struct part_entry *t;

	if (!src)
		return err_set(e, ST_FORMAT, "%s has no tensor %s", m->ck->path, name);
	t = add(p, name, "");
	if (src->dtype == DT_F32)
		set_type(t, PART_RAW, "F32", 4);
	else if (src->dtype == DT_F16)
		set_type(t, PART_RAW, "F16", 2);
	else if (src->dtype == DT_BF16)
		set_type(t, PART_RAW, "BF16", 2);
	else
		set_type(t, PART_FLOAT, "F32", 4);
	t->tensor = src;
	t->rank = src->rank;
	for (int i = 0; i < src->rank; i++)
		t->dim[i] = (size_t)src->dim[i];
	return ST_OK;
}

/* A norm as it was trained. */
static void add_gain(struct tensor_plan *p, const char *name, size_t norm, float *gain)
{
	struct part_entry *t = add(p, name, "");
	struct mat *w = &p->gain[norm];

	*w = (struct mat){ .type = MAT_F32, .rows = 1, .cols = p->m->hp.hidden, .data = gain };
	set_type(t, PART_DENSE, "F32", 4);
	t->mat = w;
	t->rank = 1;
	t->dim[0] = w->cols;
}

static enum st add_norms(struct tensor_plan *p, float *const *gain, struct err *e)
{
	size_t last = 2 * p->m->hp.layers;
	char name[48];
	enum st st = ST_OK;

	if (gain)
		p->gain = xarray(last + 1, sizeof *p->gain);
	for (size_t i = 0; !st && i <= last; i++) {
		snprintf(name, sizeof name, i == last ? "norm" : "layers.%zu.%s", i / 2,
			i % 2 ? "mlp_norm" : "attn_norm");
		if (gain)
			add_gain(p, name, i, gain[i]);
		else
			st = add_norm(p, p->m, name, e);
	}
	return st;
}

/* Widest elements first, so that each tensor is aligned to its own. */
static int order(const void *a, const void *b)
{
	const struct part_entry *x = a, *y = b;

	if (x->unit != y->unit)
		return x->unit < y->unit ? 1 : -1;
	return strcmp(x->name, y->name);
}

enum st tensor_plan_place(struct tensor_plan *p, struct err *e)
{
	qsort(p->entry, p->n, sizeof *p->entry, order);
	p->bytes = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct part_entry *t = &p->entry[i];

		t->begin = p->bytes;
		t->bytes = t->unit;
		for (int k = 0; k < t->rank; k++)
			if (!size_mul(&t->bytes, t->bytes, t->dim[k]))
				goto large;
		if (!size_add(&p->bytes, p->bytes, t->bytes))
			goto large;
	}
	return ST_OK;
large:
	return err_set(e, ST_NOMEM, "the tensors are larger than a file can be");
}

enum st tensor_plan_make(struct tensor_plan *p, const struct model *m,
	const struct mat *const *view, float *const *gain, struct err *e)
{
	char name[48];
	enum st st;

	p->m = m;
	st = add_norms(p, gain, e);
	if (!st)
		add_mat(p, "embed", &m->embed);
	if (!st && !m->hp.tied)
		add_mat(p, "head", &m->head);
	for (size_t i = 0; !st && i < m->n_linears; i++)
		add_mat(p, linear_name(i, name), view[i]);
	return st ? st : tensor_plan_place(p, e);
}

void tensor_plan_release(struct tensor_plan *p)
{
	xfree(p->entry);
	xfree(p->gain);
	*p = (struct tensor_plan){ 0 };
}

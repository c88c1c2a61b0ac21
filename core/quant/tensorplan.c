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

static enum st add_mat(struct tensor_plan *p, const char *name, const struct mat *w)
{
	size_t groups;
	struct part_entry *t;

	if (w->type != MAT_INT) {
		t = add(p, name, "");
		set_type(t, PART_DENSE,
			w->type == MAT_F32   ? "F32"
			: w->type == MAT_F16 ? "F16"
					     : "BF16",
			w->type == MAT_F32 ? 4 : 2);
		set_shape(t, w->rows, w->cols);
		t->mat = w;
		return ST_OK;
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
	return ST_OK;
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

/* Widest elements first, so that each tensor is aligned to its own. */
static int order(const void *a, const void *b)
{
	const struct part_entry *x = a, *y = b;

	if (x->unit != y->unit)
		return x->unit < y->unit ? 1 : -1;
	return strcmp(x->name, y->name);
}

static enum st place(struct tensor_plan *p, struct err *e)
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

enum st tensor_plan_make(
	struct tensor_plan *p, const struct model *m, const struct mat *const *view, struct err *e)
{
	enum st st = add_norm(p, m, "norm", e);
	char name[48];

	p->m = m;
	for (size_t i = 0; !st && i < m->hp.layers; i++) {
		snprintf(name, sizeof name, "layers.%zu.attn_norm", i);
		st = add_norm(p, m, name, e);
		snprintf(name, sizeof name, "layers.%zu.mlp_norm", i);
		if (!st)
			st = add_norm(p, m, name, e);
	}
	if (!st)
		st = add_mat(p, "embed", &m->embed);
	if (!st && !m->hp.tied)
		st = add_mat(p, "head", &m->head);
	for (size_t i = 0; !st && i < m->n_linears; i++)
		st = add_mat(p, linear_name(i, name), view[i]);
	return st ? st : place(p, e);
}

void tensor_plan_release(struct tensor_plan *p)
{
	xfree(p->entry);
	*p = (struct tensor_plan){ 0 };
}

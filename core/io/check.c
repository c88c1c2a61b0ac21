/* check.c - what must hold between hyperparameters and tensors before a kernel runs.
 *
 * A file may be well formed and still lie: a head count that divides nothing, a matrix
 * of another shape.  Everything that model code relies on is refused here.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/io/reader.h"

/* ---- order and duplicates */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

enum st ck_sort(struct checkpoint *c, enum naming by, const char *where, struct err *e)
{
	struct checkpoint_files *f = c->files;
	struct tensor *t;
	char theirs[NAMING_MAX];

	if (!f->n_list)
		return err_set(e, ST_FORMAT, "%s holds no tensors", where);
	t = arena_try(&c->arena, f->n_list, sizeof *t, "list of tensors", e);
	if (!t)
		return ST_NOMEM;
	memcpy(t, f->list, f->n_list * sizeof *t);
	big_free(f->list);
	f->list = NULL;
	c->tensors = t;
	c->n_tensors = f->n_list;
	qsort(t, c->n_tensors, sizeof *t, by_name);
	for (size_t i = 1; i < c->n_tensors; i++) {
		if (strcmp(t[i - 1].name, t[i].name) == 0)
			return err_set(e, ST_FORMAT, "%s: tensor %.80s is there twice", where,
				naming_theirs(by, t[i].name, theirs));
	}
	return ST_OK;
}

/* ---- hyperparameters */

/* Larger than any model; small enough that products of two fit into 64 bits. */
enum { MAX_LAYERS = 1024, MAX_HEADS = 1 << 16, MAX_WIDTH = 1 << 26 };

static enum st range(const char *where, const char *what, size_t v, size_t max, struct err *e)
{
	if (v >= 1 && v <= max)
		return ST_OK;
	return err_set(
		e, ST_FORMAT, "%s: %s is %zu, which is not from 1 to %zu", where, what, v, max);
}

static enum st check_ranges(const struct hparams *hp, const char *where, struct err *e)
{
	const struct {
		const char *what;
		size_t v, max;
	} all[] = {
		{ "the vocabulary size", hp->vocab, INT32_MAX },
		{ "the hidden size", hp->hidden, MAX_WIDTH },
		{ "the feed-forward size", hp->inter, MAX_WIDTH },
		{ "the number of layers", hp->layers, MAX_LAYERS },
		{ "the number of heads", hp->heads, MAX_HEADS },
		{ "the number of key-value heads", hp->kv_heads, MAX_HEADS },
		{ "the size of a head", hp->head_dim, MAX_HEADS },
		{ "the context length", hp->ctx, INT32_MAX },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		enum st st = range(where, all[i].what, all[i].v, all[i].max, e);

		if (st)
			return st;
	}
	return ST_OK;
}

enum st ck_check_hparams(const struct hparams *hp, const char *where, struct err *e)
{
	enum st st = check_ranges(hp, where, e);

	if (st)
		return st;
	if (hp->hidden % hp->heads)
		return err_set(e, ST_FORMAT, "%s: %zu heads do not divide the hidden size %zu",
			where, hp->heads, hp->hidden);
	if (hp->heads % hp->kv_heads)
		return err_set(e, ST_FORMAT, "%s: %zu key-value heads do not divide the %zu heads",
			where, hp->kv_heads, hp->heads);
	if (hp->head_dim % 2)
		return err_set(e, ST_FORMAT,
			"%s: the size of a head is %zu, which is odd: rope turns pairs", where,
			hp->head_dim);
	if (!isfinite(hp->eps) || hp->eps <= 0)
		return err_set(e, ST_FORMAT,
			"%s: the epsilon of the norms is %g, which is not a finite number above 0",
			where, hp->eps);
	if (!isfinite(hp->rope_base) || hp->rope_base <= 0)
		return err_set(e, ST_FORMAT,
			"%s: the rope base is %g, which is not a finite number above 0", where,
			hp->rope_base);
	return ST_OK;
}

/* ---- tensors */

static void shape_text(int rank, const uint64_t *dim, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (int i = 0; i < rank && at < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, "[%llu]", (unsigned long long)dim[i]);
	if (rank == 0)
		snprintf(out, cap, "a single number");
}

static enum st want(const struct checkpoint *c, enum naming by, const char *where, const char *name,
	bool u8, enum dtype exact, int rank, size_t rows, size_t cols, struct err *e)
{
	const struct tensor *t = checkpoint_find(c, name);
	const uint64_t dim[2] = { rows, cols };
	char theirs[NAMING_MAX], has[96], wants[96];

	naming_theirs(by, name, theirs);
	if (!t)
		return err_set(e, ST_FORMAT, "%s: tensor %s is missing", where, theirs);
	if (t->rank != rank || t->dim[0] != rows || (rank == 2 && t->dim[1] != cols)) {
		shape_text(t->rank, t->dim, has, sizeof has);
		shape_text(rank, dim, wants, sizeof wants);
		return err_set(e, ST_FORMAT, "%s: tensor %s has the shape %s, the model needs %s",
			where, theirs, has, wants);
	}
	if (u8 ? t->dtype != exact : t->dtype == DT_U8)
		return err_set(e, ST_UNSUPPORTED, "%s: tensor %s is of type %s, the model needs %s",
			where, theirs, dtype_name(t->dtype), u8 ? dtype_name(exact) : "floats");
	return ST_OK;
}

static enum st want_matrix(const struct checkpoint *c, enum naming by, const char *where,
	const char *name, size_t rows, size_t cols, struct err *e)
{
	struct stored_int how;
	size_t bits, groups;
	char part[NAMING_MAX];
	enum st st;

	if (!checkpoint_stored(c, name, &how))
		return want(c, by, where, name, false, DT_F32, 2, rows, cols, e);
	if (!size_mul(&bits, cols, (size_t)how.bits))
		return err_set(e, ST_FORMAT, "%s: %s is too wide", where, name);
	groups = cols / how.group + (cols % how.group != 0);
	snprintf(part, sizeof part, "%s.codes", name);
	st = want(c, by, where, part, true, DT_U8, 2, rows, bits / 8 + (bits % 8 != 0), e);
	if (st)
		return st;
	snprintf(part, sizeof part, "%s.scale", name);
	st = want(c, by, where, part, true, DT_F16, 2, rows, groups, e);
	if (st)
		return st;
	snprintf(part, sizeof part, "%s.offset", name);
	return want(c, by, where, part, true, DT_F16, 2, rows, groups, e);
}

static enum st check_layer(
	const struct checkpoint *c, enum naming by, const char *where, size_t l, struct err *e)
{
	const struct hparams *hp = &c->hp;
	size_t q = hp->heads * hp->head_dim, kv = hp->kv_heads * hp->head_dim;
	const struct {
		const char *part;
		size_t rows, cols; /* cols 0: a vector */
	} all[] = {
		{ "attn_norm", hp->hidden, 0 },
		{ "q", q, hp->hidden },
		{ "k", kv, hp->hidden },
		{ "v", kv, hp->hidden },
		{ "o", hp->hidden, q },
		{ "mlp_norm", hp->hidden, 0 },
		{ "gate", hp->inter, hp->hidden },
		{ "up", hp->inter, hp->hidden },
		{ "down", hp->hidden, hp->inter },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char name[NAMING_MAX];
		enum st st;

		snprintf(name, sizeof name, "layers.%zu.%s", l, all[i].part);
		if (all[i].cols)
			st = want_matrix(c, by, where, name, all[i].rows, all[i].cols, e);
		else
			st = want(c, by, where, name, false, DT_F32, 1, all[i].rows, 0, e);
		if (st)
			return st;
	}
	return ST_OK;
}

enum st ck_check(struct checkpoint *c, enum naming by, const char *where, struct err *e)
{
	struct hparams *hp = &c->hp;
	enum st st = ck_check_hparams(hp, where, e);

	if (st)
		return st;
	if (!checkpoint_find(c, "head") && !checkpoint_stored(c, "head", NULL))
		hp->tied = true;
	st = want_matrix(c, by, where, "embed", hp->vocab, hp->hidden, e);
	for (size_t l = 0; !st && l < hp->layers; l++)
		st = check_layer(c, by, where, l, e);
	if (!st)
		st = want(c, by, where, "norm", false, DT_F32, 1, hp->hidden, 0, e);
	if (!st && !hp->tied)
		st = want_matrix(c, by, where, "head", hp->vocab, hp->hidden, e);
	return st;
}

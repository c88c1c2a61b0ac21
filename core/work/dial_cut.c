/* dial_cut.c - see dial_cut.h. */
#include "core/work/dial_cut.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/quant/bundle.h"

/* ---- what is there */

/* A folder of a format in it. */
static bool has_format(const char *dir, const char *name)
{
	char *file = xprintf("%s/%s/model.safetensors", dir, name);
	struct format f;
	bool is = !format_parse(&f, name, NULL) && fs_is_file(file);

	xfree(file);
	return is;
}

struct found {
	char *name;
	int bits;
};

static int by_bits(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->bits != y->bits ? (x->bits > y->bits) - (x->bits < y->bits)
				  : strcmp(x->name, y->name);
}

static char *formats_in(const char *dir)
{
	struct found *found;
	char **name, *all = NULL, *more;
	size_t n, k = 0;

	if (fs_list(dir, &name, &n, NULL))
		return NULL;
	found = xarray(n + 1, sizeof *found);
	for (size_t i = 0; i < n; i++) {
		struct format f;

		if (has_format(dir, name[i]) && !format_parse(&f, name[i], NULL))
			found[k++] = (struct found){ name[i], f.bits };
	}
	qsort(found, k, sizeof *found, by_bits);
	for (size_t i = 0; i < k; i++) {
		more = xprintf("%s%s%s", all ? all : "", all ? "," : "", found[i].name);
		xfree(all);
		all = more;
	}
	for (size_t i = 0; i < n; i++)
		xfree(name[i]);
	xfree(name);
	xfree(found);
	return all;
}

enum st dial_cut_find(char **dir, char **formats, const char *run_path, struct err *e)
{
	static const char *const in[] = { "", "/best", "/last" };

	for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
		*dir = xprintf("%s%s", run_path, in[i]);
		*formats = formats_in(*dir);
		if (*formats)
			return ST_OK;
		xfree(*dir);
	}
	*dir = NULL;
	return err_set(e, ST_INVALID,
		"%s: no formats to cut from: it is no checkpoint of a run with --dial", run_path);
}

/* ---- the cut */

struct cut {
	const struct desk *d;
	const struct layout *l;
	struct model **of; /* [l->k]: the checkpoint's model of a format; NULL: not needed yet */
	const struct mat **view;
};

static enum st open_format(
	struct cut *c, const char *dir, size_t f, const struct sink *s, struct err *e)
{
	char name[FORMAT_NAME], *path;
	struct checkpoint *ck;
	enum st st;

	format_name(c->l->format[f], name);
	if (!has_format(dir, name))
		return err_set(e, ST_INVALID, "%s has no %s, which the layout gives to a linear",
			dir, name);
	path = xprintf("%s/%s", dir, name);
	st = checkpoint_open(&ck, path, e);
	if (!st)
		st = model_load(&c->of[f], ck, c->d->m->be, s, e);
	xfree(path);
	return st;
}

static enum st take(
	struct cut *c, const char *dir, size_t i, const struct sink *s, struct err *e)
{
	size_t f = c->l->choice[i];
	const struct model *m = c->d->m;
	char name[32];
	enum st st = ST_OK;

	c->view[i] = m->ref[i];
	if (format_is_keep(c->l->format[f]))
		return ST_OK;
	if (!c->of[f])
		st = open_format(c, dir, f, s, e);
	if (st)
		return st;
	if (c->of[f]->n_linears != m->n_linears ||
		c->of[f]->linear[i].rows != m->linear[i].rows ||
		c->of[f]->linear[i].cols != m->linear[i].cols)
		return err_set(e, ST_INVALID, "%s is of another model than %s", dir, m->ck->name);
	if (c->of[f]->ref[i]->type != MAT_INT)
		return err_set(e, ST_INVALID, "%s: %s is not packed there", dir,
			linear_name(i, name));
	c->view[i] = c->of[f]->ref[i];
	return ST_OK;
}

enum st dial_cut(const char *dir, const struct desk *d, const struct layout *l, const char *out,
	const struct sink *s, struct err *e)
{
	struct cut c = { d, l, xarray(l->k + 1, sizeof *c.of),
		xarray(l->n + 1, sizeof *c.view) };
	struct layout as;
	enum st st = ST_OK;

	for (size_t i = 0; !st && i < l->n; i++)
		st = take(&c, dir, i, s, e);
	layout_copy(&as, l);
	for (size_t i = 0; i < as.n; i++)
		as.by[i] = NULL; /* no quantizer made these codes */
	if (!st)
		st = bundle_write(out, d->m, &as, c.view, s, e);
	layout_release(&as);
	for (size_t f = 0; f < l->k; f++)
		model_free(c.of[f]);
	xfree(c.of);
	xfree(c.view);
	return st;
}

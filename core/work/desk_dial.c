/* desk_dial.c - the variants of a calibrated dial in place of the desk's own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/work/desk_private.h"

/* What made them is a run, not a quantizer: it is in no table, and no layout names it. */
static const struct quantizer by_run = {
	.name = "dial", .summary = "calibrated together with all formats of a dial", .version = 1
};

bool desk_by_run(const struct quantizer *q)
{
	return q == &by_run;
}

const struct quantizer *desk_made_by(const struct desk *d, size_t linear, size_t fmt)
{
	const struct quantizer *q = fmt == d->keep ? NULL : variant_at(&d->set, linear, fmt)->by;

	return desk_by_run(q) ? NULL : q;
}

bool desk_worn(const struct desk *d, size_t fmt)
{
	for (size_t i = 0; i < d->set.n; i++)
		if (variant_at(&d->set, i, fmt)->by)
			return desk_by_run(variant_at(&d->set, i, fmt)->by);
	return false;
}

/* ---- out of a checkpoint */

/* Its own memory: the checkpoint goes when the next one is written. */
static enum st copy_of(struct variant *v, struct format f, const struct mat *w, struct err *e)
{
	size_t bytes, stats;
	struct mat to;

	if (w->type != MAT_INT || w->bits != f.bits || w->group != f.group ||
		!variant_size(&bytes, f, w->rows, w->cols))
		return err_set(e, ST_FORMAT, "it is not packed in that format");
	*v = (struct variant){ .by = &by_run, .error = (double)NAN };
	v->memory = big_alloc(bytes, "variants of a run", e);
	if (!v->memory)
		return ST_NOMEM;
	to = variant_mat(f, w->rows, w->cols, v->memory);
	stats = mat_stat_count(w->rows, w->cols, w->group) * sizeof(uint16_t);
	memcpy((void *)to.data, w->data, mat_code_bytes(f.bits, w->rows, w->cols));
	memcpy((void *)to.scale, w->scale, stats);
	memcpy((void *)to.offset, w->offset, stats);
	v->mat = to;
	v->bytes = format_bytes(f, w->rows, w->cols);
	return ST_OK;
}

static enum st of_this_model(const struct desk *d, const struct model *m, struct err *e)
{
	bool is = m->n_linears == d->m->n_linears;

	for (size_t i = 0; is && i < m->n_linears; i++)
		is = m->linear[i].rows == d->m->linear[i].rows &&
		     m->linear[i].cols == d->m->linear[i].cols;
	return is ? ST_OK
		  : err_set(e, ST_INVALID, "it is of another model than %s", d->m->ck->name);
}

/* All linears of a format, or none. */
static enum st take(
	struct desk *d, size_t f, const struct model *m, const struct sink *s, struct err *e)
{
	struct variant *v = xarray(d->set.n + 1, sizeof *v);
	char name[32];
	enum st st = of_this_model(d, m, e);

	for (size_t i = 0; !st && i < d->set.n; i++) {
		if (!format_fits(d->set.format[f], m->linear[i].cols)) /* kept there, too */
			continue;
		st = sink_poll(s) ? err_set(e, ST_CANCELLED, "stopped")
				  : copy_of(&v[i], d->set.format[f], m->ref[i], e);
		if (st && st != ST_CANCELLED)
			st = err_at(e, st, "%s", linear_name(i, name));
		if (!st)
			st = variant_place(&v[i], d->m, e);
	}
	for (size_t i = 0; i < d->set.n; i++) {
		struct variant *slot = variant_at(&d->set, i, f);

		if (st || !v[i].mat.data) {
			variant_release(&v[i]);
			continue;
		}
		variant_release(slot);
		*slot = v[i];
		d->calibrated[i * d->set.k + f] = true;
	}
	xfree(v);
	return st;
}

static enum st open_format(
	struct desk *d, size_t f, const char *path, const struct sink *s, struct err *e)
{
	const struct backend *host = d->m->be->host_memory ? d->m->be : backend_find("ref");
	struct checkpoint *ck;
	struct model *m;
	enum st st = checkpoint_open(&ck, path, e);

	if (!st)
		st = model_load(&m, ck, host, s, e);
	if (!st) {
		st = take(d, f, m, s, e);
		model_free(m);
	}
	return st && st != ST_CANCELLED ? err_at(e, st, "%s", path) : st;
}

enum st desk_dial_format(struct desk *d, size_t f, bool *has, const struct sink *s, struct err *e)
{
	char name[FORMAT_NAME], *path;
	enum st st;

	*has = false;
	if (!d->dial.dir || format_is_keep(d->set.format[f]))
		return ST_OK;
	path = xprintf("%s/%s", d->dial.dir, format_name(d->set.format[f], name));
	*has = fs_is_dir(path);
	if (*has) {
		st = dial_run_sound(path, s, e);
		if (!st)
			st = open_format(d, f, path, s, e);
	} else {
		st = ST_OK;
	}
	xfree(path);
	return st;
}

/* ---- put on and taken off */

/* Was it measured on what a run made or another than this one did, not on what is there now? */
static bool is_former(const struct desk *d, size_t at, const char *measured_by)
{
	const struct quantizer *is = d->set.slot[at].by;
	char by[CACHE_BY];

	desk_cell_by(d, is, by);
	return (desk_by_run(is) || !strncmp(measured_by, by_run.name, strlen(by_run.name))) &&
	       strcmp(by, measured_by) != 0;
}

/* What was measured of other variants is a first guess of these: it stands until the scan, which
 * measures what was only measured fast, comes to it.  A first score is made anew. */
static void doubt(struct map_cell *c, bool former)
{
	if (c->state == CELL_SCORED)
		*c = (struct map_cell){ .value = NAN, .se = NAN };
	if (!former || (c->state != CELL_SCANNED && c->state != CELL_FAST))
		return;
	c->state = CELL_FAST;
	c->stale = true;
}

static void doubt_all(struct desk *d)
{
	for (size_t i = 0; i < d->set.n * d->set.k; i++) {
		if (i % d->set.k == d->keep || desk_is_mix(d, i % d->set.k))
			continue;
		d->score[i] = NAN;
		doubt(&d->cell[i], is_former(d, i, d->cell_by[i]));
		for (size_t s = 0; desk_many_texts(d) && s < d->sources.n; s++)
			doubt(&d->source[s].cell[i], is_former(d, i, d->source[s].cell_by[i]));
	}
}

static void empty_format(struct desk *d, size_t f)
{
	for (size_t i = f; i < d->set.n * d->set.k; i += d->set.k)
		if (desk_by_run(d->set.slot[i].by)) {
			variant_release(&d->set.slot[i]);
			d->set.slot[i] = (struct variant){ .by = NULL };
			d->calibrated[i] = false;
			d->best[f] = d->data_free[f] = false;
		}
}

/* What a run made goes, but for formats that the run r has, which takes their place; r NULL: all.
 */
static void empty(struct desk *d, const struct dial_run *r)
{
	for (size_t f = 0; f < d->set.k; f++)
		if (!r || !dial_run_has(r, d->set.format[f]))
			empty_format(d, f);
}

enum st desk_wear(struct desk *d, const struct dial_run *r, const struct sink *s, struct err *e)
{
	enum st st;

	dial_run_release(&d->dial);
	if (r)
		d->dial = dial_run_copy(r);
	empty(d, r);
	st = desk_load_variants(d, s, e);
	doubt_all(d);
	desk_apply_cells(d);
	desk_points_load(d);
	desk_tell(d, DESK_VARIANTS);
	desk_tell(d, DESK_CELLS);
	desk_tell(d, DESK_POINTS);
	return st;
}

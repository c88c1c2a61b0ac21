/* train_run_check.c - what may be wrong with a training run, found before its first step. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/work/calibrate.h"
#include "core/work/train_data.h"
#include "core/work/train_run_private.h"

typedef unsigned long long ull;

/* ---- data */

/* Logged, and kept for who shows the run. */
static void warn(struct train_run *r, const char *fmt, ...) BD_PRINTF(2, 3);
static void warn(struct train_run *r, const char *fmt, ...)
{
	char *text;
	va_list ap;

	if (r->n_warnings == TRAIN_WARNINGS)
		return;
	va_start(ap, fmt);
	text = r->warning[r->n_warnings++];
	vsnprintf(text, sizeof r->warning[0], fmt, ap);
	va_end(ap);
	log_at(LOG_WARN, "train", "%s", text);
}

/* What of the rows does not take part, and why. */
static void tell_rows(struct train_run *r, const char *path, const struct pack_counts *c)
{
	const char *name = fs_name(path);

	if (c->cut || c->lost)
		warn(r,
			"%s: of %llu rows %llu are longer than the window of %zu tokens and cut, "
			"%llu more have no answer left in it and are left out",
			name, (ull)c->rows, (ull)c->cut, r->ask.window, (ull)c->lost);
	if (c->empty)
		warn(r, "%s: %llu of %llu rows have nothing to learn and are left out", name,
			(ull)c->empty, (ull)c->rows);
}

/* Rows that are alike stay on one side: where most are, the share is not what was asked for. */
static void tell_held(struct train_run *r)
{
	const struct pack_counts *c = pack_counts(r->pack);
	const char *name = fs_name(r->ask.data);
	double share = r->ask.held;
	uint64_t rows = c->rows - c->empty - c->lost;

	if (!c->held_labelled && rows > 1)
		warn(r,
			"%s: its %llu rows are all the same: none can be held out, so there is no "
			"held-out loss; name other rows as test",
			name, (ull)rows);
	else if (!c->held_labelled)
		warn(r,
			"%s has one row to learn from: none can be held out, so there is no "
			"held-out loss",
			name);
	else if (share <= 0.5 && c->held > rows / 2)
		warn(r,
			"%s: %llu of %llu rows are held out, though %.3g %% were asked for: rows "
			"that are alike stay on one side; take the repeated ones out",
			name, (ull)c->held, (ull)rows, 100 * share);
}

enum { TEXT_ROWS = 64 }; /* of a plain text about 256 KiB: more than is measured */

enum st train_run_read(struct train_run *r, const struct sink *s, struct err *e)
{
	const struct train_ask *a = &r->ask;
	char text_sha[65];
	enum st st = train_data_read(
		&r->pack, r->data_sha, r->d, a, a->data, a->held, a->rows, a->samples, s, e);

	if (!st && a->test)
		st = train_data_read(&r->test, r->test_sha, r->d, a, a->test, 1, 0, 0, s, e);
	if (!st && a->text)
		st = train_data_read(&r->text, text_sha, r->d, a, a->text, 1, TEXT_ROWS, 0, s, e);
	if (st)
		return st;
	tell_rows(r, a->data, pack_counts(r->pack));
	if (a->held > 0)
		tell_held(r);
	if (r->test)
		tell_rows(r, a->test, pack_counts(r->test));
	if (a->calibrate && !a->patience && !a->resume && pack_counts(r->pack)->held_labelled)
		r->ask.patience = CALIBRATE_PATIENCE;
	if (a->patience && !pack_counts(r->pack)->held_labelled)
		return err_set(e, ST_INVALID,
			"patience counts looks at what is held out, and of %s nothing is: hold a "
			"share of its rows out, or leave patience away",
			fs_name(a->data));
	return ST_OK;
}

/* ---- memory */

static struct train_shape *shapes(const struct train_run *r)
{
	const struct model *m = r->d->m;
	size_t n = m->n_linears, forms = r->dial ? r->dial->forms : 1;
	struct train_shape *x = xarray(forms * n, sizeof *x);

	for (size_t i = 0; i < forms * n; i++) {
		const struct layout *l = r->dial ? &r->dial->all[i / n] : r->l;

		x[i] = (struct train_shape){ .rows = m->linear[i % n].rows,
			.cols = m->linear[i % n].cols,
			.format = l->format[l->choice[i % n]],
			.kept = i < n ? mat_bytes(r->view[i]) : 0 };
	}
	return x;
}

/* What is there already does not count: the model, and the view's variants. */
static enum st enough(const struct train_run *r, struct err *e)
{
	const struct train_memory *n = &r->need;
	uint64_t more = n->total + n->looks - n->frozen, room = mem_available();
	char b[8][16];

	if (!r->d->m->be->host_memory || more <= room)
		return ST_OK; /* a device says it itself, matrix by matrix */
	return err_set(e, ST_NOMEM,
		"training by %s takes %s more (weights %s, optimizer %s, adapters %s, activations "
		"and "
		"logits %s, gradient %s, looks at what is held out %s), and %s are free: fewer or "
		"shorter windows, recompute, or "
		"a "
		"method with less state",
		r->how.method->name, text_bytes(more, b[0]), text_bytes(n->weights, b[1]),
		text_bytes(n->state, b[2]), text_bytes(n->adapters, b[3]),
		text_bytes(n->activations + n->logits, b[4]), text_bytes(n->gradient, b[5]),
		text_bytes(n->looks, b[6]), text_bytes(room, b[7]));
}

enum st train_run_fits(struct train_run *r, struct err *e)
{
	const struct model *m = r->d->m;
	struct train_shape *x = shapes(r);
	uint64_t other = mat_bytes(&m->embed) + (m->hp.tied ? 0 : mat_bytes(&m->head));
	enum st st;

	r->frozen = xarray(m->n_linears, sizeof *r->frozen);
	r->how.forms = r->dial ? r->dial->forms : 1;
	for (size_t i = 0; i < m->n_linears; i++)
		r->frozen[i] =
			!r->dial && train_packs(r->how.method) && format_is_keep(x[i].format);
	st = train_need(&r->need, &m->hp, x, m->n_linears, other, &r->how, r->ask.window, e);
	xfree(x);
	return st ? st : enough(r, e);
}

/* ---- disk */

static uint64_t checkpoint_bytes(const struct train_run *r)
{
	uint64_t folders = r->dial ? 0 : layout_file_bytes(r->l, r->d->m);

	for (size_t f = 0; r->dial && f < r->dial->forms; f++)
		folders += layout_file_bytes(&r->dial->all[f], r->d->m);
	return train_checkpoint_bytes(&r->need, &r->how, folders);
}

enum st train_run_room(const struct train_run *r, unsigned n, struct err *e)
{
	uint64_t need = n * checkpoint_bytes(r), room = fs_free_bytes(r->path);
	char b1[16], b2[16];

	if (need <= room)
		return ST_OK;
	return err_set(e, ST_IO,
		"%s: %s %s, and %s are free: make room, or name another folder for "
		"runs (--runs)",
		r->path,
		n > 1 ? "checkpoints of this run (two at a time) need" : "a checkpoint needs",
		text_bytes(need, b1), text_bytes(room, b2));
}

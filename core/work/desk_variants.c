/* desk_variants.c - making variants: data-free ones, calibrated ones, single ones. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/quant/mix.h"
#include "core/work/desk_private.h"

static enum st quantize(struct desk *d, size_t linear, size_t fmt, const struct quantizer *q,
	const float *w, const float *moments, struct quant_input *in, struct variant *out,
	const struct sink *s, struct err *e)
{
	const struct linear *l = &d->m->linear[linear];
	struct qcodes codes = { 0 };
	double error = NAN;
	enum st st;

	in->w = w;
	in->rows = l->rows;
	in->cols = l->cols;
	in->moments = moments;
	in->backend = d->m->be;
	in->sink = s;
	st = qcodes_alloc(&codes, d->set.format[fmt], l->rows, l->cols, e);
	if (!st)
		st = codes.part ? mix_quantize(q, in, &codes, s, e) : q->run(in, &codes, s, e);
	if (!st && moments)
		st = quant_error(&error, in, &codes, e);
	if (!st)
		st = variant_pack(out, &codes, q, error, e);
	qcodes_release(&codes);
	return st;
}

/* Takes v over. */
static enum st put_variant(
	struct desk *d, size_t linear, size_t fmt, struct variant *v, struct err *e)
{
	struct variant *slot = variant_at(&d->set, linear, fmt);
	enum st st = variant_place(v, d->m, e);

	if (st) {
		variant_release(v);
		return st;
	}
	variant_release(slot);
	*slot = *v;
	return ST_OK;
}

enum st desk_need_moments(struct desk *d, const struct sink *s, struct err *e)
{
	struct moments made; /* the desk's when they are whole: others have their turn in a poll */
	struct token_text t;
	enum st st;

	if (d->moments.h)
		return ST_OK;
	st = desk_calib_text(d, DESK_CALIB_SEQS, s, e);
	if (st)
		return st;
	t = d->calib_text; /* the same part of it whenever they are gathered */
	if (t.n_seq > DESK_CALIB_SEQS)
		t.n_seq = DESK_CALIB_SEQS;
	st = moments_gather(&made, d->m, &t, s, e);
	if (st)
		return st;
	moments_free(&d->moments); /* of another who had a turn */
	d->moments = made;
	return ST_OK;
}

enum st desk_variant(struct desk *d, size_t linear, size_t fmt, const struct quantizer *by,
	const struct sink *s, struct err *e)
{
	struct variant *slot = variant_at(&d->set, linear, fmt), v;
	struct quant_input in = { 0 };
	const float *moments = NULL;
	float *w;
	enum st st;

	/* what a run made is not made again by a quantizer that some layout names */
	if (fmt == d->keep || (slot->mat.data && (!by || slot->by == by || desk_by_run(slot->by))))
		return ST_OK;
	if (!by)
		by = quantizer_find("minmax");
	if (by->needs_moments) {
		st = desk_need_moments(d, s, e);
		if (st)
			return st;
		moments = d->moments.h[d->m->linear[linear].layer * SITES +
				       linear_site(d->m->linear[linear].kind)];
	}
	st = model_linear_f32(d->m, linear, &w, e);
	if (st)
		return st;
	st = quantize(d, linear, fmt, by, w, moments, &in, &v, s, e);
	quant_cache_free(in.cache);
	big_free(w);
	if (!st)
		st = put_variant(d, linear, fmt, &v, e);
	if (!st)
		d->calibrated[linear * d->set.k + fmt] = false;
	return st;
}

bool desk_any_useful(const struct desk *d, size_t fmt)
{
	for (size_t i = 0; i < d->set.n; i++)
		if (desk_staged(d, i, fmt))
			return true;
	return false;
}

/* Variants of every useful cell whose slot is empty (or holds only minmax and name is better). */
enum st desk_data_free(struct desk *d, const char *name, const struct sink *s, struct err *e)
{
	const struct quantizer *q = quantizer_find(name), *minmax = quantizer_find("minmax");
	size_t k = d->set.k, total = d->set.n * k, done = 0;
	char by[12];
	enum st st = ST_OK;

	desk_by(q, by);
	for (size_t f = 0; f < k && !st; f++) {
		bool fresh = false;

		for (size_t i = 0; i < d->set.n && !st; i++, done++) {
			struct variant *slot = variant_at(&d->set, i, f);

			if (!desk_staged(d, i, f) ||
				(slot->mat.data && (q == minmax || slot->by != minmax)))
				continue;
			if (sink_poll(s))
				return ST_CANCELLED;
			st = desk_variant(d, i, f, q, s, e);
			fresh = true;
			sink_progress(s, (double)done, (double)total);
		}
		if (!st && q != minmax && desk_any_useful(d, f)) {
			d->data_free[f] = true;
			if (fresh && !d->best[f])
				cache_put_variants(d->cache, &d->set, f, by, s);
		}
		desk_tell(d, DESK_VARIANTS);
	}
	sink_progress(s, (double)total, (double)total);
	return st;
}

/* Has every cell of the format that needs one a variant? */
static bool whole(const struct desk *d, size_t f)
{
	for (size_t i = 0; i < d->set.n; i++)
		if (d->useful[i * d->set.k + f] && !variant_at(&d->set, i, f)->mat.data)
			return false;
	return true;
}

enum st desk_load_format(struct desk *d, size_t f, const struct sink *s, struct err *e)
{
	unsigned failures = model_failures(d->m);
	char key[16], by[12];
	bool worn;
	enum st st;

	if (!desk_any_useful(d, f))
		return ST_OK;
	st = desk_dial_format(d, f, &worn, s, e);
	if (st || worn) {
		d->best[f] = d->data_free[f] = !st;
		return st;
	}
	desk_best_key(d, key);
	desk_by(quantizer_find(quantizer_data_free), by);
	d->best[f] = cache_get_variants(d->cache, d->m, &d->set, f, key, s) && whole(d, f);
	d->data_free[f] = d->best[f] ||
			  (cache_get_variants(d->cache, d->m, &d->set, f, by, s) && whole(d, f));
	return model_failed_since(d->m, failures, e);
}

enum st desk_load_variants(struct desk *d, const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	for (size_t f = 0; f < d->set.k && !st; f++)
		st = desk_load_format(d, f, s, e);
	return st;
}

static void unpack(struct qcodes *q, const struct mat *w)
{
	size_t groups = mat_groups(w->cols, w->group);

	for (size_t r = 0; r < w->rows; r++) {
		mat_unpack_row(w, r, q->code + r * q->cols);
		for (size_t g = 0; g < groups; g++) {
			q->scale[r * groups + g] = mat_stat(w->scale, w, r, g);
			q->offset[r * groups + g] = mat_stat(w->offset, w, r, g);
		}
	}
}

/* Error of the variant in a slot of format f under moments, from its codes. */
static enum st slot_error(const struct variant *v, struct format f, const struct quant_input *in,
	double *out, struct err *e)
{
	struct qcodes q = { 0 };
	struct mat w;
	void *memory;
	enum st st = variant_here(v, &w, &memory, e);

	if (!st)
		st = qcodes_alloc(&q, f, w.rows, w.cols, e);
	for (int i = 0; i < 2 && q.part && !st; i++) {
		struct mat part = mat_part(&w, i == 0);

		unpack(&q.part[i], &part);
		memcpy(q.order, w.order, q.cols * sizeof *q.order);
	}
	if (!st && !q.part)
		unpack(&q, &w);
	if (!st)
		st = quant_error(out, in, &q, e);
	qcodes_release(&q);
	big_free(memory);
	return st;
}

enum st desk_variant_error(struct desk *d, size_t i, size_t f, const struct sink *s, struct err *e)
{
	const struct linear *l = &d->m->linear[i];
	struct quant_input in = {
		.rows = l->rows, .cols = l->cols, .backend = d->m->be, .sink = s
	};
	struct variant *slot = variant_at(&d->set, i, f);
	enum st st = desk_need_moments(d, s, e);
	float *w;

	if (!st)
		st = model_linear_f32(d->m, i, &w, e);
	if (st)
		return st;
	in.w = w;
	in.moments = d->moments.h[l->layer * SITES + linear_site(l->kind)];
	st = slot_error(slot, d->set.format[f], &in, &slot->error, e);
	big_free(w);
	return st;
}

/* Calibrated against whatever is in the slot: the lower output error under the moments stays. */
static enum st calibrate_cell(struct desk *d, size_t i, size_t f, const float *w,
	struct quant_input *in, const struct sink *s, struct err *e)
{
	struct variant *slot = variant_at(&d->set, i, f), v;
	const struct linear *l = &d->m->linear[i];
	const float *moments = d->moments.h[l->layer * SITES + linear_site(l->kind)];
	double old = INFINITY;
	enum st st =
		quantize(d, i, f, quantizer_find(quantizer_calibrated), w, moments, in, &v, s, e);

	if (st)
		return st;
	if (slot->mat.data) {
		st = slot_error(slot, d->set.format[f], in, &old, e);
		slot->error = old;
	}
	if (!st && v.error < old)
		st = put_variant(d, i, f, &v, e);
	else
		variant_release(&v);
	d->calibrated[i * d->set.k + f] = !st;
	return st;
}

void desk_store_best(const struct desk *d, size_t fmt, const struct sink *s)
{
	char key[16];

	desk_best_key(d, key);
	cache_put_variants(d->cache, &d->set, fmt, key, s);
}

enum st desk_best_variant(struct desk *d, size_t i, size_t f, const struct sink *s, struct err *e)
{
	struct quant_input in = { 0 };
	enum st st = desk_need_moments(d, s, e);
	float *w;

	if (!st)
		st = desk_variant(d, i, f, quantizer_find(quantizer_data_free), s, e);
	if (!st)
		st = model_linear_f32(d->m, i, &w, e);
	if (st)
		return st;
	st = calibrate_cell(d, i, f, w, &in, s, e);
	big_free(w);
	return st;
}

static bool is_calibrated(const struct desk *d, size_t i, size_t f)
{
	return d->best[f] || d->calibrated[i * d->set.k + f];
}

/* Have all linears of this format been? */
static bool all_calibrated(const struct desk *d, size_t f)
{
	for (size_t i = 0; i < d->set.n; i++)
		if (d->useful[i * d->set.k + f] && !is_calibrated(d, i, f))
			return false;
	return true;
}

/* All formats of one linear in turn: they share factors. */
static enum st calibrate_linear(
	struct desk *d, size_t i, struct quant_input *in, const struct sink *s, struct err *e)
{
	size_t k = d->set.k;
	float *w = NULL;
	enum st st = ST_OK;

	for (size_t f = 0; f < k && !st; f++) {
		if (!desk_staged(d, i, f) || is_calibrated(d, i, f))
			continue;
		if (!w)
			st = model_linear_f32(d->m, i, &w, e);
		if (!st)
			st = calibrate_cell(d, i, f, w, in, s, e);
	}
	big_free(w);
	return st;
}

enum st desk_calibrate(struct desk *d, const struct sink *s, struct err *e)
{
	size_t n = d->set.n;
	struct quant_input in = { 0 };
	bool wanted = false;
	enum st st;

	for (size_t f = 0; f < d->set.k; f++)
		wanted |= desk_any_useful(d, f) && !d->best[f];
	if (!wanted)
		return ST_OK;
	st = desk_need_moments(d, s, e);
	in.cache = quant_cache_new();
	for (size_t i = 0; i < n && !st; i++) {
		st = sink_poll(s) ? ST_CANCELLED : calibrate_linear(d, i, &in, s, e);
		sink_progress(s, (double)i + 1, (double)n);
		if (i % 7 == 6)
			desk_tell(d, DESK_VARIANTS);
	}
	quant_cache_free(in.cache);
	for (size_t f = 0; f < d->set.k && !st; f++)
		if (desk_any_useful(d, f) && !d->best[f] && all_calibrated(d, f)) {
			d->best[f] = true;
			desk_store_best(d, f, s);
		}
	if (!st) /* as large as a model; another format is worth gathering them again */
		moments_free(&d->moments);
	desk_points_load(d);
	desk_tell(d, DESK_VARIANTS);
	return st;
}

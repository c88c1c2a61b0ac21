/* desk_sources.c - several texts at once: parts of the scan, weighted means, sequences by weight.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/eval/eval.h"
#include "core/work/desk_private.h"

bool desk_many_texts(const struct desk *d)
{
	return d->sources.n > 1;
}

/* ---- cells */

void desk_free_source_cells(struct desk *d)
{
	for (size_t i = 0; i < SOURCES_MAX; i++) {
		xfree(d->source[i].cell);
		xfree(d->source[i].cell_by);
		d->source[i].cell = NULL;
		d->source[i].cell_by = NULL;
	}
}

void desk_new_source_cells(struct desk *d)
{
	size_t nk = d->set.n * d->set.k;

	desk_free_source_cells(d);
	for (size_t i = 0; desk_many_texts(d) && i < d->sources.n; i++) {
		struct desk_source *of = &d->source[i];

		of->cell = xarray(nk + 1, sizeof *of->cell);
		of->cell_by = xarray(nk + 1, sizeof *of->cell_by);
		for (size_t at = 0; at < nk; at++)
			of->cell[at] = at % d->set.k == d->keep
					       ? (struct map_cell){ .state = CELL_SCANNED }
					       : (struct map_cell){ .value = NAN, .se = NAN };
	}
}

/* Sources are strata: mean = sum w_i mean_i, se^2 = sum w_i^2 se_i^2. */
void desk_texts_cell(struct desk *d, size_t at)
{
	struct map_cell mix = { .state = CELL_SCANNED };
	double mean = 0, var = 0;

	for (size_t i = 0; i < d->sources.n; i++) {
		const struct map_cell *c = &d->source[i].cell[at];
		double w = d->sources.at[i].weight;

		if (c->state != CELL_FAST && c->state != CELL_SCANNED)
			return; /* not known on all of them */
		if (c->state == CELL_FAST ||
			strcmp(d->source[i].cell_by[at], d->source[0].cell_by[at]))
			mix.state = CELL_FAST; /* of two quantizers: good for an order */
		mix.stale |= c->stale;
		mix.tokens += c->tokens;
		mean += w * (double)c->value;
		var += w * w * (double)c->se * (double)c->se;
	}
	mix.value = (float)mean;
	mix.se = (float)sqrt(var);
	d->cell[at] = mix;
	memcpy(d->cell_by[at], d->source[0].cell_by[at], sizeof d->cell_by[at]);
}

void desk_texts_cached(struct desk *d, const struct cached_cell *c, size_t n)
{
	if (!d->source[0].cell)
		return; /* there are no formats yet */
	for (size_t i = 0; i < n; i++) {
		if (!c[i].tokens && !strcmp(c[i].text, d->text_hash)) /* a first score */
			desk_take_cached(d, &c[i], 1, d->cell, d->cell_by);
		for (size_t k = 0; k < d->sources.n && c[i].tokens; k++) {
			struct desk_source *of = &d->source[k];

			if (!strcmp(c[i].text, of->hash))
				desk_take_cached(d, &c[i], of->text.n_seq * of->text.len, of->cell,
					of->cell_by);
		}
	}
	for (size_t at = 0; at < d->set.n * d->set.k; at++)
		if (at % d->set.k != d->keep)
			desk_texts_cell(d, at);
}

/* ---- text to scan on */

/* All parts in sequences of the shortest length, one source after the other in turn. */
static enum st join_parts(struct desk *d, struct err *e)
{
	struct token_text *t = &d->scan_text;
	size_t len = SIZE_MAX, most = 0, n_seq = 0, to = 0;

	for (size_t i = 0; i < d->sources.n; i++)
		len = d->source[i].text.len < len ? d->source[i].text.len : len;
	for (size_t i = 0; i < d->sources.n; i++) {
		size_t n = d->source[i].text.n_seq * d->source[i].text.len / len;

		n_seq += n;
		most = n > most ? n : most;
	}
	token_text_release(t);
	t->id = big_array(n_seq * len, sizeof *t->id, "text", e);
	if (!t->id)
		return ST_NOMEM;
	t->n_seq = n_seq;
	t->len = len;
	for (size_t q = 0; q < most; q++)
		for (size_t i = 0; i < d->sources.n; i++) {
			const struct token_text *part = &d->source[i].text;

			if ((q + 1) * len <= part->n_seq * part->len)
				memcpy(t->id + to++ * len, part->id + q * len, len * sizeof *t->id);
		}
	return ST_OK;
}

enum st desk_texts_scan(struct desk *d, const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	for (size_t i = 0; i < d->sources.n && !st; i++) {
		struct desk_source *of = &d->source[i];

		if (of->hash[0])
			continue;
		st = desk_scan_text_of(d, d->sources.at[i].path, &of->text, s, e);
		if (!st)
			desk_hash_text(&of->text, of->hash);
	}
	if (!st)
		st = join_parts(d, e);
	if (!st)
		desk_hash_text(&d->scan_text, d->text_hash);
	return st;
}

/* ---- text by weight, to calibrate and to measure on */

/* count [n] sequences of DESK_CALIB_LEN ids of each source, of which a short file has fewer. */
static enum st parts_of(struct desk *d, uint64_t seed, size_t skip, const size_t *count,
	struct token_text part[SOURCES_MAX], const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	for (size_t i = 0; i < d->sources.n && !st; i++) {
		const char *path = d->sources.at[i].path;

		part[i] = (struct token_text){ 0 };
		if (!count[i])
			continue;
		if (path)
			st = desk_file_text(d, path, skip, count[i], DESK_CALIB_LEN, &part[i], s, e);
		else
			st = desk_self_text(d, seed, count[i], DESK_CALIB_LEN, &part[i], s, e);
		if (!st && part[i].len != DESK_CALIB_LEN) /* it was longer when it was named */
			st = err_set(
				e, ST_INVALID, "%s has fewer than %d tokens", path, DESK_CALIB_LEN);
	}
	return st;
}

static void parts_release(struct token_text part[SOURCES_MAX])
{
	for (size_t i = 0; i < SOURCES_MAX; i++)
		token_text_release(&part[i]);
}

/* The sequences in this order; those of a short file come again. */
static enum st put_in_order(const struct token_text *part, const uint8_t *order, size_t n,
	struct token_text *t, struct err *e)
{
	size_t taken[SOURCES_MAX] = { 0 }, len = DESK_CALIB_LEN;

	token_text_release(t);
	t->id = big_array(n * len, sizeof *t->id, "text", e);
	if (!t->id)
		return ST_NOMEM;
	t->n_seq = n;
	t->len = len;
	for (size_t q = 0; q < n; q++) {
		const struct token_text *of = &part[order[q]];

		memcpy(t->id + q * len, of->id + taken[order[q]]++ % of->n_seq * len,
			len * sizeof *t->id);
	}
	return ST_OK;
}

enum st desk_texts_calib(struct desk *d, size_t n_seq, const struct sink *s, struct err *e)
{
	struct token_text part[SOURCES_MAX] = { { 0 } };
	uint8_t *order;
	size_t count[SOURCES_MAX];
	enum st st;

	if (d->calib_text.n_seq >= n_seq)
		return ST_OK;
	order = xarray(n_seq, 1);
	sources_order(&d->sources, order, n_seq, count);
	st = parts_of(d, SEED_CALIB, desk_scan_part(d), count, part, s, e);
	if (!st)
		st = put_in_order(part, order, n_seq, &d->calib_text, e);
	parts_release(part);
	xfree(order);
	return st;
}

/* Two of each source at least, for a standard error. */
static enum st measure_parts(struct desk *d, size_t tokens, struct token_text part[SOURCES_MAX],
	const struct sink *s, struct err *e)
{
	size_t n_seq = (tokens + DESK_CALIB_LEN - 1) / DESK_CALIB_LEN, count[SOURCES_MAX];
	uint8_t *order = xarray(n_seq + 1, 1);

	sources_order(&d->sources, order, n_seq, count);
	xfree(order);
	for (size_t i = 0; i < d->sources.n; i++)
		count[i] = count[i] < 2 ? 2 : count[i];
	return parts_of(d, SEED_MEASURE, desk_scan_part(d) + DESK_CALIB_SEQS * DESK_CALIB_LEN,
		count, part, s, e);
}

enum st desk_texts_measure(
	struct desk *d, size_t tokens, struct token_text *t, const struct sink *s, struct err *e)
{
	struct token_text part[SOURCES_MAX] = { { 0 } };
	enum st st = measure_parts(d, tokens, part, s, e);
	uint8_t *order;
	size_t n = 0;

	for (size_t i = 0; i < d->sources.n; i++)
		n += part[i].n_seq;
	order = xarray(n + 1, 1);
	n = 0;
	for (size_t i = 0; i < d->sources.n; i++)
		for (size_t q = 0; q < part[i].n_seq; q++)
			order[n++] = (uint8_t)i;
	if (!st)
		st = put_in_order(part, order, n, t, e);
	parts_release(part);
	xfree(order);
	return st;
}

/* What one source shows joins the mean with the source's weight. */
static void add_result(struct eval_result *sum, const struct eval_result *r, double w)
{
	sum->tokens += r->tokens;
	sum->windows += r->windows;
	sum->nll += w * r->nll;
	sum->ref_nll += w * r->ref_nll;
	sum->kl += w * r->kl;
	sum->kl_se += w * w * r->kl_se * r->kl_se; /* a variance until the end */
	sum->top1 += w * r->top1;
}

static enum st measure_mixed(struct desk *d, const struct mat *const *view, size_t tokens,
	struct eval_result *r, const struct sink *s, struct err *e)
{
	struct token_text part[SOURCES_MAX] = { { 0 } };
	enum st st = measure_parts(d, tokens, part, s, e);

	*r = (struct eval_result){ 0 };
	for (size_t i = 0; i < d->sources.n && !st; i++) {
		struct eval_result one;

		st = eval_run(&one, d->m, view, part[i].id, part[i].n_seq * part[i].len,
			part[i].len, s, e);
		if (!st)
			add_result(r, &one, d->sources.at[i].weight);
	}
	r->kl_se = sqrt(r->kl_se);
	r->ppl = exp(r->nll);
	parts_release(part);
	return st;
}

enum st desk_measure_view(struct desk *d, const struct mat *const *view, size_t tokens,
	struct eval_result *r, const struct sink *s, struct err *e)
{
	struct token_text t = { 0 };
	enum st st;

	if (desk_many_texts(d))
		return measure_mixed(d, view, tokens, r, s, e);
	st = desk_measure_text(d, tokens, &t, s, e);
	if (!st)
		st = eval_run(r, d->m, view, t.id, t.n_seq * t.len, t.len, s, e);
	token_text_release(&t);
	return st;
}

/* ---- which sources */

/* The files and how many sequences of each there are to calibrate on: weights that come to the
 * same are the same. */
char *desk_texts_key(const struct desk *d)
{
	uint8_t order[DESK_CALIB_SEQS];
	size_t count[SOURCES_MAX];
	char *key = xstrdup("mix");

	sources_order(&d->sources, order, DESK_CALIB_SEQS, count);
	for (size_t i = 0; i < d->sources.n; i++) {
		char *of = desk_calib_source(d, d->sources.at[i].path, &d->source[i].id);
		char *former = key;

		key = xprintf("%s\n%s %zu", former, of, count[i]);
		xfree(former);
		xfree(of);
	}
	return key;
}

static enum st check_length(
	struct desk *d, const char *path, struct fs_id *id, const struct sink *s, struct err *e)
{
	size_t have;
	enum st st = desk_name_file(d, path, DESK_CALIB_LEN, id, &have, s, e);

	if (!st && have < DESK_CALIB_LEN)
		st = err_set(e, ST_INVALID,
			"%s has %zu tokens; a source among several needs at least %d", path, have,
			DESK_CALIB_LEN);
	return st;
}

/* "self 0.5, prose.txt 0.3": for people, each name cut so that all have room. */
static void name_mix(struct desk *d)
{
	char name[SOURCE_NAME], cut[17];
	size_t at = 0;

	d->text_name[0] = '\0';
	for (size_t i = 0; i < d->sources.n && at < sizeof d->text_name; i++) {
		source_name(&d->sources, i, name);
		text_clean(cut, sizeof cut, name, strlen(name), true);
		at += (size_t)snprintf(d->text_name + at, sizeof d->text_name - at, "%s%s %.2g",
			i ? ", " : "", cut, d->sources.at[i].weight);
	}
}

/* Is all text at hand, so that no model must write it first? */
static bool text_is_ready(struct desk *d)
{
	for (size_t i = 0; i < d->sources.n; i++)
		if (!d->sources.at[i].path &&
			!cache_get_text(d->cache, SEED_SCAN, desk_scan_seqs(d), DESK_SCAN_LEN,
				&d->source[i].text))
			return false;
		else if (!d->sources.at[i].path)
			d->source[i].text.n_seq = desk_scan_seqs(d);
	return true;
}

void desk_forget_sources(struct desk *d)
{
	desk_free_source_cells(d);
	for (size_t i = 0; i < SOURCES_MAX; i++) {
		token_text_release(&d->source[i].text);
		d->source[i].hash[0] = '\0';
	}
	sources_release(&d->sources);
}

enum st desk_set_sources(struct desk *d, const struct sources *src, size_t tokens,
	const struct sink *s, struct err *e)
{
	struct sources mine;
	struct fs_id id[SOURCES_MAX] = { { 0 } };
	enum st st = ST_OK, formats;

	if (src->n < 2)
		return desk_set_text(d, src->n ? src->at[0].path : NULL, tokens, s, e);
	for (size_t i = 0; i < src->n && !st; i++) /* refused before anything is given up for it */
		if (src->at[i].path)
			st = check_length(d, src->at[i].path, &id[i], s, e);
	if (st)
		return st;
	mine = sources_copy(src);
	desk_begin_text(d, NULL, NULL, tokens);
	token_text_release(&d->scan_text);
	d->text_hash[0] = '\0';
	d->sources = mine;
	for (size_t i = 0; i < SOURCES_MAX; i++)
		d->source[i].id = id[i];
	desk_name_calib(d);
	name_mix(d);
	if (text_is_ready(d))
		st = desk_scan_text(d, s, e);
	formats = desk_set_formats(d, d->formats, s, st ? NULL : e); /* cells of these, or none */
	return st ? st : formats;
}

enum st desk_text_again(struct desk *d, const struct sink *s, struct err *e)
{
	return desk_many_texts(d) ? desk_set_sources(d, &d->sources, 0, s, e)
			     : desk_set_text(d, d->text_path, 0, s, e);
}

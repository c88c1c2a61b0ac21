/* desk.c - opening a model and everything beside it; its cells and formats. */
#include "core/work/desk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/model/place.h"
#include "core/work/desk_private.h"
#include "core/work/run_model.h"

const char desk_formats_default[] = "int2g64,int3g64,int4g128,int8g128,keep";

const char *desk_formats(const char *names)
{
	return names && !strcmp(names, "default") ? NULL : names;
}

/* A format that costs no less than another one that does no damage is never chosen. */
static void mark_useful(struct desk *d)
{
	for (size_t i = 0; i < d->m->n_linears; i++)
		for (size_t f = 0; f < d->set.k; f++)
			d->useful[i * d->set.k + f] =
				f == d->keep || d->keep == d->set.k ||
				desk_bytes(d, i, f) < desk_bytes(d, i, d->keep);
	for (size_t i = 0; i < d->m->n_linears * d->set.k; i++)
		if (!format_fits(d->set.format[i % d->set.k], d->m->linear[i / d->set.k].cols))
			d->useful[i] = false;
}

bool desk_staged(const struct desk *d, size_t i, size_t f)
{
	return d->useful[i * d->set.k + f] && f != d->keep && !desk_is_mix(d, f);
}

uint64_t desk_bytes(const struct desk *d, size_t linear, size_t fmt)
{
	const struct linear *l = &d->m->linear[linear];

	return fmt == d->keep ? l->file_bytes : format_bytes(d->set.format[fmt], l->rows, l->cols);
}

static void free_cells(struct desk *d)
{
	desk_points_free(d);
	d->points_known = false;
	variant_set_release(&d->set);
	desk_free_source_cells(d);
	xfree(d->cell);
	xfree(d->cell_by);
	xfree(d->score);
	xfree(d->useful);
	xfree(d->calibrated);
	d->cell = NULL;
	d->cell_by = NULL;
	d->score = NULL;
	d->useful = NULL;
	d->calibrated = NULL;
}

void desk_blank_cells(struct desk *d)
{
	for (size_t i = 0; i < d->set.n * d->set.k; i++) {
		d->cell[i] = (struct map_cell){ .value = NAN, .se = NAN };
		d->score[i] = NAN;
		memset(d->cell_by[i], 0, sizeof d->cell_by[i]);
	}
	for (size_t i = 0; i < d->set.n && d->keep < d->set.k; i++)
		d->cell[i * d->set.k + d->keep] =
			(struct map_cell){ .state = CELL_SCANNED, .value = 0, .se = 0 };
	desk_new_source_cells(d);
}

static void new_cells(struct desk *d)
{
	size_t nk = d->set.n * d->set.k;

	d->cell = xarray(nk + 1, sizeof *d->cell);
	d->cell_by = xarray(nk + 1, sizeof *d->cell_by);
	d->score = xarray(nk + 1, sizeof *d->score);
	d->useful = xarray(nk + 1, sizeof *d->useful);
	d->calibrated = xarray(nk + 1, sizeof *d->calibrated);
	d->keep = 0;
	while (d->keep < d->set.k && !format_is_keep(d->set.format[d->keep]))
		d->keep++;
	memset(d->best, 0, sizeof d->best);
	memset(d->data_free, 0, sizeof d->data_free);
	mark_useful(d);
	desk_blank_cells(d);
}

/* What the variants of a format take; those that the file's own bytes beat are not made. */
static uint64_t format_need(const struct model *m, struct format f, bool keep)
{
	uint64_t sum = 0;

	if (format_is_mix(f)) /* made one by one, as they are chosen */
		return 0;
	for (size_t i = 0; i < m->n_linears && !format_is_keep(f); i++) {
		uint64_t bytes = format_bytes(f, m->linear[i].rows, m->linear[i].cols);

		if (!keep || bytes < m->linear[i].file_bytes)
			sum += bytes;
	}
	return sum;
}

size_t desk_fit_formats(
	const struct model *m, struct format *f, size_t k, uint64_t room, char *out, size_t cap)
{
	uint64_t sum = 0;
	size_t at = 0, variants = 0;
	char name[FORMAT_NAME];
	bool keep = false;

	out[0] = '\0';
	for (size_t i = 0; i < k; i++)
		keep |= format_is_keep(f[i]);
	for (size_t i = 0; i < k; i++) {
		sum += format_need(m, f[i], keep);
		variants += !format_is_keep(f[i]) && !format_is_mix(f[i]);
	}
	for (size_t i = k; i-- && sum > room && variants > 1;) {
		uint64_t need = format_need(m, f[i], keep);

		if (!need) /* keep, or nothing would be made */
			continue;
		at += (size_t)snprintf(out + at, at < cap ? cap - at : 0, "%s%s", at ? ", " : "",
			format_name(f[i], name));
		memmove(f + i, f + i + 1, (--k - i) * sizeof *f);
		sum -= need;
		variants--;
	}
	return k;
}

static enum st fit_formats(const struct desk *d, struct format *f, size_t *k, struct err *e)
{
	uint64_t room = place_room(d->m->be) / 2;
	char out[FORMAT_MAX * (FORMAT_NAME + 2)], a[16];

	*k = desk_fit_formats(d->m, f, *k, room, out, sizeof out);
	if (out[0])
		log_at(LOG_WARN, "desk",
			"the variants of all formats exceed %s, half of the free memory%s%s: %s "
			"left "
			"out",
			text_bytes(room, a), d->m->be->host_memory ? "" : " of ",
			d->m->be->host_memory ? "" : d->m->be->name, out);
	return *k ? ST_OK : err_set(e, ST_INVALID, "no format is left");
}

enum st desk_set_formats(struct desk *d, const char *names, const struct sink *s, struct err *e)
{
	struct format f[FORMAT_MAX];
	struct variant_set set;
	size_t k;
	enum st st;

	names = desk_formats(names);
	st = format_list(f, &k, names ? names : desk_formats_default, e);
	if (!st)
		st = format_check_mixes(f, k, e);
	if (!st)
		st = fit_formats(d, f, &k, e);
	if (!st && d->mix)
		k = format_add_mixes(f, k);
	if (!st)
		st = variant_set_alloc(&set, d->m->n_linears, f, k, e);
	if (st)
		return st;
	if (names != d->formats) {
		xfree(d->formats);
		d->formats = names ? xstrdup(names) : NULL;
	}
	free_cells(d);
	cache_drop_variants(d->cache);
	d->set = set;
	new_cells(d);
	st = desk_load_variants(d, s, e);
	desk_apply_cells(d);
	desk_tell(d, DESK_FORMATS);
	desk_points_load(d);
	return st;
}

enum st desk_set_dial(
	struct desk *d, const char *names, bool mix, const struct sink *s, struct err *e)
{
	bool before = d->mix;
	enum st st;

	d->mix = mix;
	st = desk_set_formats(d, names, s, e);
	if (st)
		d->mix = before;
	return st;
}

/* By name of a quantizer and its version, as journals have it. */
void desk_by(const struct quantizer *q, char out[12])
{
	snprintf(out, 12, "%.8s%d", q ? q->name : "none", q ? q->version % 100 : 0);
}

void desk_cell_by(const struct desk *d, const struct quantizer *q, char out[CACHE_BY])
{
	char plain[12] = "mix1"; /* a mix's share: estimated under the same moments */

	if (q)
		desk_by(q, plain);
	if (desk_by_run(q))
		snprintf(out, CACHE_BY, "%s@%s", plain, d->dial.tag);
	else if (q && !q->needs_moments)
		snprintf(out, CACHE_BY, "%s", plain);
	else
		snprintf(out, CACHE_BY, "%s@%s", plain, d->calib_id);
}

/* Could what is measured of this variant be of one that this desk makes, or wears?  Not where it
 * was calibrated on another text, or (older journals) nobody knows on which. */
static bool is_ours(const struct desk *d, size_t fmt, const char *by)
{
	const char *of = strchr(by, '@');
	char plain[12];

	if (desk_worn(d, fmt) != !strncmp(by, "dial", 4))
		return false;
	if (desk_worn(d, fmt))
		return of && !strcmp(of + 1, d->dial.tag);
	desk_by(quantizer_find(quantizer_calibrated), plain);
	return of ? !strcmp(of + 1, d->calib_id) : strcmp(by, plain) && strcmp(by, "mix1");
}

void desk_take_cached(struct desk *d, const struct cached_cell *c, size_t all,
	struct map_cell *cell, char (*by)[CACHE_BY])
{
	enum cell_state state = c->tokens == 0    ? CELL_SCORED
				: c->tokens < all ? CELL_FAST
						  : CELL_SCANNED;
	size_t f = 0, at;

	if (c->linear >= d->set.n)
		return;
	while (f < d->set.k && !format_equal(d->set.format[f], c->format))
		f++;
	if (f == d->set.k || f == d->keep || !is_ours(d, f, c->by))
		return;
	at = c->linear * d->set.k + f;
	if (state == CELL_SCORED)
		d->score[at] = c->kl;
	if (cell[at].state > state && cell[at].state != CELL_RUNNING)
		return;
	if (cell[at].state == state && cell[at].tokens > c->tokens && !strcmp(by[at], c->by))
		return; /* measured on more of the text */
	cell[at] = (struct map_cell){ .state = (uint8_t)state,
		.tokens = c->tokens,
		.value = (float)c->kl,
		.se = (float)c->se };
	snprintf(by[at], sizeof by[at], "%s", c->by);
}

void desk_apply_cells(struct desk *d)
{
	const struct cached_cell *c;
	size_t n = cache_cells(d->cache, &c), all = d->scan_text.n_seq * d->scan_text.len;

	d->cells_kept = 0;
	if (!d->text_hash[0])
		return;
	if (desk_many_texts(d))
		desk_texts_cached(d, c, n);
	for (size_t i = 0; i < n && !desk_many_texts(d); i++)
		if (!strcmp(c[i].text, d->text_hash))
			desk_take_cached(d, &c[i], all, d->cell, d->cell_by);
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		d->cells_kept += i % d->set.k != d->keep && d->cell[i].state >= CELL_FAST;
}

/* A file without one is opened all the same, and answers why it cannot chat; a name that is none is
 * a slip, by which nothing is to be measured or trained. */
static enum st find_template(struct desk *d, const char *asked, struct err *e)
{
	const struct vocab *v = d->m->ck->vocab;

	if (asked) {
		d->template = template_named(asked);
		if (!d->template)
			return err_set(e, ST_INVALID,
				"--template %s: no such chat template; there are chatml, llama2, "
				"llama3, mistral, phi3, zephyr",
				asked);
	} else if (!v || !v->chat_template) {
		err_set(&d->template_err, ST_UNSUPPORTED,
			"%s has no chat template; choose one with --template NAME", d->m->ck->name);
	} else if (template_recognise(&d->template, v->chat_template, &d->template_err)) {
		d->template = NULL;
	}
	return ST_OK;
}

static enum st open_model(struct desk *d, const char *path, const struct desk_options *o,
	const struct sink *s, struct err *e)
{
	struct checkpoint *ck;
	struct err cache_err = { 0 };
	enum st st = checkpoint_open(&ck, path, e);

	if (st)
		return st;
	if (o->header)
		o->header(o->arg, ck);
	if (cache_open(&d->cache, ck, o->read_only,
		    &cache_err)) /* a cache that cannot be had costs time, nothing else */
		log_at(LOG_WARN, "cache", "%s; nothing will be kept", cache_err.msg);
	if (o->anew)
		cache_anew(d->cache);
	return model_load(&d->m, ck, backend_now(), s, e);
}

enum st desk_identify(struct desk *d, const struct sink *s, struct err *e)
{
	struct err soft;
	enum st st;

	if (!cache_pending(d->cache))
		return ST_OK;
	st = cache_identify(d->cache, d->m->ck, s, &soft);
	if (st == ST_CANCELLED)
		return err_set(e, st, "stopped");
	if (st) {
		log_at(LOG_WARN, "cache", "%s; nothing will be kept", soft.msg);
		return ST_OK;
	}
	return desk_text_again(d, s, e);
}

/* A run's model, and its formats where no others are asked for. */
static enum st open_run(struct desk *d, const char *path, const struct desk_options *o,
	const struct sink *s, struct err *e)
{
	enum st st = dial_run_find(&d->dial, path, e);

	if (st)
		return st;
	if (!o->formats) {
		xfree(d->formats);
		d->formats = xprintf("%s,keep", d->dial.formats);
	}
	st = open_model(d, d->dial.model, o, s, e);
	if (!st && *d->dial.sha && strcmp(d->dial.sha, d->m->ck->header_sha256) != 0)
		return err_set(e, ST_INVALID,
			"%s was made of another model than %s is now: its variants do not fit",
			path, d->dial.model);
	return st && st != ST_CANCELLED ? err_at(e, st, "%s: the model of that run", path) : st;
}

/* A model, or a run whose checkpoint is one; no dial's. */
static enum st open_named(struct desk *d, const char *word, const struct desk_options *o,
	const struct sink *s, struct err *e)
{
	char *path;
	enum st st = run_model_of_one(&path, word, e);

	if (!st)
		st = open_model(d, path, o, s, e);
	xfree(path);
	return st;
}

enum st desk_open(struct desk **out, const char *path, const struct desk_options *o,
	const struct sink *s, struct err *e)
{
	struct desk *d = xalloc(sizeof *d);
	enum st st;

	d->formats = o->formats ? xstrdup(o->formats) : NULL;
	d->scan_tokens = o->scan_tokens ? o->scan_tokens : DESK_SCAN_TOKENS;
	d->mix = o->mix;
	st = dial_run_is(path) ? open_run(d, path, o, s, e) : open_named(d, path, o, s, e);
	if (!st) {
		if (!d->m->ck->vocab)
			err_set(&d->tok_err, ST_UNSUPPORTED, "%s", d->m->ck->vocab_missing);
		else if (tokenizer_new(&d->tok, d->m->ck->vocab, &d->tok_err))
			d->tok = NULL;
		st = find_template(d, o->template, e);
	}
	if (!st)
		st = o->sources ? desk_set_sources(d, o->sources, d->scan_tokens, s, e)
				: desk_set_text(d, o->text, d->scan_tokens, s, e);
	if (st) {
		desk_close(d);
		return st;
	}
	*out = d;
	return ST_OK;
}

void desk_close(struct desk *d)
{
	if (!d)
		return;
	free_cells(d);
	moments_free(&d->moments);
	token_text_release(&d->scan_text);
	token_text_release(&d->calib_text);
	tokenizer_free(d->tok);
	model_free(d->m);
	cache_close(d->cache); /* after the variants: it holds their maps */
	desk_forget_sources(d);
	desk_forget_heads(d);
	dial_run_release(&d->dial);
	xfree(d->text_path);
	xfree(d->text_told);
	xfree(d->formats);
	xfree(d);
}

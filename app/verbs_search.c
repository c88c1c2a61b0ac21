/* verbs_search.c - search: the best layout at a budget, a guard's, or a refined one. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/work/desk.h"
#include "core/work/estimate.h"
#include "core/work/run.h"
#include "core/work/underway.h"

/* On text that neither the search nor the moves were judged by. */
static void json_refined(struct json_out *o, const struct desk_refined *r)
{
	json_put_f64(o, "kl_before", r->kl_from);
	json_put_f64(o, "kl", r->r.moves ? r->kl_to : r->kl_from);
	json_put_f64(o, "kl_se", r->r.moves ? r->se_to : r->se_from);
	json_put_i64(o, "changed", (int64_t)r->r.moves);
}

static void print_refined(const struct desk *d, const struct desk_refined *r)
{
	if (r->exact)
		printf("refined    nothing to exchange: every linear is as in the file\n");
	else if (r->r.moves)
		printf("refined    KL %.4f to %.4f ± %.4f, measured on %s; %zu linears changed in "
		       "%zu rounds\n",
			r->kl_from, r->kl_to, r->se_to, d->text_name, r->r.moves, r->r.rounds);
	else
		printf("refined    nothing to gain: KL %.4f ± %.4f, measured on %s\n", r->kl_from,
			r->se_from, d->text_name);
}

/* What the best layout of the same bytes without mixes is predicted at; NAN: there are none, or
 * nothing is in nats. */
static void layer_price(const struct desk *d, const struct layout *l, double *kl, double *se)
{
	*kl = *se = (double)NAN;
	if (desk_mixes(d) && isfinite(l->predicted_kl) &&
		desk_layer_price(d, l->bytes, kl, se, NULL))
		*kl = *se = (double)NAN;
}

/* What the cells of the layout add up to, each alone in the reference; NAN: not in nats. */
static double sum_of(const struct desk *d, const struct layout *l)
{
	size_t nk = d->set.n * d->set.k;
	double *damage = xarray(nk + 1, sizeof *damage), *se = xarray(nk + 1, sizeof *se), sum = 0;
	const char *source;

	if (!desk_damage(d, damage, se, &source))
		sum = (double)NAN;
	sum += desk_sum(d, damage, l->choice);
	xfree(damage);
	xfree(se);
	return sum;
}

/* Where there is nothing left to buy: more bits than that bring nothing. */
static void print_most(const struct args *a, const struct desk *d, const struct layout *l)
{
	bool keep = d->keep < d->set.k, most = true;
	double bpw = layout_stored_bpw(l);

	for (size_t i = 0; i < l->n; i++)
		most &= l->choice[i] == (keep ? d->keep : d->set.k - 1);
	if (!most || a->bpw <= bpw + 0.005)
		return;
	if (keep)
		printf("most       every linear is as in the file: more bits than its %.2f bring "
		       "nothing\n",
			bpw);
	else
		printf("most       every linear is in the dial's widest format: more than %.2f "
		       "bits takes others (--formats)\n",
			bpw);
}

static void search_result(const struct args *a, const struct desk *d, const struct layout *l,
	const char *source, const struct desk_refined *r)
{
	size_t count[FORMAT_MAX] = { 0 };
	char fmt[FORMAT_NAME], bytes[16];
	double layer_kl, layer_se;
	struct json_out o;

	for (size_t i = 0; i < l->n; i++)
		count[l->choice[i]]++;
	layer_price(d, l, &layer_kl, &layer_se);
	if (a->json) {
		verb_begin(&o);
		json_put_f64(&o, "asked_bpw", a->bpw);
		json_put_f64(&o, "stored_bpw", layout_stored_bpw(l));
		json_put_f64(&o, "nominal_bpw", layout_nominal_bpw(l, d->m));
		json_put_i64(&o, "bytes", (int64_t)l->bytes);
		json_put_i64(&o, "file_bytes", (int64_t)layout_file_bytes(l, d->m));
		json_put_f64(&o, "sum_kl", sum_of(d, l));
		json_put_f64(&o, "predicted_kl", l->predicted_kl);
		json_put_f64(&o, "predicted_se", l->predicted_se);
		if (a->refine)
			json_refined(&o, r);
		json_put_f64(&o, "layer_mix_kl", layer_kl);
		json_put_f64(&o, "layer_mix_se", layer_se);
		json_put_str(&o, "source", source);
		json_put_str(&o, "text", d->text_name);
		verb_json(&o);
		return;
	}
	printf("stored     %.4f bpw (asked %.4g)   nominal %.4f   %s\n", layout_stored_bpw(l),
		a->bpw, layout_nominal_bpw(l, d->m), text_bytes(l->bytes, bytes));
	print_most(a, d, l);
	printf("file       %s\n", text_bytes(layout_file_bytes(l, d->m), bytes));
	if (a->refine)
		print_refined(d, r);
	else if (isfinite(l->predicted_kl))
		printf("predicted  %.4f ± %.4f, from the %s on %s\n", l->predicted_kl,
			l->predicted_se, source, d->text_name);
	else
		printf("predicted  nothing: made by the %s%s\n", source,
			a->guard ? "" : ", which is not in nats (bitdial scan)");
	if (isfinite(layer_kl))
		printf("layer-mix  %.4f ± %.4f at the same bytes, one format a linear\n", layer_kl,
			layer_se);
	for (size_t f = 0; f < l->k; f++)
		if (count[f])
			printf("  %-10s %zu linears\n", format_name(l->format[f], fmt), count[f]);
}

/* Exchanges bits between the layout's linears, at no more bytes. */
static enum st refine_layout(
	struct desk *d, struct layout *l, struct desk_refined *r, struct err *e)
{
	uint8_t *choice = xarray(d->set.n + 1, 1);
	enum st st;

	memcpy(choice, l->choice, d->set.n);
	st = desk_refine(d, choice, l->bytes, NULL, r, verb_sink(), e);
	if (!st) {
		layout_release(l);
		desk_layout_of(d, choice, (double)NAN, (double)NAN, l);
	}
	xfree(choice);
	return st;
}

/* uniform, ends, random or random:SEED. */
static enum st read_guard(const char *word, int *g, uint64_t *seed, struct err *e)
{
	size_t n = strcspn(word, ":");
	const char *digits = word[n] ? word + n + 1 : "1";

	*g = 0;
	while (*g < GUARDS && (strlen(guard_name[*g]) != n || strncmp(guard_name[*g], word, n)))
		++*g;
	errno = 0;
	*seed = strtoull(digits, NULL, 10);
	if (*g == GUARDS || errno || !*digits || digits[strspn(digits, "0123456789")] ||
		(word[n] && *g != GUARD_RANDOM))
		return err_set(e, ST_INVALID, "--guard %s: expected uniform, ends or random:SEED",
			word);
	return ST_OK;
}

/* Said before the work, not after it. */
static enum st can_write(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = !slash ? xstrdup(".") : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	enum st st = ST_OK;

	if (fs_is_dir(path))
		st = err_set(e, ST_IO, "-o %s is a folder; name a file in it", path);
	else if (!access(path, F_OK) && !fs_is_file(path))
		st = err_set(e, ST_IO, "-o %s is not a regular file", path);
	else if (!fs_is_dir(dir))
		st = err_set(e, ST_IO, "-o %s: there is no folder %s", path, dir);
	else if (access(dir, W_OK))
		st = err_set(e, ST_IO, "-o %s: cannot write in %s: %s", path, dir, strerror(errno));
	xfree(dir);
	return st;
}

/* A layout nobody searched for, at the same bytes: what the dial has to beat. */
static enum st guard(struct desk *d, const struct args *a, struct layout *l, struct err *e)
{
	size_t nk = d->set.n * d->set.k;
	uint64_t *bytes = xarray(nk, sizeof *bytes), seed, got;
	double *damage = xarray(nk, sizeof *damage), *se = xarray(nk, sizeof *se);
	uint8_t *choice = xarray(d->set.n, 1);
	uint64_t budget = (uint64_t)(a->bpw * (double)d->m->weights / 8 + 1e-3);
	struct front_input in;
	const char *source;
	int g;
	enum st st = read_guard(a->guard, &g, &seed, e);

	desk_damage(d, damage, se, &source);
	desk_layers_only(d, damage); /* a guard is what one would make without a search */
	desk_front_input(d, &in, bytes, damage, se);
	if (st)
		; /* said */
	else if (!guard_layout((enum guard)g, &in, budget, seed, choice, &got))
		st = err_set(e, ST_INVALID, "no layout of these formats fits %.4g bits a weight",
			a->bpw);
	else
		desk_layout_of(d, choice, (double)NAN, (double)NAN, l);
	xfree(bytes);
	xfree(damage);
	xfree(se);
	xfree(choice);
	return st;
}

static void record(
	struct run *run, const struct args *a, const struct layout *l, const struct desk_refined *r)
{
	if (!run)
		return;
	verb_run_layout(run, l);
	run_number(run, "asked_bpw", a->bpw);
	if (a->refine && !r->exact) {
		run_number(run, "kl", r->r.moves ? r->kl_to : r->kl_from);
		run_number(run, "kl_se", r->r.moves ? r->se_to : r->se_from);
		run_number(run, "kl_before", r->kl_from);
		run_number(run, "changed", (double)r->r.moves);
	}
}

static enum st foretell(struct desk *d, const struct args *a, bool *leave, struct err *e)
{
	struct estimate x;
	enum st st = desk_identify(d, verb_sink(), e);

	if (st)
		return st;
	if (a->refine)
		estimate_refine(&x, d);
	else
		estimate_stages(&x, d, STAGE_SCORE);
	x.job = a->refine ? "refine" : "search";
	return verb_foretell(a, &x, leave, e);
}

int verb_search(const struct args *a)
{
	char budget[32];
	struct layout l = { 0 };
	const char *source = NULL;
	struct desk *d = NULL;
	struct desk_refined refined = { 0 };
	struct run *run = NULL;
	struct err e = { 0 };
	struct underway *word;
	bool leave = false;
	struct fs_id id;
	enum st st = a->out ? can_write(a->out, &e) : ST_OK, written = ST_OK;

	if (isnan(a->bpw))
		st = err_set(
			&e, ST_INVALID, "usage: bitdial search MODEL --bpw 3.6 [-o layout.json]");
	if (!st)
		st = verb_desk(&d, a, &e);
	if (!st && a->out && !fs_identify(a->out, &id, NULL) && id.dev == d->m->ck->id.dev &&
		id.ino == d->m->ck->id.ino)
		st = err_set(&e, ST_INVALID, "-o %s: that is the model itself", a->out);
	verb_keeps(!a->read_only);
	snprintf(budget, sizeof budget, "%.9g", a->bpw);
	if (!st && fs_is_file(budget))
		st = err_set(&e, ST_INVALID, "a file named %s is in the way", budget);
	if (!st)
		st = foretell(d, a, &leave, &e);
	if (leave) {
		desk_close(d);
		return st ? verb_fail(&e) : 0;
	}
	if (!st)
		run = verb_run_begin(a, d, "search");
	if (!st && a->guard) {
		source = "guard";
		st = guard(d, a, &l, &e);
	} else if (!st) {
		st = desk_layout(d, budget, &l, &source, verb_sink(), &e);
	}
	verb_keeps(!a->read_only && !a->refine); /* exchanges begin anew */
	if (!st && a->refine) {
		word = verb_underway(a, d, "refine");
		st = refine_layout(d, &l, &refined, &e);
		underway_end(word, st == ST_CANCELLED || st == ST_DEVICE);
	}
	if (!st && a->out)
		written = layout_write(&l, a->out, &e);
	if (!st)
		record(run, a, &l, &refined);
	snprintf(budget, sizeof budget, "by the %.20s", source ? source : "");
	verb_run_end(run, st ? st : written, &e, source ? budget : "");
	if (!st) /* also where the file cannot be written: it took minutes */
		search_result(a, d, &l, source, &refined);
	layout_release(&l);
	desk_close(d);
	return st || written ? verb_fail(&e) : 0;
}

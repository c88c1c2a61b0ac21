/* verbs_text.c - tokens, logits, chat. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/work/chat.h"
#include "core/work/desk.h"

static void json_ids(struct json_out *o, const struct tok_ids *ids)
{
	json_open(o, "ids", '[');
	for (size_t i = 0; i < ids->n; i++)
		json_put_i64(o, NULL, ids->id[i]);
	json_close(o, ']');
}

int verb_tokens(const struct args *a)
{
	struct tok_ids ids = { 0 };
	struct json_out o;
	struct desk *d = NULL;
	struct err e = { 0 };
	enum st st;

	if (!a->text)
		st = err_set(&e, ST_INVALID, "usage: bitdial tokens MODEL --text FILE");
	else
		st = verb_desk(&d, a, &e);
	if (!st)
		st = desk_tokens(d, a->text, (size_t)a->limit, &ids, verb_sink(), &e);
	if (!st && a->json) {
		json_out_init(&o, false);
		json_open(&o, NULL, '{');
		json_ids(&o, &ids);
		verb_json(&o);
	} else if (!st) {
		for (size_t i = 0; i < ids.n && !(i % 4096 == 0 && sink_poll(verb_sink())); i++)
			printf("%d%c", ids.id[i], i + 1 == ids.n || i % 16 == 15 ? '\n' : ' ');
	}
	tok_ids_release(&ids);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}

enum st verb_layout_of(
	struct desk *d, const char *name, struct layout *l, bool *searched, struct err *e)
{
	const char *source;
	char *end;
	double bpw = strtod(name, &end);
	enum st st;

	*searched = false;
	if (end != name && !*end && !fs_is_file(name) && !(bpw > 0 && bpw <= 64))
		return err_set(
			e, ST_INVALID, "--layout %s: stored bits a weight go from 0 to 64", name);
	st = desk_layout(d, name, l, &source, verb_sink(), e);
	*searched = !st && source;
	if (*searched)
		verb_note("layout %s from the %s on %s", name, source, d->text_name);
	return st;
}

/* The layout of the verb's options as mats; view [n_linears] is filled with the reference
 * when none was given. */
enum st verb_view(struct desk *d, const struct args *a, struct layout *l, const struct mat **view,
	struct err *e)
{
	const struct quantizer *by = NULL;
	bool searched;
	enum st st;

	for (size_t i = 0; i < d->m->n_linears; i++)
		view[i] = &d->m->linear[i].ref;
	if (a->quantizer && !(by = quantizer_find(a->quantizer)))
		return err_set(e, ST_INVALID,
			"--quantizer %s: no such quantizer; there are minmax, clip, hqq and gptq",
			a->quantizer);
	if (!a->layout)
		return by ? err_set(e, ST_INVALID, "--quantizer wants a --layout, too") : ST_OK;
	st = verb_layout_of(d, a->layout, l, &searched, e);
	if (st)
		return st;
	for (size_t i = 0; by && i < l->n; i++)
		if (l->choice[i] != d->keep)
			l->by[i] = by;
	return desk_layout_view(d, l, view, verb_sink(), e);
}

static double lse_of(const float *z, size_t n)
{
	double max = (double)z[0], sum = 0;

	for (size_t i = 1; i < n; i++)
		if ((double)z[i] > max)
			max = (double)z[i];
	for (size_t i = 0; i < n; i++)
		sum += exp((double)z[i] - max);
	return max + log(sum);
}

static const float *sort_z; /* qsort has no argument; main thread only */

static int by_logit(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	if (sort_z[x] != sort_z[y])
		return sort_z[x] < sort_z[y] ? 1 : -1;
	return x - y;
}

static void print_logits(
	const struct desk *d, const struct args *a, const struct tok_ids *ids, const float *z)
{
	size_t n = d->m->hp.vocab, top = a->top ? (size_t)a->top : 20, len;
	int32_t *order = xarray(n, sizeof *order);
	struct json_out o;

	for (size_t i = 0; i < n; i++)
		order[i] = (int32_t)i;
	sort_z = z;
	qsort(order, n, sizeof *order, by_logit);
	top = top < n ? top : n;
	if (a->json) {
		json_out_init(&o, false);
		json_open(&o, NULL, '{');
		json_ids(&o, ids);
		json_open(&o, "top", '[');
		for (size_t i = 0; i < top; i++) {
			json_open(&o, NULL, '{');
			json_put_i64(&o, "id", order[i]);
			json_put_f64(&o, "logit", (double)z[order[i]]);
			json_close(&o, '}');
		}
		json_close(&o, ']');
		json_put_f64(&o, "logsumexp", lse_of(z, n));
		verb_json(&o);
	} else {
		double lse = lse_of(z, n);

		for (size_t i = 0; i < top; i++) {
			const char *p = tokenizer_piece(d->tok, order[i], false, &len);

			printf("%7d  %10.5f  %7.4f  ", order[i], (double)z[order[i]],
				exp((double)z[order[i]] - lse));
			verb_print(p, len);
			putchar('\n');
		}
	}
	xfree(order);
}

int verb_logits(const struct args *a)
{
	struct tok_ids ids = { 0 };
	struct layout l = { 0 };
	const struct mat **view = NULL;
	struct desk *d = NULL;
	struct fwd *f = NULL;
	struct kv *kv = NULL;
	float *z = NULL;
	struct err e = { 0 };
	enum st st;

	if (!a->prompt)
		st = err_set(&e, ST_INVALID, "usage: bitdial logits MODEL --prompt TEXT");
	else
		st = verb_desk(&d, a, &e);
	if (!st && !d->tok)
		st = err_set(&e, d->tok_err.st, "%s", d->tok_err.msg);
	if (!st)
		st = tokenizer_encode_text(d->tok, a->prompt, strlen(a->prompt), &ids, &e);
	if (!st && !ids.n)
		st = err_set(&e, ST_INVALID, "--prompt is empty: there is nothing to go on from");
	if (!st && ids.n > d->m->hp.ctx)
		st = err_set(&e, ST_INVALID, "--prompt has %zu tokens; the model's context is %zu",
			ids.n, d->m->hp.ctx);
	if (!st) {
		view = xarray(d->m->n_linears + 1, sizeof *view);
		st = verb_view(d, a, &l, view, &e);
	}
	if (!st)
		st = fwd_new(&f, d->m, ids.n < 256 ? ids.n : 256, &e);
	if (!st)
		st = kv_new(&kv, d->m, ids.n, KV_F32, &e);
	if (!st && !(z = big_array(d->m->hp.vocab, sizeof *z, "logits", &e)))
		st = ST_NOMEM;
	if (!st)
		st = fwd_prompt(f, view, kv, ids.id, ids.n, z, verb_sink(), &e);
	if (!st)
		print_logits(d, a, &ids, z);
	big_free(z);
	kv_free(kv);
	fwd_free(f);
	layout_release(&l);
	xfree(view);
	tok_ids_release(&ids);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}

struct answer {
	const struct mat **view;
	size_t n;
	double bpw;
	bool quiet, wrote;
	char held[4]; /* a character that is not whole yet */
	size_t n_held;
};

static enum st answer_view(void *arg, const struct mat **view, uint32_t *layout, double *bpw,
	const struct sink *s, struct err *e)
{
	const struct answer *an = arg;

	(void)s;
	(void)e;
	memcpy(view, an->view, an->n * sizeof *view);
	*layout = 1;
	*bpw = an->bpw;
	return ST_OK;
}

/* Whole characters only: a token may end inside one. */
static void answer_wrote(void *arg, const char *text, size_t n)
{
	struct answer *an = arg;
	char *s;
	size_t tail;

	if (an->quiet)
		return;
	an->wrote |= n > 0;
	s = xalloc(an->n_held + n + 1);
	memcpy(s, an->held, an->n_held);
	memcpy(s + an->n_held, text, n);
	n += an->n_held;
	tail = utf8_partial_tail(s, n);
	verb_print(s, n - tail);
	memcpy(an->held, s + n - tail, tail);
	an->n_held = tail;
	xfree(s);
}

static void chat_json(const struct snap_chat *c)
{
	struct json_out o;
	size_t from = c->n ? c->piece[c->n - 1].at : 0;

	json_out_init(&o, false);
	json_open(&o, NULL, '{');
	json_put_str(&o, "answer", c->text + from);
	json_put_i64(&o, "prompt_tokens", (int64_t)c->stats.prompt_tokens);
	json_put_i64(&o, "tokens", (int64_t)c->stats.answer_tokens);
	json_put_f64(&o, "stored_bpw", c->stats.bpw);
	json_put_f64(&o, "ttft_ms", c->stats.ttft_ms);
	json_put_f64(&o, "tok_s", c->stats.tok_s);
	json_open(&o, "shares", '{');
	json_put_f64(&o, "linears", c->stats.shares.linears);
	json_put_f64(&o, "head", c->stats.shares.head);
	json_put_f64(&o, "attention", c->stats.shares.attention);
	json_put_f64(&o, "sampling", c->stats.shares.sampling);
	json_put_f64(&o, "other", c->stats.shares.other);
	json_put_f64(&o, "waiting", c->stats.shares.waiting);
	json_close(&o, '}');
	json_put_f64(&o, "read_gb_s", c->stats.read_rate * 1e-9);
	json_put_f64(&o, "wall_gb_s", c->stats.wall_rate * 1e-9);
	json_put_str(&o, "end", c->stats.end);
	verb_json(&o);
}

static enum st chat_how_of(struct chat_how *how, const struct args *a, struct err *e)
{
	struct err inner;
	enum st st = ST_OK;

	if (a->kv)
		chat_how_set(how, "kv", a->kv, &st, &inner);
	if (!st && a->head)
		chat_how_set(how, "head", a->head, &st, &inner);
	if (!st && a->precision)
		chat_how_set(how, "precision", a->precision, &st, &inner);
	return st ? err_set(e, st, "--%s", inner.msg) : ST_OK;
}

/* The prompt said, its answer written down. */
static enum st converse(struct chat *c, const struct args *a, struct answer *an, struct err *e)
{
	const struct chat_source src = { answer_view, an, answer_wrote };
	struct sampler_options so = sampler_default;
	char shares[SHARES_TEXT];
	struct snap_chat *snap;
	enum st st;

	so.temperature = isnan(a->temp) ? so.temperature : a->temp;
	so.seed = a->seed >= 0 ? (uint64_t)a->seed : so.seed;
	chat_sampler(c, &so, (size_t)a->max_tokens);
	chat_system(c, a->system);
	chat_say(c, a->prompt);
	st = chat_answer(c, &src, verb_sink(), e);
	if (a->stats && !st)
		chat_measure_wall(c);
	snap = chat_snapshot(c);
	if (!a->json && (!st || an->wrote))
		putchar('\n');
	else if (a->json && !st)
		chat_json(snap);
	if (a->stats && !st)
		verb_note("%zu tokens, %.1f tok/s, first after %.0f ms, %s",
			snap->stats.answer_tokens, snap->stats.tok_s, snap->stats.ttft_ms,
			snap->stats.end);
	if (a->stats && !st && *chat_shares_text(&snap->stats, shares))
		verb_note("%s", shares);
	snap_unref(&snap->snap);
	return st;
}

int verb_chat(const struct args *a)
{
	struct answer an = { .quiet = a->json };
	struct chat_how how = { 0 };
	struct layout l = { 0 };
	struct desk *d = NULL;
	struct chat *c = NULL;
	struct err e = { 0 };
	enum st st = chat_how_of(&how, a, &e);

	if (!st && (!a->prompt || !*a->prompt))
		st = err_set(&e, ST_INVALID, "usage: bitdial chat MODEL --prompt TEXT");
	if (!st)
		st = verb_desk(&d, a, &e);
	if (!st)
		st = chat_new(&c, d, &how, &e);
	if (!st) {
		an.n = d->m->n_linears;
		an.view = xarray(an.n + 1, sizeof *an.view);
		st = verb_view(d, a, &l, an.view, &e);
		an.bpw = a->layout && !st ? layout_stored_bpw(&l) : (double)NAN;
	}
	if (!st)
		st = converse(c, a, &an, &e);
	chat_free(c);
	layout_release(&l);
	xfree(an.view);
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}

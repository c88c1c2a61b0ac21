/* model.c - opening, the arithmetic of what it takes, and giving it all back. */
#include "core/model/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/model/fwd.h"
#include "core/model/place.h"
#include "core/model/weights.h"

struct need {
	uint64_t linears, ends, norms; /* ends: embedding and head */
};

void linear_shape(const struct hparams *hp, enum linear_kind k, size_t *rows, size_t *cols)
{
	size_t q = hp->heads * hp->head_dim, kv = hp->kv_heads * hp->head_dim;
	const size_t shape[LINEAR_KINDS][2] = {
		[LINEAR_Q] = { q, hp->hidden },
		[LINEAR_K] = { kv, hp->hidden },
		[LINEAR_V] = { kv, hp->hidden },
		[LINEAR_O] = { hp->hidden, q },
		[LINEAR_GATE] = { hp->inter, hp->hidden },
		[LINEAR_UP] = { hp->inter, hp->hidden },
		[LINEAR_DOWN] = { hp->hidden, hp->inter },
	};

	*rows = shape[k][0];
	*cols = shape[k][1];
}

static enum st find_linear(struct weights_source *w, const struct checkpoint *ck, size_t i,
	char name[32], struct err *e)
{
	size_t rows, cols;

	linear_shape(&ck->hp, (enum linear_kind)(i % LINEAR_KINDS), &rows, &cols);
	return weights_find(w, ck, linear_name(i, name), rows, cols, e);
}

/* What is missing counts as nothing: loading will name it. */
static struct need need_of(const struct checkpoint *ck)
{
	const struct hparams *hp = &ck->hp;
	struct need n = { 0, 0, 0 };
	struct weights_source w;
	char name[32];
	size_t i;

	for (i = 0; i < hp->layers * LINEAR_KINDS; i++)
		if (!find_linear(&w, ck, i, name, NULL))
			n.linears += weights_need(&w);
	if (!weights_find(&w, ck, "embed", hp->vocab, hp->hidden, NULL))
		n.ends += weights_need(&w);
	if (!hp->tied && !weights_find(&w, ck, "head", hp->vocab, hp->hidden, NULL))
		n.ends += weights_need(&w);
	n.norms = (2 * (uint64_t)hp->layers + 1) * hp->hidden * sizeof(float);
	return n;
}

uint64_t model_need(const struct checkpoint *ck)
{
	struct need n = need_of(ck);

	return n.linears + n.ends + n.norms;
}

static enum st check_fits(const struct checkpoint *ck, const struct backend *be, struct err *e)
{
	struct need n = need_of(ck);
	uint64_t all = n.linears + n.ends + n.norms;
	char a[16], l[16], d[16], room[PLACE_TEXT];

	if (all <= place_room(be))
		return ST_OK;
	return err_set(e, ST_NOMEM,
		"%s takes %s of memory (linears %s, embedding and head %s) and %s; %s", ck->name,
		text_bytes(all, a), text_bytes(n.linears, l), text_bytes(n.ends, d),
		place_text(be, room),
		be->host_memory ? "close other programs or open a smaller model"
				: "open a smaller model, or this one with --device cpu");
}

/* ---- loading */

static enum st load_linears(struct model *m, const struct sink *s, struct err *e)
{
	struct weights_source w;
	char name[32];
	size_t i;
	enum st st;

	for (i = 0; i < m->n_linears; i++) {
		struct linear *l = &m->linear[i];

		st = find_linear(&w, m->ck, i, name, e);
		if (!st)
			st = weights_load(m->memory, &l->ref, &w, s, e);
		if (st)
			return st;
		l->layer = i / LINEAR_KINDS;
		l->kind = (enum linear_kind)(i % LINEAR_KINDS);
		l->rows = w.rows;
		l->cols = w.cols;
		l->file_bytes = weights_stored(&w);
		m->ref[i] = &l->ref;
		m->weights += (uint64_t)w.rows * w.cols;
		sink_progress(s, (double)(i + 1), (double)m->n_linears + 2);
	}
	return ST_OK;
}

static enum st load_norms(struct model *m, struct err *e)
{
	size_t i, n = m->hp.hidden;
	char name[48];
	enum st st = ST_OK;

	for (i = 0; !st && i < m->hp.layers; i++) {
		snprintf(name, sizeof name, "layers.%zu.attn_norm", i);
		st = weights_vector(m->memory, &m->attn_norm[i], m->ck, name, n, e);
		if (st)
			break;
		snprintf(name, sizeof name, "layers.%zu.mlp_norm", i);
		st = weights_vector(m->memory, &m->mlp_norm[i], m->ck, name, n, e);
	}
	if (!st)
		st = weights_vector(m->memory, &m->final_norm, m->ck, "norm", n, e);
	return st;
}

static enum st load_ends(struct model *m, const struct sink *s, struct err *e)
{
	struct weights_source w;
	enum st st;

	st = weights_find(&w, m->ck, "embed", m->hp.vocab, m->hp.hidden, e);
	if (!st)
		st = weights_load(m->memory, &m->embed, &w, s, e);
	m->head = m->embed;
	if (st || m->hp.tied)
		return st;
	st = weights_find(&w, m->ck, "head", m->hp.vocab, m->hp.hidden, e);
	if (!st)
		st = weights_load(m->memory, &m->head, &w, s, e);
	return st;
}

/* inv_freq[i] = base^(-2i / head_dim), Su et al. 2021 */
static void set_frequencies(struct model *m)
{
	size_t i, half = m->hp.head_dim / 2;

	for (i = 0; i < half; i++)
		m->inv_freq[i] =
			(float)pow(m->hp.rope_base, -2.0 * (double)i / (double)m->hp.head_dim);
}

static enum st check_hparams(const struct hparams *hp, struct err *e)
{
	size_t q;

	if (!hp->vocab || !hp->hidden || !hp->inter || !hp->layers || !hp->heads || !hp->kv_heads ||
		!hp->head_dim || hp->head_dim % 2 || hp->heads % hp->kv_heads ||
		!size_mul(&q, hp->heads, hp->head_dim) || hp->vocab > INT32_MAX ||
		hp->layers > 65536 || !(hp->rope_base > 0))
		return err_set(e, ST_FORMAT,
			"hyperparameters make no model: vocabulary %zu, hidden %zu, feed-forward "
			"%zu, "
			"%zu blocks, %zu heads of %zu, %zu kv heads",
			hp->vocab, hp->hidden, hp->inter, hp->layers, hp->heads, hp->head_dim,
			hp->kv_heads);
	return ST_OK;
}

static enum st load(struct model *m, const struct sink *s, struct err *e)
{
	enum st st = check_hparams(&m->hp, e);

	if (!st)
		st = check_fits(m->ck, m->be, e);
	if (st)
		return st;
	m->n_linears = m->hp.layers * LINEAR_KINDS;
	m->linear = big_array(m->n_linears, sizeof *m->linear, "the list of linears", e);
	m->ref = big_array(m->n_linears, sizeof *m->ref, "the list of linears", e);
	m->attn_norm = big_array(m->hp.layers, sizeof *m->attn_norm, "the list of norms", e);
	m->mlp_norm = big_array(m->hp.layers, sizeof *m->mlp_norm, "the list of norms", e);
	m->inv_freq = big_array(m->hp.head_dim, sizeof *m->inv_freq, "rotary frequencies", e);
	if (!m->linear || !m->ref || !m->attn_norm || !m->mlp_norm || !m->inv_freq)
		return ST_NOMEM;
	set_frequencies(m);
	st = load_norms(m, e);
	if (!st)
		st = load_linears(m, s, e);
	if (!st)
		st = load_ends(m, s, e);
	m->resident = m->memory->bytes;
	if (m->be->wait)
		m->be->wait(); /* what did not arrive is known now */
	if (!st || st == ST_NOMEM) {
		enum st fault = model_fault(m, e);

		st = fault ? fault : st;
	}
	return st;
}

static struct model *model_on(struct checkpoint *ck, const struct backend *be)
{
	struct model *m = xalloc(sizeof *m);

	m->ck = ck;
	m->be = be;
	m->hp = ck->hp;
	m->memory = xalloc(sizeof *m->memory);
	m->memory->be = be;
	m->faults = xalloc(sizeof *m->faults);
	return m;
}

/* All but the checkpoint. */
static void free_weights(struct model *m)
{
	weights_release(m->memory);
	xfree(m->memory);
	xfree(m->faults);
	big_free(m->linear);
	big_free(m->ref);
	big_free(m->attn_norm);
	big_free(m->mlp_norm);
	big_free(m->inv_freq);
	xfree(m);
}

enum st model_load(struct model **out, struct checkpoint *ck, const struct backend *be,
	const struct sink *s, struct err *e)
{
	struct model *m = model_on(ck, be);
	enum st st = load(m, s, e);

	if (st) {
		model_free(m);
		return st;
	}
	*out = m;
	return ST_OK;
}

void model_free(struct model *m)
{
	struct checkpoint *ck = m ? (struct checkpoint *)m->ck : NULL;

	if (!m)
		return;
	free_weights(m);
	checkpoint_close(ck);
}

/* Others hold &linear[i].ref and &m->head: the weights change hands, not the structs. */
enum st model_move(struct model *m, const struct backend *be, void (*leave)(void *arg), void *arg,
	const struct sink *s, struct err *e)
{
	struct model *to = model_on((struct checkpoint *)m->ck, be);
	struct model_memory *memory = m->memory;
	enum st st = checkpoint_unchanged(m->ck, e);

	if (!st)
		st = load(to, s, e);
	if (st) {
		free_weights(to);
		return st;
	}
	if (leave)
		leave(arg);
	for (size_t i = 0; i < m->n_linears; i++)
		m->linear[i].ref = to->linear[i].ref;
	memcpy(m->attn_norm, to->attn_norm, m->hp.layers * sizeof *m->attn_norm);
	memcpy(m->mlp_norm, to->mlp_norm, m->hp.layers * sizeof *m->mlp_norm);
	m->final_norm = to->final_norm;
	m->embed = to->embed;
	m->head = to->head;
	m->resident = to->resident;
	m->memory = to->memory;
	m->be = be;
	to->memory = memory;
	free_weights(to);
	return ST_OK;
}

enum st model_linear_f32(const struct model *m, size_t linear, float **out, struct err *e)
{
	const struct mat *w = m->ref[linear];
	float *host, *there;
	size_t n, bytes;
	char name[32];
	enum st st;

	if (!size_mul(&n, w->rows, w->cols) || !size_mul(&bytes, n, sizeof *host))
		return err_set(
			e, ST_NOMEM, "%s does not fit any memory", linear_name(linear, name));
	host = big_alloc(bytes, linear_name(linear, name), e);
	if (!host)
		return ST_NOMEM;
	there = m->be->host_memory ? host : m->be->alloc(bytes);
	if (!there) {
		big_free(host);
		return place_full(
			m, linear_name(linear, name), bytes, "fewer formats leave more", e);
	}
	m->be->dequant(there, w, 0, w->rows);
	if (there != host) {
		m->be->get(host, there, bytes);
		m->be->free(there);
	}
	st = model_fault(m, e);
	if (st)
		big_free(host);
	else
		*out = host;
	return st;
}

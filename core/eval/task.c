/* task.c - every option of every question through the model, some at a time. */
#include "core/eval/task.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/model/place.h"

/* Options go through the blocks together, up to this many tokens; their logits a few rows at once.
 */
enum { BATCH_ROWS = 512, BATCH_OPTIONS = 64, CHUNK_ROWS = 32 };

struct piece { /* an option with its context */
	size_t item, option;
	size_t at, rows; /* in the batch: all its tokens but the last */
	size_t first;    /* row of whose logits the option's first token is judged */
};

struct judge {
	const struct model *m;
	const struct mat *const *view;
	const struct tokenizer *tok;
	int32_t start;
	const struct sink *s;
	struct fwd *f;
	size_t max_rows;
	float *h, *logits; /* [max_rows][hidden], [CHUNK_ROWS][vocab]; backend memory */
	int32_t *ids;      /* [max_rows] inputs */
	int32_t *next;     /* [max_rows] the token behind each */
	struct piece piece[BATCH_OPTIONS];
	size_t n, rows;
	struct task_result *r;
};

double task_share(size_t k, size_t n)
{
	return n ? (double)k / (double)n : (double)NAN;
}

double task_share_se(size_t k, size_t n)
{
	double p = task_share(k, n);

	return n ? sqrt(p * (1 - p) / (double)n) : (double)NAN;
}

void task_result_release(struct task_result *r)
{
	big_free(r->score);
	big_free(r->pick);
	big_free(r->pick_norm);
	*r = (struct task_result){ 0 };
}

static void judge_close(struct judge *g)
{
	if (g->h)
		g->m->be->free(g->h);
	if (g->logits)
		g->m->be->free(g->logits);
	big_free(g->ids);
	big_free(g->next);
	fwd_free(g->f);
}

/* ---- a batch */

/* The sum of log p of what an option adds to its context. */
static enum st judge_one(struct judge *g, const struct piece *p, struct err *e)
{
	double sum = 0, lse[CHUNK_ROWS];
	int32_t top[CHUNK_ROWS];
	float z[CHUNK_ROWS];
	enum st st = ST_OK;

	for (size_t at = p->first; !st && at < p->at + p->rows;) {
		size_t n = p->at + p->rows - at < CHUNK_ROWS ? p->at + p->rows - at : CHUNK_ROWS;

		st = fwd_logits(g->f, g->h + at * g->m->hp.hidden, n, g->logits, g->s, e);
		if (!st)
			st = fwd_stats(g->f, lse, top, g->logits, n, e);
		if (!st)
			st = fwd_pick(g->f, z, g->logits, g->next + at, n, e);
		for (size_t i = 0; !st && i < n; i++)
			sum += (double)z[i] - lse[i];
		at += n;
	}
	g->r->score[p->item * TASK_OPTIONS + p->option] = (float)sum;
	return st;
}

static enum st run_batch(struct judge *g, struct err *e)
{
	struct span span[BATCH_OPTIONS];
	enum st st;

	if (!g->n)
		return ST_OK;
	for (size_t i = 0; i < g->n; i++)
		span[i] = (struct span){ NULL, g->piece[i].rows };
	st = fwd_embed(g->f, g->ids, g->rows, g->h, e);
	if (!st)
		st = fwd_blocks(g->f, g->view, 0, g->m->hp.layers, g->h, span, g->n, NULL, g->s, e);
	for (size_t i = 0; !st && i < g->n; i++)
		st = judge_one(g, &g->piece[i], e);
	g->n = g->rows = 0;
	return st;
}

/* ---- what goes into it */

/* Ids of context and option together, and how many are the context's. */
static enum st encode(struct judge *g, const struct task_item *it, size_t o, struct tok_ids *ids,
	size_t *context, struct err *e)
{
	size_t n = strlen(it->context[o]);
	struct tok_ids alone = { 0 };
	bool blank = !it->glued;
	char *whole;
	enum st st;

	while (n && it->context[o][n - 1] == ' ') { /* it belongs to the option */
		n--;
		blank = true;
	}
	if (!n)
		blank = false;
	whole = xprintf("%.*s%s%s", (int)n, it->context[o], blank ? " " : "", it->option[o]);
	ids->n = 0;
	st = tokenizer_encode_text(g->tok, whole, strlen(whole), ids, e);
	if (!st)
		st = tokenizer_encode_text(g->tok, whole, n, &alone, e);
	*context = alone.n;
	if (!st && !alone.n) { /* nothing stands before it: the model begins as with any text */
		st = tok_ids_push(ids, 0, e);
		if (!st) {
			memmove(ids->id + 1, ids->id, (ids->n - 1) * sizeof *ids->id);
			ids->id[0] = g->start;
			*context = 1;
		}
	}
	/* A merge over the seam: the option has one token at least. */
	if (!st && *context >= ids->n)
		*context = ids->n ? ids->n - 1 : 0;
	if (!st && (!*context || ids->n < 2))
		st = err_set(e, ST_INVALID,
			"line %zu: the model's vocabulary has no tokens for option %zu", it->line,
			o + 1);
	tok_ids_release(&alone);
	xfree(whole);
	return st;
}

static enum st longest_of(struct judge *g, const struct task *t, size_t *longest, struct err *e)
{
	struct tok_ids ids = { 0 };
	enum st st = ST_OK;
	size_t context;

	for (size_t i = 0; !st && i < t->n; i++) {
		for (size_t o = 0; !st && o < t->item[i].n; o++) {
			st = encode(g, &t->item[i], o, &ids, &context, e);
			*longest = ids.n > *longest ? ids.n : *longest;
		}
		if (!st && sink_poll(g->s))
			st = err_set(e, ST_CANCELLED, "stopped");
	}
	tok_ids_release(&ids);
	return st;
}

/* Room for a batch, and for the longest option, which is no longer than the model's context. */
static enum st judge_open(struct judge *g, const struct task *t, struct err *e)
{
	const struct backend *be = g->m->be;
	size_t longest = BATCH_ROWS;
	enum st st = longest_of(g, t, &longest, e);

	if (st)
		return st;
	g->max_rows = g->m->hp.ctx < longest ? g->m->hp.ctx : longest;
	g->h = be->alloc(g->max_rows * g->m->hp.hidden * sizeof *g->h);
	g->logits = be->alloc(CHUNK_ROWS * g->m->hp.vocab * sizeof *g->logits);
	g->ids = big_array(g->max_rows, sizeof *g->ids, "tokens of options", e);
	g->next = big_array(g->max_rows, sizeof *g->next, "tokens of options", e);
	if (!g->ids || !g->next)
		return ST_NOMEM;
	if ((!g->h || !g->logits) && !be->host_memory)
		return place_full(g->m, "a batch of options",
			((uint64_t)g->max_rows * g->m->hp.hidden +
				(uint64_t)CHUNK_ROWS * g->m->hp.vocab) *
				sizeof(float),
			"a shorter task takes less", e);
	if (!g->h || !g->logits)
		return err_set(e, ST_NOMEM, "no memory for %zu tokens of a task", g->max_rows);
	return fwd_new(&g->f, g->m, g->max_rows, e);
}

static enum st add(struct judge *g, const struct task *t, size_t item, size_t o, struct err *e)
{
	struct tok_ids ids = { 0 };
	size_t context, rows, cut, room = g->max_rows < BATCH_ROWS ? g->max_rows : BATCH_ROWS;
	struct piece *p;
	enum st st = encode(g, &t->item[item], o, &ids, &context, e);

	if (st) {
		tok_ids_release(&ids);
		return st;
	}
	rows = ids.n - 1;
	cut = rows > g->max_rows ? rows - g->max_rows : 0; /* from the left */
	rows -= cut;
	context = context > cut + 1 ? context - cut : 1;
	if (g->n == BATCH_OPTIONS || g->rows + rows > (rows > room ? g->max_rows : room))
		st = run_batch(g, e);
	p = &g->piece[g->n++];
	*p = (struct piece){ item, o, g->rows, rows, g->rows + context - 1 };
	memcpy(g->ids + g->rows, ids.id + cut, rows * sizeof *ids.id);
	memcpy(g->next + g->rows, ids.id + cut + 1, rows * sizeof *ids.id);
	g->rows += rows;
	tok_ids_release(&ids);
	return st;
}

/* ---- the end of it */

static double characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n ? (double)n : 1;
}

static void choose(struct task_result *r, const struct task *t, size_t i)
{
	const struct task_item *it = &t->item[i];
	const float *z = r->score + i * TASK_OPTIONS;
	size_t best = 0, norm = 0;

	for (size_t o = 1; o < it->n; o++) {
		if (z[o] > z[best])
			best = o;
		if ((double)z[o] / characters(it->option[o]) >
			(double)z[norm] / characters(it->option[norm]))
			norm = o;
	}
	r->pick[i] = (uint8_t)best;
	r->pick_norm[i] = (uint8_t)norm;
	r->right += best == it->answer;
	r->right_norm += norm == it->answer;
}

enum st task_run(struct task_result *r, const struct task *t, const struct model *m,
	const struct mat *const *view, const struct tokenizer *tok, int32_t start,
	const struct sink *s, struct err *e)
{
	struct judge g = {
		.m = m, .view = view ? view : m->ref, .tok = tok, .start = start, .s = s, .r = r
	};
	enum st st;

	*r = (struct task_result){ .items = t->n };
	r->score = big_array(t->n * TASK_OPTIONS, sizeof *r->score, "scores", e);
	r->pick = big_array(t->n, 1, "answers", e);
	r->pick_norm = big_array(t->n, 1, "answers", e);
	st = r->score && r->pick && r->pick_norm ? judge_open(&g, t, e) : ST_NOMEM;
	for (size_t i = 0; !st && i < t->n; i++) {
		for (size_t o = 0; !st && o < t->item[i].n; o++)
			st = add(&g, t, i, o, e);
		sink_progress(s, (double)i, (double)t->n);
	}
	if (!st)
		st = run_batch(&g, e);
	for (size_t i = 0; !st && i < t->n; i++)
		choose(r, t, i);
	judge_close(&g);
	if (st)
		task_result_release(r);
	return st;
}

/* bpe.c - merging, lowest rank (or highest score) first, leftmost first, by a heap:
 * O(n log n) for any piece (Sennrich et al. 2016; SentencePiece's BPE by score).
 */
#include "core/text/tok.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/f16.h"
#include "core/base/text.h"
#include "core/text/pretok.h"

#define NO_ID 0xffffffffu

struct sym {
	uint32_t id, at, len; /* len 0: merged into its left neighbour */
	int32_t prev, next;
};

/* A pair that may merge.  order: rank or score above, position below.  Once either side
 * has changed, their lengths no longer sum to len, for symbols only grow: that is how a
 * stale one is known. */
struct cand {
	uint64_t order;
	uint32_t len, result;
};

struct tok_work {
	const struct tokenizer *t;
	struct tok_pace *pace;
	const char *s;
	struct sym *sym;
	struct cand *heap;
	size_t cap, n_heap; /* cap: symbols; the heap holds twice as many */
};

/* ---- the merge table */

static size_t pair_slot(const struct tokenizer *t, uint32_t left, uint32_t right)
{
	uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
	size_t i = (size_t)(h ^ h >> 32) & t->pair_mask;

	while (t->pairs[i].rank1 && (t->pairs[i].left != left || t->pairs[i].right != right))
		i = (i + 1) & t->pair_mask;
	return i;
}

enum st tok_pairs_init(struct tokenizer *t, struct err *e)
{
	const struct vocab *v = t->v;
	size_t cap = 16;

	if (v->n_merges >= NO_ID / 4)
		return err_set(
			e, ST_UNSUPPORTED, "vocabulary: %zu merges are too many", v->n_merges);
	while (cap < v->n_merges * 2)
		cap *= 2;
	t->pairs = big_array(cap, sizeof *t->pairs, "merge table", e);
	if (!t->pairs)
		return ST_NOMEM;
	t->pair_mask = cap - 1;
	for (size_t i = 0; i < v->n_merges; i++) {
		const struct vocab_merge *m = &v->merges[i];
		size_t at;

		if (m->left >= v->n || m->right >= v->n || m->result >= v->n)
			return err_set(e, ST_FORMAT,
				"vocabulary: merge %zu joins tokens %u and %u to %u, of %zu tokens",
				i, (unsigned)m->left, (unsigned)m->right, (unsigned)m->result,
				v->n);
		/* ordinary text never becomes a special token, not by merging either */
		if (v->tokens[m->result].type == TOKEN_CONTROL)
			continue;
		at = pair_slot(t, m->left, m->right);
		t->pairs[at] = (struct tok_pair){ m->left, m->right, m->result, (uint32_t)i + 1 };
	}
	return ST_OK;
}

/* ---- the heap: smallest key first, then leftmost; four children a node, for the
 * depth costs more than the comparisons */

static void heap_push(struct tok_work *w, struct cand c)
{
	size_t i = w->n_heap++;

	while (i && c.order < w->heap[(i - 1) / 4].order) {
		w->heap[i] = w->heap[(i - 1) / 4];
		i = (i - 1) / 4;
	}
	w->heap[i] = c;
}

static struct cand heap_pop(struct tok_work *w)
{
	struct cand top = w->heap[0], c = w->heap[--w->n_heap];
	size_t i = 0, k;

	while ((k = 4 * i + 1) < w->n_heap) {
		size_t end = k + 4 < w->n_heap ? k + 4 : w->n_heap;

		for (size_t j = k + 1; j < end; j++)
			if (w->heap[j].order < w->heap[k].order)
				k = j;
		if (w->heap[k].order >= c.order)
			break;
		w->heap[i] = w->heap[k];
		i = k;
	}
	w->heap[i] = c;
	return top;
}

/* ---- one piece */

/* Scores as keys: the higher the score the smaller the key. */
static uint32_t score_key(float score)
{
	uint32_t u = f32_bits(score + 0.0f); /* -0 is 0 */

	return u >> 31 ? u : ~u & 0x7fffffffu;
}

static void offer(struct tok_work *w, int32_t left)
{
	const struct tokenizer *t = w->t;
	const struct sym *a = &w->sym[left], *b;
	struct cand c;
	uint32_t key;

	if (left < 0 || a->next < 0)
		return;
	b = &w->sym[a->next];
	c.len = a->len + b->len;
	if (t->v->model == VOCAB_SPM && !t->v->spm_rank) {
		int32_t id = -1;

		if (c.len <= t->longest)
			id = strmap_get(&t->by_text, w->s + a->at, c.len);
		if (id < 0)
			return;
		key = score_key(t->v->tokens[id].score);
		c.result = (uint32_t)id;
	} else {
		const struct tok_pair *p = &t->pairs[pair_slot(t, a->id, b->id)];

		if (!p->rank1)
			return;
		key = p->rank1;
		c.result = p->result;
	}
	c.order = (uint64_t)key << 32 | (uint32_t)left;
	heap_push(w, c);
}

/* In a piece as long as a text it is a loop of seconds: every so many steps. */
static bool pause_at(struct tok_work *w, size_t i)
{
	enum { STEPS = 1 << 13 };

	return i % STEPS == STEPS - 1 && tok_paced(w->pace, STEPS);
}

static void merge(struct tok_work *w, size_t n)
{
	w->n_heap = 0;
	for (size_t i = 0; i + 1 < n && !pause_at(w, i); i++)
		offer(w, (int32_t)i);
	for (size_t i = 0; w->n_heap && !w->pace->stopped; i++) {
		struct cand c = heap_pop(w);
		uint32_t pos = (uint32_t)c.order;
		struct sym *a = &w->sym[pos], *b;

		pause_at(w, i);
		if (!a->len || a->next < 0)
			continue;
		b = &w->sym[a->next];
		if (a->len + b->len != c.len)
			continue;
		a->id = c.result;
		a->len = c.len;
		a->next = b->next;
		b->len = 0;
		if (a->next >= 0)
			w->sym[a->next].prev = (int32_t)pos;
		offer(w, a->prev);
		offer(w, (int32_t)pos);
	}
}

static enum st grow(struct tok_work *w, size_t n, struct err *e)
{
	size_t cap = n < 256 ? 256 : n;

	if (n <= w->cap)
		return ST_OK;
	big_free(w->sym);
	big_free(w->heap);
	w->cap = 0;
	w->sym = big_array(cap, sizeof *w->sym, "symbols of a text", e);
	w->heap = w->sym ? big_array(cap, 2 * sizeof *w->heap, "merges of a text", e) : NULL;
	if (!w->heap)
		return ST_NOMEM;
	w->cap = cap;
	return ST_OK;
}

/* Fills w->sym from one piece; returns how many. */
static size_t split(struct tok_work *w, const char *s, size_t n)
{
	const struct tokenizer *t = w->t;
	size_t k = 0;

	w->s = s;
	for (size_t at = 0, len; at < n && !pause_at(w, at); at += len) {
		uint32_t cp;
		int32_t id;

		if (t->v->model == VOCAB_BPE) {
			len = 1;
			id = t->byte_id[(unsigned char)s[at]];
			if (id < 0)
				continue; /* the reference leaves it out, too */
		} else {
			len = utf8_decode(s + at, n - at, &cp);
			id = strmap_get(&t->by_text, s + at, len);
		}
		w->sym[k] = (struct sym){ .id = id < 0 ? NO_ID : (uint32_t)id,
			.at = (uint32_t)at,
			.len = (uint32_t)len,
			.prev = (int32_t)k - 1,
			.next = (int32_t)k + 1 };
		k++;
	}
	if (k)
		w->sym[k - 1].next = -1;
	return k;
}

static bool has_bytes(const struct tokenizer *t, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (t->byte_id[(unsigned char)s[i]] < 0)
			return false;
	return true;
}

/* Characters without a token: by their bytes, else unk once a stretch. */
static enum st emit(struct tok_work *w, struct tok_ids *ids, struct err *e)
{
	const struct tokenizer *t = w->t;
	bool unk = false;

	for (int32_t i = 0; i >= 0; i = w->sym[i].next) {
		const struct sym *a = &w->sym[i];
		const char *s = w->s + a->at;
		enum st st = ST_OK;

		if (a->id != NO_ID) {
			st = tok_ids_push(ids, (int32_t)a->id, e);
			unk = false;
		} else if (has_bytes(t, s, a->len)) {
			for (uint32_t k = 0; k < a->len && !st; k++)
				st = tok_ids_push(ids, t->byte_id[(unsigned char)s[k]], e);
			unk = false;
		} else if (!unk) {
			st = tok_ids_push(ids, t->v->unk, e);
			unk = true;
		}
		if (st)
			return st;
	}
	return ST_OK;
}

static enum st piece(
	struct tok_work *w, const char *s, size_t n, struct tok_ids *ids, struct err *e)
{
	enum st st;
	size_t k;

	if (w->t->v->ignore_merges) {
		int32_t id = strmap_get(&w->t->by_text, s, n);

		if (id >= 0)
			return tok_ids_push(ids, id, e);
	}
	st = grow(w, n, e);
	if (st)
		return st;
	k = split(w, s, n);
	if (!k)
		return ST_OK;
	merge(w, k);
	return w->pace->stopped ? err_set(e, ST_CANCELLED, "stopped") : emit(w, ids, e);
}

/* Past the spaces that s begins with and all up to the next one: no token of the
 * vocabulary reaches over that point, so what stands on either side merges by itself. */
static size_t to_space(const char *s, size_t n)
{
	size_t at = 0;
	const char *space;

	while (at < n && s[at] == ' ')
		at++;
	space = memchr(s + at, ' ', n - at);
	return space ? (size_t)(space - s) : n;
}

/* ... and then the pace. */
static enum st paced_piece(
	struct tok_work *w, const char *s, size_t n, struct tok_ids *ids, struct err *e)
{
	enum st st = piece(w, s, n, ids, e);

	w->pace->done += n;
	return !st && tok_paced(w->pace, n) ? err_set(e, ST_CANCELLED, "stopped") : st;
}

static enum st spm_text(
	struct tok_work *w, const char *s, size_t n, struct tok_ids *ids, struct err *e)
{
	enum st st = ST_OK;

	for (size_t start = 0, len; !st && start < n; start += len) {
		len = w->t->spaces_lead ? to_space(s + start, n - start) : n - start;
		st = paced_piece(w, s + start, len, ids, e);
	}
	return st;
}

/* The scanners look ahead as far as a text goes (smollm's to the next number): part by part. */
static enum st bpe_text(
	struct tok_work *w, const char *s, size_t n, struct tok_ids *ids, struct err *e)
{
	size_t start = 0, len, end;
	struct pretok p;
	enum st st = ST_OK;

	for (size_t at = 0; !st && at < n; at = end) {
		end = w->t->v->pre == PRE_NONE ? n : tok_part_end(s, n, at);
		pretok_init(&p, w->t->v->pre, s + at, end - at);
		while (!st && pretok_next(&p, &start, &len))
			st = paced_piece(w, s + at + start, len, ids, e);
	}
	return st;
}

enum st tok_merge_text(const struct tokenizer *t, const char *s, size_t n, struct tok_ids *ids,
	struct tok_pace *pace, struct err *e)
{
	struct tok_work w = { .t = t, .pace = pace };
	enum st st;

	if (n > INT32_MAX)
		return err_set(e, ST_UNSUPPORTED, "text of %zu bytes: at most 2 GiB at a time", n);
	st = (t->v->model == VOCAB_SPM ? spm_text : bpe_text)(&w, s, n, ids, e);
	big_free(w.sym);
	big_free(w.heap);
	return st;
}

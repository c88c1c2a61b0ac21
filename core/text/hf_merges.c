/* hf_merges.c - the merges of a tokenizer.json: "a b" or ["a", "b"], both parts and what
 * they give in the vocabulary.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/text/hf.h"

struct merges {
	struct jpull p;
	struct err *e;
	const struct strmap *text_id;
	struct vocab_merge *merge;
	size_t n, cap;
};

enum st hf_grow(void **p, size_t n, size_t *cap, size_t size, const char *what, struct err *e)
{
	size_t more = *cap ? 2 * *cap : 1024;
	void *q;

	if (n < *cap)
		return ST_OK;
	q = big_array(more, size, what, e);
	if (!q)
		return ST_NOMEM;
	if (n)
		memcpy(q, *p, n * size);
	big_free(*p);
	*p = q;
	*cap = more;
	return ST_OK;
}

/* JT_BAD has been reported through r->e. */
static enum jtok next(struct merges *r)
{
	enum jtok k = jpull_next(&r->p);

	if (k == JT_BAD)
		err_set(r->e, r->p.err.st, "%s", r->p.err.msg);
	return k;
}

static enum st expect(struct merges *r, enum jtok want, const char *where, const char *what)
{
	enum jtok k = next(r);

	if (k == want)
		return ST_OK;
	return k == JT_BAD ? r->p.err.st
			   : err_set(r->e, ST_FORMAT, HF_FILE ": %s: %s", where, what);
}

/* How many bytes of a token a message shows. */
static int shown(size_t n)
{
	return n < 60 ? (int)n : 60;
}

static enum st push_merge(struct merges *r, const char *a, size_t na, const char *b, size_t nb)
{
	char both[8192];
	int32_t left = strmap_get(r->text_id, a, na), right = strmap_get(r->text_id, b, nb), whole;
	void *p = r->merge;
	enum st st;

	if (left < 0 || right < 0)
		return err_set(r->e, ST_FORMAT,
			HF_FILE ": .model.merges[%zu]: \"%.*s\" is not in the vocabulary", r->n,
			shown(left < 0 ? na : nb), left < 0 ? a : b);
	if (na + nb > sizeof both)
		return err_set(r->e, ST_FORMAT,
			HF_FILE ": .model.merges[%zu]: %zu bytes are too many", r->n, na + nb);
	memcpy(both, a, na);
	memcpy(both + na, b, nb);
	whole = strmap_get(r->text_id, both, na + nb);
	if (whole < 0)
		return err_set(r->e, ST_FORMAT,
			HF_FILE
			": .model.merges[%zu]: its result \"%.*s\" is not in the vocabulary",
			r->n, shown(na + nb), both);
	st = hf_grow(&p, r->n, &r->cap, sizeof *r->merge, "merges", r->e);
	r->merge = p;
	if (!st)
		r->merge[r->n++] =
			(struct vocab_merge){ (uint32_t)left, (uint32_t)right, (uint32_t)whole };
	return st;
}

/* "a b" */
static enum st merge_of_words(struct merges *r)
{
	const char *s = r->p.text, *gap = memchr(s, ' ', r->p.len);
	size_t at = gap ? (size_t)(gap - s) : 0;

	if (!gap || memchr(gap + 1, ' ', r->p.len - at - 1))
		return err_set(r->e, ST_FORMAT,
			HF_FILE
			": .model.merges[%zu]: expected two tokens with one space between, or a "
			"list of two",
			r->n);
	return push_merge(r, s, at, gap + 1, r->p.len - at - 1);
}

/* ["a", "b"] */
static enum st merge_of_list(struct merges *r)
{
	char where[40], *a;
	size_t na;
	enum st st;

	snprintf(where, sizeof where, ".model.merges[%zu]", r->n);
	st = expect(r, JT_STRING, where, "expected a list of two strings");
	if (st)
		return st;
	na = r->p.len;
	a = xstrndup(r->p.text, na);
	st = expect(r, JT_STRING, where, "expected a list of two strings");
	if (!st)
		st = push_merge(r, a, na, r->p.text, r->p.len);
	xfree(a);
	return st ? st : expect(r, JT_ARRAY_END, where, "expected a list of two strings");
}

static enum st read_merges(struct merges *r)
{
	enum st st = expect(r, JT_ARRAY, ".model.merges", "expected a list");

	while (!st) {
		enum jtok k = next(r);

		if (k == JT_ARRAY_END)
			break;
		if (k == JT_BAD)
			st = r->p.err.st;
		else if (k == JT_STRING)
			st = merge_of_words(r);
		else if (k == JT_ARRAY)
			st = merge_of_list(r);
		else
			st = err_set(r->e, ST_FORMAT,
				HF_FILE
				": .model.merges[%zu]: expected two tokens with one space between, "
				"or a list of two",
				r->n);
	}
	return st;
}

enum st hf_merges(struct vocab *v, struct arena *a, struct hf_slice list,
	const struct strmap *text_id, struct err *e)
{
	struct merges r = { .e = e, .text_id = text_id };
	struct vocab_merge *m;
	enum st st;

	jpull_init(&r.p, HF_FILE, list.s, list.n);
	st = list.n ? read_merges(&r) : ST_OK;
	if (!st && r.n) {
		m = arena_try(a, r.n, sizeof *m, "merges", e);
		if (m) {
			memcpy(m, r.merge, r.n * sizeof *m);
			v->merges = m;
			v->n_merges = r.n;
		} else {
			st = ST_NOMEM;
		}
	}
	jpull_release(&r.p);
	big_free(r.merge);
	return st;
}

/* pack.c - see pack.h: batches of an epoch's windows. */
#include "core/text/pack.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/sha256.h"
#include "core/text/pack_private.h"

void pack_free(struct pack *p)
{
	if (!p)
		return;
	tok_ids_release(&p->words);
	big_free(p->seqs);
	pack_plan_release(&p->train);
	pack_plan_release(&p->held);
	xfree(p);
}

const struct pack_counts *pack_counts(const struct pack *p)
{
	return &p->counts;
}

size_t pack_window(const struct pack *p)
{
	return p->window;
}

const char *pack_sha256(const struct pack *p)
{
	return p->sha;
}

void pack_train_sha256(const struct pack *p, char hex[65])
{
	struct sha256 sum;

	sha256_start(&sum);
	for (size_t i = 0; i < p->n; i++) {
		const struct pack_seq *q = &p->seqs[i];

		sha256_add(&sum, &q->rows, sizeof q->rows);
		for (size_t k = 0; k < q->rows; k++) {
			int32_t id = p->words.id[q->at + k] & ~PACK_LEARN;

			sha256_add(&sum, &id, sizeof id);
		}
	}
	sha256_hex(&sum, hex);
}

void pack_batch_release(struct pack_batch *b)
{
	big_free(b->ids);
	big_free(b->labels);
	big_free(b->spans);
	big_free(b->windows);
	*b = (struct pack_batch){ 0 };
}

/* Room for so many windows; a sequence has one row or more. */
static enum st make_room(struct pack_batch *b, const struct pack *p, size_t windows, struct err *e)
{
	size_t rows;

	b->rows = b->n_spans = b->n_windows = b->labelled = 0;
	if (!windows || !size_mul(&rows, windows, p->window) || windows == SIZE_MAX)
		return err_set(
			e, ST_INVALID, "a batch of %zu windows of %zu tokens", windows, p->window);
	if (rows > b->cap) {
		pack_batch_release(b);
		b->ids = big_array(rows, sizeof *b->ids, "a batch", e);
		b->labels = b->ids ? big_array(rows, sizeof *b->labels, "a batch", e) : NULL;
		b->spans = b->labels ? big_array(rows, sizeof *b->spans, "a batch", e) : NULL;
		b->windows =
			b->spans ? big_array(rows + 1, sizeof *b->windows, "a batch", e) : NULL;
		if (!b->windows) {
			pack_batch_release(b);
			return ST_NOMEM;
		}
		b->cap = rows;
	}
	b->windows[0] = (struct pack_window){ 0 };
	return ST_OK;
}

static void add_seq(struct pack_batch *b, const struct pack *p, const struct pack_seq *q)
{
	const int32_t *word = p->words.id + q->at;

	for (size_t i = 0; i < q->rows; i++) {
		bool learn = word[i + 1] & PACK_LEARN;

		b->ids[b->rows + i] = word[i] & ~PACK_LEARN;
		b->labels[b->rows + i] = learn ? word[i + 1] & ~PACK_LEARN : -1;
		b->labelled += learn;
	}
	b->spans[b->n_spans++] = (struct pack_span){ b->rows, q->rows, (size_t)(q - p->seqs) };
	b->rows += q->rows;
}

static void add_window(
	struct pack_batch *b, const struct pack *p, const struct pack_plan *plan, size_t w)
{
	for (size_t i = plan->start[w]; i < plan->start[w + 1]; i++)
		add_seq(b, p, &p->seqs[plan->seq[i]]);
	b->windows[++b->n_windows] = (struct pack_window){ b->rows, b->n_spans };
}

enum st pack_next(struct pack *p, struct pack_place *place, size_t windows, struct pack_batch *b,
	struct err *e)
{
	struct pack_place at = *place;
	enum st st = make_room(b, p, windows, e);

	while (!st && b->n_windows < windows) {
		st = pack_plan_epoch(&p->train, p, at.epoch, e);
		if (st)
			break;
		if (at.at >= p->train.n)
			return err_set(e, ST_INVALID,
				"window %llu of epoch %llu: there are %zu; is the data still the "
				"same?",
				(unsigned long long)at.at + 1, (unsigned long long)at.epoch + 1,
				p->train.n);
		add_window(b, p, &p->train, at.at++);
		if (at.at == p->train.n)
			at = (struct pack_place){ at.epoch + 1, 0 };
	}
	if (!st)
		*place = at;
	return st;
}

enum st pack_held(struct pack *p, size_t *at, size_t windows, struct pack_batch *b, struct err *e)
{
	enum st st = make_room(b, p, windows, e);

	while (!st && b->n_windows < windows && *at < p->held.n)
		add_window(b, p, &p->held, (*at)++);
	return st;
}

enum st pack_in_order(struct pack *p, size_t *at, size_t end, size_t rows, struct pack_batch *b,
	struct err *e)
{
	enum st st = make_room(b, p, rows / p->window, e);

	while (!st && *at < end && b->rows + p->seqs[*at].rows <= rows)
		add_seq(b, p, &p->seqs[(*at)++]);
	return st;
}

size_t pack_rows(const struct pack *p, size_t seq)
{
	return p->seqs[seq].rows;
}

enum st pack_windows(struct pack *p, uint64_t epoch, size_t *n, struct err *e)
{
	enum st st = pack_plan_epoch(&p->train, p, epoch, e);

	*n = st ? 0 : p->train.n;
	return st;
}

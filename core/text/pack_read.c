/* pack_read.c - a data file into sequences of ids, and which of them are held out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/sha256.h"
#include "core/text/pack_private.h"
#include "core/text/tok.h"

enum { POLL_ROWS = 16 };

struct reading {
	struct pack *p;
	const struct pack_how *how;
	struct tok_ids ids, learned; /* of the row */
	uint64_t label;
	uint32_t row;
	struct err *e;
};

/* ---- the content of a row, which decides on its side */

static uint64_t content_hash(const struct dataset_row *row)
{
	struct sha256 sum;
	char hex[65];

	sha256_start(&sum);
	for (size_t i = 0; i < row->n; i++) {
		uint64_t n = row->msg[i].len;
		unsigned char len[8];

		for (int k = 0; k < 8; k++)
			len[k] = (unsigned char)(n >> 8 * k);
		sha256_add(&sum, row->msg[i].role, strlen(row->msg[i].role) + 1);
		sha256_add(&sum, len, sizeof len);
		sha256_add(&sum, row->msg[i].text, row->msg[i].len);
	}
	sha256_hex(&sum, hex);
	hex[16] = '\0';
	return strtoull(hex, NULL, 16);
}

static bool is_blank(const struct chat_message *m)
{
	return tok_blank_head(m->text, m->len) == m->len;
}

/* Is there anything to learn: an answer, or with all any text. */
static bool is_empty(const struct pack_how *how, const struct dataset_row *row)
{
	for (size_t i = 0; i < row->n; i++) {
		bool counts = how->all || !strcmp(row->msg[i].role, "text") ||
			      !strcmp(row->msg[i].role, "assistant");

		if (counts && !is_blank(&row->msg[i]))
			return false;
	}
	return true;
}

/* ---- sequences */

static enum st add_seq(struct reading *r, size_t rows)
{
	struct pack *p = r->p;

	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 1024;
		struct pack_seq *q = big_array(cap, sizeof *q, "rows of the data", r->e);

		if (!q)
			return ST_NOMEM;
		if (p->n)
			memcpy(q, p->seqs, p->n * sizeof *q);
		big_free(p->seqs);
		p->seqs = q;
		p->cap = cap;
	}
	if (p->n == UINT32_MAX)
		return err_set(r->e, ST_INVALID, "more than %zu sequences; take fewer rows", p->n);
	p->seqs[p->n++] = (struct pack_seq){ .at = p->words.n - rows - 1,
		.rows = (uint32_t)rows,
		.row = r->row,
		.label = r->label };
	return ST_OK;
}

/* Words of ids[from, to); learned ones have their bit, the first of the row never. */
static enum st add_words(struct reading *r, size_t from, size_t to, const unsigned char *learn)
{
	enum st st = ST_OK;

	for (size_t i = from; !st && i < to; i++)
		st = tok_ids_push(&r->p->words, r->ids.id[i] | (learn[i] ? PACK_LEARN : 0), r->e);
	return st;
}

/* A text: all of it, in as many sequences as it takes. */
static enum st add_text(struct reading *r, const unsigned char *learn)
{
	const struct vocab *v = tokenizer_vocab(r->how->tok);
	size_t window = r->how->window, n = r->ids.n, from = 0;
	bool bos = v->add_bos && v->bos >= 0;
	enum st st = ST_OK;

	while (!st && from < n) {
		bool head = bos && from;
		size_t to = n - from > window + !head ? from + window + !head : n;

		if (head)
			st = tok_ids_push(&r->p->words, v->bos, r->e);
		else if (to - from < 2)
			break;
		if (!st)
			st = add_words(r, from, to, learn);
		if (!st)
			st = add_seq(r, to - from - !head);
		/* without BOS the last label is the next one's first id */
		from = bos || to == n ? to : to - 1;
	}
	return st;
}

/* A conversation: as much of it as fits, up to the last token that is learned. */
static enum st add_cut(struct reading *r, const unsigned char *learn)
{
	size_t n = r->ids.n < r->how->window + 1 ? r->ids.n : r->how->window + 1;
	enum st st;

	while (n && !learn[n - 1])
		n--;
	if (!n) {
		r->p->counts.lost++;
		return ST_OK;
	}
	/* what is left out behind the last answer is no loss */
	for (size_t i = n; i < r->ids.n; i++)
		if (learn[i]) {
			r->p->counts.cut++;
			break;
		}
	st = add_words(r, 0, n, learn);
	return st ? st : add_seq(r, n - 1);
}

static enum st add_row(struct reading *r, const struct dataset_row *row, const struct sink *s)
{
	bool is_text = !strcmp(row->msg[0].role, "text");
	unsigned char *learn;
	size_t before;
	enum st st;

	r->ids.n = 0;
	st = pack_tokens(r->how, row, &r->ids, &r->learned, s, r->e);
	if (st)
		return st;
	learn = big_alloc(r->ids.n + 1, "a row of the data", r->e);
	if (!learn)
		return ST_NOMEM;
	for (size_t i = 0; i + 1 < r->learned.n; i += 2)
		memset(learn + r->learned.id[i], 1,
			(size_t)(r->learned.id[i + 1] - r->learned.id[i]));
	learn[0] = 0;
	r->label = content_hash(row);
	before = r->p->n;
	st = is_text ? add_text(r, learn) : add_cut(r, learn);
	/* a text of one token: there is none behind it to be learned */
	r->p->counts.empty += !st && is_text && r->p->n == before;
	r->row++;
	big_free(learn);
	return st;
}

static enum st read_rows(struct reading *r, struct dataset *d, const struct sink *s)
{
	struct pack_counts *c = &r->p->counts;
	struct dataset_row row;
	uint64_t done, total;
	enum st st = dataset_next(d, &row, s, r->e);

	while (!st && row.n) {
		c->rows++;
		if (is_empty(r->how, &row)) {
			c->empty++;
		} else {
			st = add_row(r, &row, s);
			if (st && st != ST_CANCELLED) {
				char *where = dataset_where(d);

				err_at(r->e, st, "%s", where);
				xfree(where);
			}
		}
		if (!st && c->rows % POLL_ROWS == 0) {
			dataset_progress(d, &done, &total);
			sink_progress(s, (double)done, (double)total);
			if (sink_poll(s))
				st = err_set(r->e, ST_CANCELLED, "stopped");
		}
		if (!st)
			st = dataset_next(d, &row, s, r->e);
	}
	return st;
}

/* ---- sides */

struct sides {
	uint64_t below, least, most; /* labels */
	bool all;
	size_t held;
};

static bool is_held(const struct sides *k, uint64_t label)
{
	return k->all || label < k->below;
}

/* Held out are labels below `below`; some of them, and never all, wherever there are two different
 * rows.  A share of 1 is all of them. */
static struct sides find_sides(const struct pack *p, double share)
{
	struct sides k = { .least = UINT64_MAX, .all = share >= 1 };

	if (share > 0 && !k.all)
		k.below = (uint64_t)fmax(share * 18446744073709551616.0, 1); /* 2^64 */
	for (size_t i = 0; i < p->n; i++) {
		uint64_t x = p->seqs[i].label;

		k.least = x < k.least ? x : k.least;
		k.most = x > k.most ? x : k.most;
	}
	if (k.below && k.below <= k.least)
		k.below = k.least + 1;
	if (k.below > k.most)
		k.below = k.most;
	for (size_t i = 0; i < p->n; i++)
		k.held += is_held(&k, p->seqs[i].label);
	return k;
}

static void count_seq(
	struct pack_counts *c, const struct pack *p, const struct pack_seq *q, bool held)
{
	uint64_t labelled = 0;

	for (size_t i = 1; i <= q->rows; i++)
		labelled += (p->words.id[q->at + i] & PACK_LEARN) != 0;
	*(held ? &c->held_sequences : &c->sequences) += 1;
	*(held ? &c->held_tokens : &c->tokens) += q->rows;
	*(held ? &c->held_labelled : &c->labelled) += labelled;
}

/* Of n sequences `samples` that lie evenly over the file. */
static bool is_sampled(size_t i, size_t n, size_t samples)
{
	return !samples || samples >= n ||
	       (uint64_t)(i + 1) * samples / n > (uint64_t)i * samples / n;
}

/* Those of training first, each side in the order of the file. */
static enum st part_sides(struct pack *p, double share, size_t samples, struct err *e)
{
	struct sides k = find_sides(p, share);
	struct pack_seq *q = big_array(p->n, sizeof *q, "rows of the data", e);
	size_t n = p->n - k.held, train = 0, met = 0, held;

	if (!q)
		return ST_NOMEM;
	held = samples && samples < n ? samples : n;
	for (size_t i = 0; i < p->n; i++) {
		bool out = is_held(&k, p->seqs[i].label);

		if (!out && !is_sampled(met++, n, samples))
			continue;
		q[out ? held++ : train++] = p->seqs[i];
		count_seq(&p->counts, p, &p->seqs[i], out);
		if (out && (!i || p->seqs[i].row != p->seqs[i - 1].row))
			p->counts.held++;
	}
	big_free(p->seqs);
	p->seqs = q;
	p->cap = p->n;
	p->n = train;
	p->n_held = k.held;
	return ST_OK;
}

/* ---- the whole */

static void sum_up(struct pack *p, const struct pack_how *how)
{
	uint64_t head[3] = { how->window, how->seed, p->n_held };
	struct sha256 sum;

	sha256_start(&sum);
	for (size_t i = 0; i < 24; i++) {
		unsigned char b = (unsigned char)(head[i / 8] >> 8 * (i % 8));

		sha256_add(&sum, &b, 1);
	}
	sha256_add(&sum, p->words.id, p->words.n * sizeof *p->words.id);
	for (size_t i = 0; i < p->n + p->n_held; i++)
		sha256_add(&sum, &p->seqs[i].rows, sizeof p->seqs[i].rows);
	sha256_hex(&sum, p->sha);
}

static enum st nothing(
	const struct pack *p, const struct dataset *d, const struct pack_how *how, struct err *e)
{
	const struct pack_counts *c = &p->counts;

	if (c->lost)
		return err_set(e, ST_INVALID,
			"%s: nothing to learn in it: of %llu rows %llu have no answer, and %llu "
			"have "
			"theirs behind the window of %zu tokens; set a longer window",
			dataset_path(d), (unsigned long long)c->rows, (unsigned long long)c->empty,
			(unsigned long long)c->lost, how->window);
	if (how->all)
		return err_set(e, ST_INVALID,
			"%s: nothing to learn in it: all of its rows (%llu) are empty; give a file "
			"with "
			"text",
			dataset_path(d), (unsigned long long)c->rows);
	return err_set(e, ST_INVALID,
		"%s: nothing to learn in it: none of its rows (%llu) has an answer; give a file "
		"with "
		"answers, or learn everything that is in a row (--all, or all=on)",
		dataset_path(d), (unsigned long long)c->rows);
}

static enum st check_how(const struct pack_how *how, struct err *e)
{
	if (!how->window || how->window > PACK_WINDOW_MAX)
		return err_set(e, ST_INVALID, "a window of %zu tokens: expected 1 to %d",
			how->window, PACK_WINDOW_MAX);
	if (!(how->held >= 0 && how->held <= 1))
		return err_set(
			e, ST_INVALID, "%g of the rows held out: expected 0 to 1", how->held);
	return ST_OK;
}

enum st pack_read(struct pack **out, struct dataset *d, const struct pack_how *how,
	const struct sink *s, struct err *e)
{
	struct reading r = { .how = how, .e = e };
	enum st st = check_how(how, e);

	*out = NULL;
	if (st)
		return st;
	r.p = xalloc(sizeof *r.p);
	r.p->window = how->window;
	r.p->seed = how->seed;
	st = read_rows(&r, d, s);
	if (!st && !r.p->n)
		st = nothing(r.p, d, how, e);
	if (!st)
		st = part_sides(r.p, how->held, how->samples, e);
	if (!st)
		st = pack_plan_file(&r.p->held, r.p, r.p->n, r.p->n_held, e);
	if (!st)
		sum_up(r.p, how);
	tok_ids_release(&r.ids);
	tok_ids_release(&r.learned);
	if (st) {
		pack_free(r.p);
		return st;
	}
	*out = r.p;
	return ST_OK;
}

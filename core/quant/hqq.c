/* hqq.c - half-quadratic quantization (Badri and Shaji 2023).
 *
 * min |W - (q - z) / s|_p^p with p = 0.7 over codes q and zero z, s fixed by the range:
 * the error is split off by shrinkage, then z = mean(q - (W - E) s) (hqq.inc).  The package
 * hqq (optimize_weights_proximal_v2) stops when the mean error of the tensor it is given
 * rises; here each group is such a tensor.  The result is stored as W = scale * q + offset
 * with scale = 1 / s, offset = -z / s in fp16, and the codes are the nearest under what is
 * stored.
 *
 * Groups end after 3 to 20 iterations, most after 5.  Sixteen go side by side until few are
 * left; these move to a tile of such, which is filled up again and again.
 */
#include <string.h>

#include "core/base/alloc.h"
#include "core/quant/tile.h"

enum { FEW = 6, SOME = 8 }; /* of sixteen still moving: a new tile, and one of those left over */

/* beta = 10 * 1.01^iteration, to the power -1 / (2 - p). */
static const double quiet_first = 0.17012542798525893, quiet_next = 0.99237511737869399;

struct job {
	const struct leaf *leaf;
	struct qcodes *out;
	float *room; /* tile_rooms */
	struct hqq_plan plan;
};

/* Sixteen groups and where their statistics go. */
struct lot {
	struct hqq_tile h;
	size_t at[TILE]; /* index in out->scale; NOWHERE: the lane is free */
	size_t n;
};

#define NOWHERE SIZE_MAX

static void put(const struct job *j, const struct tile_stats *st, size_t lane, size_t at)
{
	j->out->scale[at] = st->scale[lane];
	j->out->offset[at] = st->offset[lane];
}

/* Stores what has come to its end, and frees its lanes. */
static void settle(const struct job *j, struct lot *l)
{
	struct tile_stats st;

	j->leaf->hqq_end(&l->h, &st);
	for (size_t k = 0; k < TILE; k++)
		if (l->at[k] != NOWHERE && !l->h.live[k]) {
			put(j, &st, k, l->at[k]);
			l->at[k] = NOWHERE;
		}
}

static void go(const struct job *j, struct lot *l, int few)
{
	j->leaf->hqq_go(&l->h, l->n, (1 << j->out->format.bits) - 1, &j->plan, few);
	settle(j, l);
}

static void move(struct lot *to, size_t k, struct lot *from, size_t i)
{
	struct hqq_tile *a = &to->h;
	const struct hqq_tile *b = &from->h;

	for (size_t x = 0; x < to->n; x++)
		a->u[x * TILE + k] = b->u[x * TILE + i];
	a->s[k] = b->s[i];
	a->first[k] = b->first[i];
	a->zero[k] = b->zero[i];
	a->kept[k] = b->kept[i];
	a->best[k] = b->best[i];
	a->it[k] = b->it[i];
	a->live[k] = b->live[i];
	to->at[k] = from->at[i];
	from->at[i] = NOWHERE;
}

/* What is still moving in `from` joins the rest. */
static void leave(const struct job *j, struct lot *rest, struct lot *from)
{
	size_t k = 0;

	for (size_t i = 0; i < TILE; i++) {
		if (from->at[i] == NOWHERE)
			continue;
		while (k < TILE && rest->at[k] != NOWHERE)
			k++;
		if (k == TILE) {
			go(j, rest, SOME);
			for (k = 0; rest->at[k] != NOWHERE;)
				k++;
		}
		move(rest, k, from, i);
	}
}

static void lot_init(struct lot *l, float *u, size_t n)
{
	memset(l, 0, sizeof *l);
	l->h.u = u;
	l->n = n;
	for (size_t k = 0; k < TILE; k++)
		l->at[k] = NOWHERE;
}

/* Group g of sixteen rows, as far as it does not join the rest. */
static bool one_group(const struct job *j, struct lot *now, struct lot *rest, const float *w,
	size_t row, size_t rows, size_t g)
{
	const struct qcodes *q = j->out;
	size_t groups = rows_groups(q);
	struct tile_stats st;
	bool plain;

	lot_init(now, now->h.u, rows_group_len(q, g));
	j->leaf->load(now->h.u, w + g * q->format.group, q->cols, rows, now->n);
	plain = j->leaf->hqq_begin(&now->h, &st, now->n, (1 << q->format.bits) - 1);
	for (size_t r = 0; r < TILE; r++) {
		size_t at = (row + r) * groups + g;

		if (r >= rows || !now->h.live[r]) {
			now->h.live[r] = 0;
			if (r < rows)
				put(j, &st, r, at);
		} else {
			now->at[r] = at;
		}
	}
	if (now->n == rest->n) {
		go(j, now, FEW);
		leave(j, rest, now);
	} else {
		go(j, now, 0);
	}
	return plain;
}

static bool do_rows(void *arg, const float *w, size_t row, size_t rows)
{
	const struct job *j = arg;
	const struct qcodes *q = j->out;
	float *scratch = pool_scratch();
	struct lot now, rest;
	bool plain = true;

	now.h.u = tile_room(j->room, q, row);
	lot_init(&rest, scratch + (size_t)TILE_MOST * TILE, j->room ? 0 : rows_group_len(q, 0));
	for (size_t g = 0; g < rows_groups(q); g++)
		plain &= one_group(j, &now, &rest, w, row, rows, g);
	if (rest.n)
		go(j, &rest, 0);
	tile_codes(j->leaf, j->out, w, row, rows);
	return plain;
}

static enum st run(
	const struct quant_input *in, struct qcodes *out, const struct sink *s, struct err *e)
{
	struct job j = { .leaf = leaf_best(), .out = out };
	double quiet = quiet_first;
	enum st st = tile_rooms(&j.room, out, e);

	for (int i = 0; i < HQQ_ITERATIONS; i++, quiet *= quiet_next)
		j.plan.quiet[i] = (float)quiet;
	if (!st)
		st = rows_run_plain(in, TILE, 5, do_rows, &j, s, e);
	big_free(j.room);
	return st;
}

extern const struct quantizer quantizer_hqq;
const struct quantizer quantizer_hqq = {
	.name = "hqq",
	.summary = "half-quadratic: moves the offset of each group until errors are few and small; "
		   "no data",
	.version = 2,
	.run = run,
};

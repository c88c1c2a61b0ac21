/* rank.c - the codes with the largest normalised moment move, few a step, fewer every step.
 *
 * FORMULAS.md 3.4.  The score is |m| / sqrt(v) of the moments as they are stored, 0 where a move
 * against m would leave the codes.  A histogram of 2048 bins gives the bin that the budget ends
 * in: all above it move by one level, within it those of lowest index; m of what moved is zeroed.
 * The budget's fraction is carried to the next step.
 *
 * Across matrices optim_step only keeps the moments; optim_finish scores all matrices, merges
 * their histograms and moves (ties by matrix, then index): the exact threshold of this step.
 */
#include <math.h>
#include <string.h>

#include "core/tune/state.h"

enum { MARGIN = 96 }; /* bins below the last threshold that are counted: a factor of 1.7 */

struct at {
	struct codes_at codes;
	struct moments_at m, v;
	/* scratch */
	size_t rows, most, histogram;
};

struct ranked {
	struct pass p; /* first: move_code's argument */
	struct at at;
	uint16_t *most;                   /* [rows][chunks]: largest bin */
	uint32_t (*histogram)[RANK_BINS]; /* [parts] */
	unsigned floor;                   /* bins below it are not counted */
	unsigned threshold;
	uint64_t ties[TUNE_PARTS]; /* to move at the threshold, by part */
};

static struct at lay(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	struct room *r = &to->state, *s = &to->scratch;
	struct at at;

	at.codes = room_codes(r, w, !o->lean, !o->lean);
	at.m = room_moments(r, w, o->moments);
	at.v = room_moments(r, w, o->moments);
	at.rows = room_rows(s, w);
	at.most = room_take(s, w->rows, chunks_of(w->cols) * sizeof(uint16_t));
	at.histogram = room_take(s, parts_of(w->rows), RANK_BINS * sizeof(uint32_t));
	return at;
}

static void plan(struct rooms *to, const struct mat *w, const struct tune_options *o)
{
	(void)lay(to, w, o);
}

static void init(struct tuned *t, const struct tune_options *o)
{
	struct at at = lay(&(struct rooms){ 0 }, &t->w, o);

	head_init(t, "rank", o->moments, o);
	codes_init(t, &at.codes);
}

static void begin(struct ranked *k, struct tuned *t, const struct tune_options *o, void *scratch)
{
	k->at = lay(&(struct rooms){ 0 }, &t->w, o);
	k->p.codes = k->at.codes;
	k->most = (uint16_t *)(void *)((char *)scratch + k->at.most);
	k->histogram = (void *)((char *)scratch + k->at.histogram);
}

/* Bins of a chunk from the stored moments. */
static unsigned score(
	struct ranked *k, size_t r, size_t c, size_t n, const uint8_t *q, bool signs, uint16_t *bin)
{
	struct pass *p = &k->p;
	float m[CHUNK], v[CHUNK], s[CHUNK];

	moments_load(p, &k->at.m, false, r, c, n, m);
	moments_load(p, &k->at.v, true, r, c, n, v);
	if (signs) {
		row_levels(p, r, c, n, 1, s);
		for (size_t i = 0; i < n; i++)
			m[i] = s[i] < 0 ? -m[i] : s[i] > 0 ? m[i] : 0;
	}
	return p->l->bins(bin, m, v, q + c, (1 << p->t->w.bits) - 1, n);
}

static void score_row(struct ranked *k, size_t r, size_t part, const uint8_t *q)
{
	size_t cols = k->p.t->w.cols;
	bool signs = row_signs(&k->p, r);
	uint16_t bin[CHUNK];

	for (size_t c = 0; c < cols; c += CHUNK) {
		size_t n = cols - c < CHUNK ? cols - c : CHUNK;
		unsigned most = score(k, r, c, n, q, signs, bin);

		k->most[r * chunks_of(cols) + c / CHUNK] = (uint16_t)most;
		if (most >= k->floor)
			k->p.l->count(k->histogram[part], bin, k->floor, n);
	}
}

static void rescore(void *arg, size_t r, size_t part)
{
	struct ranked *k = arg;

	score_row(k, r, part, row_codes(&k->p, r));
}

/* The moments, the statistics, and unless the threshold comes later the scores. */
static void learn(void *arg, size_t r, size_t part)
{
	struct ranked *k = arg;
	struct pass *p = &k->p;
	size_t cols = p->t->w.cols;
	const float *g = p->grad + r * cols;
	uint8_t *q = row_codes(p, r);
	float x[CHUNK];
	uint32_t h[CHUNK];

	stats_step(p, r, q);
	for (size_t c = 0; c < cols; c += CHUNK) {
		size_t n = cols - c < CHUNK ? cols - c : CHUNK;

		if (p->head->kind != MOMENTS_F32)
			p->l->hash(h, row_key(p->key, r, 1), (uint32_t)c, n);
		moments_load(p, &k->at.m, false, r, c, n, x);
		p->l->ema(x, g + c, (float)p->o->b1, n);
		moments_store(p, &k->at.m, false, r, c, n, x, h);
		moments_load(p, &k->at.v, true, r, c, n, x);
		p->l->ema2(x, g + c, (float)p->o->b2, n);
		moments_store(p, &k->at.v, true, r, c, n, x, h);
	}
	if (k->floor < RANK_BINS)
		score_row(k, r, part, q);
	stats_write(p, r);
}

static void zero_moment(const struct pass *p, const struct moments_at *at, size_t i)
{
	size_t each = moment_size((enum tune_moments)p->head->kind);

	memset((char *)state_at(p->t, at->data) + i * each, 0, each);
}

static void move(void *arg, size_t r, size_t part)
{
	struct ranked *k = arg;
	struct pass *p = &k->p;
	size_t cols = p->t->w.cols;
	bool signs = row_signs(p, r);
	uint8_t *q = NULL;
	uint16_t bin[CHUNK];

	for (size_t c = 0; c < cols; c += CHUNK) {
		size_t n = cols - c < CHUNK ? cols - c : CHUNK;

		if (k->most[r * chunks_of(cols) + c / CHUNK] < k->threshold)
			continue;
		if (!q)
			q = row_codes(p, r);
		score(k, r, c, n, q, signs, bin);
		for (size_t i = 0; i < n; i++) {
			unsigned b = bin[i] & ~(unsigned)BIN_UP;
			float s;

			if (b < k->threshold || (b == k->threshold && !k->ties[part]))
				continue;
			k->ties[part] -= b == k->threshold;
			s = row_scale(p, r, c + i);
			p->rows[r].update2 += (double)s * (double)s;
			move_code(p, r, c + i, bin[i] & BIN_UP ? 1 : -1);
			zero_moment(p, &k->at.m, r * cols + c + i);
		}
	}
}

static void clear(struct ranked *k)
{
	memset(k->histogram, 0, parts_of(k->p.t->w.rows) * sizeof *k->histogram);
}

/* Into the first part's. */
static uint64_t merged(const struct ranked *k, uint64_t *sum)
{
	uint64_t all = 0;

	for (size_t b = 0; b < RANK_BINS; b++)
		for (size_t part = 0; part < parts_of(k->p.t->w.rows); part++) {
			sum[b] += k->histogram[part][b];
			all += k->histogram[part][b];
		}
	return all;
}

/* The bin that `budget` ends in, and how many of it move. */
static unsigned threshold(const uint64_t *histogram, uint64_t budget, uint64_t *ties)
{
	unsigned b = RANK_BINS - 1;

	for (; b > 1 && histogram[b] < budget; b--)
		budget -= histogram[b];
	*ties = budget < histogram[b] ? budget : histogram[b];
	return b;
}

/* Of the ties this matrix may move, its parts in order; returns what is left. */
static uint64_t share(struct ranked *k, uint64_t ties)
{
	for (size_t part = 0; part < parts_of(k->p.t->w.rows); part++) {
		uint64_t there = k->histogram[part][k->threshold];

		k->ties[part] = ties < there ? ties : there;
		ties -= k->ties[part];
	}
	return ties;
}

static uint64_t whole(double *carry, double budget)
{
	double n = floor(*carry + budget);

	*carry += budget - n;
	return (uint64_t)n;
}

static void step(struct tuned *t, float *grad, uint64_t n, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	size_t rows = t->w.rows;
	uint64_t sum[RANK_BINS] = { 0 }, budget, ties;
	struct ranked k;

	if (!pass_begin(&k.p, t, grad, n, o, scratch, c))
		return;
	begin(&k, t, o, scratch);
	budget = o->across ? 0
			   : whole(&k.p.head->carry, tune_budget(o, n) * (double)rows *
							     (double)t->w.cols);
	k.floor = budget ? (unsigned)k.p.head->floor : RANK_BINS;
	clear(&k);
	each_row(rows, learn, &k);
	if (budget) {
		if (merged(&k, sum) < budget && k.floor > 1) {
			k.floor = 1; /* the scores fell by more than the margin */
			clear(&k);
			each_row(rows, rescore, &k);
			memset(sum, 0, sizeof sum);
			merged(&k, sum);
		}
		k.threshold = threshold(sum, budget, &ties);
		k.p.head->floor = k.threshold > MARGIN ? k.threshold - MARGIN : 1;
		share(&k, ties);
		each_row(rows, move, &k);
	}
	pass_end(&k.p, c);
}

/* A matrix whose gradient was no number has no part in the step. */
static bool learnt(const struct tuned *t, uint64_t at)
{
	return ((const struct tune_head *)t->state)->last == at;
}

/* Scores of all matrices from `floor` on. */
static uint64_t score_all(struct ranked *k, struct tuned *all, size_t n, uint64_t at,
	const struct tune_options *o, void *scratch, unsigned floor, uint64_t *sum)
{
	uint64_t count = 0;

	memset(sum, 0, RANK_BINS * sizeof *sum);
	for (size_t i = 0; i < n; i++) {
		if (!learnt(&all[i], at))
			continue;
		k->p = (struct pass){ .t = &all[i],
			.o = o,
			.l = tune_loops(),
			.head = all[i].state,
			.rows = scratch };
		begin(k, &all[i], o, scratch);
		k->floor = floor;
		clear(k);
		each_row(all[i].w.rows, rescore, k);
		count += merged(k, sum);
	}
	return count;
}

static void move_one(struct ranked *k, struct tuned *t, const struct tune_options *o, void *scratch,
	uint64_t *ties, struct tune_counts *c)
{
	uint64_t flips = 0;
	int64_t ends = 0;

	k->p = (struct pass){
		.t = t, .o = o, .l = tune_loops(), .head = t->state, .rows = scratch
	};
	begin(k, t, o, scratch);
	k->floor = k->threshold;
	clear(k);
	memset(k->p.rows, 0, t->w.rows * sizeof *k->p.rows);
	each_row(t->w.rows, rescore, k);
	*ties = share(k, *ties);
	each_row(t->w.rows, move, k);
	for (size_t r = 0; r < t->w.rows; r++) {
		const struct row_counts *at = &k->p.rows[r];

		flips += at->flips;
		ends += (int32_t)at->ends; /* a difference here */
		c->reversals += at->reversals;
		c->seen_flips += at->seen;
		c->update2 += at->update2;
		c->changed += at->fresh;
		k->p.head->changed += at->fresh;
	}
	c->flips[t->w.bits] += flips;
	c->saturated[t->w.bits] += (uint64_t)ends;
}

static void finish(struct tuned *all, size_t n, uint64_t at, const struct tune_options *o,
	void *scratch, struct tune_counts *c)
{
	uint64_t sum[RANK_BINS], budget, ties;
	struct tune_head *head = n ? all[0].state : NULL; /* keeps what belongs to all */
	double share_of_all = 0;
	struct ranked k;

	if (!o->across || !n)
		return;
	for (size_t i = 0; i < n; i++)
		share_of_all += !learnt(&all[i], at)
					? 0
					: tune_budget(o, at) *
						  (double)all[i].w.rows * (double)all[i].w.cols;
	budget = whole(&head->carry, share_of_all);
	if (!budget)
		return;
	if (score_all(&k, all, n, at, o, scratch, (unsigned)head->floor, sum) < budget &&
		head->floor > 1)
		score_all(&k, all, n, at, o, scratch, 1, sum);
	k.threshold = threshold(sum, budget, &ties);
	head->floor = k.threshold > MARGIN ? k.threshold - MARGIN : 1;
	for (size_t i = 0; i < n; i++)
		if (learnt(&all[i], at))
			move_one(&k, &all[i], o, scratch, &ties, c);
}

const struct optimizer optimizer_rank = {
	.name = "rank",
	.summary = "moves the codes whose normalised moment is largest, under a budget that falls",
	.on_codes = true,
	.plan = plan,
	.init = init,
	.step = step,
	.finish = finish,
};

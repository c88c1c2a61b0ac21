/* cuda: few rows of x by packed weights, for decoding: bytes are the limit, so a weight costs an
 * instruction or two, and what a block reads of W first is asked for before it does anything else.
 *
 * A block has 128 rows of W and a slice of its columns: four warps beside each other, each with 32
 * rows (packed.h), two after each other, each with half of the slice.  x is made halves in shared
 * memory, in the order of the codes; those of a unit of 128 columns are multiplied by a power of
 * two, so that the largest is about 2^14, and are split in hi + lo (22 bits) where asked.  Blocks do
 * that themselves for up to four rows of x; more are rounded once, by a launch before, and copied:
 * a unit of a row costs a warp some 200 instructions, and there are as many blocks that would round
 * it as W has rows of blocks.  Then
 *	acc = codes * x			of a group, or of what a unit has of it, by mma
 *	y += scale * (acc / power) + offset * sum(x)	in float
 * Up to four rows of x have hi in the columns 0 to 3 and lo in 4 to 7 of the same mma; more have
 * TILES of eight each for hi and, where asked (PARTS of 2), for lo.  A part of x that is not finite
 * makes the whole row of y NaN.
 *
 * Predicted, from the machine code for sm_90 (no device has run it yet).  A thread's instructions
 * for its 128 weights of a unit, M <= 4: INT4-g128 some 200, 1.6 a weight, of 3.8 that an H200 can
 * issue while it reads them; INT2-g64 210, 1.65 of 2.2; INT3-g64 360, 2.8 of 3.1; INT1-g128 150.
 * Of those of INT4 64 mask, 16 are mmas, 4 read W, 4 x, and 48 end the group.  128 registers, 184
 * of <2, 2>, none spilled.  Under way at a time: 8 loads of 16 bytes a thread, 32 KiB a block of
 * 256 threads and 64 KiB a multiprocessor (24 are needed); with more than eight rows of x, or more
 * than four exact ones, half of that.
 */
#include "kernels/cuda/gemv_walk.h"

/* ---- x and the stats, staged ---- */

/* Units of rows of x that a warp has at a time: one's loads and shuffles hide the others'. */
template <int BATCH> struct batch {
	struct four x[BATCH];
	uint32_t most[BATCH]; /* the unit's largest |x|, as bits: NaN above infinity above all */
	float sum[BATCH];     /* of the lane's block of 32 columns */
};

/* Lanes of a block of columns add up; which they are hangs on the order of the codes. */
template <int BATCH> DEVICE void reduce(struct batch<BATCH> *t, const struct part *p)
{
	const int by[3] = { 1, p->way == 1 ? 8 : 2, p->way == 1 ? 16 : p->way == 2 ? 8 : 4 };

	UNROLL
	for (int j = 0; j < BATCH; j++) {
		const float *v = t->x[j].v;

		t->most[j] = 0;
		t->sum[j] = (v[0] + v[1]) + (v[2] + v[3]);
		for (int i = 0; i < 4; i++) {
			uint32_t u = bits_of_float(v[i]) & 0x7fffffffu;

			t->most[j] = u > t->most[j] ? u : t->most[j];
		}
	}
	UNROLL
	for (int j = 0; j < BATCH; j++)
		t->most[j] = __reduce_max_sync(0xffffffffu, t->most[j]);
	UNROLL
	for (int i = 0; i < 3; i++) {
		UNROLL
		for (int j = 0; j < BATCH; j++)
			t->sum[j] += __shfl_xor_sync(0xffffffffu, t->sum[j], by[i]);
	}
}

/* Each lane below 4 gets the sum from the start of the unit or of the group to the end of block
 * `lane`. */
DEVICE float block_sum(float sum, const struct part *p, uint32_t unit, uint32_t lane)
{
	uint32_t in = unit * UNIT_BLOCKS % p->gb;
	float run = 0, mine = 0;

	for (uint32_t b = 0; b < UNIT_BLOCKS; b++) {
		uint32_t from = p->way == 1 ? 2 * b : p->way == 2 ? b / 2 * 16 + b % 2 * 4 : 8 * b;
		float s = __shfl_sync(0xffffffffu, sum, (int)from);

		run = in == 0 ? s : run + s;
		in = in + 1 == p->gb ? 0 : in + 1;
		mine = lane == b ? run : mine;
	}
	return mine;
}

/* One row's unit: halves, and what undoes their power. */
DEVICE float stage_halves(uint32_t rows, uint32_t m, const struct part *p, unsigned char *to,
	const struct four *x, uint32_t most)
{
	uint32_t lane = threadIdx.x % 32;
	/* biased exponents: the largest times power is in 2^14 ... 2^15, where power is a float */
	uint32_t e = most >> 23 < 15 ? 15 : most >> 23;
	bool finite = most < 0x7f800000u;
	float power = float_of_bits((141 + 127 - e) << 23);
	struct two_words hi, lo;

	to += lane / 8 * rows * 64 + lane % 8 * 8;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t pair = lane / 8 * 4 + lane % 2 * 2 + i;
		float f = power * float_of_bits((127 - lift_of(p->way, pair)) << 23);
		float u = finite ? x->v[2 * i] * f : 0, v = finite ? x->v[2 * i + 1] * f : 0;

		hi.v[i] = half2_of(u, v);
		lo.v[i] = half2_of(u - float_of_half((uint16_t)hi.v[i]),
			v - float_of_half((uint16_t)(hi.v[i] >> 16)));
	}
	*(struct two_words *)to = hi;
	if (rows > m)
		*(struct two_words *)(to + m * 64) = lo;
	return finite ? float_of_bits((e - 14) << 23) : float_of_bits(0x7fc00000u);
}

/* Units of a slice by the block's warps: a unit of all rows, then the next.  What is read of the
 * arguments is read once: the compiler cannot know that what is stored does not lie there. */
template <int BATCH>
DEVICE void stage_x(const struct gemv *a, const struct room *room, const struct packed *w,
	const struct part *of, const struct slice *slice)
{
	const struct part p = *of;
	const struct room r = *room;
	const struct slice s = *slice;
	const uint16_t *order = w->order;
	const float *x = a->x;
	const size_t ldx = a->ldx;
	const uint32_t m = a->m, rows = a->rows, times = a->times, small = a->small;
	uint32_t lane = threadIdx.x % 32, n = (s.to - s.from) * m;

	for (uint32_t first = threadIdx.x / 32; first < n;
		first += (uint32_t)(THREADS / 32 * BATCH)) {
		struct batch<BATCH> t;

		UNROLL
		for (uint32_t j = 0; j < (uint32_t)BATCH; j++) {
			uint32_t i = first + j * (THREADS / 32), in = i * times >> 16;

			if (i < n)
				t.x[j] = gather(
					&p, order, x + (i - in * m) * ldx, s.from + in, lane);
			else
				t.x[j] = no_four();
		}
		reduce(&t, &p);
		UNROLL
		for (uint32_t j = 0; j < (uint32_t)BATCH; j++) {
			uint32_t i = first + j * (THREADS / 32), in = i * times >> 16;
			uint32_t token = i - in * m;
			size_t place = s.unit + in, at = place * r.cols + token;
			size_t sums = (place * UNIT_BLOCKS + lane) * r.cols + token;
			float sum, undo;

			if (i >= n)
				break;
			sum = block_sum(t.sum[j], &p, s.from + in, lane) * 0x1p-24f;
			undo = stage_halves(rows, m, &p, r.x + place * r.unit_bytes + token * 64,
				&t.x[j], t.most[j]);
			if (lane < UNIT_BLOCKS) {
				r.sum[sums] = t.most[j] < 0x7f800000u ? sum : 0;
				if (small) /* hi's column has it already */
					r.sum[sums + SMALL] = 0;
			}
			if (lane == 0) {
				r.undo[at] = undo;
				if (small)
					r.undo[at + SMALL] = undo;
			}
		}
	}
}

/* Each warp those of a tile. */
DEVICE void stage_stats(
	const struct room *r, const struct part *p, const struct slice *s, uint32_t first_tile)
{
	uint32_t in = threadIdx.x / 32, tile = first_tile + in;
	unsigned char *to = r->stats + s->stats * STATS_BYTES + in * LINE_BYTES;

	for (uint32_t i = threadIdx.x % 32; i < 2 * s->count; i += 32) {
		uint32_t g = s->group + i / 2;
		bool valid = tile < p->tiles && g < p->groups;
		size_t from = valid ? ((size_t)tile * p->groups + g) * LINE_BYTES + i % 2 * 16 : 0;
		unsigned char *at = to + i / 2 * STATS_BYTES + i % 2 * 16;

		copy_async(at, p->scale + from, valid);
		copy_async(at + STATS_BYTES / 2, p->offset + from, valid);
	}
}

DEVICE void copy_span(void *to, const void *from, uint32_t bytes)
{
	for (uint32_t i = threadIdx.x * 16; i < bytes; i += (uint32_t)THREADS * 16)
		copy_async((char *)to + i, (const char *)from + i, true);
}

/* The same of x that was rounded before; the part's units begin with `first`. */
DEVICE void stage_rounded(
	const struct room *r, const struct room *from, const struct slice *s, uint32_t first)
{
	uint32_t n = s->to - s->from, cols = r->cols;
	size_t unit = first + s->from;

	copy_span(r->x + s->unit * r->unit_bytes, from->x + unit * r->unit_bytes,
		n * r->unit_bytes);
	copy_span(r->sum + s->unit * UNIT_BLOCKS * cols, from->sum + unit * UNIT_BLOCKS * cols,
		n * UNIT_BLOCKS * cols * (uint32_t)sizeof(float));
	copy_span(r->undo + s->unit * cols, from->undo + unit * cols,
		n * cols * (uint32_t)sizeof(float));
}

DEVICE void stage(
	const struct gemv *a, const struct room *r, const struct gemv_product *p, uint32_t first_tile)
{
	const struct packed *w = &p->w;
	uint32_t first = 0;

	for (uint32_t k = 0; k < w->parts; k++) {
		struct slice s = slice_of(a, w, k);

		stage_stats(r, &w->part[k], &s, first_tile);
		if (a->rounded) {
			struct room from = rounded_for(a, (uint32_t)(p - a->p), r->cols);

			stage_rounded(r, &from, &s, first);
		}
		first += w->part[k].units;
	}
	copy_commit();
	for (uint32_t k = 0; k < w->parts && !a->rounded; k++) {
		struct slice s = slice_of(a, w, k);

		stage_x<2>(a, r, w, &w->part[k], &s);
	}
	copy_wait<0>();
	__syncthreads();
}

/* Block x: a unit, those of the second part after the first's; y: a product. */
KERNEL void gemv_round(const struct gemv *a)
{
	const struct packed *w = &a->p[blockIdx.y].w;
	uint32_t unit = blockIdx.x, k = unit >= w->part[0].units;
	struct slice s = { 0, 0, unit, 0, 0, 0 };
	struct room r = rounded_for(a, blockIdx.y, a->m > 8 ? 16 : 8);

	s.from = k ? unit - w->part[0].units : unit;
	s.to = s.from + 1;
	if (k < w->parts && s.from < w->part[k].units)
		stage_x<2>(a, &r, w, &w->part[k], &s);
}

/* ---- the block ---- */

template <int TILES, int PARTS>
DEVICE void lane_start(struct lane<TILES, PARTS> *l, const struct gemv *a)
{
	uint32_t g = threadIdx.x % 32 / 4, last = a->m - 1;

	l->quarter = a->rows * 64;
	l->stats = (threadIdx.x / 32 % 4 * 2 + g / 4) * LINE_BYTES + g % 4 * 8;
	for (int tile = 0; tile < TILES; tile++)
		for (int part = 0; part < PARTS; part++) {
			/* columns without a row of x take another's: nobody looks at what they get
			 */
			uint32_t col = (uint32_t)tile * 8 + g, row;

			if (a->small)
				row = col < SMALL
					      ? (col < last ? col : last)
					      : a->m + (col - SMALL < last ? col - SMALL : last);
			else
				row = (uint32_t)part * a->m + (col < last ? col : last);
			l->x[tile][part] = row * 64 + l->t * 16;
			for (int i = 0; i < 8; i++)
				l->acc[tile][part][i / 4][i % 4] = 0;
		}
	for (int tile = 0; tile < TILES; tile++)
		for (int i = 0; i < 8; i++)
			l->y[tile][i / 2][i % 2] = 0;
}

/* The second half of the slice to the first; hi and lo of a small tile. */
template <int TILES, int PARTS> DEVICE void meet(struct lane<TILES, PARTS> *l, const struct gemv *a)
{
	float *other = (float *)shared() + threadIdx.x % (THREADS / 2);

	__syncthreads();
	for (int i = 0; i < TILES * 8; i++)
		if (threadIdx.x >= THREADS / 2)
			other[i * (THREADS / 2)] = l->y[i / 8][i / 2 % 4][i % 2];
	__syncthreads();
	for (int i = 0; i < TILES * 8; i++) {
		float *y = &l->y[i / 8][i / 2 % 4][i % 2];

		if (threadIdx.x < THREADS / 2)
			*y += other[i * (THREADS / 2)];
		if (a->small)
			*y += __shfl_xor_sync(0xffffffffu, *y, 2);
	}
}

/* What the first four warps have of the block's rows of y: to y itself, or to the slice's sums. */
template <int TILES, int PARTS>
DEVICE void put(const struct lane<TILES, PARTS> *l, const struct gemv *a,
	const struct gemv_product *p, const struct sums *s, uint32_t first_row)
{
	uint32_t lane = threadIdx.x % 32, row = threadIdx.x / 32 * 32 + lane / 4 * 4;

	for (int tile = 0; tile < TILES; tile++)
		for (int i = 0; i < 2; i++) {
			uint32_t token = (uint32_t)tile * 8 + 2 * l->t + (uint32_t)i;
			struct four_floats v;

			if (token >= a->m)
				continue;
			for (int k = 0; k < 4; k++)
				v.v[k] = l->y[tile][k][i];
			if (a->slices > 1) {
				*(struct four_floats *)(sums_at(s, blockIdx.y, token) + row) = v;
				continue;
			}
			for (uint32_t k = 0; k < 4; k++)
				if (first_row + row + k < p->w.rows)
					p->y[token * p->ldy + first_row + row + k] =
						v.v[k] * 0x1p24f;
		}
}

template <int TILES, int PARTS>
KERNEL void __launch_bounds__(THREADS, TILES *PARTS == 4 ? 1 : 2) gemv_rows(const struct gemv *a)
{
	const struct gemv_product *p = a->p;
	uint32_t first_tile, first_row, left;
	struct room r = room_at(a, shared(), a->units, TILES * 8);
	struct lane<TILES, PARTS> l;
	struct walk v;
	struct sums s;

	for (uint32_t i = 1; i < a->n; i++)
		if (blockIdx.x >= a->p[i].first)
			p = &a->p[i];
	first_row = (blockIdx.x - p->first) * BLOCK_ROWS;
	first_tile = first_row / MAT_TILE;
	v = walk_of(a, &r, &p->w, 0, first_tile);
	l.t = threadIdx.x % 4;
	ask_part(&l, &p->w.part[0], &v);
	stage(a, &r, p, first_tile);
	lane_start(&l, a);
	for (uint32_t k = 0; k < p->w.parts; k++) {
		if (k) {
			v = walk_of(a, &r, &p->w, k, first_tile);
			ask_part(&l, &p->w.part[k], &v);
		}
		walk_part(&l, &r, &p->w.part[k], &v);
	}
	meet(&l, a);
	s.to = a->sums + (size_t)blockIdx.x * a->slices * a->m * BLOCK_ROWS;
	s.ticket = a->tickets + blockIdx.x;
	s.slices = a->slices;
	s.tokens = a->m;
	if (threadIdx.x < THREADS / 2)
		put(&l, a, p, &s, first_row);
	left = p->w.rows - first_row;
	if (a->slices > 1 && last_block(&s, (unsigned *)shared()))
		add_slices(p->y + first_row, p->ldy, &s, left, 0x1p24f);
}

/* ---- the host's side ---- */

/* Bytes of the workspace for sums; behind them rounded x, then ROOM. */
enum { ROUNDED = 32 << 20, BEFORE_ROUNDED = WORKSPACE - ROOM - ROUNDED };

static size_t room_bytes(size_t units, size_t rows, size_t tiles)
{
	return staged_bytes(units, rows, tiles * 8) + units * UNIT_BLOCKS * STATS_BYTES;
}

/* Bytes of shared memory that a block may have, so that a multiprocessor has two of them, or one;
 * the system takes a KiB of each. */
static size_t shared_for(bool one)
{
	const cudaDeviceProp *is = &device_now()->prop;
	size_t half = is->sharedMemPerMultiprocessor / 2 - 1024, most = is->sharedMemPerBlockOptin;

	return one || half > most ? most : half;
}

/* The number of slices that takes the least time, in that of a unit of 128 by 128 weights, times
 * 16: a block has `over` units' worth of its own, and the last of a row of blocks adds up. */
static size_t slices_of(size_t blocks, size_t units, size_t m, size_t rows, size_t tiles)
{
	enum { OVER = 2, MOST = 64 };
	bool large = rows > 16; /* the kernel of which a multiprocessor has one block at a time */
	size_t slots = (size_t)device_now()->prop.multiProcessorCount * (large ? 1 : 2);
	size_t best = 1, least = SIZE_MAX;
	size_t most = shared_for(large) / room_bytes(1, rows, tiles);

	for (size_t n = 1; n <= units; n++) {
		/* a matrix of one part has a unit less than the most there may be */
		size_t each = (units + n - 2) / n, all = blocks * n, one, time;

		one = 16 * (each + OVER);
		/* parts of a mix are cut each by itself */
		if ((units + n - 1) / n + 1 > most || (n > MOST && least != SIZE_MAX))
			continue;
		if (n > 1 && (blocks > TICKETS ||
				     all * m * BLOCK_ROWS * sizeof(float) > BEFORE_ROUNDED))
			continue;
		time = all <= slots ? one : one * all / slots + one / 2;
		if (n > 1)
			time += 16 + n * m / 4;
		if (time < least) {
			least = time;
			best = n;
		}
	}
	return best;
}

void cuda_gemv(const struct product *p, size_t n, const float *x, size_t ldx, size_t m, bool exact)
{
	struct gemv a = {};
	uint32_t blocks = 0;
	bool lo = exact || m <= SMALL;
	size_t tiles = m > 8 ? 2 : 1, units = most_units(p->w->cols), bytes;
	void (*kernel)(const struct gemv *);

	for (size_t i = 0; i < n; i++) {
		struct gemv_product *to = &a.p[i];

		to->y = p[i].y;
		to->ldy = p[i].ldy;
		to->w = packed_of(p[i].w, false);
		to->first = blocks;
		blocks += (to->w.rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
	}
	if (!blocks || !m || !device_now())
		return;
	a.n = (uint32_t)n;
	a.m = (uint32_t)m;
	a.small = m <= SMALL;
	a.rows = (uint32_t)(lo ? 2 * m : m);
	a.slices = (uint32_t)slices_of(blocks, units, m, a.rows, tiles);
	a.units = (uint32_t)((units + a.slices - 1) / a.slices) + 1;
	a.times = 65535 / a.m + 1;
	a.all = (uint32_t)units;
	if (!a.small && n * staged_bytes(units, a.rows, tiles * 8) <= ROUNDED)
		a.rounded = device_now()->work + BEFORE_ROUNDED;
	a.x = x;
	a.ldx = ldx;
	a.sums = (float *)device_now()->work;
	a.tickets = device_now()->tickets;
	bytes = room_bytes(a.units, a.rows, tiles);
	if (bytes < THREADS / 2 * tiles * 8 * sizeof(float))
		bytes = THREADS / 2 * tiles * 8 * sizeof(float);
	if (m <= SMALL || !lo)
		kernel = tiles == 1 ? gemv_rows<1, 1> : gemv_rows<2, 1>;
	else
		kernel = tiles == 1 ? gemv_rows<1, 2> : gemv_rows<2, 2>;
	if (a.rounded)
		launch(gemv_round, (unsigned)units, (unsigned)n, 1, THREADS, 0, a);
	launch_named("gemv", kernel, blocks, a.slices, 1, THREADS, bytes, a);
}

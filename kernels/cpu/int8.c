/* cpu: MATH_INT8.  Rows of x are rounded once a call, into strips (int8.h), for all packed
 * matrices of the call; their rows then are one job of the pool. */
#include "kernels/cpu/cpu.h"

#include <stdalign.h>
#include <string.h>

#include "kernels/act8.h"
#include "kernels/cpu/cut.h"
#include "kernels/pool.h"
#include "kernels/ref/ref.h"

enum {
	ROOM = 8 << 20,           /* for rounded rows of x; more take turns */
	SET = STRIP_SUMS,         /* matrices together at most */
	PART_WEIGHTS = 96 * 1024, /* read by a part with one strip: some 5 us */
	PART_STRIPS = 8,          /* of a part at most, and ... */
	PART_BYTES = 512 * 1024,  /* ... of its rounded rows: they stay in the second-level cache */
	ALONE = 16 * 1024         /* values of x that one thread rounds sooner than many */
};

struct set {
	const struct product *p;
	size_t n;
	const float *x;
	size_t ldx, m, cols, strips;
	size_t row_bytes;  /* of a strip, for each of its rows */
	unsigned orders;   /* bit i: order i is read */
	size_t sums;       /* group sizes */
	size_t group[SET]; /* each in blocks */
	size_t sum[SET];   /* of each matrix */
	size_t step[SET];  /* rows of W in a part */
	size_t part[SET];  /* the first of its parts */
	size_t parts;      /* of all matrices with the same strips */
	size_t together;   /* strips of a part */
};

static alignas(64) unsigned char room[ROOM];

/* Which orders and sums the matrices need, and the room of a row for them. */
static void plan(struct set *s)
{
	size_t blocks = pieces(s->cols, ACT_BLOCK);

	for (size_t i = 0; i < s->n; i++) {
		const struct mat *w = s->p[i].w;
		size_t k = 0;

		while (k < s->sums && s->group[k] != w->group / ACT_BLOCK)
			k++;
		s->group[k] = w->group / ACT_BLOCK;
		s->sum[i] = k;
		s->sums += k == s->sums;
		s->orders |= 1u << strip_order(w->bits);
		/* tiles by two: leaves take so many at once */
		s->step[i] = pieces(PART_WEIGHTS, s->cols * 2 * MAT_TILE) * 2 * MAT_TILE;
	}
	s->row_bytes = blocks * (2 * sizeof(float) + 2);
	for (int i = 0; i < STRIP_ORDERS; i++)
		s->row_bytes += (s->orders >> i & 1) * 2 * blocks * ACT_BLOCK;
	for (size_t k = 0; k < s->sums; k++)
		s->row_bytes += pieces(blocks, s->group[k]) * sizeof(float);
	s->row_bytes = pieces(s->row_bytes, 64) * 64;
}

static void *carve(unsigned char **at, size_t bytes)
{
	void *p = *at;

	*at += bytes;
	return p;
}

/* Strip k and the first of its rows: all of the widest, then what halves of it hold. */
static struct strip strip_at(const struct set *s, size_t k, size_t *first)
{
	size_t widest = cpu_leaf()->i8.widest, whole = s->m / widest, rest = s->m % widest;
	size_t blocks = pieces(s->cols, ACT_BLOCK);
	struct strip a = { .n = widest };
	unsigned char *at;

	*first = least(k, whole) * widest;
	for (a.n = k < whole ? widest : 8; k >= whole; a.n /= 2) {
		if (rest < a.n)
			continue;
		if (k-- == whole)
			break;
		rest -= a.n;
		*first += a.n;
	}
	at = room + *first * s->row_bytes;
	for (int i = 0; i < STRIP_ORDERS; i++)
		if (s->orders >> i & 1) {
			a.first[i] = carve(&at, a.n * blocks * ACT_BLOCK);
			a.second[i] = carve(&at, a.n * blocks * ACT_BLOCK);
		}
	a.s = carve(&at, a.n * blocks * sizeof *a.s);
	a.t = carve(&at, a.n * blocks * sizeof *a.t);
	for (size_t i = 0; i < s->sums; i++) {
		a.group[i] = s->group[i];
		a.sum[i] = carve(&at, a.n * pieces(blocks, s->group[i]) * sizeof(float));
	}
	a.row = carve(&at, a.n * blocks);
	a.seconds = carve(&at, a.n * blocks);
	return a;
}

static size_t count_strips(size_t m)
{
	size_t widest = cpu_leaf()->i8.widest, n = m / widest;

	for (m %= widest; m; m &= m - 1)
		n++;
	return n;
}

static void round_part(void *arg, size_t part)
{
	const struct set *s = arg;
	size_t first;
	struct strip a = strip_at(s, part, &first);

	cpu_leaf()->i8.round(&a, s->x + first * s->ldx, s->ldx, s->cols);
}

static void product_part(void *arg, size_t part)
{
	const struct set *s = arg;
	size_t i = s->n - 1, k = part / s->parts * s->together, row, rows;

	part %= s->parts;
	while (part < s->part[i])
		i--;
	row = (part - s->part[i]) * s->step[i];
	rows = least(s->step[i], s->p[i].w->rows - row);
	for (size_t end = least(s->strips, k + s->together); k < end; k++) {
		size_t first;
		struct strip a = strip_at(s, k, &first);

		cpu_leaf()->i8.product(s->p[i].y + first * s->p[i].ldy + row, s->p[i].ldy, &a,
			a.sum[s->sum[i]], s->p[i].w, row, rows);
	}
}

/* As many rows of x as there is room for. */
static void run(struct set *s)
{
	s->strips = count_strips(s->m);
	s->together = least(PART_STRIPS, PART_BYTES / (STRIP_MOST * s->row_bytes) + 1);
	s->parts = 0;
	for (size_t i = 0; i < s->n; i++) {
		s->part[i] = s->parts;
		s->parts += pieces(s->p[i].w->rows, s->step[i]);
	}
	if (s->m * s->cols > ALONE)
		pool_run(round_part, s, s->strips);
	else
		for (size_t k = 0; k < s->strips; k++)
			round_part(s, k);
	pool_run(product_part, s, s->parts * pieces(s->strips, s->together));
}

size_t cpu_int8(const struct product *p, size_t n, const float *x, size_t ldx, size_t m)
{
	struct set s = { .p = p, .ldx = ldx, .cols = p->w->cols };
	struct product part[SET];
	size_t most;

	while (s.n < n && s.n < SET && p[s.n].w->type == MAT_INT)
		s.n++;
	if (!m || !s.cols)
		return s.n;
	plan(&s);
	most = ROOM / s.row_bytes;
	if (!most) { /* rows of some 100,000 values */
		ref_products(p, s.n, x, ldx, m, MATH_INT8);
		return s.n;
	}
	if (most > STRIP_MOST)
		most -= most % STRIP_MOST;
	memcpy(part, p, s.n * sizeof *part);
	s.p = part;
	for (size_t at = 0; at < m; at += s.m) {
		s.m = least(m - at, most);
		s.x = x + at * ldx;
		run(&s);
		for (size_t i = 0; i < s.n; i++)
			part[i].y += s.m * part[i].ldy;
	}
	return s.n;
}

/* lib_ops_join.c - operations that a backend may carry out together leave what they leave one by
 * one, to the bit: programs drawn at random over memory that they share and overlap in. */
#include <string.h>

#include "tests/lib_ops.h"

enum { FLOATS = 3072, BYTES = 2048, SLOT = 64, ACTS = 24, GOT = 8, MOST_DIM = 32 };
enum act_kind { ROPE, COPY, COPY_BYTES, ROUND, ADD, NORM, GET, KINDS };
enum way { ONE_BY_ONE, TOGETHER, AS_A_STEP, WAYS };

/* Places are floats (of COPY_BYTES: bytes) from the beginning of the memory. */
struct act {
	enum act_kind kind;
	size_t y, x, z; /* written first; z: the gain, or a scale */
	size_t m, n;    /* rows, values a row; the others: m values */
	size_t heads, dim;
	int32_t at; /* first position */
	enum rope_style style;
};

struct shared {
	float *f;
	int8_t *b;
	float got[ACTS][GOT];
};

static bool apart(size_t a, size_t n, size_t b, size_t m)
{
	return a + n <= b || b + m <= a;
}

/* What the operation alone allows. */
static bool allowed(const struct act *a)
{
	size_t all = a->m * a->n;
	bool in_place = a->y == a->x || apart(a->y, all, a->x, all);

	switch (a->kind) {
	case COPY_BYTES:
		return a->x + a->m <= BYTES && a->y + a->m <= BYTES;
	case ROPE:
		return a->y + a->m * a->n <= FLOATS && a->heads * a->dim <= a->n;
	case COPY:
		return a->x + a->m <= FLOATS && a->y + a->m <= FLOATS;
	case ROUND:
		return a->y + all <= BYTES && a->x + all <= FLOATS &&
		       apart(a->z, a->m * a->heads, a->x, all) && a->z + a->m * a->heads <= FLOATS;
	case ADD:
	case NORM:
		return a->x + all <= FLOATS && a->y + all <= FLOATS && in_place &&
		       a->z + a->n <= FLOATS && apart(a->z, a->n, a->y, all);
	default:
		return a->y + GOT <= FLOATS;
	}
}

static size_t some_place(struct rng *g)
{
	static const size_t skew[] = { 0, 0, 0, 4, 1, 33 };

	return rng_below(g, FLOATS / SLOT) * SLOT + skew[rng_below(g, COUNTED(skew))];
}

/* Operations of the kind that may go with the one before differ from it in a thing or two. */
static struct act drawn(struct rng *g, const struct act *before)
{
	static const size_t dims[] = { 2, 8, 16, MOST_DIM };
	struct act a = { .kind = (enum act_kind)rng_below(g, KINDS) };

	if (before && rng_below(g, 4)) {
		a = *before;
		if (before->kind == ADD && rng_below(g, 4)) {
			a.kind = NORM;
			a.x = before->y;
			a.y = rng_below(g, 2)   ? before->x
			      : rng_below(g, 2) ? before->x + rng_below(g, 5) * 16
						: a.x;
			a.z = some_place(g);
			if (!rng_below(g, 6))
				a.x = some_place(g);
		} else {
			a.y = some_place(g);
			a.x = rng_below(g, 4) ? some_place(g) : before->y;
			a.z = some_place(g);
		}
		switch (rng_below(g, 12)) {
		case 0:
			a.at++;
			break;
		case 1:
			a.style = a.style == ROPE_PAIRS ? ROPE_HALVES : ROPE_PAIRS;
			break;
		case 2:
			a.m++;
			break;
		case 3:
			a.heads = 1;
			break;
		default:
			break;
		}
		return a;
	}
	a.y = some_place(g);
	a.x = some_place(g);
	a.z = some_place(g);
	a.heads = 1 + rng_below(g, 3);
	a.dim = dims[rng_below(g, COUNTED(dims))];
	a.n = a.heads * a.dim + (a.kind == ROPE ? rng_below(g, 2) * 4 : 0);
	a.m = 1 + rng_below(g, a.kind == COPY || a.kind == COPY_BYTES ? 300 : 4);
	a.at = (int32_t)rng_below(g, 1000);
	a.style = rng_below(g, 2) ? ROPE_PAIRS : ROPE_HALVES;
	return a;
}

static void carry_out(const struct backend *b, const struct act *a, struct shared *s, size_t i)
{
	float freq[MOST_DIM / 2];
	int32_t pos[16];

	for (size_t k = 0; k < MOST_DIM / 2; k++)
		freq[k] = 1.0f / (float)(1 + k * k);
	for (int k = 0; k < 16; k++)
		pos[k] = a->at + 3 * k;
	switch (a->kind) {
	case ROPE:
		b->rope(s->f + a->y, a->n, a->m, a->heads, a->dim, pos, freq, a->style);
		break;
	case COPY:
		b->copy(s->f + a->y, s->f + a->x, a->m * sizeof(float));
		break;
	case COPY_BYTES:
		b->copy(s->b + a->y, s->b + a->x, a->m);
		break;
	case ROUND:
		b->round_kv(s->b + a->y, s->f + a->z, s->f + a->x, a->m, a->heads, a->dim);
		break;
	case ADD:
		b->add(s->f + a->y, s->f + a->x, a->m * a->n);
		break;
	case NORM:
		b->rmsnorm(s->f + a->y, s->f + a->x, s->f + a->z, a->m, a->n, 1e-5f);
		break;
	default:
		b->get(s->got[i], s->f + a->y, GOT * sizeof(float));
	}
	/* what was on the host may be reused at once */
	memset(freq, 0x7f, sizeof freq);
	memset(pos, 0x7f, sizeof pos);
}

static void play(struct op_run *r, const struct act *a, enum way way, const float *f,
	const int8_t *bytes, struct shared *s)
{
	s->f = op_inout(r, f, FLOATS * sizeof *f, 0);
	s->b = op_inout(r, bytes, BYTES, 0);
	memset(s->got, 0, sizeof s->got);
	if (way == AS_A_STEP)
		r->b->step(true);
	for (size_t i = 0; i < ACTS; i++) {
		carry_out(r->b, &a[i], s, i);
		if (way == ONE_BY_ONE)
			r->b->wait();
	}
	if (way == AS_A_STEP)
		r->b->step(false);
}

void op_joined(struct op_run *r)
{
	static const char *const name[] = { "one by one", "together", "as a step" };

	for (int p = 0; p < (r->large ? 1000 : 150); p++) {
		float *f = op_floats(r, FLOATS, 1);
		int8_t *bytes = op_host(r, BYTES);
		struct act a[ACTS];
		struct shared s[WAYS];

		for (size_t i = 0; i < BYTES; i++)
			bytes[i] = (int8_t)(i * 37);
		for (size_t i = 0; i < ACTS; i++)
			do
				a[i] = drawn(&r->rng, i ? &a[i - 1] : NULL);
			while (!allowed(&a[i]));
		for (int way = 0; way < WAYS; way++) {
			op_case(r, "program %d, %s", p, name[way]);
			play(r, a, (enum way)way, f, bytes, &s[way]);
			if (!way)
				continue;
			op_same(r, op_get(r, s[way].f, FLOATS * sizeof *f),
				op_get(r, s[0].f, FLOATS * sizeof *f), FLOATS * sizeof *f,
				"the floats");
			op_same(r, op_get(r, s[way].b, BYTES), op_get(r, s[0].b, BYTES), BYTES,
				"the bytes");
			op_same(r, s[way].got, s[0].got, sizeof s[0].got, "what was asked between");
		}
		op_end(r);
	}
}

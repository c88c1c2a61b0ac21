/* lib_ops_step.c - memory, what a device says of itself, steps that are replayed, and the same
 * bits again and again. */
#include <math.h>
#include <string.h>

#include "tests/lib_ops.h"

void op_memory(struct op_run *r)
{
	static const size_t sizes[] = { 1, 3, 63, 64, 4095, 65537, (1 << 20) - 1, (3 << 20) + 5,
		48 << 20 };

	for (size_t i = 0; i < COUNTED(sizes) - !r->large; i++) {
		size_t n = sizes[i];
		unsigned char *from = op_host(r, n), *zero = op_host(r, n), *back;
		unsigned char *a = r->b->alloc(n), *b;

		op_case(r, "%zu bytes", n);
		if (!a || (uintptr_t)a % 64) {
			op_fail(r, a ? "memory at %p" : "no memory", (void *)a);
			return;
		}
		memset(zero, 0, n);
		op_same(r, op_get(r, a, n), zero, n, "new memory");
		r->b->free(a);
		for (size_t k = 0; k < n; k++)
			from[k] = (unsigned char)(k * 2654435761u >> 13);
		b = op_out(r, n, i % 4);
		back = op_host(r, n);
		memcpy(back, from, n);
		r->b->put(b, from, n);
		memset(from, 0, n); /* what was given may be reused at once */
		op_same(r, op_get(r, b, n), back, n, "what was put");
		a = op_out(r, n, 3 - i % 4);
		r->b->copy(a, b, n);
		r->b->put(b, from, n); /* comes after the copy */
		op_same(r, op_get(r, a, n), back, n, "the copy");
		r->b->copy(a, b, 0);
		op_end(r);
	}
	op_case(r, "2^60 bytes");
	if (r->b->alloc((size_t)1 << 60))
		op_fail(r, "were given");
	r->b->free(NULL);
	op_end(r); /* and are no fault */
}

void op_device_info(struct op_run *r)
{
	enum { BYTES = 64 << 20 };
	struct backend_device before, with;
	struct err e = { 0 };
	void *p;

	op_case(r, "open, info");
	if (r->b->host_memory || !r->b->open || !r->b->fault || !r->b->lost || !r->b->wait ||
		!r->b->step || !r->b->info) {
		op_fail(r, "a device must have open, fault, lost, wait, step and info");
		return;
	}
	if (r->b->open(&e))
		op_fail(r, "opened again: %s", e.msg);
	r->b->wait();
	memset(&before, 0xff, sizeof before);
	r->b->info(&before);
	p = r->b->alloc(BYTES);
	r->b->info(&with);
	if (!before.name[0] || !memchr(before.name, 0, sizeof before.name) || !before.kernels[0] ||
		!memchr(before.kernels, 0, sizeof before.kernels))
		op_fail(r, "it has no name or says nothing of its kernels");
	if (!before.total || before.free > before.total || with.ours < before.ours + BYTES)
		op_fail(r, "%llu of %llu bytes free; of ours %llu, with 64 MiB more %llu",
			(unsigned long long)before.free, (unsigned long long)before.total,
			(unsigned long long)before.ours, (unsigned long long)with.ours);
	r->b->free(p);
	r->b->info(&before);
	if (before.ours + BYTES > with.ours)
		op_fail(r, "what was freed still counts as ours");
	if (!isnan(before.busy) && !(before.busy >= 0 && before.busy <= 1))
		op_fail(r, "busy %g", before.busy);
	if (r->b->lost() || !r->b->score())
		op_fail(r, "lost");
	if (!(r->b->read_rate() >= 0))
		op_fail(r, "a read rate of %g", r->b->read_rate());
	op_share(r, 0, 1);
	op_end(r);
}

/* ---- a small model's token */

enum { HIDDEN = 96, INTER = 160, HEADS = 3, KV_HEADS = 1, DIM = 32, VOCAB = 75, CTX = 40,
	SEQS = 2, TOKENS = 6 };

struct tiny {
	struct op_mat embed, q, k, v, o, gate, up, down, head;
	const float *gain;
};

struct state {
	float *h, *norm, *q, *k, *v, *att, *gate, *up, *act, *logits;
	float *keys[SEQS], *values[SEQS]; /* [CTX][KV_HEADS * DIM] */
};

static struct tiny tiny_of(struct op_run *r, int bits, size_t group)
{
	static const enum mat_type i = MAT_INT;
	struct tiny t;

	t.embed = op_mat(r, MAT_F16, 0, 0, VOCAB, HIDDEN);
	t.q = op_mat(r, i, bits, group, HEADS * DIM, HIDDEN);
	t.k = op_mat(r, i, bits, group, KV_HEADS * DIM, HIDDEN);
	t.v = op_mat(r, i, 8, group, KV_HEADS * DIM, HIDDEN);
	t.o = op_mat(r, i, bits, group, HIDDEN, HEADS * DIM);
	t.gate = op_mat(r, i, bits, group, INTER, HIDDEN);
	t.up = op_mat(r, i, bits, group, INTER, HIDDEN);
	t.down = op_mat(r, i, bits, group, HIDDEN, INTER);
	t.head = op_mat(r, i, 8, 32, VOCAB, HIDDEN);
	t.gain = op_put(r, op_floats(r, HIDDEN, 1), HIDDEN * sizeof(float), 0);
	return t;
}

static float *room(struct op_run *r, size_t n)
{
	return op_out(r, n * sizeof(float), 0);
}

static struct state state_of(struct op_run *r)
{
	struct state s = { room(r, SEQS * HIDDEN), room(r, SEQS * HIDDEN),
		room(r, SEQS * HEADS * DIM), room(r, SEQS * KV_HEADS * DIM),
		room(r, SEQS * KV_HEADS * DIM), room(r, SEQS * HEADS * DIM), room(r, SEQS * INTER),
		room(r, SEQS * INTER), room(r, SEQS * INTER), room(r, SEQS * VOCAB), { 0 }, { 0 } };

	for (int i = 0; i < SEQS; i++) {
		s.keys[i] = room(r, CTX * KV_HEADS * DIM);
		s.values[i] = room(r, CTX * KV_HEADS * DIM);
	}
	return s;
}

static void attend(const struct backend *b, struct state *s, size_t at)
{
	static const struct attn_shape shape = { HEADS, KV_HEADS, DIM, 0, 0.17f };
	enum { KV = KV_HEADS * DIM };
	struct attn_seq seq[SEQS];
	int32_t pos[SEQS];
	float freq[DIM / 2];

	for (size_t i = 0; i < DIM / 2; i++)
		freq[i] = 1.0f / (float)(1 + i * i);
	for (size_t i = 0; i < SEQS; i++)
		pos[i] = (int32_t)(at + 3 * i);
	b->rope(s->q, HEADS * DIM, SEQS, HEADS, DIM, pos, freq, ROPE_HALVES);
	b->rope(s->k, KV, SEQS, KV_HEADS, DIM, pos, freq, ROPE_HALVES);
	for (size_t i = 0; i < SEQS; i++) {
		b->copy(s->keys[i] + at * KV, s->k + i * KV, KV * sizeof(float));
		b->copy(s->values[i] + at * KV, s->v + i * KV, KV * sizeof(float));
		seq[i] = (struct attn_seq){
			.q0 = i, .m = 1, .pos = at, .k = s->keys[i], .v = s->values[i]
		};
	}
	b->attention(s->att, s->q, seq, SEQS, &shape);
	/* all that was on the host may be reused at once */
	memset(seq, 0x7f, sizeof seq);
	memset(pos, 0x7f, sizeof pos);
	memset(freq, 0x7f, sizeof freq);
}

static void token(const struct backend *b, const struct tiny *t, struct state *s, size_t at,
	int32_t ids[SEQS])
{
	struct product qkv[] = { { s->q, HEADS * DIM, &t->q.dev }, { s->k, KV_HEADS * DIM, &t->k.dev },
		{ s->v, KV_HEADS * DIM, &t->v.dev } };
	struct product pair[] = { { s->gate, INTER, &t->gate.dev }, { s->up, INTER, &t->up.dev } };

	b->embed(s->h, &t->embed.dev, ids, SEQS);
	memset(ids, 0x7f, SEQS * sizeof *ids);
	b->rmsnorm(s->norm, s->h, t->gain, SEQS, HIDDEN, 1e-5f);
	b->products(qkv, 3, s->norm, HIDDEN, SEQS, MATH_F32);
	attend(b, s, at);
	b->products(&(struct product){ s->norm, HIDDEN, &t->o.dev }, 1, s->att, HEADS * DIM, SEQS,
		MATH_F32);
	b->add(s->h, s->norm, SEQS * HIDDEN);
	b->rmsnorm(s->norm, s->h, t->gain, SEQS, HIDDEN, 1e-5f);
	b->products(pair, 2, s->norm, HIDDEN, SEQS, MATH_F32);
	b->swiglu(s->act, s->gate, s->up, SEQS * INTER);
	b->products(&(struct product){ s->norm, HIDDEN, &t->down.dev }, 1, s->act, INTER, SEQS,
		MATH_F32);
	b->add(s->h, s->norm, SEQS * HIDDEN);
	b->rmsnorm(s->norm, s->h, t->gain, SEQS, HIDDEN, 1e-5f);
	b->products(&(struct product){ s->logits, VOCAB, &t->head.dev }, 1, s->norm, HIDDEN, SEQS,
		MATH_F32);
}

/* TOKENS of them; how: 0 as they come, 1 each one a step, 2 results asked for within the step. */
static void tokens(struct op_run *r, const struct tiny *a, const struct tiny *b, int how,
	float *logits, double *lse)
{
	struct state s = state_of(r);

	for (size_t i = 0; i < TOKENS; i++) {
		int32_t ids[SEQS] = { (int32_t)i, VOCAB - 1 - (int32_t)i }, best[SEQS];
		float *to = logits + i * SEQS * VOCAB;

		if (how && r->b->step)
			r->b->step(true);
		/* the weights change, as a layout does under way */
		token(r->b, i % 3 == 2 ? b : a, &s, i, ids);
		if (how != 2 && how && r->b->step)
			r->b->step(false);
		r->b->get(to, s.logits, SEQS * VOCAB * sizeof *to);
		r->b->row_stats(lse + i * SEQS, best, s.logits, SEQS, VOCAB);
		if (how == 2 && r->b->step)
			r->b->step(false);
	}
}

/* The same by ref, whose memory is the host's: from copies of what the backend has. */
static void by_ref(struct op_run *r, const struct tiny *a, const struct tiny *b, float *logits,
	double *lse)
{
	/* its arrays are not the device's, so they are of a run of their own */
	struct op_run own = { .b = &bd_backend_ref };
	struct tiny host[2] = { *a, *b };

	for (int i = 0; i < 2; i++) {
		struct op_mat *const m[] = { &host[i].embed, &host[i].q, &host[i].k, &host[i].v,
			&host[i].o, &host[i].gate, &host[i].up, &host[i].down, &host[i].head };

		for (size_t k = 0; k < COUNTED(m); k++)
			m[k]->dev = m[k]->host;
		host[i].gain = op_get(r, host[i].gain, HIDDEN * sizeof(float));
	}
	rng_seed(&own.rng, 1);
	op_case(&own, "ref's own tokens");
	tokens(&own, &host[0], &host[1], 0, logits, lse);
	op_end(&own);
	if (own.failed[0])
		op_fail(r, "%s", own.failed);
}

void op_steps(struct op_run *r)
{
	enum { N = TOKENS * SEQS, BYTES = N * VOCAB * sizeof(float) };
	static const char *const name[] = { "as they come", "as steps", "asked within a step" };
	struct tiny a = tiny_of(r, 4, 32), b = tiny_of(r, 2, 64);
	float *want = op_host(r, BYTES), *first = op_host(r, BYTES), *again;
	double lse[N], first_lse[N], again_lse[N];

	by_ref(r, &a, &b, want, lse);
	for (int how = 0; how < 3; how++)
		for (int times = 0; times < 2; times++) {
			again = op_host(r, BYTES);
			tokens(r, &a, &b, how, how || times ? again : first,
				how || times ? again_lse : first_lse);
			op_case(r, "%d tokens %s%s", TOKENS, name[how], times ? ", again" : "");
			if (how || times) {
				op_same(r, again, first, BYTES, "the logits");
				op_same(r, again_lse, first_lse, sizeof again_lse, "their sums");
			}
		}
	op_case(r, "%d tokens against ref", TOKENS);
	op_share(r, op_relative(first, want, N * VOCAB, 1) / 1e-4, N * VOCAB);
	for (int i = 0; i < N; i++)
		op_share(r, fabs(lse[i] - first_lse[i]) / (1e-4 * (1 + fabs(lse[i]))), 1);
	if (r->b->step) { /* an empty one is none */
		r->b->step(true);
		r->b->step(false);
		r->b->wait();
	}
	op_end(r);
}

/* ---- the same bits (P23) */

struct again {
	struct op_mat w, mix, dense;
	const float *x, *z, *z2;
	float *y;
	size_t m, rows, cols, bytes;
	struct attn_seq seq[2];
};

static void run_products(const struct backend *b, struct again *a, enum math math)
{
	const struct product p[] = { { a->y, a->rows, &a->w.dev },
		{ a->y + a->m * a->rows, a->rows, &a->mix.dev },
		{ a->y + 2 * a->m * a->rows, a->rows, &a->dense.dev } };

	b->products(p, 3, a->x, a->cols, a->m, math);
}

static void run_layer(const struct backend *b, struct again *a)
{
	const struct attn_shape shape = { 8, 2, 64, 0, 0.125f };

	b->rmsnorm(a->y, a->x, a->z, a->m, a->cols, 1e-5f);
	b->attention(a->y + a->m * a->cols, a->x, a->seq, 2, &shape);
	b->gemm(true, false, a->cols, a->cols, a->m, 1, a->x, a->cols, a->x, a->cols, 0,
		a->y + a->m * (a->cols + 512), a->cols, MATH_F32);
}

static void same_again(struct op_run *r, struct again *a, int what)
{
	unsigned char *first = op_host(r, a->bytes), *now = op_host(r, a->bytes);
	double sums[2][2 * 16 + 4];

	for (int i = 0; i < r->repeats; i++) {
		double *to = sums[i > 0];
		struct err e;

		memset(to, 0, sizeof sums[0]);
		if (what < 4)
			run_products(r->b, a, what == 0   ? MATH_F32
					       : what == 1 ? MATH_BF16
					       : what == 2 ? MATH_INT8
							   : MATH_FAST);
		else if (what == 4)
			run_layer(r->b, a);
		else {
			r->b->row_stats(to, NULL, a->z, 16, a->cols * 4);
			r->b->row_stats(to + 16, NULL, a->z2, 16, a->cols * 4);
			r->b->kl(to, a->z, to, a->z2, to + 16, 16, a->cols * 4);
			r->b->sq_diff(to + 32, to + 33, a->z, a->z2, 64 * a->cols);
		}
		if (backend_fault(r->b, &e)) {
			op_fail(r, "%s", e.msg);
			return;
		}
		if (what == 5) {
			op_same(r, to, sums[0], sizeof sums[0], "a sum");
			continue;
		}
		r->b->get(i ? now : first, a->y, a->bytes);
		if (!i)
			continue;
		op_same(r, now, first, a->bytes, "a result");
		if (r->failed[0])
			return;
	}
}

void op_repeats(struct op_run *r)
{
	static const char *const name[] = { "products, f32", "products, bf16", "products, int8",
		"products, fast", "rmsnorm, attention, gemm", "reductions" };
	static const size_t ms[] = { 1, 16, 70 };
	size_t rows = r->large ? 1024 : 80, cols = r->large ? 2048 : 512;

	for (int what = 0; what < 6; what++)
		for (size_t k = 0; k < COUNTED(ms); k++) {
			struct again a = { .m = ms[k], .rows = rows, .cols = cols };
			float *z, *z2;

			if ((what == 4 && k != 1) || (what == 5 && k) ||
				(!r->large && what < 4 && k == 2))
				continue;
			z = op_floats(r, 64 * cols, 4);
			z2 = op_floats(r, 64 * cols, 4);
			a.x = op_put(r, op_floats(r, ms[k] * cols, 1), ms[k] * cols * sizeof *z, 0);
			a.z = op_put(r, z, 64 * cols * sizeof *z, 0);
			a.z2 = op_put(r, z2, 64 * cols * sizeof *z, 0);
			if (what < 4) {
				a.w = op_mat(r, MAT_INT, 4, 128, rows, cols);
				a.mix = op_mix(r, 4, 2, rows, cols, 160);
				a.dense = op_mat(r, MAT_BF16, 0, 0, rows, cols);
				a.bytes = 3 * ms[k] * rows * sizeof *z;
			} else {
				a.bytes = (ms[k] * (cols + 512) + cols * cols) * sizeof *z;
				/* 15 rows at 0, one at 40: q is x */
				a.seq[0] = (struct attn_seq){ .m = 15, .k = a.z, .v = a.z2 };
				a.seq[1] = (struct attn_seq){ .q0 = 15, .m = 1, .pos = 40, .k = a.z,
					.v = a.z2 };
			}
			a.y = op_out(r, a.bytes, 0);
			op_case(r, "%s, %zu rows, %d times", name[what], ms[k], r->repeats);
			same_again(r, &a, what);
			op_end(r);
		}
}

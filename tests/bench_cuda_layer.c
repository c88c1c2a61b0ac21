/* bench_cuda_layer.c - times of what stands between the products: rows of W made float, norms,
 * attention over a long context, the statistics of logits. */
#include "tests/bench_cuda.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"

/* Everything that an act needs; sets that are used in turn, so that L2 does not hold them. */
struct layer {
	const struct backend *b;
	size_t m, n, sets, context;
	struct mat w;
	float *x, *y;
	const float *gain;
	struct attn_shape shape;
	struct attn_seq *seq; /* [sets] */
};

static void *take(const struct backend *b, size_t bytes)
{
	void *p = b->alloc(bytes);

	if (!p)
		stop("no memory for %zu bytes", bytes);
	return p;
}

static float *random_floats(const struct backend *b, size_t n, double size)
{
	float *host = xarray(n, sizeof *host), *p = take(b, n * sizeof *host);
	struct rng r;

	rng_seed(&r, n);
	for (size_t i = 0; i < n; i++)
		host[i] = (float)((rng_unit(&r) - 0.5) * 3.46 * size); /* of that deviation */
	b->put(p, host, n * sizeof *host);
	xfree(host);
	return p;
}

static void norm(struct layer *l)
{
	l->b->rmsnorm(l->y, l->x, l->gain, l->m, l->n, 1e-5f);
}

static void silu(struct layer *l)
{
	l->b->swiglu(l->y, l->x, l->x + l->m * l->n, l->m * l->n);
}

static void attend(struct layer *l, size_t i)
{
	l->b->attention(l->y, l->x, &l->seq[i % l->sets], 1, &l->shape);
}

static void run_norm(void *arg, size_t replays)
{
	struct layer *l = arg;

	for (size_t i = 0; i < replays; i++) {
		l->b->step(true);
		for (int k = 0; k < CALLS; k++)
			norm(l);
		l->b->step(false);
	}
	l->b->wait();
}

static void run_silu(void *arg, size_t replays)
{
	struct layer *l = arg;

	for (size_t i = 0; i < replays; i++) {
		l->b->step(true);
		for (int k = 0; k < CALLS; k++)
			silu(l);
		l->b->step(false);
	}
	l->b->wait();
}

static void run_attention(void *arg, size_t replays)
{
	struct layer *l = arg;

	for (size_t i = 0; i < replays; i++) {
		l->b->step(true);
		for (size_t k = 0; k < CALLS; k++)
			attend(l, i * CALLS + k);
		l->b->step(false);
	}
	l->b->wait();
}

/* These come one by one, as a scan has them: no graph. */
static void run_dequant(void *arg, size_t replays)
{
	struct layer *l = arg;

	for (size_t i = 0; i < replays; i++)
		l->b->dequant(l->y, &l->w, 0, l->w.rows);
	l->b->wait();
}

static void run_stats(void *arg, size_t replays)
{
	struct layer *l = arg;
	double lse[64];

	for (size_t i = 0; i < replays; i++)
		l->b->row_stats(lse, NULL, l->x, l->m, l->n);
}

static void line(const char *what, struct timed t, double bytes, const struct bench_options *o)
{
	say("| %s | %.2f +- %.2f | %.0f | %.0f %% |\n", what, t.median * 1e6,
		0.5e6 * (t.most - t.least), bytes / t.median * 1e-9,
		100 * bytes / t.median / o->wall);
}

/* One new row against `context` keys of 8 heads for 32, of 128, as an 8B model has. */
static void attention(
	const struct backend *b, const struct bench_options *o, size_t context, bool int8)
{
	struct layer l = { .b = b, .sets = o->small ? 2 : 8, .shape = { 32, 8, 128, 0, 0.088f } };
	size_t row = l.shape.kv_heads * l.shape.head_dim, values = context * row;
	double each = int8 ? 1 + 4.0 / 128 : 4;
	char what[80];

	l.x = random_floats(b, 32 * 128, 1);
	l.y = take(b, 32 * 128 * sizeof(float));
	l.seq = xarray(l.sets, sizeof *l.seq);
	for (size_t i = 0; i < l.sets; i++) {
		float *k = random_floats(b, values, 1), *v = random_floats(b, values, 1);
		int8_t *k8, *v8;
		float *ks, *vs;

		l.seq[i] = (struct attn_seq){ .m = 1, .pos = context - 1, .k = k, .v = v };
		if (!int8)
			continue;
		k8 = take(b, values);
		v8 = take(b, values);
		ks = take(b, context * 8 * sizeof *ks);
		vs = take(b, context * 8 * sizeof *vs);
		b->round_kv(k8, ks, k, context, 8, 128);
		b->round_kv(v8, vs, v, context, 8, 128);
		b->wait();
		b->free(k);
		b->free(v);
		l.seq[i] = (struct attn_seq){ .m = 1, .pos = context - 1, .k8 = k8, .v8 = v8,
			.k_scale = ks, .v_scale = vs };
	}
	snprintf(what, sizeof what, "attention, 1 row, %zu keys, %s", context,
		int8 ? "int8" : "float");
	line(what, bench_one((struct act){ run_attention, &l }, CALLS),
		2 * (double)values * each, o);
	for (size_t i = 0; i < l.sets; i++) {
		const struct attn_seq *s = &l.seq[i];
		const void *held[] = { s->k, s->v, s->k8, s->v8, s->k_scale, s->v_scale };

		for (size_t k = 0; k < sizeof held / sizeof *held; k++)
			if (held[k])
				b->free((void *)(uintptr_t)held[k]);
	}
	xfree(l.seq);
	b->free(l.x);
	b->free(l.y);
}

static void dequant(const struct backend *b, const struct bench_options *o, int bits, size_t group)
{
	size_t rows = o->small ? 64 : 14336, cols = o->small ? 128 : 4096;
	struct layer l = { .b = b,
		.w = { .type = MAT_INT, .bits = bits, .group = group, .rows = rows, .cols = cols } };
	size_t codes = mat_code_bytes(bits, rows, cols), stats = mat_stat_count(rows, cols, group);
	uint16_t *scale = xarray(stats, sizeof *scale);
	void *at[3] = { NULL };
	char what[80];

	for (size_t i = 0; i < stats; i++)
		scale[i] = f16_from_f32(0.01f + 1e-5f * (float)(i % 64));
	/* any bits are codes */
	l.w.data = at[0] = random_floats(b, codes / sizeof(float), 1);
	l.w.scale = at[1] = take(b, stats * sizeof *scale);
	l.w.offset = at[2] = take(b, stats * sizeof *scale);
	b->put(at[1], scale, stats * sizeof *scale);
	b->put(at[2], scale, stats * sizeof *scale);
	l.y = take(b, rows * cols * sizeof(float));
	snprintf(what, sizeof what, "int%dg%zu to float, %zu x %zu", bits, group, rows, cols);
	line(what, bench_one((struct act){ run_dequant, &l }, 1),
		(double)mat_bytes(&l.w) + 4.0 * (double)(rows * cols), o);
	for (int i = 0; i < 3; i++)
		b->free(at[i]);
	b->free(l.y);
	xfree(scale);
}

void bench_layer(const struct backend *b, const struct bench_options *o)
{
	struct layer l = { .b = b };
	size_t vocab = o->small ? 1000 : 128256;

	say("\n## Between the products\n\n| what | us | GB/s | of read |\n|---|---|---|---|\n");
	dequant(b, o, 4, 128);
	dequant(b, o, 2, 64);
	l.gain = random_floats(b, 14336, 1);
	for (l.m = 1; l.m <= 16; l.m *= 16) {
		char what[80];

		l.n = 4096;
		l.x = random_floats(b, 2 * l.m * 14336, 1);
		l.y = take(b, l.m * 14336 * sizeof(float));
		snprintf(what, sizeof what, "rmsnorm, %zu x %zu (from L2)", l.m, l.n);
		line(what, bench_one((struct act){ run_norm, &l }, CALLS),
			8.0 * (double)(l.m * l.n), o);
		l.n = 14336;
		snprintf(what, sizeof what, "swiglu, %zu x %zu (from L2)", l.m, l.n);
		line(what, bench_one((struct act){ run_silu, &l }, CALLS),
			12.0 * (double)(l.m * l.n), o);
		b->free(l.x);
		b->free(l.y);
	}
	b->free((void *)(uintptr_t)l.gain);
	for (int int8 = 0; int8 < 2; int8++)
		attention(b, o, o->small ? 100 : 4096, int8);
	l = (struct layer){ .b = b, .m = 64, .n = vocab };
	l.x = random_floats(b, l.m * l.n, 4);
	line("log sums of 64 rows of logits, to the host", bench_one((struct act){ run_stats, &l }, 1),
		4.0 * (double)(l.m * l.n), o);
	b->free(l.x);
}

/* bench_cuda_back.c - times of the way back of a step of 1,024 tokens, of an 8B model's shapes: one
 * linear (its gradient of x and of W), attention, and what stands between. */
#include "tests/bench_cuda.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"

struct step {
	const struct backend *b;
	size_t m, rows, cols;
	struct mat w;
	float *x, *y, *g; /* as large as the largest result */
	int32_t *ids;
	struct attn_seq seq[4];
	struct attn_shape shape;
	enum math math;
};

static void products(struct step *s)
{
	s->b->products_back(s->g, s->cols, false, s->y, s->rows, s->m, &s->w, s->math);
}

static void gradient(struct step *s)
{
	s->b->gemm(true, false, s->rows, s->cols, s->m, 1, s->y, s->rows, s->x, s->cols, 0, s->g,
		s->cols, s->math);
}

static void attention(struct step *s)
{
	size_t q = s->m * s->shape.heads * s->shape.head_dim;

	s->b->attention_back(s->g, s->g + q, s->g + 2 * q, s->y, s->y, s->x, s->seq, 4, &s->shape);
}

static void norm(struct step *s)
{
	s->b->rmsnorm_back(s->g, s->g + s->m * s->cols, s->y, s->x, s->x, s->m, s->cols, 1e-5f);
}

static void gate(struct step *s)
{
	size_t n = s->m * s->rows;

	s->b->swiglu_back(s->g, s->g + n, s->y, s->y, s->y, n);
}

static void entropy(struct step *s)
{
	/* what is written in place is a gradient after the first time, which takes as long */
	s->b->cross_entropy(NULL, s->y, s->ids, 64, s->m * s->rows / 64, 1);
}

static void embedding(struct step *s)
{
	s->b->embed_back(s->g, s->x, s->ids, s->m, s->cols);
}

struct part {
	struct step *s;
	void (*run)(struct step *s);
};

static void run_part(void *arg, size_t replays)
{
	struct part *p = arg;

	for (size_t i = 0; i < replays; i++)
		p->run(p->s);
	p->s->b->wait();
}

static float *floats(const struct backend *b, size_t n)
{
	float *host = xarray(n, sizeof *host), *p = b->alloc(n * sizeof *host);
	struct rng r;

	if (!p)
		stop("no memory for %zu floats", n);
	rng_seed(&r, n);
	for (size_t i = 0; i < n; i++)
		host[i] = (float)(rng_unit(&r) - 0.5);
	b->put(p, host, n * sizeof *host);
	xfree(host);
	return p;
}

static void line(const char *what, struct step *s, void (*run)(struct step *s), double flop)
{
	struct part p = { s, run };
	struct timed t = bench_one((struct act){ run_part, &p }, 1);

	say("| %s | %.1f +- %.1f |", what, t.median * 1e6, 0.5e6 * (t.most - t.least));
	if (flop > 0)
		say(" %.1f |\n", flop / t.median * 1e-12);
	else
		say(" |\n");
}

static void weights(struct step *s)
{
	size_t stats = mat_stat_count(s->rows, s->cols, 128);
	uint16_t *scale = xarray(stats, sizeof *scale), *on = s->b->alloc(stats * sizeof *scale);

	if (!on)
		stop("no memory for scales");
	for (size_t i = 0; i < stats; i++)
		scale[i] = f16_from_f32(0.01f);
	s->b->put(on, scale, stats * sizeof *scale);
	xfree(scale);
	s->w = (struct mat){ .type = MAT_INT,
		.bits = 4,
		.group = 128,
		.rows = s->rows,
		.cols = s->cols,
		.scale = on,
		.offset = on };
	/* any bits are codes */
	s->w.data = floats(s->b, mat_code_bytes(4, s->rows, s->cols) / sizeof(float));
}

void bench_back(const struct backend *b, const struct bench_options *o)
{
	struct step s = { .b = b,
		.m = o->small ? 128 : 1024,
		.rows = o->small ? 256 : 14336,
		.cols = o->small ? 128 : 4096,
		.shape = { 32, 8, 128, 0, 0.088f } };
	double flop, pairs;
	size_t most;

	if (o->small)
		s.shape = (struct attn_shape){ 4, 2, 32, 0, 0.18f };
	flop = 2.0 * (double)s.m * (double)s.rows * (double)s.cols;
	/* causal: half of the pairs of four sequences; seven products of each */
	pairs = (double)s.m * (double)s.m / 8 * (double)(s.shape.heads * s.shape.head_dim);
	most = s.rows * s.cols > 2 * s.m * s.rows ? s.rows * s.cols : 2 * s.m * s.rows;
	s.x = floats(b, s.m * s.rows);
	s.y = floats(b, s.m * s.rows);
	s.g = floats(b, most + s.cols);
	s.ids = xarray(s.m, sizeof *s.ids);
	for (size_t i = 0; i < s.m; i++)
		s.ids[i] = (int32_t)(i * i % (s.m / 2));
	for (size_t i = 0; i < 4; i++) {
		size_t at = i * s.m / 4, kv = s.shape.kv_heads * s.shape.head_dim;

		s.seq[i] = (struct attn_seq){
			.q0 = at, .m = s.m / 4, .k = s.x + at * kv, .v = s.y + at * kv
		};
	}
	weights(&s);
	say("\n## The way back, %zu tokens, %zu x %zu\n\n| what | us | TFLOP/s |\n|---|---|---|\n",
		s.m, s.rows, s.cols);
	s.math = MATH_BF16;
	line("dx through int4g128, bf16", &s, products, flop);
	line("gradient of W, bf16", &s, gradient, flop);
	s.math = MATH_F32;
	line("dx through int4g128, float", &s, products, flop);
	line("attention, 4 sequences", &s, attention, 2 * 7 * pairs);
	line("rmsnorm", &s, norm, 0);
	line("swiglu", &s, gate, 0);
	line("cross-entropy, 64 rows", &s, entropy, 0);
	line("embedding", &s, embedding, 0);
	b->free((void *)(uintptr_t)s.w.data);
	b->free((void *)(uintptr_t)s.w.scale);
	b->free(s.x);
	b->free(s.y);
	b->free(s.g);
	xfree(s.ids);
}

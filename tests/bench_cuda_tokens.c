/* bench_cuda_tokens.c - whole tokens of models with random weights, through core/model: prompt and
 * decode, one sequence and several (P22's side of ours). */
#include "tests/bench_cuda.h"

#include <math.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/model/forward.h"
#include "tests/lib_random_model.h"

enum { MOST = 8 };

struct decode {
	struct fwd *f;
	const struct model *m;
	struct kv *kv[MOST];
	size_t n, prompt, tokens;
	int32_t *ids; /* [prompt + tokens] */
	float *logits;
};

static void must(enum st st, const struct err *e)
{
	if (st)
		stop("%s", e->msg);
}

static double prompt(struct decode *d)
{
	struct err e = { 0 };
	double began = clock_now();

	for (size_t i = 0; i < d->n; i++) {
		d->kv[i]->n = 0;
		must(fwd_prompt(d->f, d->m->ref, d->kv[i], d->ids, d->prompt, d->logits, NULL, &e),
			&e);
	}
	return clock_now() - began;
}

/* Steps as a model's loop takes them, logits to the host each time. */
static double decode(struct decode *d)
{
	const struct backend *b = d->m->be;
	struct err e = { 0 };
	int32_t ids[MOST];
	double began;

	for (size_t i = 0; i < d->n; i++)
		d->kv[i]->n = d->prompt;
	began = clock_now();
	for (size_t t = 0; t < d->tokens; t++) {
		for (size_t i = 0; i < d->n; i++)
			ids[i] = d->ids[(t + i) % d->tokens];
		must(fwd_step(d->f, d->m->ref, d->kv, ids, d->n, d->logits, NULL, &e), &e);
	}
	began = clock_now() - began;
	must(backend_fault(b, &e), &e);
	for (size_t i = 0; i < d->n * d->m->hp.vocab; i++)
		if (!isfinite(d->logits[i])) {
			say("**WRONG: logit %zu is %g**\n", i, (double)d->logits[i]);
			bench_missed++;
			break;
		}
	return began;
}

static double middle(double (*fn)(struct decode *d), struct decode *d, double *spread)
{
	double v[SAMPLES];

	fn(d); /* makes its graphs */
	for (int i = 0; i < SAMPLES; i++) {
		v[i] = fn(d);
		for (int k = i; k > 0 && v[k] < v[k - 1]; k--) {
			double t = v[k];

			v[k] = v[k - 1];
			v[k - 1] = t;
		}
	}
	*spread = (v[SAMPLES - 1] - v[0]) / 2 / v[SAMPLES / 2];
	return v[SAMPLES / 2];
}

static void one(const struct model *m, const struct random_shape *s, const char *format, size_t n,
	double wanted, const struct bench_options *o)
{
	struct decode d = { .m = m, .n = n, .prompt = o->small ? 5 : 512,
		.tokens = o->small ? 4 : 64 };
	double ahead = 0, after, spread, spread_ahead, rate, bytes;
	struct err e = { 0 };
	char said[60] = "";
	struct rng r;

	rng_seed(&r, 3);
	must(fwd_new(&d.f, m, 512, &e), &e);
	fwd_set_math(d.f, MATH_FAST);
	for (size_t i = 0; i < n; i++)
		must(kv_new(&d.kv[i], m, d.prompt + d.tokens, KV_F32, &e), &e);
	d.ids = xarray(d.prompt + d.tokens, sizeof *d.ids);
	for (size_t i = 0; i < d.prompt + d.tokens; i++)
		d.ids[i] = (int32_t)rng_below(&r, (uint32_t)s->vocab);
	d.logits = xarray(n * s->vocab, sizeof *d.logits);
	ahead = middle(prompt, &d, &spread_ahead);
	after = middle(decode, &d, &spread);
	rate = (double)(n * d.tokens) / after;
	bytes = (double)random_model_bytes(m) * (double)d.tokens;
	if (wanted > 0 && !o->small) {
		bench_targets++;
		bench_met += rate >= wanted;
		snprintf(said, sizeof said, ">= %.0f tok/s %s", wanted, rate >= wanted ? "met" : "MISSED");
	}
	say("| %s | %s | %zu | %.0f +- %.0f %% | %.0f +- %.1f %% | %.0f | %.0f %% | %s |\n", s->name,
		format, n, (double)(n * d.prompt) / ahead, 100 * spread_ahead, rate, 100 * spread,
		bytes / after * 1e-9, 100 * bytes / after / o->wall, said);
	for (size_t i = 0; i < n; i++)
		kv_free(d.kv[i]);
	fwd_free(d.f);
	xfree(d.ids);
	xfree(d.logits);
}

void bench_tokens(const struct backend *b, const struct bench_options *o)
{
	static const struct {
		const struct random_shape *shape;
		const char *name;
		int bits;
		size_t group;
		double wanted; /* tokens a second of one sequence */
	} of[] = { { &random_135m, "int4g128", 4, 128, 0 }, { &random_135m, "int2g64", 2, 64, 0 },
		{ &random_1b, "int4g128", 4, 128, 0 }, { &random_1b, "int2g64", 2, 64, 0 },
		{ &random_8b, "int4g128", 4, 128, 650 }, { &random_8b, "int2g64", 2, 64, 950 } };
	static const size_t ns[] = { 1, 8 };

	say("\n## Tokens\n\nRandom weights, head int8g32, prompts of 512 and 64 tokens after them, "
	    "logits to the host at each, math fast.\n\n| model | linears | sequences | prompt tok/s | "
	    "decode tok/s | weights GB/s | of read | targets |\n|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < (o->small ? 2 : sizeof of / sizeof *of); i++) {
		const struct random_shape *s = o->small ? &random_tiny : of[i].shape;
		struct model *m = random_model(b, s, of[i].bits, of[i].group, 7);

		if (!m) {
			say("| %s | %s | no memory for it here |\n", s->name, of[i].name);
			continue;
		}
		for (int k = 0; k < 2; k++)
			one(m, s, of[i].name, ns[k], ns[k] == 1 ? of[i].wanted : 0, o);
		random_model_free(m);
	}
}

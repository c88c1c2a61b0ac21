/* bench_model.c - a whole model: tokens a second of a prompt and of what follows it, where the
 * time of a token goes, and the share of what this machine reads at best.  JSON lines.
 *
 *	bench_model [-m MODEL] [-l LAYOUT]... [-a MATH]... [-H HEAD] [-p PROMPT] [-c HELD]
 *	            [-n TOKENS] [-t THREADS] [-s]
 *
 * LAYOUT is what `bitdial chat --layout` takes, packed by minmax (its content takes no time);
 * MATH f32, int8, bf16 or fast; HEAD a format of the head (as it is).  Default: keep, int4g128 and
 *int2g64 of the default model, in each, a prompt of 512 random ids, of which HELD (all; llama-bench
 *holds none) stand before the 64 tokens that follow, a thread a core, RUNS times each.  -s: a run
 *of each for every line of the standard input, to take turns with another program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/work/desk.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

enum { RUNS = 5, LAYOUTS = 8, MATHS = 4 };

static const struct math_name {
	const char *name;
	enum math math;
} maths[] = { { "f32", MATH_F32 }, { "int8", MATH_INT8 }, { "bf16", MATH_BF16 },
	{ "fast", MATH_FAST } };

struct bench {
	struct desk *d;
	struct fwd *f;
	struct kv *kv;
	int32_t *ids;
	float *logits;
	size_t prompt, held, tokens;
	double wall; /* bytes a second */
};

struct candidate {
	const char *layout;
	const struct math_name *math;
	const struct mat **view;
};

static void check(enum st st, const struct err *e)
{
	bench_check(st, e, "bench_model");
}

static void run(struct bench *b, const struct candidate *c)
{
	struct fwd_times t = { { 0 }, 0 };
	struct err e = { 0 };
	double began = clock_now(), prompt, all;

	b->kv->n = 0;
	fwd_set_math(b->f, c->math->math);
	check(fwd_prompt(b->f, c->view, b->kv, b->ids, b->prompt, b->logits, NULL, &e), &e);
	prompt = clock_now() - began;
	b->kv->n = b->held;
	fwd_time(b->f, &t);
	began = clock_now();
	for (size_t i = 0; i < b->tokens; i++)
		check(fwd_step(b->f, c->view, &b->kv, b->ids + i, 1, b->logits, NULL, &e), &e);
	all = clock_now() - began;
	fwd_time(b->f, NULL);
	printf("{\"bench\":\"model\",\"layout\":\"%s\",\"math\":\"%s\",\"threads\":%d,"
	       "\"prefill_tok_s\":%.1f,\"decode_tok_s\":%.2f,\"gb_s\":%.2f,\"wall_gb_s\":%.2f,"
	       "\"linears\":%.3f,\"head\":%.3f,\"attention\":%.3f}\n",
		c->layout, c->math->name, pool_threads(), (double)b->prompt / prompt,
		(double)b->tokens / all, 1e-9 * (double)t.bytes / all, 1e-9 * b->wall,
		t.seconds[FWD_LINEARS] / all, t.seconds[FWD_HEAD] / all,
		t.seconds[FWD_ATTENTION] / all);
	fflush(stdout);
}

static void open_model(struct bench *b, const char *model, const char *head)
{
	struct desk_options o = { .read_only = true };
	const struct mat *other = NULL;
	struct rng r;
	struct err e = { 0 };

	check(desk_open(&b->d, model, &o, NULL, &e), &e);
	check(fwd_new(&b->f, b->d->m, 512, &e), &e);
	check(desk_head(b->d, head ? head : "", &other, NULL, &e), &e);
	if (other)
		fwd_set_head(b->f, other);
	check(kv_new(&b->kv, b->d->m, b->prompt + b->tokens, KV_F32, &e), &e);
	b->logits = xarray(b->d->m->hp.vocab, sizeof *b->logits);
	b->ids = xarray(b->prompt + b->tokens, sizeof *b->ids);
	rng_seed(&r, 1);
	for (size_t i = 0; i < b->prompt + b->tokens; i++)
		b->ids[i] = (int32_t)rng_below(&r, b->d->m->hp.vocab);
	b->wall = b->d->m->be->read_rate();
}

static const struct mat **view_of(struct bench *b, const char *name)
{
	const struct mat **view = xarray(b->d->m->n_linears, sizeof *view);
	struct layout l = { 0 };
	struct err e = { 0 };
	const char *source;

	check(desk_layout(b->d, name, &l, &source, NULL, &e), &e);
	for (size_t i = 0; i < l.n; i++)
		if (l.choice[i] != b->d->keep)
			l.by[i] = quantizer_find("minmax");
	check(desk_layout_view(b->d, &l, view, NULL, &e), &e);
	layout_release(&l);
	return view;
}

static const struct math_name *math_of(const char *name)
{
	for (size_t i = 0; i < sizeof maths / sizeof *maths; i++)
		if (!strcmp(maths[i].name, name))
			return &maths[i];
	fprintf(stderr, "bench_model: -a %s: expected f32, int8, bf16 or fast\n", name);
	exit(2);
}

struct options {
	const char *head, *layout[LAYOUTS];
	char *model;
	const struct math_name *math[MATHS];
	size_t layouts, maths, prompt, held, tokens;
	int threads;
	bool serve;
};

static bool options_of(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "m:l:a:H:p:c:n:t:s")) != -1)
		if (c == 'm')
			o->model = xstrdup(optarg);
		else if (c == 'l' && o->layouts < LAYOUTS)
			o->layout[o->layouts++] = optarg;
		else if (c == 'a' && o->maths < MATHS)
			o->math[o->maths++] = math_of(optarg);
		else if (c == 'H')
			o->head = optarg;
		else if (c == 'p')
			o->prompt = strtoull(optarg, NULL, 10);
		else if (c == 'c')
			o->held = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			o->tokens = strtoull(optarg, NULL, 10);
		else if (c == 't')
			o->threads = atoi(optarg);
		else if (c == 's')
			o->serve = true;
		else
			return false;
	for (size_t i = 0; !o->maths && i < sizeof maths / sizeof *maths; i++)
		o->math[i] = &maths[i];
	o->maths = o->maths ? o->maths : sizeof maths / sizeof *maths;
	o->layouts = o->layouts ? o->layouts : 3;
	return o->prompt && o->tokens;
}

int main(int argc, char **argv)
{
	struct options o = { .layout = { "keep", "int4g128", "int2g64" },
		.prompt = 512,
		.held = SIZE_MAX,
		.tokens = 64 };
	struct candidate c[LAYOUTS * MATHS];
	struct bench b = { 0 };
	char line[16];
	size_t n = 0;

	if (!options_of(&o, argc, argv))
		return 2;
	if (!o.model)
		o.model = bench_model_path("bench_model");
	b.prompt = o.prompt;
	b.held = o.held < o.prompt ? o.held : o.prompt;
	b.tokens = o.tokens;
	pool_start(o.threads);
	open_model(&b, o.model, o.head);
	for (size_t i = 0; i < o.layouts; i++) {
		const struct mat **view = view_of(&b, o.layout[i]);

		for (size_t k = 0; k < o.maths; k++)
			c[n++] = (struct candidate){ o.layout[i], o.math[k], view };
	}
	for (int i = 0; o.serve ? fgets(line, sizeof line, stdin) != NULL : i < RUNS; i++)
		for (size_t k = 0; k < n; k++)
			run(&b, &c[k]);
	return 0; /* what is held goes with the process */
}

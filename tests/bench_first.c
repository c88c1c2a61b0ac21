/* bench_first.c - from nothing to a first token: one JSON line of one fresh process.
 *
 *	bench_first [MODEL [PROMPT [THREADS]]]
 *
 * "open_s": the model opened, ready to run; "first_s": and a prompt of so many ids (512) run to its
 * logits, activations rounded as the chat has them.  Default: the default model.  A prompt's
 * content takes no time.  Beside llama.cpp: tests/peer/first.sh.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/work/desk.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

static void check(enum st st, const struct err *e)
{
	bench_check(st, e, "bench_first");
}

int main(int argc, char **argv)
{
	double began = clock_now(), opened;
	char *model = argc > 1 ? xstrdup(argv[1]) : bench_model_path("bench_first");
	size_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 512;
	struct desk_options o = { .read_only = true };
	struct err e = { 0 };
	struct desk *d;
	struct fwd *f;
	struct kv *kv;
	float *logits;
	int32_t *ids;

	if (!n)
		return 2;
	pool_start(argc > 3 ? atoi(argv[3]) : 0);
	check(desk_open(&d, model, &o, NULL, &e), &e);
	check(fwd_new(&f, d->m, 512, &e), &e);
	check(kv_new(&kv, d->m, n + 64, KV_F32, &e), &e);
	opened = clock_now();
	fwd_set_math(f, MATH_FAST);
	logits = xarray(d->m->hp.vocab, sizeof *logits);
	ids = xarray(n, sizeof *ids);
	for (size_t i = 0; i < n; i++)
		ids[i] = (int32_t)((3 + i % 200) % d->m->hp.vocab);
	check(fwd_prompt(f, d->m->ref, kv, ids, n, logits, NULL, &e), &e);
	printf("{\"bench\":\"first token\",\"threads\":%d,\"prompt\":%zu,\"open_s\":%.4f,"
	       "\"first_s\":%.4f}\n",
		pool_threads(), n, opened - began, clock_now() - began);
	return 0; /* what is held goes with the process */
}

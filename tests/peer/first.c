/* first.c - from nothing to a first token by llama.cpp: one JSON line.
 *
 *	first MODEL PROMPT THREADS      a prompt of so many ids
 *
 * "open_s": the file loaded and a context made; "first_s": and the prompt run to its logits.  Built
 * by first.sh against the pinned llama.cpp; ours is tests/bench_first.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "llama.h"

static void hush(enum ggml_log_level level, const char *text, void *arg)
{
	(void)arg;
	if (level == GGML_LOG_LEVEL_ERROR)
		fputs(text, stderr);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct llama_model_params mp = llama_model_default_params();
	struct llama_context_params cp = llama_context_default_params();
	int n = argc == 4 ? atoi(argv[2]) : 0;
	llama_token *ids = n > 0 ? calloc((size_t)n, sizeof *ids) : NULL;
	double began = now(), opened;
	struct llama_model *m;
	struct llama_context *c;

	if (!ids) {
		fprintf(stderr, "first MODEL PROMPT THREADS\n");
		return 2;
	}
	llama_log_set(hush, NULL);
	llama_backend_init();
	m = llama_model_load_from_file(argv[1], mp);
	cp.n_ctx = (uint32_t)n + 64;
	cp.n_batch = cp.n_ubatch = (uint32_t)n;
	cp.n_threads = cp.n_threads_batch = atoi(argv[3]);
	c = m ? llama_init_from_model(m, cp) : NULL;
	if (!c)
		return 1;
	opened = now();
	for (int i = 0; i < n; i++)
		ids[i] = 3 + i % 200;
	if (llama_decode(c, llama_batch_get_one(ids, n)) || !llama_get_logits_ith(c, -1))
		return 1;
	printf("{\"open_s\":%.4f,\"first_s\":%.4f}\n", opened - began, now() - began);
	return 0; /* what is held goes with the process */
}

/* test_model_golden.c - logits and likelihoods of real models against other programs'.
 *
 * The default model: tests/golden/make_model.py (transformers).  The two small models of
 * the reference data: a float64 forward pass written elsewhere.  Each test says so and
 * passes when its model is not there.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/eval/eval.h"
#include "core/text/tokenizer.h"
#include "tests/lib_model.h"

static cJSON *golden(const char *name, struct json *j)
{
	char *path = xprintf("tests/golden/%s", name);
	struct err e = { 0 };

	cr_assert_eq(json_load(j, path, 1 << 20, &e), ST_OK, "%s", e.msg);
	xfree(path);
	return j->root;
}

static size_t ids_of(const cJSON *list, int32_t *out, size_t max)
{
	const cJSON *id;
	size_t n = 0;

	cJSON_ArrayForEach(id, list)
	{
		cr_assert_lt(n, max);
		out[n++] = (int32_t)id->valuedouble;
	}
	return n;
}

static double log_sum_exp(const float *z, size_t n)
{
	double most = z[0], sum = 0;
	size_t i;

	for (i = 1; i < n; i++)
		most = z[i] > most ? z[i] : most;
	for (i = 0; i < n; i++)
		sum += exp(z[i] - most);
	return most + log(sum);
}

static void check_prompt(const struct model *m, struct fwd *f, const cJSON *row)
{
	int32_t ids[64];
	size_t n = ids_of(cJSON_GetObjectItem(row, "ids"), ids, 64);
	float *z = xarray(m->hp.vocab, sizeof *z);
	const char *text = cJSON_GetObjectItem(row, "text")->valuestring;
	const cJSON *top;
	struct kv *kv = NULL;

	cr_assert_eq(kv_new(&kv, m, n, KV_F32, NULL), ST_OK);
	cr_assert_eq(fwd_prompt(f, m->ref, kv, ids, n, z, NULL, NULL), ST_OK);
	cr_expect_float_eq(log_sum_exp(z, m->hp.vocab),
		cJSON_GetObjectItem(row, "logsumexp")->valuedouble, 2e-3, "%s", text);
	cJSON_ArrayForEach(top, cJSON_GetObjectItem(row, "top"))
	{
		int id = cJSON_GetArrayItem(top, 0)->valueint;
		double want = cJSON_GetArrayItem(top, 1)->valuedouble;

		cr_expect_float_eq(
			z[id], want, 2e-3, "%s: token %d has %f, not %f", text, id, z[id], want);
	}
	kv_free(kv);
	xfree(z);
}

static void check_prompts(const char *backend, int most)
{
	struct model *m = lib_real(backend);
	struct fwd *f = NULL;
	const cJSON *row;
	struct json j;

	if (!m)
		return;
	cr_assert_eq(fwd_new(&f, m, 64, NULL), ST_OK);
	cJSON_ArrayForEach(row, cJSON_GetObjectItem(golden("logits_smollm2.json", &j), "prompts"))
	{
		if (most-- <= 0)
			break;
		check_prompt(m, f, row);
	}
	json_release(&j);
	fwd_free(f);
	model_free(m);
}

Test(golden, top_logits_of_eight_prompts_are_those_of_transformers)
{
	check_prompts("cpu", 8);
}

Test(golden, the_reference_backend_gives_the_same_logits)
{
	check_prompts("ref", 1); /* slow: one is enough */
}

Test(golden, the_likelihood_of_512_tokens_is_that_of_transformers)
{
	struct model *m = lib_real("cpu");
	struct tokenizer *tok = NULL;
	struct tok_ids ids = { NULL, 0, 0 };
	struct eval_result r;
	int32_t want[512];
	char *text = NULL;
	size_t n, len;
	struct json j;
	cJSON *root;

	if (!m)
		return;
	root = golden("nll_smollm2.json", &j);
	n = ids_of(cJSON_GetObjectItem(root, "ids"), want, 512);
	cr_assert_eq(fs_read("tests/golden/nll_text.txt", 1 << 20, &text, &len, NULL), ST_OK);
	cr_assert_eq(tokenizer_new(&tok, m->ck->vocab, NULL), ST_OK);
	cr_assert_eq(tokenizer_encode_text(tok, text, len, &ids, NULL), ST_OK);
	cr_assert_eq(n, 512);
	cr_assert_geq(ids.n, n);
	cr_assert_arr_eq(ids.id, want, sizeof want);
	cr_assert_eq(eval_run(&r, m, NULL, ids.id, n, n, NULL, NULL), ST_OK);
	cr_assert_eq(r.tokens, 511);
	cr_assert_float_eq(r.nll / cJSON_GetObjectItem(root, "nll")->valuedouble, 1, 1e-4);
	tok_ids_release(&ids);
	tokenizer_free(tok);
	big_free(text);
	json_release(&j);
	model_free(m);
}

/* ---- the small models of the reference data */

struct stories {
	struct model *m;
	struct tokenizer *tok;
	double nll;
	size_t tokens;
};

/* One story: without the blanks around it, after BOS. */
static void add_story(struct stories *s, const char *p, size_t n)
{
	struct tok_ids ids = { NULL, 0, 0 };
	struct eval_result r;

	while (n && strchr(" \n", *p))
		p++, n--;
	while (n && strchr(" \n", p[n - 1]))
		n--;
	if (!n)
		return;
	cr_assert_eq(tokenizer_encode_text(s->tok, p, n, &ids, NULL), ST_OK);
	cr_assert_eq(ids.id[0], 1);
	cr_assert_eq(eval_run(&r, s->m, NULL, ids.id, ids.n, ids.n, NULL, NULL), ST_OK);
	s->nll += r.nll * (double)r.tokens;
	s->tokens += r.tokens;
	tok_ids_release(&ids);
}

static bool open_small(struct stories *s, const char *name, const char *backend)
{
	char *path = lib_data(name);
	struct checkpoint *ck = NULL;
	struct err e = { 0 };

	memset(s, 0, sizeof *s);
	if (!path)
		return false;
	cr_assert_eq(checkpoint_open(&ck, path, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(model_load(&s->m, ck, backend_find(backend), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert(s->m->ck->vocab, "%s", s->m->ck->vocab_missing);
	cr_assert_eq(tokenizer_new(&s->tok, s->m->ck->vocab, &e), ST_OK, "%s", e.msg);
	xfree(path);
	return true;
}

static void close_small(struct stories *s)
{
	tokenizer_free(s->tok);
	model_free(s->m);
}

static void check_stories(const char *name, const char *backend, size_t tokens, double nll)
{
	static const char between[] = "<|endoftext|>";
	char *path = lib_data("text/tinystories.sample.txt"), *text = NULL, *p, *end;
	struct stories s;
	size_t len;

	if (!path)
		return;
	if (open_small(&s, name, backend)) {
		cr_assert_eq(fs_read(path, 1 << 20, &text, &len, NULL), ST_OK);
		for (p = text; (end = strstr(p, between)); p = end + strlen(between))
			add_story(&s, p, (size_t)(end - p));
		add_story(&s, p, strlen(p));
		cr_expect_eq(s.tokens, tokens, "%zu tokens", s.tokens);
		cr_expect_float_eq(s.nll / nll, 1, 1e-4, "%s: %f, not %f", name, s.nll, nll);
		close_small(&s);
		big_free(text);
	}
	xfree(path);
}

Test(golden, stories260K_has_the_reference_likelihood)
{
	check_stories("models/stories260K.bin", "cpu", 1804, 2284.6596);
	check_stories("models/stories260K.bin", "ref", 1804, 2284.6596);
}

Test(golden, tinystories_656K_has_the_reference_likelihood)
{
	check_stories("models/TinyStories-656K", "cpu", 853, 2572.6260);
	check_stories("models/TinyStories-656K", "ref", 853, 2572.6260);
}

Test(golden, tinystories_656K_has_the_reference_logits)
{
	static const float want[8] = { -1.53034f, -5.05758f, -3.03759f, -4.47675f, 3.65118f,
		-2.97288f, -3.89363f, 3.8311f };
	static const int32_t want_ids[6] = { 1, 80, 147, 201, 282, 57 };
	static const char *const backend[] = { "ref", "cpu" };
	struct stories s;
	int b;

	for (b = 0; b < 2 && open_small(&s, "models/TinyStories-656K", backend[b]); b++) {
		struct tok_ids ids = { NULL, 0, 0 };
		float *z = xarray(s.m->hp.vocab, sizeof *z);
		struct fwd *f = NULL;
		struct kv *kv = NULL;

		cr_assert_eq(
			tokenizer_encode_text(s.tok, "Once upon a time", 16, &ids, NULL), ST_OK);
		cr_assert_eq(ids.n, 6);
		cr_assert_arr_eq(ids.id, want_ids, sizeof want_ids);
		cr_assert_eq(fwd_new(&f, s.m, 8, NULL), ST_OK);
		cr_assert_eq(kv_new(&kv, s.m, 8, KV_F32, NULL), ST_OK);
		cr_assert_eq(fwd_prompt(f, s.m->ref, kv, ids.id, ids.n, z, NULL, NULL), ST_OK);
		cr_assert_lt(lib_distance(z, want, 8), 1e-4);
		kv_free(kv);
		fwd_free(f);
		tok_ids_release(&ids);
		xfree(z);
		close_small(&s);
	}
}

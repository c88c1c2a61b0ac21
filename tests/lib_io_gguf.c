/* lib_io_gguf.c - the GGUF half of lib_io.h. */
#include "tests/lib_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/io/checkpoint.h"

/* Values of keys, which share and replace each other freely: freed by fx_clean. */
static void **kept;
static size_t n_kept;

static void keep(void *p)
{
	kept = xrealloc(kept, (n_kept + 1) * sizeof *kept);
	kept[n_kept++] = p;
}

void gw_release_all(void)
{
	while (n_kept)
		xfree(kept[--n_kept]);
	xfree(kept);
	kept = NULL;
}

void gw_drop(struct gw *w, const char *key)
{
	for (size_t i = 0; i < w->n_kv; i++) {
		if (strcmp(w->kv[i].key, key) == 0) {
			memmove(&w->kv[i], &w->kv[i + 1], (w->n_kv - i - 1) * sizeof *w->kv);
			w->n_kv--;
			return;
		}
	}
}

/* In place of an older value, so that the order of the keys does not change. */
void gw_raw(struct gw *w, const char *key, uint32_t type, const void *p, size_t n)
{
	size_t i = 0;

	while (i < w->n_kv && strcmp(w->kv[i].key, key) != 0)
		i++;
	if (i == w->n_kv)
		w->n_kv++;
	w->kv[i] = (struct gw_kv){ .type = type, .key_len = strlen(key) };
	snprintf(w->kv[i].key, sizeof w->kv[i].key, "%s", key);
	fx_put(&w->kv[i].value, p, n);
	keep(w->kv[i].value.p);
}

static void gw_take(struct gw *w, const char *key, uint32_t type, struct fx_buf *b)
{
	gw_raw(w, key, type, b->p, b->n);
	xfree(b->p);
}

void gw_u32(struct gw *w, const char *key, uint32_t v)
{
	struct fx_buf b = { 0 };

	fx_uint(&b, v, 4);
	gw_take(w, key, GW_U32, &b);
}

void gw_f32(struct gw *w, const char *key, float v)
{
	gw_raw(w, key, GW_F32, &v, 4);
}

void gw_bool(struct gw *w, const char *key, int v)
{
	gw_raw(w, key, GW_BOOL, &(unsigned char){ (unsigned char)v }, 1);
}

static void put_string(struct fx_buf *b, const char *s, size_t n)
{
	fx_uint(b, n, 8);
	fx_put(b, s, n);
}

void gw_str(struct gw *w, const char *key, const char *s)
{
	struct fx_buf b = { 0 };

	put_string(&b, s, strlen(s));
	gw_take(w, key, GW_STR, &b);
}

void gw_strs(struct gw *w, const char *key, const char *const *s, size_t n)
{
	struct fx_buf b = { 0 };

	fx_uint(&b, GW_STR, 4);
	fx_uint(&b, n, 8);
	for (size_t i = 0; i < n; i++)
		put_string(&b, s[i], strlen(s[i]));
	gw_take(w, key, GW_ARR, &b);
}

struct gw_tensor *gw_find(struct gw *w, const char *name)
{
	for (size_t i = 0; i < w->n_t; i++)
		if (strcmp(w->t[i].name, name) == 0)
			return &w->t[i];
	abort();
}

void gw_drop_tensor(struct gw *w, const char *name)
{
	struct gw_tensor *t = gw_find(w, name);

	memmove(t, t + 1, (size_t)(&w->t[--w->n_t] - t) * sizeof *t);
}

/* ggml's numbers of the types that are read, to elements and bytes of a block. */
static void block_of(uint32_t type, size_t *elements, size_t *bytes)
{
	static const struct {
		uint32_t type;
		enum dtype t;
	} known[] = { { 0, DT_F32 }, { 1, DT_F16 }, { 2, DT_Q4_0 }, { 3, DT_Q4_1 }, { 6, DT_Q5_0 },
		{ 7, DT_Q5_1 }, { 8, DT_Q8_0 }, { 12, DT_Q4_K }, { 14, DT_Q6_K }, { 30, DT_BF16 } };

	*elements = 1;
	*bytes = 4;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (known[i].type == type) {
			*elements = dtype_block(known[i].t);
			*bytes = dtype_block_bytes(known[i].t);
		}
	}
}

void gw_place(struct gw *w)
{
	uint64_t at = 0;

	for (size_t i = 0; i < w->n_t; i++) {
		struct gw_tensor *t = &w->t[i];
		size_t elements, bytes, n;

		block_of(t->type, &elements, &bytes);
		n = t->ne[0] / elements * bytes;
		for (uint32_t k = 1; k < t->rank; k++)
			n *= t->ne[k];
		t->bytes = n;
		t->offset = at;
		at = (at + n + w->align - 1) / w->align * w->align;
	}
}

static void put_vocab(struct gw *w)
{
	static const char *const tokens[] = { "<|endoftext|>", "<|im_end|>", "a", "b", "c", "ab",
		"abc", "\xc4\xa0" };
	static const char *const merges[] = { "a b", "ab c" };
	struct fx_buf types = { 0 };

	gw_str(w, "tokenizer.ggml.model", "gpt2");
	gw_str(w, "tokenizer.ggml.pre", "smollm");
	gw_strs(w, "tokenizer.ggml.tokens", tokens, 8);
	fx_uint(&types, GW_I32, 4);
	fx_uint(&types, 8, 8);
	for (size_t i = 0; i < 8; i++)
		fx_uint(&types, i < 2 ? 3 : 1, 4);
	gw_take(w, "tokenizer.ggml.token_type", GW_ARR, &types);
	gw_strs(w, "tokenizer.ggml.merges", merges, 2);
	gw_u32(w, "tokenizer.ggml.bos_token_id", 0);
	gw_u32(w, "tokenizer.ggml.eos_token_id", 0);
	gw_str(w, "tokenizer.chat_template", "{{ messages }}");
}

void gw_llama(struct gw *w, const struct fx_shape *s, uint32_t type)
{
	struct fx_part p[40];
	size_t n = fx_parts(s, p, 40);

	*w = (struct gw){ .magic = "GGUF",
		.version = 3,
		.said_kv = UINT64_MAX,
		.said_t = UINT64_MAX,
		.align = 32 };
	gw_str(w, "general.architecture", "llama");
	gw_str(w, "general.name", "tiny");
	gw_str(w, "general.license", "apache-2.0");
	gw_u32(w, "llama.block_count", (uint32_t)s->layers);
	gw_u32(w, "llama.context_length", 128);
	gw_u32(w, "llama.embedding_length", (uint32_t)s->hidden);
	gw_u32(w, "llama.feed_forward_length", (uint32_t)s->inter);
	gw_u32(w, "llama.attention.head_count", (uint32_t)s->heads);
	gw_u32(w, "llama.attention.head_count_kv", (uint32_t)s->kv_heads);
	gw_u32(w, "llama.rope.dimension_count", (uint32_t)(s->hidden / s->heads));
	gw_f32(w, "llama.rope.freq_base", 50000);
	gw_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
	gw_u32(w, "llama.vocab_size", (uint32_t)s->vocab);
	put_vocab(w);
	for (size_t i = 0; i < n; i++) {
		struct gw_tensor *t = &w->t[w->n_t++];

		*t = (struct gw_tensor){ .rank = p[i].cols ? 2 : 1,
			.type = p[i].cols ? type : 0,
			.ne = { p[i].cols ? p[i].cols : p[i].rows, p[i].rows } };
		snprintf(t->name, sizeof t->name, "%s", p[i].gguf);
	}
	gw_place(w);
}

void gw_file(const struct gw *w, struct fx_buf *out)
{
	struct rng r;

	rng_seed(&r, 1);
	fx_put(out, w->magic, 4);
	fx_uint(out, w->version, 4);
	fx_uint(out, w->said_t == UINT64_MAX ? w->n_t : w->said_t, 8);
	fx_uint(out, w->said_kv == UINT64_MAX ? w->n_kv : w->said_kv, 8);
	for (size_t i = 0; i < w->n_kv; i++) {
		put_string(out, w->kv[i].key, w->kv[i].key_len);
		fx_uint(out, w->kv[i].type, 4);
		fx_put(out, w->kv[i].value.p, w->kv[i].value.n);
	}
	for (size_t i = 0; i < w->n_t; i++) {
		const struct gw_tensor *t = &w->t[i];

		put_string(out, t->name, strlen(t->name));
		fx_uint(out, t->rank, 4);
		for (uint32_t k = 0; k < t->rank && k < 4; k++)
			fx_uint(out, t->ne[k], 8);
		fx_uint(out, t->type, 4);
		fx_uint(out, t->offset, 8);
	}
	for (size_t i = 0; i < w->n_t; i++) {
		fx_zero(out, (w->align - out->n % w->align) % w->align);
		for (size_t k = 0; k < w->t[i].bytes; k++)
			fx_uint(out, rng_u64(&r) & 0x3f, 1); /* no f16 of these is NaN */
	}
}

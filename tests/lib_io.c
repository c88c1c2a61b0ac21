/* lib_io.c - see lib_io.h. */
#include "tests/lib_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/rng.h"
#include "core/io/checkpoint.h"

const struct fx_shape fx_tiny = { 8, 32, 64, 1, 4, 2 };

static void must(enum st st, const struct err *e)
{
	if (!st)
		return;
	fprintf(stderr, "fixture: %s\n", e->msg);
	abort();
}

/* ---- bytes */

void fx_put(struct fx_buf *b, const void *p, size_t n)
{
	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2 + 64;
		b->p = xrealloc(b->p, b->cap);
	}
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

void fx_uint(struct fx_buf *b, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		fx_put(b, &(unsigned char){ (unsigned char)(v >> 8 * i) }, 1);
}

void fx_f32(struct fx_buf *b, float v)
{
	fx_put(b, &v, 4);
}

void fx_text(struct fx_buf *b, const char *s)
{
	fx_put(b, s, strlen(s));
}

void fx_zero(struct fx_buf *b, size_t n)
{
	while (n--)
		fx_put(b, "", 1);
}

void fx_noise(struct fx_buf *b, size_t n, uint64_t seed)
{
	struct rng r;

	rng_seed(&r, seed);
	for (size_t i = 0; i < n; i++)
		fx_f32(b, (float)(rng_unit(&r) - 0.5));
}

/* ---- files */

static char *dir;

const char *fx_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!dir) {
		dir = xprintf("%s/bitdial-io-XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(dir))
			abort();
	}
	return dir;
}

void fx_clean(void)
{
	if (dir && fs_remove_tree(dir, NULL))
		fprintf(stderr, "could not remove %s\n", dir);
	xfree(dir);
	dir = NULL;
	gw_release_all();
}

char *fx_path(const char *name)
{
	return xprintf("%s/%s", fx_dir(), name);
}

/* Not through fs.h: thousands of files, none of which need survive a power cut. */
void fx_write(const char *path, const struct fx_buf *b)
{
	FILE *f = fopen(path, "wb");

	if (!f || (b->n && fwrite(b->p, 1, b->n, f) != b->n) || fclose(f) != 0)
		abort();
}

void fx_write_text(const char *path, const char *s)
{
	struct fx_buf b = { 0 };

	fx_text(&b, s);
	fx_write(path, &b);
	xfree(b.p);
}

/* ---- the tiny model */

static void part(struct fx_part *p, const char *name, const char *hf, const char *gguf, size_t rows,
	size_t cols)
{
	*p = (struct fx_part){ .rows = rows, .cols = cols };
	snprintf(p->name, sizeof p->name, "%s", name);
	snprintf(p->hf, sizeof p->hf, "%s", hf);
	snprintf(p->gguf, sizeof p->gguf, "%s", gguf);
}

size_t fx_parts(const struct fx_shape *s, struct fx_part *out, size_t cap)
{
	size_t kv = s->hidden / s->heads * s->kv_heads, n = 0;
	const struct {
		const char *name, *hf, *gguf;
		size_t rows, cols;
	} layer[] = {
		{ "attn_norm", "input_layernorm", "attn_norm", s->hidden, 0 },
		{ "q", "self_attn.q_proj", "attn_q", s->hidden, s->hidden },
		{ "k", "self_attn.k_proj", "attn_k", kv, s->hidden },
		{ "v", "self_attn.v_proj", "attn_v", kv, s->hidden },
		{ "o", "self_attn.o_proj", "attn_output", s->hidden, s->hidden },
		{ "mlp_norm", "post_attention_layernorm", "ffn_norm", s->hidden, 0 },
		{ "gate", "mlp.gate_proj", "ffn_gate", s->inter, s->hidden },
		{ "up", "mlp.up_proj", "ffn_up", s->inter, s->hidden },
		{ "down", "mlp.down_proj", "ffn_down", s->hidden, s->inter },
	};

	if (cap < 2 + s->layers * 9)
		abort();
	part(&out[n++], "embed", "model.embed_tokens.weight", "token_embd.weight", s->vocab,
		s->hidden);
	for (size_t l = 0; l < s->layers; l++) {
		for (size_t i = 0; i < 9; i++) {
			char name[48], hf[64], gguf[64];

			snprintf(name, sizeof name, "layers.%zu.%s", l, layer[i].name);
			snprintf(hf, sizeof hf, "model.layers.%zu.%s.weight", l, layer[i].hf);
			snprintf(gguf, sizeof gguf, "blk.%zu.%s.weight", l, layer[i].gguf);
			part(&out[n++], name, hf, gguf, layer[i].rows, layer[i].cols);
		}
	}
	part(&out[n++], "norm", "model.norm.weight", "output_norm.weight", s->hidden, 0);
	return n;
}

/* ---- safetensors and Hugging Face folders */

void fx_config_set(struct fx_config *c, const char *key, const char *json)
{
	size_t i = 0;

	while (i < c->n && strcmp(c->item[i].key, key) != 0)
		i++;
	if (!json) {
		if (i < c->n) {
			memmove(&c->item[i], &c->item[i + 1], (c->n - i - 1) * sizeof *c->item);
			c->n--;
		}
		return;
	}
	if (i == c->n)
		c->n++;
	snprintf(c->item[i].key, sizeof c->item[i].key, "%s", key);
	snprintf(c->item[i].json, sizeof c->item[i].json, "%s", json);
}

static void set_number(struct fx_config *c, const char *key, size_t v)
{
	char text[24];

	snprintf(text, sizeof text, "%zu", v);
	fx_config_set(c, key, text);
}

void fx_config_init(struct fx_config *c, const struct fx_shape *s)
{
	*c = (struct fx_config){ 0 };
	fx_config_set(c, "architectures", "[\"LlamaForCausalLM\"]");
	fx_config_set(c, "model_type", "\"llama\"");
	fx_config_set(c, "hidden_act", "\"silu\"");
	set_number(c, "vocab_size", s->vocab);
	set_number(c, "hidden_size", s->hidden);
	set_number(c, "intermediate_size", s->inter);
	set_number(c, "num_hidden_layers", s->layers);
	set_number(c, "num_attention_heads", s->heads);
	set_number(c, "num_key_value_heads", s->kv_heads);
	set_number(c, "max_position_embeddings", 64);
	fx_config_set(c, "rope_theta", "20000.0");
	fx_config_set(c, "rms_norm_eps", "1e-05");
	fx_config_set(c, "tie_word_embeddings", "true");
}

void fx_config_write(const struct fx_config *c, const char *path)
{
	struct fx_buf b = { 0 };

	fx_text(&b, "{");
	for (size_t i = 0; i < c->n; i++) {
		fx_text(&b, i ? ", \"" : "\"");
		fx_text(&b, c->item[i].key);
		fx_text(&b, "\": ");
		fx_text(&b, c->item[i].json);
	}
	fx_text(&b, "}");
	fx_write(path, &b);
	xfree(b.p);
}

void fx_safetensors(struct fx_buf *out, const char *header, size_t data)
{
	fx_uint(out, strlen(header), 8);
	fx_text(out, header);
	for (size_t i = 0; i < data; i++)
		fx_uint(out, i % 60, 1);
}

void fx_model(struct fx_buf *out, const struct fx_shape *s, int naming, size_t from, size_t to)
{
	struct fx_part p[40];
	size_t n = fx_parts(s, p, 40), at = 0;
	struct fx_buf head = { 0 };

	fx_text(&head, "{\"__metadata__\": {\"format\": \"pt\"}");
	for (size_t i = from; i < to && i < n; i++) {
		size_t bytes = p[i].rows * (p[i].cols ? p[i].cols : 1) * 4;
		char line[200], cols[24] = "";

		if (p[i].cols)
			snprintf(cols, sizeof cols, ", %zu", p[i].cols);
		snprintf(line, sizeof line,
			", \"%s\": {\"dtype\": \"F32\", \"shape\": [%zu%s], \"data_offsets\": "
			"[%zu, "
			"%zu]}",
			naming ? p[i].hf : p[i].name, p[i].rows, cols, at, at + bytes);
		fx_text(&head, line);
		at += bytes;
	}
	fx_text(&head, "}");
	fx_uint(out, head.n, 8);
	fx_put(out, head.p, head.n);
	fx_noise(out, at / 4, 7 + from);
	xfree(head.p);
}

char *fx_hf(const char *name, const struct fx_shape *s)
{
	char *folder = fx_path(name), *path = xprintf("%s/config.json", folder);
	struct fx_buf b = { 0 };
	struct fx_config c;
	struct err e = { 0 };

	must(fs_mkdirs(folder, &e), &e);
	fx_config_init(&c, s);
	fx_config_write(&c, path);
	xfree(path);
	path = xprintf("%s/model.safetensors", folder);
	fx_model(&b, s, 1, 0, SIZE_MAX);
	fx_write(path, &b);
	xfree(path);
	xfree(b.p);
	return folder;
}

/* ---- llama2.c */

void fx_llama2c(struct fx_buf *out, const struct fx_shape *s, int32_t ctx, int own_head)
{
	size_t kv = s->hidden / s->heads * s->kv_heads, h = s->hidden;
	const int32_t header[7] = { (int32_t)h, (int32_t)s->inter, (int32_t)s->layers,
		(int32_t)s->heads, (int32_t)s->kv_heads,
		own_head ? -(int32_t)s->vocab : (int32_t)s->vocab, ctx };
	const size_t n[] = { s->vocab * h, s->layers * h, s->layers * h * h, s->layers * kv * h,
		s->layers * kv * h, s->layers * h * h, s->layers * h, s->layers * s->inter * h,
		s->layers * h * s->inter, s->layers * s->inter * h, h, (size_t)ctx * (h / s->heads),
		own_head ? s->vocab * h : 0 };

	for (size_t i = 0; i < 7; i++)
		fx_uint(out, (uint32_t)header[i], 4);
	/* The first number of each kind is its place in the file: 1, 2, ... */
	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		for (size_t k = 0; k < n[i]; k++)
			fx_f32(out, (float)(i + 1) + (float)k / 65536);
	}
}

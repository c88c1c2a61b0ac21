/* demo.c - a tiny llama made from a seed, for --demo and for tests.
 *
 * Its embedding and head hold the letter pairs of the text below (after a letter, the
 * usual next ones), so that it babbles something like words; its blocks are random and
 * disturb that, each with its own strength, so that their widths matter unequally.
 * The file is a GGUF v3 that the ordinary reader opens.
 */
#include "core/model/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/fs.h"
#include "core/base/rng.h"
#include "core/base/text.h"

enum { BLOCKS = 4, HIDDEN = 64, INTER = 192, HEADS = 4, KV_HEADS = 2, HEAD_DIM = 16, CTX = 2048 };
enum { BYTES = 256, TOK_BOS = BYTES, TOK_IM_START, TOK_IM_END, VOCAB };
enum { GGUF_U32 = 4, GGUF_I32 = 5, GGUF_F32 = 6, GGUF_BOOL = 7, GGUF_STRING = 8, GGUF_ARRAY = 9 };
enum { GGML_F32 = 0, GGML_Q8_0 = 8, ALIGN = 32, Q8_BLOCK = 32 };
enum { TENSORS = 3 + BLOCKS * 9 };

static const char sample[] =
	"the dial turns and the map turns with it. a line that was dark is light again, and the "
	"other lines wait for their turn. there is a small model in this machine and it says what "
	"letters say when nobody has told them what to mean. turn the dial down and it says less. "
	"turn it up and the letters stand where they stood before.\n"
	"some weights are heavy and some are not. the heavy ones want more bits than the others "
	"do, and the rest of them are content with two. one after the other they are set down, "
	"measured, and set down again. it is slow work for a person and quick work for the "
	"machine, and in the end there is a line on the screen that shows what was lost and what "
	"was kept.\n"
	"near the river the children made a boat of paper and sent it out with a name on it. the "
	"wind took the boat to the other side, where an old man read the name and laughed. he "
	"folded it again and sent it home.\n";

/* ---- bytes */

struct bytes {
	unsigned char *p;
	size_t n, cap;
};

static void put(struct bytes *b, const void *p, size_t n)
{
	if (!n)
		return;
	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2;
		b->p = xrealloc(b->p, b->cap);
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void put_le(struct bytes *b, uint64_t v, int n)
{
	unsigned char le[8];
	int i;

	for (i = 0; i < n; i++)
		le[i] = (unsigned char)(v >> 8 * i);
	put(b, le, (size_t)n);
}

static void put_str(struct bytes *b, const char *s)
{
	put_le(b, strlen(s), 8);
	put(b, s, strlen(s));
}

static void put_pad(struct bytes *b)
{
	static const unsigned char zero[ALIGN];

	put(b, zero, (ALIGN - b->n % ALIGN) % ALIGN);
}

static void put_f32(struct bytes *b, float v)
{
	put_le(b, f32_bits(v), 4);
}

/* ---- metadata */

static void key(struct bytes *b, uint64_t *n, const char *name, int type)
{
	put_str(b, name);
	put_le(b, (uint64_t)type, 4);
	++*n;
}

static void key_u32(struct bytes *b, uint64_t *n, const char *name, uint32_t v)
{
	key(b, n, name, GGUF_U32);
	put_le(b, v, 4);
}

static void key_f32(struct bytes *b, uint64_t *n, const char *name, float v)
{
	key(b, n, name, GGUF_F32);
	put_f32(b, v);
}

static void key_str(struct bytes *b, uint64_t *n, const char *name, const char *v)
{
	key(b, n, name, GGUF_STRING);
	put_str(b, v);
}

static void key_array(struct bytes *b, uint64_t *n, const char *name, int type, uint64_t count)
{
	key(b, n, name, GGUF_ARRAY);
	put_le(b, (uint64_t)type, 4);
	put_le(b, count, 8);
}

/* GPT-2's alphabet: printable bytes stand for themselves, the rest follow from U+0100. */
static void token_text(int byte, char out[8])
{
	uint32_t cp = 256;
	int i;

	for (i = 0; i <= byte; i++) {
		bool own = (i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174;

		if (i == byte && own)
			cp = (uint32_t)i;
		else if (i < byte && !own)
			cp++;
	}
	out[utf8_encode(cp, out)] = '\0';
}

static void put_tokenizer(struct bytes *b, uint64_t *n)
{
	static const char *const special[] = { "<|endoftext|>", "<|im_start|>", "<|im_end|>" };
	char text[8];
	int i;

	key_str(b, n, "tokenizer.ggml.model", "gpt2");
	key_str(b, n, "tokenizer.ggml.pre", "gpt-2");
	key_array(b, n, "tokenizer.ggml.tokens", GGUF_STRING, VOCAB);
	for (i = 0; i < BYTES; i++) {
		token_text(i, text);
		put_str(b, text);
	}
	for (i = BYTES; i < VOCAB; i++)
		put_str(b, special[i - BYTES]);
	key_array(b, n, "tokenizer.ggml.token_type", GGUF_I32, VOCAB);
	for (i = 0; i < VOCAB; i++)
		put_le(b, i < BYTES ? 1 : 3, 4); /* normal, control */
	key_array(b, n, "tokenizer.ggml.merges", GGUF_STRING, 0);
	key_u32(b, n, "tokenizer.ggml.bos_token_id", TOK_BOS);
	key_u32(b, n, "tokenizer.ggml.eos_token_id", TOK_IM_END);
	key(b, n, "tokenizer.ggml.add_bos_token", GGUF_BOOL);
	put_le(b, 0, 1);
	key_str(b, n, "tokenizer.chat_template",
		"{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
		"message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
		"{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}");
}

static uint64_t put_metadata(struct bytes *b)
{
	uint64_t n = 0;

	key_str(b, &n, "general.architecture", "llama");
	key_str(b, &n, "general.name", "demo");
	key_u32(b, &n, "general.alignment", ALIGN);
	key_u32(b, &n, "llama.block_count", BLOCKS);
	key_u32(b, &n, "llama.context_length", CTX);
	key_u32(b, &n, "llama.embedding_length", HIDDEN);
	key_u32(b, &n, "llama.feed_forward_length", INTER);
	key_u32(b, &n, "llama.attention.head_count", HEADS);
	key_u32(b, &n, "llama.attention.head_count_kv", KV_HEADS);
	key_u32(b, &n, "llama.rope.dimension_count", HEAD_DIM);
	key_f32(b, &n, "llama.rope.freq_base", 10000.0f);
	key_f32(b, &n, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
	key_u32(b, &n, "llama.vocab_size", VOCAB);
	put_tokenizer(b, &n);
	return n;
}

/* ---- weights */

struct tensors {
	struct bytes info, data;
	struct rng rng;
};

/* Starts a tensor: its line in the table, its place in the data. */
static void begin(struct tensors *t, const char *name, int rows, int cols, int type)
{
	put_pad(&t->data);
	put_str(&t->info, name);
	put_le(&t->info, rows ? 2 : 1, 4);
	put_le(&t->info, (uint64_t)cols, 8);
	if (rows)
		put_le(&t->info, (uint64_t)rows, 8);
	put_le(&t->info, (uint64_t)type, 4);
	put_le(&t->info, t->data.n, 8);
}

static void put_ones(struct tensors *t, const char *name, int n)
{
	begin(t, name, 0, n, GGML_F32);
	while (n--)
		put_f32(&t->data, 1);
}

static void put_q8(struct tensors *t, const float *w, size_t n)
{
	size_t i, j;

	for (i = 0; i < n; i += Q8_BLOCK) {
		float most = 0, d;

		for (j = 0; j < Q8_BLOCK; j++)
			most = fmaxf(most, fabsf(w[i + j]));
		d = f16_to_f32(f16_from_f32(most / 127));
		put_le(&t->data, f16_from_f32(d), 2);
		for (j = 0; j < Q8_BLOCK; j++) {
			float q = d > 0 ? roundf(w[i + j] / d) : 0;

			put_le(&t->data, (uint8_t)(int8_t)fmaxf(-127, fminf(127, q)), 1);
		}
	}
}

static void put_random(struct tensors *t, const char *name, int rows, int cols, double deviation)
{
	size_t n = (size_t)rows * (size_t)cols, i;
	float *w = xarray(n, sizeof *w);

	for (i = 0; i < n; i++)
		w[i] = (float)(deviation * rng_normal(&t->rng));
	begin(t, name, rows, cols, GGML_Q8_0);
	put_q8(t, w, n);
	xfree(w);
}

static void put_block(struct tensors *t, int layer)
{
	/* between a third of and three times the middle */
	double strength = 0.35 * pow(3, 2 * rng_unit(&t->rng) - 1);
	double in = 1 / sqrt(HIDDEN), wide = strength / sqrt(INTER) * 2;
	const int kv = KV_HEADS * HEAD_DIM;
	const struct {
		const char *name;
		int rows, cols;
		double deviation;
	} linear[] = {
		{ "attn_q", HIDDEN, HIDDEN, in },
		{ "attn_k", kv, HIDDEN, in },
		{ "attn_v", kv, HIDDEN, in },
		{ "attn_output", HIDDEN, HIDDEN, strength * in },
		{ "ffn_gate", INTER, HIDDEN, in },
		{ "ffn_up", INTER, HIDDEN, in },
		{ "ffn_down", HIDDEN, INTER, wide },
	};
	char name[48];
	size_t i;

	snprintf(name, sizeof name, "blk.%d.attn_norm.weight", layer);
	put_ones(t, name, HIDDEN);
	snprintf(name, sizeof name, "blk.%d.ffn_norm.weight", layer);
	put_ones(t, name, HIDDEN);
	for (i = 0; i < sizeof linear / sizeof *linear; i++) {
		snprintf(name, sizeof name, "blk.%d.%s.weight", layer, linear[i].name);
		put_random(t, name, linear[i].rows, linear[i].cols, linear[i].deviation);
	}
}

struct pairs {
	double count[VOCAB][VOCAB]; /* how often the second follows the first */
	double dir[HIDDEN][HIDDEN];
	int state[VOCAB], states; /* direction a token stands for */
	bool known[VOCAB];        /* has a state of its own */
	float embed[VOCAB][HIDDEN], head[VOCAB][HIDDEN];
};

/* A capital stands where its small letter stands, what the text lacks where the blank. */
static void share_states(struct pairs *p)
{
	int i;

	for (i = 0; i < VOCAB; i++)
		if (p->known[i])
			p->state[i] = p->states++;
	for (i = 0; i < VOCAB; i++) {
		int low = i >= 'A' && i <= 'Z' ? i - 'A' + 'a' : ' ';

		if (!p->known[i])
			p->state[i] = p->state[p->known[low] ? low : ' '];
	}
}

static void count_pairs(struct pairs *p)
{
	const unsigned char *s = (const unsigned char *)sample;
	int i;

	for (i = 0; s[i]; i++) {
		p->known[s[i]] = true;
		if (s[i + 1])
			p->count[s[i]][s[i + 1]]++;
	}
	p->count['.'][TOK_IM_END] = 1; /* a message ends after a full stop now and then */
	p->count[TOK_BOS]['t'] = p->count[TOK_BOS]['s'] = 3;
	p->count[TOK_IM_START]['a'] = p->count[TOK_IM_END]['\n'] = 3;
	for (i = BYTES; i < VOCAB; i++)
		p->known[i] = true;
	share_states(p);
}

/* Directions at right angles, one a state, of length sqrt(HIDDEN): what a normalised
 * hidden state has. */
static void directions(struct rng *r, double dir[HIDDEN][HIDDEN], int n)
{
	int a, b, i;

	for (a = 0; a < n; a++) {
		double norm = 0;

		for (i = 0; i < HIDDEN; i++)
			dir[a][i] = rng_normal(r);
		for (b = 0; b < a; b++) {
			double dot = 0;

			for (i = 0; i < HIDDEN; i++)
				dot += dir[a][i] * dir[b][i] / HIDDEN;
			for (i = 0; i < HIDDEN; i++)
				dir[a][i] -= dot * dir[b][i];
		}
		for (i = 0; i < HIDDEN; i++)
			norm += dir[a][i] * dir[a][i] / HIDDEN;
		for (i = 0; i < HIDDEN; i++)
			dir[a][i] /= sqrt(norm);
	}
}

/* log p(next | state of a), sharpened a little because the blocks blur it. */
static double log_pair(const struct pairs *p, int a, int next, double total)
{
	return 1.2 * log((p->count[a][next] + (p->known[next] ? 0.01 : 1e-5)) / total);
}

/* An embedding is its state's direction and one that all share; a head row the mean of
 * log p(next | state) along the shared one and the differences along the states'. */
static void set_ends(struct pairs *p)
{
	const double own = 0.8, common = 0.6, *shared = p->dir[p->states];
	double total[VOCAB] = { 0 };
	int a, next, i;

	for (a = 0; a < VOCAB; a++) {
		for (next = 0; next < VOCAB; next++)
			total[a] += p->count[a][next];
		for (i = 0; i < HIDDEN; i++)
			p->embed[a][i] = (float)(own * p->dir[p->state[a]][i] + common * shared[i]);
	}
	for (next = 0; next < VOCAB; next++) {
		double mean = 0;

		for (a = 0; a < VOCAB; a++)
			mean += p->known[a] ? log_pair(p, a, next, total[a]) / p->states : 0;
		for (i = 0; i < HIDDEN; i++)
			p->head[next][i] = (float)(mean / common * shared[i] / HIDDEN);
		for (a = 0; a < VOCAB; a++)
			for (i = 0; p->known[a] && i < HIDDEN; i++)
				p->head[next][i] +=
					(float)((log_pair(p, a, next, total[a]) - mean) / own *
						p->dir[p->state[a]][i] / HIDDEN);
	}
}

static void put_ends(struct tensors *t)
{
	struct pairs *p = xalloc(sizeof *p);

	count_pairs(p);
	directions(&t->rng, p->dir, p->states + 1);
	set_ends(p);
	begin(t, "token_embd.weight", VOCAB, HIDDEN, GGML_Q8_0);
	put_q8(t, p->embed[0], VOCAB * HIDDEN);
	begin(t, "output.weight", VOCAB, HIDDEN, GGML_Q8_0);
	put_q8(t, p->head[0], VOCAB * HIDDEN);
	xfree(p);
}

enum st model_demo_write(const char *path, uint64_t seed, struct err *e)
{
	struct bytes head = { NULL, 0, 0 }, meta = { NULL, 0, 0 };
	struct tensors t;
	uint64_t keys;
	enum st st;
	int i;

	memset(&t, 0, sizeof t);
	rng_seed(&t.rng, seed);
	put_ends(&t);
	put_ones(&t, "output_norm.weight", HIDDEN);
	for (i = 0; i < BLOCKS; i++)
		put_block(&t, i);
	put_pad(&t.data);
	keys = put_metadata(&meta);
	put(&head, "GGUF", 4);
	put_le(&head, 3, 4);
	put_le(&head, TENSORS, 8);
	put_le(&head, keys, 8);
	put(&head, meta.p, meta.n);
	put(&head, t.info.p, t.info.n);
	put_pad(&head);
	put(&head, t.data.p, t.data.n);
	st = fs_write_all(path, head.p, head.n, e);
	xfree(head.p);
	xfree(meta.p);
	xfree(t.info.p);
	xfree(t.data.p);
	return st;
}

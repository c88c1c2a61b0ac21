/* gguf_model.c - a GGUF file of the llama family as a checkpoint. */
#include <math.h>
#include <string.h>

#include "core/base/sha256.h"
#include "core/io/gguf.h"

static bool recognise(const char *path, const unsigned char *head, size_t n)
{
	return head && ((n >= 4 && memcmp(head, "GGUF", 4) == 0) || ck_ends_with(path, ".gguf"));
}

static enum st check_arch(const struct gguf *g, struct err *e)
{
	const char *s = NULL;
	size_t n = 0;
	enum st st = gguf_string(g, "general.architecture", &s, &n, e);

	if (st)
		return st;
	if (!s)
		return err_set(e, ST_FORMAT, "%s: general.architecture is missing", g->where);
	if (n != 5 || memcmp(s, "llama", 5) != 0)
		return err_set(e, ST_UNSUPPORTED,
			"%s: the architecture %.*s is not known here; llama is", g->where,
			n > 60 ? 60 : (int)n, s);
	return ST_OK;
}

/* Variations of the family that other programs write under the same name. */
static enum st check_variant(const struct gguf *g, struct err *e)
{
	const char *s = NULL;
	size_t n = 0;
	uint64_t experts = 0;
	double scale = 1;
	enum st st = gguf_string(g, "llama.rope.scaling.type", &s, &n, e);

	st = st ? st : gguf_u64(g, "llama.expert_count", 0, UINT64_MAX, &experts, e);
	st = st ? st : gguf_f64(g, "llama.rope.scale_linear", &scale, e);
	if (st)
		return st;
	if (s && !(n == 4 && memcmp(s, "none", 4) == 0))
		return err_set(e, ST_UNSUPPORTED, "%s: rope scaling %.*s is not supported here",
			g->where, n > 60 ? 60 : (int)n, s);
	if (scale < 1 || scale > 1 || gguf_find(g, "llama.rope.scaling.factor"))
		return err_set(e, ST_UNSUPPORTED, "%s: rope scaling linear is not supported here",
			g->where);
	if (experts)
		return err_set(e, ST_UNSUPPORTED,
			"%s: a mixture of %llu experts is not supported here", g->where,
			(unsigned long long)experts);
	return ST_OK;
}

static enum st read_sizes(struct hparams *hp, const struct gguf *g, struct err *e)
{
	const struct {
		const char *key;
		size_t *to;
		bool needed;
	} all[] = {
		{ "llama.block_count", &hp->layers, true },
		{ "llama.context_length", &hp->ctx, true },
		{ "llama.embedding_length", &hp->hidden, true },
		{ "llama.feed_forward_length", &hp->inter, true },
		{ "llama.attention.head_count", &hp->heads, true },
		{ "llama.attention.head_count_kv", &hp->kv_heads, false },
		{ "llama.attention.key_length", &hp->head_dim, false },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		uint64_t v = 0;
		enum st st = gguf_u64(g, all[i].key, 1, INT32_MAX, &v, e);

		if (st)
			return st;
		if (!v && all[i].needed)
			return err_set(e, ST_FORMAT, "%s: %s is missing", g->where, all[i].key);
		*all[i].to = v;
	}
	if (!hp->kv_heads)
		hp->kv_heads = hp->heads;
	if (!hp->head_dim && hp->hidden % hp->heads == 0) /* else ck_check names both */
		hp->head_dim = hp->hidden / hp->heads;
	if (!hp->head_dim)
		hp->head_dim = 2;
	return ST_OK;
}

static enum st read_hparams(struct hparams *hp, const struct gguf *g, struct err *e)
{
	uint64_t rope, value;
	enum st st = read_sizes(hp, g, e);

	if (st)
		return st;
	hp->arch = "llama";
	hp->rope_pairs = true;
	hp->rope_base = 10000;
	hp->eps = NAN;
	rope = value = hp->head_dim;
	st = gguf_u64(g, "llama.rope.dimension_count", 0, INT32_MAX, &rope, e);
	st = st ? st : gguf_u64(g, "llama.attention.value_length", 0, INT32_MAX, &value, e);
	st = st ? st : gguf_f64(g, "llama.rope.freq_base", &hp->rope_base, e);
	st = st ? st : gguf_f64(g, "llama.attention.layer_norm_rms_epsilon", &hp->eps, e);
	if (st)
		return st;
	if (!gguf_find(g, "llama.attention.layer_norm_rms_epsilon"))
		return err_set(e, ST_FORMAT,
			"%s: llama.attention.layer_norm_rms_epsilon is missing", g->where);
	if (hp->hidden % hp->heads == 0 && (rope != hp->head_dim || value != hp->head_dim))
		return err_set(e, ST_UNSUPPORTED,
			"%s: heads of %zu with %llu turned by rope and values of %llu are not "
			"supported here: all must be equal",
			g->where, hp->head_dim, (unsigned long long)rope,
			(unsigned long long)value);
	return ST_OK;
}

/* What a llama of this program does not compute must not be passed over in silence. */
static enum st check_extra(const struct gguf *g, const struct gguf_info *x, struct err *e)
{
	char ours[NAMING_MAX];

	if (naming_ours(NAMING_GGUF, x->name, x->name_len, ours))
		return ST_OK;
	if ((x->name_len > 4 && memcmp(x->name, "blk.", 4) == 0) ||
		(x->name_len >= 10 && memcmp(x->name, "rope_freqs", 10) == 0))
		return err_set(e, ST_UNSUPPORTED,
			"%s: tensor %.*s is not part of a llama model as supported here", g->where,
			(int)x->name_len, x->name);
	return ST_OK;
}

static enum st take_tensors(struct checkpoint *c, const struct gguf *g, struct err *e)
{
	enum st st = ST_OK;

	for (size_t i = 0; !st && i < g->n_info; i++) {
		st = check_extra(g, &g->info[i], e);
		st = st ? st
			: ck_add_tensor(c, &g->info[i].t, NAMING_GGUF, g->info[i].name,
				  g->info[i].name_len, e);
	}
	return st ? st : ck_sort(c, NAMING_GGUF, g->where, e);
}

static enum st set_vocab_size(struct checkpoint *c, const struct gguf *g, struct err *e)
{
	const struct tensor *embed = checkpoint_find(c, "embed");
	uint64_t said;
	enum st st;

	if (!embed || embed->rank != 2)
		return err_set(e, ST_FORMAT, "%s: tensor token_embd.weight is missing or no matrix",
			g->where);
	said = c->hp.vocab = embed->dim[0];
	st = gguf_u64(g, "llama.vocab_size", 1, INT32_MAX, &said, e);
	if (!st && said != c->hp.vocab)
		st = err_set(e, ST_FORMAT,
			"%s: llama.vocab_size is %llu, but the embedding has %zu rows", g->where,
			(unsigned long long)said, c->hp.vocab);
	return st;
}

static enum st take_text(
	struct checkpoint *c, const struct gguf *g, const char *key, const char **to, struct err *e)
{
	const char *s = NULL;
	size_t n = 0;
	enum st st = gguf_string(g, key, &s, &n, e);

	return st || !n ? st : ck_strndup(c, to, s, n, e);
}

static enum st build(struct checkpoint *c, const struct gguf *g, struct err *e)
{
	struct vocab *v = NULL;
	enum st st = check_arch(g, e);

	sha256_of(g->head, g->n, c->header_sha256);
	st = st ? st : check_variant(g, e);
	st = st ? st : read_hparams(&c->hp, g, e);
	st = st ? st : take_tensors(c, g, e);
	st = st ? st : set_vocab_size(c, g, e);
	st = st ? st : ck_check(c, NAMING_GGUF, g->where, e);
	st = st ? st : take_text(c, g, "general.name", &c->name, e);
	st = st ? st : take_text(c, g, "general.license", &c->license, e);
	st = st ? st : gguf_vocab(&v, &c->vocab_missing, &c->arena, g, c->hp.vocab, e);
	c->vocab = v;
	return st;
}

static enum st gguf_open(struct checkpoint *c, const char *path, struct err *e)
{
	struct ck_file *f;
	struct gguf g;
	enum st st = ck_reserve_files(c, 1, e);

	st = st ? st : ck_add_file(c, path, &f, e);
	if (st)
		return st;
	st = gguf_read(&g, f, e);
	st = st ? st : build(c, &g, e);
	gguf_release(&g);
	return st;
}

const struct io_format io_gguf = { "gguf", recognise, gguf_open };

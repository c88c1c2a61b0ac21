/* config.c - see config.h. */
#include "core/io/config.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_VERSION = 1, MAX_BITS = 8, GROUP_STEP = 32 };

/* NULL where the key is absent or null, which mean the same in these files. */
static const cJSON *present(const cJSON *obj, const char *key)
{
	const cJSON *v = json_member(obj, key);

	return v && !cJSON_IsNull(v) ? v : NULL;
}

/* ---- what is refused */

static enum st check_arch(const struct json *j, struct err *e)
{
	const cJSON *list = present(j->root, "architectures");
	const cJSON *type = present(j->root, "model_type");
	const cJSON *first = cJSON_IsArray(list) ? list->child : NULL;
	const char *name = cJSON_IsString(first) ? first->valuestring : NULL;

	if (!list && cJSON_IsString(type) && strcmp(type->valuestring, "llama") == 0)
		return ST_OK;
	if (!list && cJSON_IsString(type))
		name = type->valuestring;
	if (!name)
		return err_set(e, ST_FORMAT,
			"%s: .architectures: expected an array of strings, so it is no model",
			j->where);
	if (strcmp(name, "LlamaForCausalLM") != 0)
		return err_set(e, ST_UNSUPPORTED,
			"%s: the architecture %.60s is not known here; LlamaForCausalLM is",
			j->where, name);
	return ST_OK;
}

/* rope_scaling, or the newer rope_parameters, which also holds the base. */
static enum st check_rope(const struct json *j, const char *key, struct err *e)
{
	const cJSON *rope = present(j->root, key);
	const char *type = "of an unnamed type";
	enum st st = ST_OK;

	if (!rope)
		return ST_OK;
	if (!cJSON_IsObject(rope))
		return err_set(e, ST_FORMAT, "%s: .%s: expected an object", j->where, key);
	if (present(rope, "rope_type"))
		st = json_get_str(j, rope, "", "rope_type", &type, e);
	else if (present(rope, "type"))
		st = json_get_str(j, rope, "", "type", &type, e);
	if (st || strcmp(type, "default") == 0)
		return st;
	return err_set(
		e, ST_UNSUPPORTED, "%s: rope scaling %.60s is not supported here", j->where, type);
}

static enum st check_variant(const struct json *j, struct err *e)
{
	static const char *const off[] = { "attention_bias", "mlp_bias" };
	const cJSON *quant = present(j->root, "quantization_config");
	const char *act = "silu", *method = "an unnamed method";
	enum st st = ST_OK;

	if (quant) {
		if (cJSON_IsObject(quant) && present(quant, "quant_method"))
			st = json_get_str(
				j, quant, ".quantization_config", "quant_method", &method, e);
		return st ? st
			  : err_set(e, ST_UNSUPPORTED,
				    "%s: weights quantized by %.60s are not read here yet",
				    j->where, method);
	}
	for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
		bool on = false;

		if (present(j->root, off[i]))
			st = json_get_bool(j, j->root, "", off[i], &on, e);
		if (st)
			return st;
		if (on)
			return err_set(e, ST_UNSUPPORTED,
				"%s: .%s is true, which is not supported here", j->where, off[i]);
	}
	if (present(j->root, "hidden_act"))
		st = json_get_str(j, j->root, "", "hidden_act", &act, e);
	if (st)
		return st;
	if (strcmp(act, "silu") != 0)
		return err_set(e, ST_UNSUPPORTED,
			"%s: the activation %.60s is not supported here, silu is", j->where, act);
	st = check_rope(j, "rope_scaling", e);
	return st ? st : check_rope(j, "rope_parameters", e);
}

/* ---- sizes */

static enum st read_sizes(struct hparams *hp, const struct json *j, struct err *e)
{
	const struct {
		const char *key;
		size_t *to;
		uint64_t absent; /* 0: it must be there */
	} all[] = {
		{ "vocab_size", &hp->vocab, 0 }, { "hidden_size", &hp->hidden, 0 },
		{ "intermediate_size", &hp->inter, 0 }, { "num_hidden_layers", &hp->layers, 0 },
		{ "num_attention_heads", &hp->heads, 0 },
		{ "num_key_value_heads", &hp->kv_heads, UINT64_MAX },
		{ "head_dim", &hp->head_dim, UINT64_MAX },
		{ "max_position_embeddings", &hp->ctx, 2048 }, /* as LlamaConfig */
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		uint64_t v = all[i].absent;
		enum st st = ST_OK;

		if (!v || present(j->root, all[i].key))
			st = json_get_u64(j, j->root, "", all[i].key, 1, INT32_MAX, &v, e);
		if (st)
			return st;
		*all[i].to = v == UINT64_MAX ? 0 : v;
	}
	if (!hp->kv_heads)
		hp->kv_heads = hp->heads;
	if (!hp->head_dim) /* where the heads do not divide, ck_check names both numbers */
		hp->head_dim = hp->hidden % hp->heads ? 2 : hp->hidden / hp->heads;
	return ST_OK;
}

static enum st read_number(const struct json *j, const cJSON *obj, const char *path,
	const char *key, double *out, struct err *e)
{
	if (!present(obj, key))
		return ST_OK;
	return json_get_f64(j, obj, path, key, DBL_MIN, DBL_MAX, out, e);
}

enum st config_read(struct hparams *hp, const struct json *j, struct err *e)
{
	const cJSON *rope = NULL;
	bool tied = false;
	enum st st;

	if (!cJSON_IsObject(j->root))
		return err_set(e, ST_FORMAT, "%s: expected an object", j->where);
	rope = present(j->root, "rope_parameters");
	st = check_arch(j, e);
	st = st ? st : check_variant(j, e);
	st = st ? st : read_sizes(hp, j, e);
	if (st)
		return st;
	hp->arch = "llama";
	hp->rope_base = 10000;
	hp->eps = 1e-6; /* both as LlamaConfig */
	st = read_number(j, j->root, "", "rope_theta", &hp->rope_base, e);
	if (!st && rope)
		st = read_number(j, rope, ".rope_parameters", "rope_theta", &hp->rope_base, e);
	st = st ? st : read_number(j, j->root, "", "rms_norm_eps", &hp->eps, e);
	if (!st && present(j->root, "tie_word_embeddings"))
		st = json_get_bool(j, j->root, "", "tie_word_embeddings", &tied, e);
	hp->tied = tied;
	return st;
}

bool config_says_untied(const struct json *j)
{
	return cJSON_IsFalse(json_member(j->root, "tie_word_embeddings"));
}

/* ---- our own section */

bool config_is_own(const struct json *j)
{
	return cJSON_IsObject(json_member(j->root, "bitdial"));
}

static bool is_matrix(const char *name)
{
	char ours[NAMING_MAX];

	return naming_ours(NAMING_OURS, name, strlen(name), ours) && !strstr(name, "norm");
}

static enum st read_stored(struct checkpoint *c, struct stored_entry *x, const struct json *j,
	const cJSON *item, struct err *e)
{
	char path[96];
	uint64_t bits, group;
	enum st st;

	if (!is_matrix(item->string))
		return err_set(e, ST_FORMAT, "%s: .bitdial.stored: %.80s is no matrix of the model",
			j->where, item->string);
	snprintf(path, sizeof path, ".bitdial.stored.%s", item->string);
	st = json_get_u64(j, item, path, "bits", 1, MAX_BITS, &bits, e);
	st = st ? st : json_get_u64(j, item, path, "group", GROUP_STEP, INT32_MAX, &group, e);
	if (st)
		return st;
	if (group % GROUP_STEP)
		return err_set(e, ST_FORMAT, "%s: %s.group: %llu is no multiple of %d", j->where,
			path, (unsigned long long)group, GROUP_STEP);
	x->how = (struct stored_int){ .bits = (int)bits, .group = group };
	return ck_strndup(c, &x->name, item->string, strlen(item->string), e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(
		((const struct stored_entry *)a)->name, ((const struct stored_entry *)b)->name);
}

enum st config_read_own(struct checkpoint *c, const struct json *j, struct err *e)
{
	const cJSON *own = json_member(j->root, "bitdial"), *stored, *item;
	struct checkpoint_files *f = c->files;
	uint64_t v, n = 0;
	enum st st = json_get_u64(j, own, ".bitdial", "v", 1, INT32_MAX, &v, e);

	if (st)
		return st;
	if (v > OWN_VERSION)
		return err_set(e, ST_UNSUPPORTED,
			"%s: written by a newer bitdial (v %llu, this one reads v %d)", j->where,
			(unsigned long long)v, OWN_VERSION);
	st = json_get_bool(j, own, ".bitdial", "rope_pairs", &c->hp.rope_pairs, e);
	if (st)
		return st;
	if (present(j->root, "sliding_window")) {
		st = json_get_u64(j, j->root, "", "sliding_window", 1, INT32_MAX, &v, e);
		c->hp.window = st ? 0 : v;
	}
	stored = json_member(own, "stored");
	if (!st && !cJSON_IsObject(stored))
		st = err_set(e, ST_FORMAT, "%s: .bitdial.stored: expected an object", j->where);
	if (st)
		return st;
	cJSON_ArrayForEach(item, stored) n++;
	f->stored = arena_try(&c->arena, n ? n : 1, sizeof *f->stored, "list of matrices", e);
	if (!f->stored)
		return ST_NOMEM;
	cJSON_ArrayForEach(item, stored)
	{
		st = read_stored(c, &f->stored[f->n_stored], j, item, e);
		if (st)
			return st;
		f->n_stored++;
	}
	if (f->n_stored)
		qsort(f->stored, f->n_stored, sizeof *f->stored, by_name);
	return ST_OK;
}

/* bundle.c - writes our own folder. */
#include "core/quant/bundle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/quant/tensorfile.h"
#include "core/text/tokenizer.h"

enum { VERSION = 1 };

/* ---- config.json */

static void put_shape(struct json_out *o, const struct hparams *hp)
{
	json_put_i64(o, "hidden_size", (int64_t)hp->hidden);
	json_put_i64(o, "intermediate_size", (int64_t)hp->inter);
	json_put_i64(o, "num_hidden_layers", (int64_t)hp->layers);
	json_put_i64(o, "num_attention_heads", (int64_t)hp->heads);
	json_put_i64(o, "num_key_value_heads", (int64_t)hp->kv_heads);
	json_put_i64(o, "head_dim", (int64_t)hp->head_dim);
	json_put_i64(o, "vocab_size", (int64_t)hp->vocab);
	json_put_i64(o, "max_position_embeddings", (int64_t)hp->ctx);
	json_put_f64(o, "rope_theta", hp->rope_base);
	json_put_f64(o, "rms_norm_eps", hp->eps);
	json_put_str(o, "hidden_act", "silu");
	json_put_bool(o, "tie_word_embeddings", hp->tied);
	if (hp->window)
		json_put_i64(o, "sliding_window", (int64_t)hp->window);
}

static void put_ids(struct json_out *o, const struct vocab *v)
{
	if (v && v->bos >= 0)
		json_put_i64(o, "bos_token_id", v->bos);
	if (v && v->eos >= 0)
		json_put_i64(o, "eos_token_id", v->eos);
}

static void put_stored(struct json_out *o, const char *name, const struct mat *w)
{
	if (w->type != MAT_INT)
		return;
	json_open(o, name, '{');
	json_put_i64(o, "bits", w->bits);
	json_put_i64(o, "group", (int64_t)w->group);
	json_close(o, '}');
}

static enum st write_config(
	const char *path, const struct model *m, const struct mat *const *view, struct err *e)
{
	struct json_out o;
	char name[32];
	enum st st;

	json_out_init(&o, true);
	json_open(&o, NULL, '{');
	json_open(&o, "architectures", '[');
	json_put_str(&o, NULL, "LlamaForCausalLM");
	json_close(&o, ']');
	json_put_str(&o, "model_type", "llama");
	put_shape(&o, &m->hp);
	put_ids(&o, m->ck->vocab);
	json_open(&o, "bitdial", '{');
	json_put_i64(&o, "v", VERSION);
	json_put_bool(&o, "rope_pairs", m->hp.rope_pairs);
	json_open(&o, "stored", '{');
	put_stored(&o, "embed", &m->embed);
	if (!m->hp.tied)
		put_stored(&o, "head", &m->head);
	for (size_t i = 0; i < m->n_linears; i++)
		put_stored(&o, linear_name(i, name), view[i]);
	json_close(&o, '}');
	json_close(&o, '}');
	json_close(&o, '}');
	st = fs_write_all(path, o.s, o.n, e);
	json_out_release(&o);
	return st;
}

/* ---- the folder */

static enum st write_files(const char *tmp, const struct model *m, const struct layout *l,
	const struct mat *const *view, float *const *gain, const struct sink *s, struct err *e)
{
	struct tensor_plan plan = { 0 };
	struct layout plain = *l; /* borrows */
	char *path = xprintf("%s/model.safetensors", tmp);
	enum st st = tensor_plan_make(&plan, m, view, gain, e);

	if (!st)
		st = tensor_file_write(&plan, path, s, e);
	tensor_plan_release(&plan);
	xfree(path);
	path = xprintf("%s/config.json", tmp);
	if (!st)
		st = write_config(path, m, view, e);
	xfree(path);
	path = xprintf("%s/layout.json", tmp);
	*plain.calibrated = '\0'; /* what it made lies beside it */
	if (!st)
		st = layout_write(&plain, path, e);
	xfree(path);
	if (!st && m->ck->vocab)
		st = vocab_to_hf(m->ck->vocab, tmp, e);
	if (!st && sink_poll(s))
		st = err_set(e, ST_CANCELLED, "stopped, nothing was written");
	return st;
}

static bool exists(const char *path)
{
	struct fs_id id;

	return fs_is_dir(path) || fs_is_file(path) || !fs_identify(path, &id, NULL);
}

static const char partial[] = ".partial-";

/* A name beside dir that nobody has. */
static char *beside(const char *dir)
{
	for (int i = 0;; i++) {
		char *tmp = xprintf("%s%s%ld-%d", dir, partial, (long)getpid(), i);

		if (!exists(tmp))
			return tmp;
		xfree(tmp);
	}
}

bool bundle_is_partial(const char *name)
{
	return strstr(name, partial) != NULL;
}

enum st bundle_begin(char **tmp, const char *dir, struct err *e)
{
	enum st st;

	*tmp = beside(dir);
	st = fs_mkdir_new(*tmp, e);
	if (st) {
		xfree(*tmp);
		*tmp = NULL;
	}
	return st;
}

enum st bundle_end(const char *tmp, const char *dir, struct err *e)
{
	enum st st = fs_rename(tmp, dir, e);

	/* The rename may have happened and only its sync failed: what is not known
	 * to last is not left behind either. */
	if (st && exists(tmp))
		(void)!fs_remove_tree(tmp, NULL);
	else if (st)
		(void)!fs_remove_tree(dir, NULL);
	return st;
}

/* The folder has one array of codes a linear. */
static enum st no_mixes(const struct model *m, const struct mat *const *view, struct err *e)
{
	char name[32];

	for (size_t i = 0; i < m->n_linears; i++)
		if (view[i]->type == MAT_MIX)
			return err_set(e, ST_UNSUPPORTED,
				"%s is a channel-mix, and the folder holds one width a linear: "
				"export a layout made with mix layer",
				linear_name(i, name));
	return ST_OK;
}

enum st bundle_put(const char *tmp, const struct model *m, const struct layout *l,
	const struct mat *const *view, float *const *gain, const struct sink *s, struct err *e)
{
	enum st st = no_mixes(m, view, e);

	if (!st)
		st = checkpoint_unchanged(m->ck, e);
	return st ? st : write_files(tmp, m, l, view, gain, s, e);
}

static enum st write_folder(const char *dir, const struct model *m, const struct layout *l,
	const struct mat *const *view, const struct sink *s, struct err *e)
{
	char *tmp;
	enum st st = bundle_begin(&tmp, dir, e);

	if (st)
		return st;
	st = write_files(tmp, m, l, view, NULL, s, e);
	if (!st)
		st = bundle_end(tmp, dir, e);
	else
		(void)!fs_remove_tree(tmp, NULL);
	xfree(tmp);
	return st;
}

enum st bundle_write(const char *dir, const struct model *m, const struct layout *l,
	const struct mat *const *view, const struct sink *s, struct err *e)
{
	size_t n = strlen(dir);
	char *plain;
	enum st st;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	plain = xstrndup(dir, n);
	if (!n)
		st = err_set(e, ST_INVALID, "the folder to export to has no name");
	else if (exists(plain))
		st = err_set(e, ST_INVALID,
			"%s exists already: name a new folder, or remove it first", plain);
	else
		st = no_mixes(m, view, e);
	if (!st)
		st = checkpoint_unchanged(m->ck, e);
	if (!st)
		st = write_folder(plain, m, l, view, s, e);
	xfree(plain);
	return st;
}

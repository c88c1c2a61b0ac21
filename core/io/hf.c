/* hf.c - folders with config.json and safetensors: Hugging Face's, and our own; and a
 * .safetensors by itself, which needs the config.json beside it all the same.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/base/sha256.h"
#include "core/io/config.h"
#include "core/io/index.h"
#include "core/io/safetensors.h"
#include "core/text/tokenizer.h"

enum { MAX_CONFIG = 16 << 20 };

/* One folder being opened. */
struct folder {
	struct checkpoint *c;
	char *dir;
	const char *one; /* the only weight file, or NULL: look for it */
	struct json config;
	struct sha256 sha;
	enum naming by;
};

/* ---- weights */

static enum st read_shard(
	struct folder *o, const char *path, const struct shard_index *x, struct err *e)
{
	struct safetensors s = { 0 };
	struct ck_file *f;
	enum st st = ck_add_file(o->c, path, &f, e);

	if (st)
		return st;
	st = safetensors_read(&s, f, &o->sha, e);
	if (!st && x)
		st = index_check(x, f->base, &s, e);
	for (size_t i = 0; !st && i < s.n; i++) {
		const struct st_entry *t = &s.entry[i];
		char ours[NAMING_MAX];
		struct tensor to;

		if (safetensors_tensor(&s, t, f, &to))
			st = ck_add_tensor(o->c, &to, o->by, t->name, t->len, e);
		else if (naming_ours(o->by, t->name, t->len, ours))
			st = err_set(e, ST_UNSUPPORTED,
				"%s: tensor %.80s of type %s in %d dimensions is not read here; "
				"F32, "
				"F16 and BF16 are",
				f->base, t->name, safetensors_type(t), t->rank);
	}
	safetensors_release(&s);
	return st;
}

static enum st read_shards(struct folder *o, const char *index_path, struct err *e)
{
	struct shard_index x;
	enum st st = index_read(&x, index_path, e);

	if (!st)
		st = ck_reserve_files(o->c, x.n_files, e);
	for (size_t i = 0; !st && i < x.n_files; i++) {
		char *path = NULL;

		st = index_shard_path(o->dir, x.file[i], &path, e);
		st = st ? st : read_shard(o, path, &x, e);
		xfree(path);
	}
	index_release(&x);
	return st;
}

static enum st no_weights(const struct folder *o, struct err *e)
{
	char *torch = xprintf("%s/pytorch_model.bin", o->dir);
	bool has_torch = fs_is_file(torch);

	xfree(torch);
	return err_set(e, has_torch ? ST_UNSUPPORTED : ST_FORMAT,
		"folder %s has neither model.safetensors nor model.safetensors.index.json%s",
		ck_base(o->dir),
		has_torch ? "; pytorch_model.bin is not read here: save it as safetensors" : "");
}

static enum st read_weights(struct folder *o, struct err *e)
{
	char *whole = o->one ? xstrdup(o->one) : xprintf("%s/model.safetensors", o->dir);
	char *index = xprintf("%s/model.safetensors.index.json", o->dir);
	enum st st;

	if (o->one || fs_is_file(whole)) {
		st = ck_reserve_files(o->c, 1, e);
		st = st ? st : read_shard(o, whole, NULL, e);
	} else if (fs_is_file(index)) {
		st = read_shards(o, index, e);
	} else {
		st = no_weights(o, e);
	}
	xfree(whole);
	xfree(index);
	return st;
}

/* A shared matrix is written once, under whichever of its two names came first. */
static void share_embedding(struct checkpoint *c)
{
	struct tensor *head = NULL;

	for (size_t i = 0; i < c->files->n_list; i++) {
		struct tensor *t = &c->files->list[i];

		if (strcmp(t->name, "embed") == 0)
			return;
		if (strcmp(t->name, "head") == 0)
			head = t;
	}
	if (head && c->hp.tied)
		head->name = "embed";
}

/* ---- tokenizer */

/* Added tokens may lie beyond the embedding; no model can be given those. */
static enum st trim_vocab(struct vocab *v, size_t rows, struct err *e)
{
	int32_t *const ids[] = { &v->bos, &v->eos, &v->unk, &v->pad, &v->eot };

	if (v->n <= rows)
		return ST_OK;
	for (size_t i = rows; i < v->n; i++)
		if (!v->tokens[i].added && v->tokens[i].len)
			return err_set(e, ST_FORMAT,
				"tokenizer.json: token %zu lies beyond the %zu rows of the "
				"embedding",
				i, rows);
	for (size_t i = 0; i < v->n_merges; i++)
		if (v->merges[i].result >= rows || v->merges[i].left >= rows ||
			v->merges[i].right >= rows)
			return err_set(e, ST_FORMAT,
				"tokenizer.json: merge %zu leads beyond the %zu rows of the "
				"embedding",
				i, rows);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (*ids[i] >= 0 && (size_t)*ids[i] >= rows)
			*ids[i] = -1;
	v->add_bos = v->add_bos && v->bos >= 0;
	v->add_eos = v->add_eos && v->eos >= 0;
	v->n = rows;
	return ST_OK;
}

static enum st read_vocab(struct folder *o, struct err *e)
{
	struct checkpoint *c = o->c;
	char *json = xprintf("%s/tokenizer.json", o->dir);
	char *spm = xprintf("%s/tokenizer.model", o->dir);
	struct vocab *v = NULL;
	enum st st;

	if (fs_is_file(json)) {
		st = vocab_from_hf(&v, &c->arena, o->dir, e);
		st = st ? st : trim_vocab(v, c->hp.vocab, e);
		c->vocab = v;
	} else {
		char *s = xprintf("folder %s has no tokenizer.json%s", ck_base(o->dir),
			fs_is_file(spm) ? "; its tokenizer.model is not read here" : "");

		st = ck_strndup(c, &c->vocab_missing, s, strlen(s), e);
		xfree(s);
	}
	xfree(json);
	xfree(spm);
	return st;
}

/* ---- the folder */

static enum st load_config(struct folder *o, struct err *e)
{
	char *path = xprintf("%s/config.json", o->dir), *text = NULL;
	size_t n = 0;
	enum st st;

	if (o->one && !fs_is_file(path))
		st = err_set(e, ST_FORMAT,
			"%s: the shape of the model is not in it, and there is no config.json "
			"beside it",
			ck_base(o->one));
	else
		st = fs_read(path, MAX_CONFIG, &text, &n, e);
	st = st ? st : json_parse(&o->config, "config.json", text, n, e);
	if (!st)
		sha256_add(&o->sha, text, n);
	big_free(text);
	xfree(path);
	return st;
}

static enum st read_config(struct folder *o, struct err *e)
{
	enum st st = load_config(o, e);

	st = st ? st : config_read(&o->c->hp, &o->config, e);
	st = st ? st : ck_check_hparams(&o->c->hp, o->config.where, e);
	if (st)
		return st;
	o->by = NAMING_HF;
	if (config_is_own(&o->config)) {
		o->by = NAMING_OURS;
		o->c->kind = "bitdial";
		return config_read_own(o->c, &o->config, e);
	}
	if (!o->one)
		o->c->kind = "hf";
	return ST_OK;
}

static enum st read_folder(struct folder *o, struct err *e)
{
	struct checkpoint *c = o->c;
	enum st st = read_config(o, e);

	st = st ? st : read_weights(o, e);
	if (!st && o->by == NAMING_HF)
		share_embedding(c);
	st = st ? st : ck_sort(c, o->by, c->files->file[0].base, e);
	if (!st && config_says_untied(&o->config) && !checkpoint_find(c, "head") &&
		!checkpoint_stored(c, "head", NULL))
		st = err_set(e, ST_FORMAT,
			"%s: tensor %s is missing, and config.json says that the embedding is not "
			"used "
			"for it",
			c->files->file[0].base, o->by == NAMING_HF ? "lm_head.weight" : "head");
	st = st ? st
		: ck_check(c, o->by, c->files->n > 1 ? "the shards" : c->files->file[0].base, e);
	sha256_hex(&o->sha, c->header_sha256);
	return st ? st : read_vocab(o, e);
}

static enum st open_folder(struct checkpoint *c, char *dir, const char *one, struct err *e)
{
	struct folder o = { .c = c, .dir = dir, .one = one };
	enum st st;

	sha256_start(&o.sha);
	st = read_folder(&o, e);
	json_release(&o.config);
	return st;
}

/* Without a slash at the end, so that the last part is the folder's name. */
static enum st hf_open(struct checkpoint *c, const char *path, struct err *e)
{
	char *dir = xstrdup(path);
	size_t n = strlen(dir);
	enum st st;

	while (n > 1 && dir[n - 1] == '/')
		dir[--n] = '\0';
	st = open_folder(c, dir, NULL, e);
	xfree(dir);
	return st;
}

static enum st safetensors_open(struct checkpoint *c, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir =
		slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
	enum st st = open_folder(c, dir, path, e);

	xfree(dir);
	return st;
}

static bool recognise_own(const char *path, const unsigned char *head, size_t n)
{
	return !head && n == 0 && fs_holds(path, "config.json") && fs_holds(path, "layout.json");
}

static bool recognise_hf(const char *path, const unsigned char *head, size_t n)
{
	return !head && n == 0 && fs_holds(path, "config.json");
}

/* By name, or by a header length that says where its opening brace must be. */
static bool recognise_file(const char *path, const unsigned char *head, size_t n)
{
	return head && (ck_ends_with(path, ".safetensors") ||
			       (n >= 10 && head[8] == '{' && head[6] == 0 && head[7] == 0));
}

const struct io_format io_bitdial = { "bitdial", recognise_own, hf_open };
const struct io_format io_hf = { "hf", recognise_hf, hf_open };
const struct io_format io_safetensors = { "safetensors", recognise_file, safetensors_open };

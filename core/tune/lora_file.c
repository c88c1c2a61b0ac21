/* lora_file.c - adapters as PEFT's two files (github.com/huggingface/peft, save_and_load.py): every
 * matrix is named base_model.model.MODULE.lora_A.weight, or lora_B, after the module it is beside.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/io/naming.h"
#include "core/io/tensors.h"
#include "core/quant/tensorfile.h"
#include "core/tune/lora_private.h"

#define WEIGHTS "adapter_model.safetensors"
#define CONFIG  "adapter_config.json"

static const char before[] = "base_model.model.";
static const char weight[] = ".weight";
static const char *const after[2] = { ".lora_A.weight", ".lora_B.weight" };

enum { NAME_MAX_BYTES = 96, CONFIG_MAX = 1 << 20 };

/* "model.layers.3.self_attn.q_proj" */
static size_t module_of(size_t linear, char out[NAMING_MAX])
{
	char ours[32];
	size_t n;

	naming_theirs(NAMING_HF, linear_name(linear, ours), out);
	n = strlen(out) - strlen(weight);
	out[n] = '\0';
	return n;
}

/* ---- rows of q and k */

/* A file with rope_pairs has the two halves of a head's rows interleaved, Hugging Face one behind
 * the other (FORMULAS.md 1.3). */
static bool turned(const struct model *m, size_t linear)
{
	enum linear_kind kind = m->linear[linear].kind;

	return m->hp.rope_pairs && (kind == LINEAR_Q || kind == LINEAR_K);
}

/* Rows of B from our order to theirs, or back. */
static void turn(float *to, const float *from, const struct mat *b, size_t dim, bool back)
{
	for (size_t r = 0; r < b->rows; r++) {
		size_t head = r / dim * dim, i = r % dim;
		size_t theirs = head + i % 2 * (dim / 2) + i / 2;

		memcpy(to + (back ? r : theirs) * b->cols, from + (back ? theirs : r) * b->cols,
			b->cols * sizeof *to);
	}
}

/* ---- writing */

static enum st write_config(const struct lora *l, const char *path, struct err *e)
{
	const struct model *m = l->m;
	struct json_out o;
	enum st st;

	json_out_init(&o, true);
	json_open(&o, NULL, '{');
	json_put_str(&o, "peft_type", "LORA");
	json_put_str(&o, "task_type", "CAUSAL_LM");
	if (m->ck)
		json_put_str(&o, "base_model_name_or_path", m->ck->name);
	else
		json_put_null(&o, "base_model_name_or_path");
	json_put_i64(&o, "r", (int64_t)l->rank);
	json_put_f64(&o, "lora_alpha", l->alpha);
	json_put_f64(&o, "lora_dropout", 0);
	json_put_str(&o, "bias", "none");
	json_put_bool(&o, "fan_in_fan_out", false);
	json_put_bool(&o, "inference_mode", true);
	json_put_bool(&o, "use_rslora", false);
	json_put_bool(&o, "use_dora", false);
	json_open(&o, "target_modules", '[');
	for (size_t k = 0; k < LINEAR_KINDS; k++) {
		char module[NAMING_MAX];

		module_of(k, module);
		json_put_str(&o, NULL, strrchr(module, '.') + 1);
	}
	json_close(&o, ']');
	json_close(&o, '}');
	st = fs_write_all(path, o.s, o.n, e);
	json_out_release(&o);
	return st;
}

/* The B's of q and k as they are in the file, where that is another order; *memory: big_free. */
static enum st turn_all(const struct lora *l, struct mat *b, float **memory, struct err *e)
{
	size_t n = 0;
	float *p;

	for (size_t i = 0; i < l->m->n_linears; i++)
		n += turned(l->m, i) ? b[i].rows * b[i].cols : 0;
	if (!n)
		return ST_OK;
	p = *memory = big_array(n, sizeof *p, "an adapter to write", e);
	if (!p)
		return ST_NOMEM;
	for (size_t i = 0; i < l->m->n_linears; i++) {
		if (!turned(l->m, i))
			continue;
		turn(p, b[i].data, &b[i], l->m->hp.head_dim, false);
		b[i].data = p;
		p += b[i].rows * b[i].cols;
	}
	return ST_OK;
}

static enum st write_weights(const struct lora *l, const char *path, struct err *e)
{
	struct mat *b = xarray(l->m->n_linears, sizeof *b);
	struct tensor_plan plan = { 0 };
	float *memory = NULL;
	enum st st;

	memcpy(b, l->b, l->m->n_linears * sizeof *b);
	st = turn_all(l, b, &memory, e);
	for (size_t i = 0; !st && i < l->m->n_linears; i++) {
		char module[NAMING_MAX], name[NAME_MAX_BYTES];

		module_of(i, module);
		snprintf(name, sizeof name, "%s%s%s", before, module, after[0]);
		tensor_plan_add(&plan, name, &l->a[i]);
		snprintf(name, sizeof name, "%s%s%s", before, module, after[1]);
		tensor_plan_add(&plan, name, &b[i]);
	}
	if (!st)
		st = tensor_plan_place(&plan, e);
	if (!st)
		st = tensor_file_write(&plan, path, NULL, e);
	tensor_plan_release(&plan);
	big_free(memory);
	xfree(b);
	return st;
}

enum st lora_write(const struct lora *l, const char *dir, struct err *e)
{
	char *config = xprintf("%s/" CONFIG, dir), *weights = xprintf("%s/" WEIGHTS, dir);
	enum st st = fs_mkdirs(dir, e);

	if (!st)
		st = write_config(l, config, e);
	if (!st)
		st = write_weights(l, weights, e);
	xfree(config);
	xfree(weights);
	return st;
}

/* ---- reading */

static enum st not_here(const char *what, struct err *e)
{
	return err_set(e, ST_UNSUPPORTED,
		CONFIG ": %s is not computed here; plain LoRA on the linears of the blocks is",
		what);
}

static bool is_true(const cJSON *o, const char *key)
{
	return cJSON_IsTrue(json_member(o, key));
}

static enum st read_config(const char *path, size_t *rank, double *alpha, struct err *e)
{
	struct json j;
	const char *type;
	uint64_t r = 0;
	enum st st = json_load(&j, path, CONFIG_MAX, e);

	if (st)
		return st;
	j.where = CONFIG;
	st = json_get_str(&j, j.root, "", "peft_type", &type, e);
	if (!st && strcmp(type, "LORA") != 0)
		st = not_here("another peft_type than LORA", e);
	if (!st && is_true(j.root, "use_dora"))
		st = not_here("use_dora", e);
	if (!st && is_true(j.root, "fan_in_fan_out"))
		st = not_here("fan_in_fan_out", e);
	if (!st) {
		const cJSON *pattern = json_member(j.root, "alpha_pattern");

		if (cJSON_IsObject(pattern) && pattern->child)
			st = not_here("an alpha_pattern", e);
	}
	st = st ? st : json_get_u64(&j, j.root, "", "r", 1, 1 << 20, &r, e);
	st = st ? st : json_get_f64(&j, j.root, "", "lora_alpha", DBL_MIN, 1e9, alpha, e);
	/* alpha / sqrt(r) (Kalajdzievski 2023) */
	if (!st && is_true(j.root, "use_rslora"))
		*alpha *= sqrt((double)r);
	*rank = (size_t)r;
	json_release(&j);
	return st;
}

/* The linear that a tensor is beside, and which of its two it is (0, 1); -1: of none. */
static long linear_of(const char *name, int *which, size_t n_linears)
{
	size_t n = strlen(name);
	char theirs[NAME_MAX_BYTES], ours[NAMING_MAX];

	for (*which = 0; *which < 2; ++*which) {
		size_t end = strlen(after[*which]), begin = strlen(before);

		if (n <= begin + end || strncmp(name, before, begin) != 0 ||
			strcmp(name + n - end, after[*which]) != 0)
			continue;
		n -= begin + end;
		if (snprintf(theirs, sizeof theirs, "%.*s%s", (int)n, name + begin, weight) >=
			(int)sizeof theirs)
			return -1;
		return naming_ours(NAMING_HF, theirs, strlen(theirs), ours)
			       ? linear_index(ours, n_linears)
			       : -1;
	}
	return -1;
}

static void no_adapter(const struct mat *w)
{
	memset((float *)w->data, 0, w->rows * w->cols * sizeof(float));
}

static enum st take_tensor(struct lora *l, const struct tensor *t, struct err *e)
{
	const struct mat *w;
	size_t n;
	int which;
	long i = linear_of(t->name, &which, l->m->n_linears);
	float *to;

	if (i < 0)
		return err_set(e, ST_FORMAT,
			WEIGHTS ": %.120s is beside no linear of a block of this model", t->name);
	w = which ? &l->b[i] : &l->a[i];
	if (t->rank != 2 || t->dim[0] != w->rows || t->dim[1] != w->cols)
		return err_set(e, ST_FORMAT,
			WEIGHTS ": %.120s is not %zu x %zu, as rank %zu makes it", t->name, w->rows,
			w->cols, l->rank);
	n = w->rows * w->cols;
	if (!which || !turned(l->m, (size_t)i)) {
		tensor_f32(t, 0, n, (float *)w->data);
		return ST_OK;
	}
	to = big_array(n, sizeof *to, "an adapter", e);
	if (!to)
		return ST_NOMEM;
	tensor_f32(t, 0, n, to);
	turn((float *)w->data, to, w, l->m->hp.head_dim, true);
	big_free(to);
	return ST_OK;
}

static enum st read_weights(struct lora *l, const struct tensors *in, struct err *e)
{
	unsigned char *seen = xalloc(l->m->n_linears);
	enum st st = ST_OK;

	for (size_t i = 0; i < l->m->n_linears; i++) {
		no_adapter(&l->a[i]);
		no_adapter(&l->b[i]);
	}
	for (size_t i = 0; !st && i < tensors_count(in); i++) {
		const char *name = tensors_name(in, i);
		struct tensor t;
		int which;
		long at;

		if (!tensors_find(in, name, &t))
			st = err_set(e, ST_UNSUPPORTED,
				WEIGHTS ": %.120s is not of F32, F16 or BF16", name);
		st = st ? st : take_tensor(l, &t, e);
		at = linear_of(name, &which, l->m->n_linears);
		if (!st)
			seen[at] |= (unsigned char)(1 << which);
	}
	for (size_t i = 0; !st && i < l->m->n_linears; i++) {
		char module[NAMING_MAX];

		module_of(i, module);
		if (seen[i] == 1 || seen[i] == 2)
			st = err_set(e, ST_FORMAT, WEIGHTS ": %s has no %s", module,
				after[seen[i] == 1] + 1);
		st = st ? st : lora_changed(l, i, e);
	}
	if (!st && !tensors_count(in))
		st = err_set(e, ST_FORMAT, WEIGHTS " holds no adapter");
	xfree(seen);
	return st;
}

enum st lora_read(
	struct lora **out, const struct model *m, const char *dir, size_t max_rows, struct err *e)
{
	char *config = xprintf("%s/" CONFIG, dir), *weights = xprintf("%s/" WEIGHTS, dir);
	struct tensors *in = NULL;
	struct lora *l = NULL;
	size_t rank = 0;
	double alpha = 0;
	enum st st = read_config(config, &rank, &alpha, e);

	st = st ? st : tensors_open(&in, weights, e);
	st = st ? st : lora_new(&l, m, rank, alpha, 0, max_rows, e);
	st = st ? st : read_weights(l, in, e);
	tensors_close(in);
	xfree(config);
	xfree(weights);
	if (st) {
		lora_free(l);
		return st;
	}
	*out = l;
	return ST_OK;
}

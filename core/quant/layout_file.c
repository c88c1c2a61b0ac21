/* layout_file.c - a layout as JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/model/model.h"
#include "core/quant/layout.h"
#include "core/quant/quantizer.h"

enum { VERSION = 1, FILE_MAX = 16 << 20, LINEARS_MAX = 65536 };

/* ---- writing */

static void put_linears(struct json_out *o, const struct layout *l)
{
	json_open(o, "linears", '{');
	for (size_t i = 0; i < l->n; i++) {
		char name[32], format[FORMAT_NAME];

		json_open(o, linear_name(i, name), '{');
		json_put_str(o, "format", format_name(l->format[l->choice[i]], format));
		json_put_str(o, "quantizer", l->by[i] ? l->by[i]->name : "");
		json_close(o, '}');
	}
	json_close(o, '}');
}

enum st layout_write(const struct layout *l, const char *path, struct err *e)
{
	struct json_out o;
	char name[FORMAT_NAME];
	enum st st;

	json_out_init(&o, true);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", VERSION);
	json_open(&o, "model", '{');
	json_put_str(&o, "name", l->model_name);
	json_put_str(&o, "sha256", l->model_sha);
	json_close(&o, '}');
	json_open(&o, "formats", '[');
	for (size_t i = 0; i < l->k; i++)
		json_put_str(&o, NULL, format_name(l->format[i], name));
	json_close(&o, ']');
	json_put_i64(&o, "bytes", (int64_t)l->bytes);
	json_put_f64(&o, "stored_bpw", layout_stored_bpw(l));
	json_open(&o, "predicted", '{');
	json_put_f64(&o, "kl", l->predicted_kl);
	json_put_f64(&o, "se", l->predicted_se);
	json_close(&o, '}');
	if (*l->calibrated)
		json_put_str(&o, "calibrated", l->calibrated);
	put_linears(&o, l);
	json_close(&o, '}');
	st = fs_write_all(path, o.s, o.n, e);
	json_out_release(&o);
	return st;
}

/* ---- reading */

struct reader {
	struct json j;
	struct layout *l;
	const struct model *m;
	struct err *e;
};

static enum st bad(const struct reader *r, const char *path, const char *what)
{
	return err_set(r->e, ST_FORMAT, "%s: %s: %s", r->j.where, path, what);
}

static enum st read_version(const struct reader *r)
{
	uint64_t v;
	enum st st = json_get_u64(&r->j, r->j.root, "", "v", 1, UINT32_MAX, &v, r->e);

	if (st)
		return st;
	if (v > VERSION)
		return err_set(r->e, ST_UNSUPPORTED,
			"%s: .v: layout version %u is newer than this program knows (%d): update "
			"bitdial",
			r->j.where, (unsigned)v, VERSION);
	return ST_OK;
}

static bool is_sha(const char *s)
{
	return strspn(s, "0123456789abcdef") == 64 && !s[64];
}

static enum st read_model(const struct reader *r)
{
	const cJSON *model = json_member(r->j.root, "model");
	const char *name, *sha;
	enum st st;

	if (!cJSON_IsObject(model))
		return bad(r, ".model", "expected an object with name and sha256");
	st = json_get_str(&r->j, model, ".model", "name", &name, r->e);
	if (!st)
		st = json_get_str(&r->j, model, ".model", "sha256", &sha, r->e);
	if (st)
		return st;
	if (strlen(name) >= sizeof r->l->model_name)
		return bad(r, ".model.name", "longer than 95 bytes");
	if (!is_sha(sha))
		return bad(r, ".model.sha256", "expected 64 lower-case hexadecimal digits");
	if (r->m && strcmp(sha, r->m->ck->header_sha256))
		return err_set(r->e, ST_INVALID,
			"%s: made for the model %s, not for %s: open that model, or search again",
			r->j.where, name, r->m->ck->name);
	snprintf(r->l->model_name, sizeof r->l->model_name, "%s", name);
	snprintf(r->l->model_sha, sizeof r->l->model_sha, "%s", sha);
	return ST_OK;
}

static enum st read_calibrated(const struct reader *r)
{
	const char *run = "";
	enum st st = ST_OK;

	if (json_member(r->j.root, "calibrated"))
		st = json_get_str(&r->j, r->j.root, "", "calibrated", &run, r->e);
	if (!st && strlen(run) >= sizeof r->l->calibrated)
		return bad(r, ".calibrated", "longer than 63 bytes");
	if (!st)
		snprintf(r->l->calibrated, sizeof r->l->calibrated, "%s", run);
	return st;
}

static enum st read_formats(const struct reader *r)
{
	const cJSON *formats = json_member(r->j.root, "formats"), *item;
	struct layout *l = r->l;

	if (!cJSON_IsArray(formats) || !formats->child)
		return bad(r, ".formats", "expected a list of formats");
	cJSON_ArrayForEach(item, formats)
	{
		char path[32];
		enum st st;

		snprintf(path, sizeof path, ".formats[%zu]", l->k);
		if (!cJSON_IsString(item))
			return bad(r, path, "expected a format");
		if (l->k == FORMAT_MAX)
			return bad(r, ".formats", "more than 16 formats");
		st = format_parse(&l->format[l->k], item->valuestring, r->e);
		if (st)
			return err_at(r->e, ST_FORMAT, "%s: %s", r->j.where, path);
		for (size_t i = 0; i < l->k; i++)
			if (format_equal(l->format[i], l->format[l->k]))
				return bad(r, path, "named twice");
		l->k++;
	}
	return ST_OK;
}

static enum st format_of(
	const struct reader *r, const char *path, const char *name, uint8_t *choice)
{
	struct format f;
	enum st st = format_parse(&f, name, r->e);

	if (st)
		return err_at(r->e, ST_FORMAT, "%s: %s.format", r->j.where, path);
	for (size_t i = 0; i < r->l->k; i++) {
		if (format_equal(f, r->l->format[i])) {
			*choice = (uint8_t)i;
			return ST_OK;
		}
	}
	return err_set(
		r->e, ST_FORMAT, "%s: %s.format: %s is not in .formats", r->j.where, path, name);
}

static enum st read_linear(const struct reader *r, const cJSON *item)
{
	struct layout *l = r->l;
	const char *format, *by = "";
	long i = linear_index(item->string, l->n);
	char path[80];
	enum st st;

	snprintf(path, sizeof path, ".linears[\"%.40s\"]", item->string);
	if (i < 0)
		return bad(r, path,
			r->m ? "this model has no such linear"
			     : "no linear of a model with as many as are listed");
	if (!cJSON_IsObject(item))
		return bad(r, path, "expected an object with format and quantizer");
	st = json_get_str(&r->j, item, path, "format", &format, r->e);
	if (!st)
		st = format_of(r, path, format, &l->choice[i]);
	if (!st && json_member(item, "quantizer"))
		st = json_get_str(&r->j, item, path, "quantizer", &by, r->e);
	if (st)
		return st;
	l->by[i] = *by ? quantizer_find(by) : NULL;
	if (*by && !l->by[i])
		return err_set(r->e, ST_FORMAT,
			"%s: %s.quantizer: \"%.40s\" is not minmax, clip, hqq or gptq", r->j.where,
			path, by);
	return ST_OK;
}

/* Names are distinct (the JSON reader refuses twins), so n good ones are all of them. */
static enum st read_linears(const struct reader *r)
{
	const cJSON *linears = json_member(r->j.root, "linears"), *item;
	struct layout *l = r->l;
	size_t listed = 0;

	if (!cJSON_IsObject(linears) || !linears->child)
		return bad(r, ".linears", "expected an object with the format of each linear");
	cJSON_ArrayForEach(item, linears) listed++;
	if (listed > LINEARS_MAX)
		return bad(r, ".linears", "more than 65536 linears");
	l->n = r->m ? r->m->n_linears : listed;
	l->choice = xarray(l->n, sizeof *l->choice);
	l->by = xarray(l->n, sizeof *l->by);
	cJSON_ArrayForEach(item, linears)
	{
		enum st st = read_linear(r, item);

		if (st)
			return st;
	}
	for (size_t i = 0; listed < l->n && i < l->n; i++) {
		char name[32];

		if (!json_member(linears, linear_name(i, name)))
			return err_set(
				r->e, ST_FORMAT, "%s: .linears: %s is missing", r->j.where, name);
	}
	return ST_OK;
}

/* A number that may be null or absent: NAN then. */
static enum st read_optional(
	const struct reader *r, const cJSON *obj, const char *path, const char *key, double *out)
{
	const cJSON *v = json_member(obj, key);

	*out = NAN;
	if (!v || cJSON_IsNull(v))
		return ST_OK;
	return json_get_f64(&r->j, obj, path, key, 0, 1e9, out, r->e);
}

static enum st read_numbers(const struct reader *r)
{
	const cJSON *predicted = json_member(r->j.root, "predicted");
	struct layout *l = r->l;
	uint64_t bytes;
	double bpw;
	enum st st =
		json_get_u64(&r->j, r->j.root, "", "bytes", 1, UINT64_C(1) << 50, &bytes, r->e);

	if (!st)
		st = json_get_f64(&r->j, r->j.root, "", "stored_bpw", 0.01, 64, &bpw, r->e);
	if (st)
		return st;
	if (predicted && !cJSON_IsNull(predicted) && !cJSON_IsObject(predicted))
		return bad(r, ".predicted", "expected an object with kl and se");
	l->predicted_kl = l->predicted_se = NAN;
	if (cJSON_IsObject(predicted)) {
		st = read_optional(r, predicted, ".predicted", "kl", &l->predicted_kl);
		if (!st)
			st = read_optional(r, predicted, ".predicted", "se", &l->predicted_se);
	}
	if (st)
		return st;
	l->bytes = bytes;
	l->weights = (uint64_t)llround((double)bytes * 8 / bpw);
	if (!r->m)
		return ST_OK;
	l->weights = r->m->weights;
	layout_count(l, r->m);
	/* Edited by hand: the file's numbers are those of another choice. */
	if (l->bytes != bytes)
		l->predicted_kl = l->predicted_se = NAN;
	return ST_OK;
}

enum st layout_read(struct layout *l, const char *path, const struct model *m, struct err *e)
{
	struct reader r = { .l = l, .m = m, .e = e };
	enum st st;

	*l = (struct layout){ 0 };
	st = json_load(&r.j, path, FILE_MAX, e);
	if (st)
		return st;
	if (!cJSON_IsObject(r.j.root))
		st = err_set(e, ST_FORMAT, "%s: expected a JSON object", r.j.where);
	if (!st)
		st = read_version(&r);
	if (!st)
		st = read_model(&r);
	if (!st)
		st = read_calibrated(&r);
	if (!st)
		st = read_formats(&r);
	if (!st)
		st = read_linears(&r);
	if (!st)
		st = read_numbers(&r);
	if (st)
		layout_release(l);
	json_release(&r.j);
	return st;
}

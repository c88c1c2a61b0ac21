/* test_bundle.c - our own folder: what is in it, and that it is there whole or not. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/quant/bundle.h"
#include "core/quant/variant.h"
#include "tests/lib_base.h"
#include "tests/lib_model.h"
#include "tests/lib_quant.h"

/* The demo model, its file still there, in a mixture of formats. */
struct stage {
	struct model *m;
	struct layout l;
	struct variant_set set;
	const struct mat **view;
};

static const struct format formats[] = { { .bits = 1, .group = 32 }, { .bits = 2, .group = 64 },
	{ .bits = 3, .group = 96 }, { .bits = 5, .group = 32 }, { .bits = 8, .group = 128 },
	{ 0 } };
enum { FORMATS = 6 };

static struct variant *quantized(struct stage *s, size_t linear, size_t format)
{
	struct variant *v = variant_at(&s->set, linear, format);
	const struct linear *w = &s->m->linear[linear];
	struct quant_input in = { .rows = w->rows, .cols = w->cols };
	char name[FORMAT_NAME];
	struct qcodes q;
	float *f = NULL;

	cr_assert_eq(model_linear_f32(s->m, linear, &f, NULL), ST_OK);
	in.w = f;
	q = lib_quantize("minmax", format_name(formats[format], name), &in);
	cr_assert_eq(variant_pack(v, &q, quantizer_find("minmax"), NAN, NULL), ST_OK);
	qcodes_release(&q);
	big_free(f);
	return v;
}

static void stage_init(struct stage *s)
{
	const char *path = tmp_path("demo.gguf");
	struct checkpoint *ck = NULL;
	struct err e = { 0 };

	cr_assert_eq(model_demo_write(path, 5, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(checkpoint_open(&ck, path, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(model_load(&s->m, ck, backend_find("ref"), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(variant_set_alloc(&s->set, s->m->n_linears, formats, FORMATS, &e), ST_OK);
	layout_init(&s->l, s->m, formats, FORMATS);
	s->view = xarray(s->m->n_linears, sizeof *s->view);
	for (size_t i = 0; i < s->m->n_linears; i++) {
		s->l.choice[i] = (uint8_t)(i % FORMATS);
		s->view[i] = i % FORMATS == FORMATS - 1 ? s->m->ref[i]
							: &quantized(s, i, i % FORMATS)->mat;
	}
	layout_count(&s->l, s->m);
}

static void stage_free(struct stage *s)
{
	layout_release(&s->l);
	variant_set_release(&s->set);
	xfree(s->view);
	model_free(s->m);
}

/* ---- what the folder holds */

struct file {
	struct fs_map map;
	struct json header;
	const unsigned char *data;
	size_t bytes;
};

static void file_open(struct file *f, const char *dir)
{
	char *path = xprintf("%s/model.safetensors", dir);
	struct err e = { 0 };
	uint64_t n = 0;

	cr_assert_eq(fs_map_open(&f->map, path, &e), ST_OK, "%s", e.msg);
	for (int i = 7; i >= 0; i--)
		n = n << 8 | f->map.data[i];
	cr_assert_eq(n % 8, 0);
	cr_assert_eq(f->map.data[8], '{');
	f->data = f->map.data + 8 + n;
	f->bytes = f->map.size - 8 - n;
	cr_assert_eq(json_parse(&f->header, "header", (const char *)f->map.data + 8, n, &e), ST_OK,
		"%s", e.msg);
	xfree(path);
}

/* The named tensor, after its type and shape were compared. */
static const unsigned char *tensor(
	const struct file *f, const char *name, const char *type, size_t rows, size_t cols)
{
	const cJSON *t = json_member(f->header.root, name), *shape, *offsets;
	size_t begin, end, unit = !strcmp(type, "U8") ? 1 : !strcmp(type, "F32") ? 4 : 2;

	cr_assert(t, "%s is not in the file", name);
	shape = json_member(t, "shape");
	offsets = json_member(t, "data_offsets");
	cr_assert_str_eq(json_member(t, "dtype")->valuestring, type, "%s", name);
	cr_assert_eq(cJSON_GetArrayItem(shape, 0)->valuedouble, (double)rows, "%s", name);
	if (cols)
		cr_assert_eq(cJSON_GetArrayItem(shape, 1)->valuedouble, (double)cols, "%s", name);
	cr_assert_eq(cJSON_GetArraySize(shape), cols ? 2 : 1);
	begin = (size_t)cJSON_GetArrayItem(offsets, 0)->valuedouble;
	end = (size_t)cJSON_GetArrayItem(offsets, 1)->valuedouble;
	cr_assert_eq(end - begin, rows * (cols ? cols : 1) * unit, "%s", name);
	cr_assert_eq(begin % unit, 0, "%s is not aligned", name);
	return f->data + begin;
}

static unsigned code_at(const unsigned char *row, size_t i, int bits)
{
	unsigned v = 0;

	for (int b = 0; b < bits; b++) {
		size_t at = i * (size_t)bits + (size_t)b;

		v |= (row[at / 8] >> at % 8 & 1u) << b;
	}
	return v;
}

static float half_at(const unsigned char *p, size_t i)
{
	return f16_to_f32((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
}

/* Every weight of the mat from the bytes of the file alone. */
static void check_mat(const struct file *f, const char *name, const struct mat *w)
{
	size_t bytes = (w->cols * (size_t)w->bits + 7) / 8, groups;
	const unsigned char *codes, *scale, *offset;
	float *row = xarray(w->cols, sizeof *row);
	char part[64];

	if (w->type != MAT_INT) {
		const char *type = w->type == MAT_F32 ? "F32" : w->type == MAT_F16 ? "F16" : "BF16";

		codes = tensor(f, name, type, w->rows, w->cols);
		cr_assert(!memcmp(codes, w->data, w->rows * w->cols * (w->type == MAT_F32 ? 4 : 2)),
			"%s", name);
		xfree(row);
		return;
	}
	groups = mat_groups(w->cols, w->group);
	snprintf(part, sizeof part, "%s.codes", name);
	codes = tensor(f, part, "U8", w->rows, bytes);
	snprintf(part, sizeof part, "%s.scale", name);
	scale = tensor(f, part, "F16", w->rows, groups);
	snprintf(part, sizeof part, "%s.offset", name);
	offset = tensor(f, part, "F16", w->rows, groups);
	for (size_t r = 0; r < w->rows; r++) {
		mat_row_f32(w, r, row);
		for (size_t c = 0; c < w->cols; c++) {
			size_t g = r * groups + c / w->group;
			float x =
				half_at(scale, g) * (float)code_at(codes + r * bytes, c, w->bits) +
				half_at(offset, g);

			cr_assert_eq(x, row[c], "%s row %zu column %zu: %g, %g", name, r, c,
				(double)x, (double)row[c]);
		}
	}
	xfree(row);
}

/* No hole, no overlap, sorted by width and name. */
static void check_order(const struct file *f)
{
	double at = 0, unit = 4;
	const cJSON *t;
	const char *before = "";

	cJSON_ArrayForEach(t, f->header.root)
	{
		const char *type;
		double u;

		if (!strcmp(t->string, "__metadata__"))
			continue;
		type = json_member(t, "dtype")->valuestring;
		u = !strcmp(type, "U8") ? 1 : !strcmp(type, "F32") ? 4 : 2;
		cr_assert_leq(u, unit);
		cr_assert(u < unit || strcmp(before, t->string) < 0, "%s after %s", t->string,
			before);
		cr_assert_eq(
			cJSON_GetArrayItem(json_member(t, "data_offsets"), 0)->valuedouble, at);
		at = cJSON_GetArrayItem(json_member(t, "data_offsets"), 1)->valuedouble;
		unit = u;
		before = t->string;
	}
	cr_assert_eq(at, (double)f->bytes);
}

Test(bundle, every_byte_of_the_weights_is_where_the_header_says)
{
	struct stage s;
	struct file f;
	struct err e = { 0 };
	const char *dir = tmp_path("out");
	char name[48];

	stage_init(&s);
	cr_assert_eq(bundle_write(dir, s.m, &s.l, s.view, NULL, &e), ST_OK, "%s", e.msg);
	file_open(&f, dir);
	check_order(&f);
	for (size_t i = 0; i < s.m->n_linears; i++)
		check_mat(&f, linear_name(i, name), s.view[i]);
	check_mat(&f, "embed", &s.m->embed);
	if (!s.m->hp.tied)
		check_mat(&f, "head", &s.m->head);
	cr_assert(!memcmp(
		tensor(&f, "norm", "F32", s.m->hp.hidden, 0), s.m->final_norm, s.m->hp.hidden * 4));
	for (size_t i = 0; i < s.m->hp.layers; i++) {
		snprintf(name, sizeof name, "layers.%zu.attn_norm", i);
		cr_assert(!memcmp(tensor(&f, name, "F32", s.m->hp.hidden, 0), s.m->attn_norm[i],
			s.m->hp.hidden * 4));
		snprintf(name, sizeof name, "layers.%zu.mlp_norm", i);
		cr_assert(!memcmp(tensor(&f, name, "F32", s.m->hp.hidden, 0), s.m->mlp_norm[i],
			s.m->hp.hidden * 4));
	}
	json_release(&f.header);
	fs_map_close(&f.map);
	stage_free(&s);
}

Test(bundle, the_config_says_what_a_reader_must_know)
{
	struct stage s;
	struct json j;
	struct err e = { 0 };
	const cJSON *ours, *stored, *one;
	double v;
	uint64_t n;
	char name[48];

	stage_init(&s);
	cr_assert_eq(
		bundle_write(tmp_path("out"), s.m, &s.l, s.view, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(json_load(&j, tmp_path("out/config.json"), 1 << 20, &e), ST_OK, "%s", e.msg);
	cr_assert_str_eq(
		json_member(j.root, "architectures")->child->valuestring, "LlamaForCausalLM");
	cr_assert_eq(json_get_u64(&j, j.root, "", "hidden_size", 1, 1e6, &n, &e), ST_OK);
	cr_assert_eq(n, s.m->hp.hidden);
	cr_assert_eq(json_get_u64(&j, j.root, "", "num_key_value_heads", 1, 1e6, &n, &e), ST_OK);
	cr_assert_eq(n, s.m->hp.kv_heads);
	cr_assert_eq(json_get_f64(&j, j.root, "", "rms_norm_eps", 0, 1, &v, &e), ST_OK);
	cr_assert_eq((float)v, (float)s.m->hp.eps);
	cr_assert_eq(json_get_f64(&j, j.root, "", "rope_theta", 0, 1e9, &v, &e), ST_OK);
	cr_assert_eq(v, s.m->hp.rope_base);
	ours = json_member(j.root, "bitdial");
	cr_assert(cJSON_IsBool(json_member(ours, "rope_pairs")));
	cr_assert_eq(cJSON_IsTrue(json_member(ours, "rope_pairs")), s.m->hp.rope_pairs);
	stored = json_member(ours, "stored");
	for (size_t i = 0; i < s.m->n_linears; i++) {
		one = json_member(stored, linear_name(i, name));
		if (s.view[i]->type != MAT_INT) {
			cr_assert_null(one);
			continue;
		}
		cr_assert_eq(json_member(one, "bits")->valuedouble, s.view[i]->bits);
		cr_assert_eq(json_member(one, "group")->valuedouble, (double)s.view[i]->group);
	}
	cr_assert_eq(json_member(stored, "embed") != NULL, s.m->embed.type == MAT_INT);
	json_release(&j);
	stage_free(&s);
}

Test(bundle, the_folder_opens_again_with_the_same_weights)
{
	struct stage s;
	struct checkpoint *ck = NULL;
	struct model *m = NULL;
	struct layout l;
	struct err e = { 0 };
	char name[32];

	stage_init(&s);
	cr_assert_eq(
		bundle_write(tmp_path("out"), s.m, &s.l, s.view, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(checkpoint_open(&ck, tmp_path("out"), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(ck->hp.rope_pairs, s.m->hp.rope_pairs);
	cr_assert_eq((float)ck->hp.eps, (float)s.m->hp.eps);
	cr_assert(ck->vocab && s.m->ck->vocab);
	cr_assert_eq(ck->vocab->n, s.m->ck->vocab->n);
	cr_assert_eq(model_load(&m, ck, backend_find("ref"), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(m->n_linears, s.m->n_linears);
	for (size_t i = 0; i < m->n_linears; i++) {
		float a[512], b[512];

		cr_assert_leq(m->linear[i].cols, 512);
		for (size_t r = 0; r < m->linear[i].rows; r++) {
			mat_row_f32(s.view[i], r, a);
			mat_row_f32(m->ref[i], r, b);
			cr_assert(!memcmp(a, b, m->linear[i].cols * sizeof *a), "%s row %zu",
				linear_name(i, name), r);
		}
	}
	cr_assert_eq(layout_read(&l, tmp_path("out/layout.json"), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(l.bytes, s.l.bytes);
	layout_release(&l);
	model_free(m);
	stage_free(&s);
}

/* ---- whole or not at all */

Test(bundle, an_existing_folder_or_file_is_refused_and_stays)
{
	struct stage s;
	struct err e = { 0 };
	char *want;

	stage_init(&s);
	cr_assert_eq(fs_mkdir_new(tmp_path("taken"), &e), ST_OK);
	want = xprintf(
		"%s exists already: name a new folder, or remove it first", tmp_path("taken"));
	cr_assert_eq(bundle_write(tmp_path("taken"), s.m, &s.l, s.view, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, want);
	cr_assert_eq(bundle_write(tmp_path("taken///"), s.m, &s.l, s.view, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, want);
	cr_assert_eq(bundle_write(tmp_path("demo.gguf"), s.m, &s.l, s.view, NULL, &e), ST_INVALID);
	cr_assert_eq(bundle_write("", s.m, &s.l, s.view, NULL, &e), ST_INVALID);
	cr_assert_str_eq(e.msg, "the folder to export to has no name");
	cr_assert_eq(tmp_entries(), 2);
	xfree(want);
	stage_free(&s);
}

Test(bundle, any_failing_write_leaves_nothing_behind)
{
	struct stage s;
	struct err e = { 0 };
	const char *dir = tmp_path("out");
	unsigned long n = 0;
	enum st st;

	stage_init(&s);
	do {
		fs_fail_at(++n, 28); /* ENOSPC */
		st = bundle_write(dir, s.m, &s.l, s.view, NULL, &e);
		fs_fail_at(0, 0);
		if (st) {
			cr_expect_eq(st, ST_IO, "%lu: %s", n, e.msg);
			cr_expect_eq(tmp_entries(), 1, "%lu: %s", n, e.msg);
		}
	} while (st && n < 1000);
	cr_assert_eq(st, ST_OK);
	cr_assert_geq(n, 20);
	cr_assert_eq(tmp_entries(), 2);
	stage_free(&s);
}

Test(bundle, any_failing_allocation_leaves_nothing_behind)
{
	struct stage s;
	struct err e = { 0 };
	const char *dir = tmp_path("out");
	unsigned long n = 0;
	enum st st;

	stage_init(&s);
	do {
		alloc_fail_at(++n, false);
		st = bundle_write(dir, s.m, &s.l, s.view, NULL, &e);
		alloc_fail_at(0, false);
		if (st) {
			cr_expect_eq(st, ST_NOMEM, "%lu: %s", n, e.msg);
			cr_expect_eq(tmp_entries(), 1, "%lu: %s", n, e.msg);
		}
	} while (st && n < 1000);
	cr_assert_eq(st, ST_OK);
	cr_assert_geq(n, 2);
	stage_free(&s);
}

Test(bundle, a_stop_at_any_poll_leaves_nothing_behind)
{
	struct stage s;
	struct lib_stop stop;
	struct err e = { 0 };
	const char *dir = tmp_path("out");
	unsigned long n = 0;
	enum st st;

	stage_init(&s);
	do {
		lib_stop_init(&stop, ++n);
		st = bundle_write(dir, s.m, &s.l, s.view, &stop.sink, &e);
		if (st) {
			cr_expect_eq(st, ST_CANCELLED);
			cr_expect_eq(tmp_entries(), 1);
		}
	} while (st && n < 10000);
	cr_assert_eq(st, ST_OK);
	cr_assert_geq(n, s.m->n_linears);
	stage_free(&s);
}

Test(bundle, a_model_that_changed_on_disk_is_not_exported)
{
	struct stage s;
	struct err e = { 0 };

	stage_init(&s);
	tmp_write(tmp_path("other"), "x", 1);
	cr_assert_eq(fs_rename(tmp_path("other"), tmp_path("demo.gguf"), &e), ST_OK);
	cr_assert_eq(bundle_write(tmp_path("out"), s.m, &s.l, s.view, NULL, &e), ST_IO);
	cr_assert_eq(tmp_entries(), 1);
	stage_free(&s);
}

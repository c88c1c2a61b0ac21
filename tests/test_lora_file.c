/* test_lora_file.c - adapters as PEFT's files. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/tensors.h"
#include "core/quant/tensorfile.h"
#include "tests/lib_base.h"
#include "tests/lib_fenced.h"
#include "tests/lib_lora.h"
#include "tests/lib_model.h"
#include "tests/lib_plain.h"

static struct lora *read_back(const struct model *m, const char *dir)
{
	struct lora *l = NULL;
	struct err e = { 0 };

	cr_assert_eq(lora_read(&l, m, dir, 8, &e), ST_OK, "%s", e.msg);
	return l;
}

static void same_adapter(struct lora *a, struct lora *b, const struct model *m)
{
	cr_expect_eq(lora_rank(a), lora_rank(b));
	cr_expect(lora_alpha(a) == lora_alpha(b));
	for (size_t i = 0; i < m->n_linears; i++) {
		cr_expect_arr_eq(lora_a(a, i)->data, lora_a(b, i)->data,
			lib_count(lora_a(a, i)) * sizeof(float), "A of linear %zu", i);
		cr_expect_arr_eq(lora_b(a, i)->data, lora_b(b, i)->data,
			lib_count(lora_b(a, i)) * sizeof(float), "B of linear %zu", i);
	}
}

Test(lora_file, what_was_written_comes_back_bit_for_bit_in_either_order_of_rows)
{
	for (int pairs = 0; pairs < 2; pairs++) {
		struct model *m = lib_demo("cpu", 2);
		struct lora *l = lib_adapter(m, 5, 8), *back;
		struct err e = { 0 };

		m->hp.rope_pairs = pairs;
		lib_adapter_trained(l, m, 2);
		cr_assert_eq(lora_write(l, tmp_path("one/adapter"), &e), ST_OK, "%s", e.msg);
		back = read_back(m, tmp_path("one/adapter"));
		same_adapter(l, back, m);
		lora_free(back);
		lora_free(l);
		model_free(m);
	}
}

Test(lora_file, on_a_device_the_same_is_written_and_read)
{
	struct model *m, *here = lib_demo("cpu", 2);
	struct err e = { 0 };
	struct lora *l, *back;

	(void)lib_fenced();
	cr_assert_eq(backend_use("fenced:0", &e), ST_OK, "%s", e.msg);
	m = lib_demo("fenced:0", 2);
	l = lib_adapter(m, 5, 8);
	lib_adapter_trained(l, m, 2);
	cr_assert_eq(lora_write(l, tmp_path("adapter"), &e), ST_OK, "%s", e.msg);
	back = read_back(here, tmp_path("adapter"));
	same_adapter(l, back, m);
	lora_free(back);
	back = read_back(m, tmp_path("adapter"));
	same_adapter(l, back, m);
	lora_free(back);
	lora_free(l);
	model_free(m);
	model_free(here);
}

Test(lora_file, names_shapes_and_the_order_of_rows_are_those_of_peft)
{
	static const char *const module[LINEAR_KINDS] = { "self_attn.q_proj", "self_attn.k_proj",
		"self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj",
		"mlp.down_proj" };
	struct model *m = lib_demo("cpu", 2);
	struct lora *l = lib_adapter(m, 3, 8);
	size_t half = m->hp.head_dim / 2;
	struct tensors *in = NULL;
	struct err e = { 0 };

	m->hp.rope_pairs = true;
	lib_adapter_trained(l, m, 2);
	cr_assert_eq(lora_write(l, tmp_path("adapter"), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(tensors_open(&in, tmp_path("adapter/adapter_model.safetensors"), &e), ST_OK,
		"%s", e.msg);
	cr_expect_eq(tensors_count(in), 2 * m->n_linears);
	for (size_t i = 0; i < 2 * m->n_linears; i++) {
		size_t linear = i / 2, kind = linear % LINEAR_KINDS;
		const struct mat *w = i % 2 ? lora_b(l, linear) : lora_a(l, linear);
		char name[128];
		struct tensor t;

		snprintf(name, sizeof name, "base_model.model.model.layers.%zu.%s.lora_%c.weight",
			linear / LINEAR_KINDS, module[kind], i % 2 ? 'B' : 'A');
		cr_assert(tensors_find(in, name, &t), "%s", name);
		cr_assert(t.dtype == DT_F32 && t.rank == 2 && t.dim[0] == w->rows &&
				  t.dim[1] == w->cols,
			"%s", name);
		for (size_t r = 0; r < w->rows; r++) {
			bool turns = i % 2 && (kind == LINEAR_Q || kind == LINEAR_K);
			size_t head = r / (2 * half) * (2 * half), at = r % (2 * half);
			/* theirs: all first elements of the pairs, then all second ones */
			size_t ours = turns ? head + (at < half ? 2 * at : 2 * (at - half) + 1) : r;

			cr_assert_eq(memcmp(t.data + r * w->cols * 4,
					     (const float *)w->data + ours * w->cols, w->cols * 4),
				0, "%s row %zu", name, r);
		}
	}
	tensors_close(in);
	lora_free(l);
	model_free(m);
}

/* Rows of q and k as Hugging Face has them, float; freed by the caller. */
static struct mat in_halves(const struct model *m, size_t linear)
{
	const struct linear *l = &m->linear[linear];
	size_t dim = m->hp.head_dim, n = l->cols;
	float *w = NULL, *to = xarray(l->rows * n, sizeof *to);
	struct err e = { 0 };

	cr_assert_eq(model_linear_f32(m, linear, &w, &e), ST_OK, "%s", e.msg);
	for (size_t r = 0; r < l->rows; r += dim)
		for (size_t i = 0; i < dim; i++)
			memcpy(to + (r + i / 2 + (i % 2 ? dim / 2 : 0)) * n, w + (r + i) * n,
				n * sizeof *to);
	big_free(w);
	return (struct mat){ .type = MAT_F32, .rows = l->rows, .cols = n, .data = to };
}

Test(lora_file, an_adapter_of_a_gguf_does_the_same_to_the_hugging_face_model_it_was_made_of)
{
	struct model *pairs = lib_demo("cpu", 2), *halves = lib_demo("cpu", 2);
	size_t n = ROWS * pairs->hp.vocab, turned = 0;
	struct lora *l = lib_adapter(pairs, 4, ROWS), *other;
	struct mat *w = xarray(halves->n_linears, sizeof *w);
	struct err e = { 0 };
	float *a, *b;

	cr_assert(pairs->hp.rope_pairs);
	for (size_t i = 0; i < halves->n_linears; i++)
		if (halves->linear[i].kind == LINEAR_Q || halves->linear[i].kind == LINEAR_K) {
			w[i] = in_halves(halves, i);
			halves->ref[i] = &w[i];
			turned++;
		}
	halves->hp.rope_pairs = false;
	cr_assert_eq(turned, 2 * halves->hp.layers);
	lib_adapter_trained(l, pairs, 2);
	cr_assert_eq(lora_write(l, tmp_path("adapter"), &e), ST_OK, "%s", e.msg);
	other = read_back(halves, tmp_path("adapter"));
	a = lib_logits(pairs, l, MATH_F32);
	b = lib_logits(halves, other, MATH_F32);
	cr_expect_lt(lib_distance(a, b, n), 1e-3);
	xfree(b);
	b = lib_logits(halves, l, MATH_F32); /* in the order that it is not in */
	cr_expect_gt(lib_distance(a, b, n), 1e-2);
	xfree(a);
	xfree(b);
	for (size_t i = 0; i < halves->n_linears; i++)
		xfree((void *)w[i].data);
	xfree(w);
	lora_free(l);
	lora_free(other);
	model_free(pairs);
	model_free(halves);
}

static void write_config(const char *more)
{
	char text[400];

	snprintf(text, sizeof text, "{\"peft_type\": \"LORA\", \"r\": 3, \"lora_alpha\": 6%s}",
		more);
	tmp_write(tmp_path("adapter_config.json"), text, strlen(text));
}

/* One A and one B by these names. */
static void write_pair(const char *a, const char *b, size_t rows, size_t cols)
{
	float *x = xarray((rows + cols) * 3, sizeof *x);
	struct mat w[2] = { { .type = MAT_F32, .rows = 3, .cols = cols, .data = x },
		{ .type = MAT_F32, .rows = rows, .cols = 3, .data = x } };
	struct tensor_plan p = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < (rows + cols) * 3; i++)
		x[i] = (float)i + 1;
	tensor_plan_add(&p, a, &w[0]);
	if (b)
		tensor_plan_add(&p, b, &w[1]);
	cr_assert_eq(tensor_plan_place(&p, &e), ST_OK);
	cr_assert_eq(tensor_file_write(&p, tmp_path("adapter_model.safetensors"), NULL, &e), ST_OK);
	tensor_plan_release(&p);
	xfree(x);
}

static void refused(const struct model *m, enum st want, const char *why)
{
	struct lora *l = NULL;
	struct err e = { 0 };

	cr_expect_eq(lora_read(&l, m, tmp_dir(), 8, &e), want, "%s", e.msg);
	cr_expect(strstr(e.msg, why), "%s", e.msg);
	cr_expect_null(l);
}

#define AT    "base_model.model.model.layers."
#define V_OF0 AT "0.self_attn.v_proj."

Test(lora_file, an_adapter_of_one_linear_is_read_and_the_others_have_none)
{
	struct model *m = lib_demo("cpu", 2);
	size_t rows = m->linear[LINEAR_V].rows, cols = m->linear[LINEAR_V].cols;
	float *plain, *with;
	struct lora *l;

	write_config(", \"use_rslora\": false, \"target_modules\": [\"v_proj\"]");
	write_pair(V_OF0 "lora_A.weight", V_OF0 "lora_B.weight", rows, cols);
	l = read_back(m, tmp_dir());
	cr_expect_eq(lora_rank(l), 3);
	cr_expect(lora_alpha(l) == 6);
	cr_expect(((const float *)lora_b(l, LINEAR_V)->data)[4] == 5);
	for (size_t i = 0; i < m->n_linears; i++)
		if (i != LINEAR_V)
			for (size_t k = 0; k < lib_count(lora_b(l, i)); k++)
				cr_assert(((const float *)lora_b(l, i)->data)[k] == 0);
	plain = lib_logits(m, NULL, MATH_F32);
	with = lib_logits(m, l, MATH_F32);
	cr_expect_gt(lib_distance(plain, with, ROWS * m->hp.vocab), 1e-3);
	xfree(plain);
	xfree(with);
	lora_free(l);
	write_config(", \"use_rslora\": true");
	l = read_back(m, tmp_dir());
	cr_expect_float_eq(lora_alpha(l) / 3, 6 / sqrt(3), 1e-12);
	lora_free(l);
	model_free(m);
}

Test(lora_file, a_file_that_does_not_fit_is_refused_with_what_is_wrong)
{
	struct model *m = lib_demo("cpu", 2);
	size_t rows = m->linear[LINEAR_V].rows, cols = m->linear[LINEAR_V].cols;

	refused(m, ST_IO, "adapter_config.json");
	write_config("");
	refused(m, ST_IO, "adapter_model.safetensors");
	write_pair(V_OF0 "lora_A.weight", NULL, rows, cols);
	refused(m, ST_FORMAT, "model.layers.0.self_attn.v_proj has no lora_B.weight");
	write_pair(V_OF0 "lora_A.weight", V_OF0 "lora_B.weight", rows + 1, cols);
	refused(m, ST_FORMAT, "as rank 3 makes it");
	write_pair(V_OF0 "lora_A.weight", AT "99.self_attn.v_proj.lora_B.weight", rows, cols);
	refused(m, ST_FORMAT, "beside no linear");
	write_pair("base_model.model.lm_head.lora_A.weight", V_OF0 "lora_B.weight", rows, cols);
	refused(m, ST_FORMAT, "beside no linear");
	write_pair(V_OF0 "lora_magnitude_vector", V_OF0 "lora_B.weight", rows, cols);
	refused(m, ST_FORMAT, "beside no linear");
	write_pair(V_OF0 "lora_A.weight", V_OF0 "lora_B.weight", rows, cols);
	write_config(", \"use_dora\": true");
	refused(m, ST_UNSUPPORTED, "use_dora");
	write_config(", \"alpha_pattern\": {\"v_proj\": 3}");
	refused(m, ST_UNSUPPORTED, "alpha_pattern");
	write_config(", \"r\": 4");
	refused(m, ST_FORMAT, ".r: given twice");
	tmp_write(tmp_path("adapter_config.json"), "{\"peft_type\": \"IA3\"}", 20);
	refused(m, ST_UNSUPPORTED, "peft_type");
	model_free(m);
}

/* test_backward_golden.c - losses, gradients and AdamW's steps of small models against PyTorch's.
 *
 * tests/golden/make_backward.py wrote backward.json: a model of each kind of llama that opens here,
 * in double. Both sides make the weights of a hash; of a gradient the file has 32 sums with signs
 * of a hash, whose distance is that of the gradients themselves but for chance (Charikar et al.
 * 2002, count sketch).
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/model/backward.h"
#include "core/tune/optim.h"
#include "tests/lib_io.h"

enum { BUCKETS = 32, STEPS = 10, ROWS = 64, SPANS = 8 };

/* ---- what both sides make of a name */

static uint64_t name_hash(const char *name)
{
	uint64_t at = 0xcbf29ce484222325u;

	while (*name)
		at = (at ^ (unsigned char)*name++) * 0x100000001b3u;
	return at;
}

/* splitmix64 */
static uint64_t hashed(uint64_t name, size_t i)
{
	uint64_t z = name + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static float weight(const char *name, uint64_t hash, size_t i)
{
	double x = (double)(hashed(hash, i) >> 40) / 8388608 - 1;

	if (strstr(name, "norm"))
		return (float)(1 + x / 4);
	return (float)(strcmp(name, "embed") == 0 ? x : x * 0.25);
}

/* At most 2 * BUCKETS numbers of g[n]; their count. */
static size_t sketch(double *out, const float *g, size_t n)
{
	uint64_t hash = name_hash("sketch");

	if (n <= 2 * BUCKETS) {
		for (size_t i = 0; i < n; i++)
			out[i] = (double)g[i];
		return n;
	}
	memset(out, 0, BUCKETS * sizeof *out);
	for (size_t i = 0; i < n; i++) {
		uint64_t z = hashed(hash, i);

		out[z % BUCKETS] += z >> 63 ? -(double)g[i] : (double)g[i];
	}
	return BUCKETS;
}

/* ---- the model of a case */

static size_t elements(const cJSON *tensor)
{
	const cJSON *d;
	size_t n = 1;

	cJSON_ArrayForEach(d, json_member(tensor, "shape")) n *= (size_t)d->valuedouble;
	return n;
}

static void write_weights(const cJSON *tensors, const char *path)
{
	struct fx_buf head = { 0 }, all = { 0 };
	const cJSON *t;
	size_t at = 0;

	fx_text(&head, "{\"__metadata__\": {\"format\": \"pt\"}");
	cJSON_ArrayForEach(t, tensors)
	{
		char *shape = cJSON_PrintUnformatted(json_member(t, "shape"));
		char *line = xprintf(", \"%s\": {\"dtype\": \"F32\", \"shape\": %s, "
				     "\"data_offsets\": [%zu, %zu]}",
			json_member(t, "file")->valuestring, shape, at, at + 4 * elements(t));

		fx_text(&head, line);
		at += 4 * elements(t);
		xfree(line);
		cJSON_free(shape);
	}
	fx_text(&head, "}");
	fx_uint(&all, head.n, 8);
	fx_put(&all, head.p, head.n);
	cJSON_ArrayForEach(t, tensors)
	{
		const char *name = json_member(t, "name")->valuestring;
		uint64_t hash = name_hash(name);

		for (size_t i = 0; i < elements(t); i++)
			fx_f32(&all, weight(name, hash, i));
	}
	fx_write(path, &all);
	xfree(head.p);
	xfree(all.p);
}

static struct model *model_of(const cJSON *c, const char *backend)
{
	char *folder = fx_path("golden"), *config = xprintf("%s/config.json", folder);
	char *weights = xprintf("%s/model.safetensors", folder);
	char *text = cJSON_PrintUnformatted(json_member(c, "config"));
	struct checkpoint *ck = NULL;
	struct model *m = NULL;
	struct err e = { 0 };

	cr_assert_eq(fs_mkdirs(folder, &e), ST_OK, "%s", e.msg);
	fx_write_text(config, text);
	write_weights(json_member(c, "tensors"), weights);
	cr_assert_eq(checkpoint_open(&ck, folder, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(model_load(&m, ck, backend_find(backend), NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(fs_remove_tree(folder, NULL), ST_OK); /* the map outlives the name */
	cJSON_free(text);
	xfree(config);
	xfree(weights);
	xfree(folder);
	return m;
}

/* ---- a batch, its gradients and steps */

struct batch {
	int32_t ids[ROWS], label[ROWS];
	struct span span[SPANS];
	size_t rows, spans, labelled;
};

static struct batch batch_of(const cJSON *c)
{
	struct batch b = { .labelled = 0 };
	const cJSON *x;

	cJSON_ArrayForEach(x, json_member(c, "lengths"))
	{
		cr_assert_lt(b.spans, SPANS);
		b.span[b.spans++].rows = (size_t)x->valuedouble;
	}
	cJSON_ArrayForEach(x, json_member(c, "ids"))
	{
		cr_assert_lt(b.rows, ROWS);
		b.ids[b.rows++] = x->valueint;
	}
	for (size_t i = 0; i < b.rows; i++) {
		b.label[i] = cJSON_GetArrayItem(json_member(c, "labels"), (int)i)->valueint;
		b.labelled += b.label[i] >= 0;
	}
	return b;
}

/* A matrix or a gain in training: a copy of the model's, and its gradient. */
struct part {
	struct tuned t;
	float *grad;
	size_t n;
};

struct run {
	struct model *m;
	struct part *part; /* linears, then gains */
	const struct mat **view;
	struct tune_options o;
	void *scratch;
	uint64_t step; /* 0: gradients only */
	size_t came;   /* hooks called */
	enum math math;
};

static void *zeroed(size_t n)
{
	struct err e = { 0 };
	void *p = big_alloc(n ? n : 1, "a test", &e);

	cr_assert(p, "%s", e.msg);
	memset(p, 0, n);
	return p;
}

static void apply(struct run *r, size_t i)
{
	struct tune_options o = r->o;
	struct tune_counts c = { .frozen = 0 };

	r->came++;
	if (!r->step)
		return;
	if (i >= r->m->n_linears)
		o.decay = 0;
	optim_step(optimizer_find("adamw"), &r->part[i].t, r->part[i].grad, r->step, &o, r->scratch,
		&c);
	cr_assert_eq(c.frozen, 0);
}

static enum st on_linear(
	void *arg, size_t i, const float *x, const float *dy, float *dx, size_t rows, struct err *e)
{
	struct run *r = arg;
	const struct mat *w = &r->part[i].t.w;

	(void)dx;
	(void)e;
	r->m->be->gemm(true, false, w->rows, w->cols, rows, 1, dy, w->rows, x, w->cols, 0,
		r->part[i].grad, w->cols, r->math);
	apply(r, i);
	return ST_OK;
}

static enum st on_gain(void *arg, size_t norm, float *dgain, struct err *e)
{
	struct run *r = arg;
	struct part *p = &r->part[r->m->n_linears + norm];

	(void)e;
	memcpy(p->grad, dgain, p->n * sizeof *dgain);
	apply(r, r->m->n_linears + norm);
	return ST_OK;
}

static float *gain_of(struct model *m, size_t norm)
{
	if (norm == 2 * m->hp.layers)
		return m->final_norm;
	return norm % 2 ? m->mlp_norm[norm / 2] : m->attn_norm[norm / 2];
}

static size_t parts_of(const struct model *m)
{
	return m->n_linears + 2 * m->hp.layers + 1;
}

static void part_new(struct run *r, size_t i, size_t *scratch)
{
	struct part *p = &r->part[i];
	const struct optimizer *by = optimizer_find("adamw");
	size_t norm = i - r->m->n_linears;
	struct tune_plan plan;
	struct err e = { 0 };

	p->t.index = i;
	p->t.w = (struct mat){ .type = MAT_F32, .rows = 1, .cols = r->m->hp.hidden };
	if (i < r->m->n_linears) {
		p->t.w.rows = r->m->linear[i].rows;
		p->t.w.cols = r->m->linear[i].cols;
	}
	p->n = p->t.w.rows * p->t.w.cols;
	p->grad = zeroed(p->n * sizeof(float));
	if (i < r->m->n_linears) {
		float *w = zeroed(p->n * sizeof *w);

		r->m->be->dequant(w, r->m->ref[i], 0, p->t.w.rows);
		p->t.w.data = w;
		r->view[i] = &p->t.w;
	} else {
		p->t.w.data = gain_of(r->m, norm);
	}
	cr_assert_eq(optim_plan(&plan, by, &p->t.w, &r->o, &e), ST_OK, "%s", e.msg);
	p->t.state = zeroed(plan.state);
	p->t.state_bytes = plan.state;
	optim_init(by, &p->t, &r->o);
	*scratch = plan.scratch > *scratch ? plan.scratch : *scratch;
}

static struct run run_new(const cJSON *c, const char *backend, enum math math)
{
	struct run r = { .m = model_of(c, backend), .o = tune_defaults, .math = math };
	size_t scratch = 0;

	r.o.unit = LR_ABSOLUTE;
	r.o.lr = json_member(c, "lr")->valuedouble;
	r.o.decay = json_member(c, "decay")->valuedouble;
	r.o.b1 = 0.9;
	r.o.b2 = 0.999;
	r.o.eps = 1e-8;
	r.o.steps = STEPS;
	r.o.warmup = 0;
	r.o.floor = 1;
	r.part = xarray(parts_of(r.m), sizeof *r.part);
	r.view = xarray(r.m->n_linears, sizeof *r.view);
	for (size_t i = 0; i < parts_of(r.m); i++)
		part_new(&r, i, &scratch);
	r.scratch = zeroed(scratch);
	return r;
}

static void run_free(struct run *r)
{
	for (size_t i = 0; i < parts_of(r->m); i++) {
		big_free(r->part[i].grad);
		big_free(r->part[i].t.state);
		if (i < r->m->n_linears)
			big_free((void *)r->part[i].t.w.data);
	}
	big_free(r->scratch);
	xfree(r->part);
	xfree(r->view);
	model_free(r->m);
}

/* Mean loss of the labelled rows before anything moves; step 0: nothing does. */
static double turn(struct run *r, struct back *b, const struct batch *in, uint64_t step)
{
	const struct back_hooks k = { .linear = on_linear, .gain = on_gain, .arg = r };
	struct err e = { 0 };
	double sum;

	r->step = step;
	r->came = 0;
	cr_assert_eq(back_forward(b, r->view, in->ids, in->span, in->spans, NULL, NULL, &e), ST_OK);
	cr_assert_eq(back_loss(b, in->label, 1 / (float)in->labelled, &sum, &k, NULL, &e), ST_OK);
	cr_assert_eq(back_blocks(b, r->view, &k, NULL, &e), ST_OK);
	cr_assert_eq(r->came, parts_of(r->m));
	return sum / (double)in->labelled;
}

/* ---- against the file */

/* Which of the parts a gradient's name is; ours, both. */
static size_t part_named(const struct model *m, const char *name)
{
	long i = linear_index(name, m->n_linears);
	unsigned long layer;

	if (i >= 0)
		return (size_t)i;
	if (strcmp(name, "norm") == 0)
		return m->n_linears + 2 * m->hp.layers;
	layer = strtoul(name + strlen("layers."), NULL, 10);
	return m->n_linears + 2 * layer + (strstr(name, "mlp_norm") != NULL);
}

static void check_gradient(
	const struct run *r, const cJSON *want, double most, double along, const char *where)
{
	const char *name = json_member(want, "name")->valuestring;
	const struct part *p = &r->part[part_named(r->m, name)];
	double got[2 * BUCKETS], dot = 0, sizes[2] = { 0 }, apart = 0;
	size_t n = sketch(got, p->grad, p->n), i = 0;
	const cJSON *x;

	cr_assert_eq(cJSON_GetArraySize(json_member(want, "sketch")), (int)n);
	cJSON_ArrayForEach(x, json_member(want, "sketch"))
	{
		double g = got[i++], w = x->valuedouble;

		dot += g * w;
		sizes[0] += g * g;
		sizes[1] += w * w;
		apart += (g - w) * (g - w);
	}
	cr_expect_leq(sqrt(apart / sizes[1]), most, "%s %s: off by %g of its norm", where, name,
		sqrt(apart / sizes[1]));
	cr_expect_geq(dot / sqrt(sizes[0] * sizes[1]), along, "%s %s: cosine %g", where, name,
		dot / sqrt(sizes[0] * sizes[1]));
}

/* Norms of the whole gradients, which the sums tell only about. */
static void check_norm(const struct run *r, const cJSON *want, double most, const char *where)
{
	const char *name = json_member(want, "name")->valuestring;
	const struct part *p = &r->part[part_named(r->m, name)];
	double sum = 0;

	for (size_t i = 0; i < p->n; i++)
		sum += (double)p->grad[i] * (double)p->grad[i];
	cr_expect_float_eq(sqrt(sum) / json_member(want, "norm")->valuedouble, 1, most,
		"%s %s: norm %g", where, name, sqrt(sum));
}

static void check_case(const cJSON *c, const char *backend, enum back_keep keep, enum math math)
{
	double most = math == MATH_F32 ? 1e-5 : 2e-2, along = math == MATH_F32 ? 1 - 1e-9 : 0.999;
	double loss_most = math == MATH_F32 ? 2e-6 : 1e-2;
	struct run r = run_new(c, backend, math);
	struct batch in = batch_of(c);
	char *where = xprintf("%s, %s", backend, json_member(c, "case")->valuestring);
	const cJSON *g, *losses = json_member(c, "losses");
	struct back *b = NULL;
	struct err e = { 0 };
	double loss;

	cr_assert_eq(back_new(&b, r.m, in.rows, keep, &e), ST_OK, "%s", e.msg);
	back_set_math(b, math);
	loss = turn(&r, b, &in, 0);
	cr_expect_float_eq(loss / cJSON_GetArrayItem(losses, 0)->valuedouble, 1, loss_most,
		"%s: %.9g", where, loss);
	cr_assert_eq(cJSON_GetArraySize(json_member(c, "grads")), (int)parts_of(r.m));
	cJSON_ArrayForEach(g, json_member(c, "grads"))
	{
		check_gradient(&r, g, most, along, where);
		check_norm(&r, g, most, where);
	}
	for (uint64_t step = 1; math == MATH_F32 && step <= STEPS + 1; step++) {
		double want = cJSON_GetArrayItem(losses, (int)step - 1)->valuedouble;

		loss = turn(&r, b, &in, step);
		cr_expect_float_eq(loss, want, 1e-4 * want, "%s: step %d: loss %.9g, not %.9g",
			where, (int)step, loss, want);
	}
	back_free(b);
	run_free(&r);
	xfree(where);
}

static void check_all(const char *backend, enum back_keep keep, enum math math)
{
	struct json j;
	struct err e = { 0 };
	const cJSON *c;
	int n = 0;

	cr_assert_eq(json_load(&j, "tests/golden/backward.json", 1 << 20, &e), ST_OK, "%s", e.msg);
	cJSON_ArrayForEach(c, json_member(j.root, "cases"))
	{
		check_case(c, backend, keep, math);
		n++;
	}
	cr_expect_geq(n, 4);
	json_release(&j);
}

TestSuite(backward_golden, .fini = fx_clean, .timeout = 120);

Test(backward_golden, ref_has_pytorchs_gradients_and_ten_losses)
{
	check_all("ref", BACK_ALL, MATH_F32);
}

Test(backward_golden, cpu_has_pytorchs_gradients_and_ten_losses)
{
	check_all("cpu", BACK_ALL, MATH_F32);
}

Test(backward_golden, blocks_that_are_run_again_give_pytorchs_gradients)
{
	check_all("cpu", BACK_INPUTS, MATH_F32);
	check_all("cpu", BACK_NARROW, MATH_F32);
}

Test(backward_golden, ref_in_bf16_is_near)
{
	check_all("ref", BACK_ALL, MATH_BF16);
}

Test(backward_golden, cpu_in_bf16_is_near)
{
	check_all("cpu", BACK_ALL, MATH_BF16);
}

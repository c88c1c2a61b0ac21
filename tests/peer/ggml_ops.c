/* ggml_ops.c - one product at a time beside ggml's, in one process, by turns.  JSON lines.
 *
 *	ggml_ops [-t THREADS] [-n PAIRS] [-s ROWSxCOLS]... [-m M]... [-k KIND]...
 *
 * tests/peer/ops.sh builds it against the pinned llama.cpp.  A KIND is one of ours and what of the
 * peer's it stands beside (the table below).  A product of few tokens walks over so many copies of
 * the matrix that no cache holds them, in one graph of the peer's, in one loop of ours; of many it
 * is bound by arithmetic, and there is one.  A peer's type is tried as it comes and repacked for
 * the CPU where it knows how.  "read_gb_s" is what reading alone reaches in the same second,
 * "others" the share of the machine that others took.  "error" is the root mean square error of
 * one token's first outputs over theirs, against the same stored weights in double: what the
 * arithmetic costs, not the format.
 */
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "kernels/backend.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

enum { LISTED = 8, CHECKED = 64, PEER_TYPES = 2, COPIES = 512, MANY = 16 };
static const double cold = 400e6; /* bytes: no cache holds them */

static const struct kind {
	const char *name, *format;
	enum mat_type type;
	int bits;
	size_t group;
	enum math math;
	enum ggml_type peer[PEER_TYPES]; /* GGML_TYPE_COUNT ends them */
} kinds[] = {
	{ "int4", "int4g128", MAT_INT, 4, 128, MATH_FAST, { GGML_TYPE_Q4_0, GGML_TYPE_Q4_K } },
	{ "int2", "int2g64", MAT_INT, 2, 64, MATH_FAST, { GGML_TYPE_Q2_K, GGML_TYPE_COUNT } },
	{ "exact2", "int2g64 x float", MAT_INT, 2, 64, MATH_F32,
		{ GGML_TYPE_Q2_K, GGML_TYPE_COUNT } },
	{ "vnni4", "int4g128 x int8", MAT_INT, 4, 128, MATH_INT8,
		{ GGML_TYPE_Q4_0, GGML_TYPE_COUNT } },
	{ "vnni2", "int2g64 x int8", MAT_INT, 2, 64, MATH_INT8,
		{ GGML_TYPE_Q2_K, GGML_TYPE_COUNT } },
	{ "bf16", "bf16", MAT_BF16, 16, 0, MATH_BF16, { GGML_TYPE_BF16, GGML_TYPE_COUNT } },
	{ "f32", "f32", MAT_F32, 32, 0, MATH_F32, { GGML_TYPE_F32, GGML_TYPE_COUNT } },
};

static const struct backend *be;
static struct rng rng;

static void *need(void *p)
{
	if (p)
		return p;
	fprintf(stderr, "ggml_ops: no memory\n");
	exit(1);
}

struct shape {
	size_t rows, cols, m;
};

/* ---- ours */

struct ours {
	struct mat *w;
	size_t copies;
	float *y;
	const float *x;
	struct shape s;
	enum math math;
};

static struct mat our_matrix(const struct kind *k, size_t rows, size_t cols, const float *from)
{
	struct mat w = {
		.type = k->type, .bits = k->bits, .group = k->group, .rows = rows, .cols = cols
	};
	size_t n = rows * cols;

	if (k->type == MAT_INT) {
		size_t bytes = mat_code_bytes(k->bits, rows, cols);
		size_t stats = mat_stat_count(rows, cols, k->group);
		uint64_t *code = need(be->alloc(bytes));
		uint16_t *scale = need(be->alloc(stats * 2)), *offset = need(be->alloc(stats * 2));

		for (size_t i = 0; i < bytes / 8; i++)
			code[i] = rng_u64(&rng);
		ggml_fp32_to_fp16_row((float[]){ 0.02f }, scale, 1);
		ggml_fp32_to_fp16_row((float[]){ k->bits == 2 ? -0.03f : -0.15f }, offset, 1);
		for (size_t i = 1; i < stats; i++) {
			scale[i] = scale[0];
			offset[i] = offset[0];
		}
		w.data = code;
		w.scale = scale;
		w.offset = offset;
		return w;
	}
	w.data = need(be->alloc(n * (size_t)(k->bits / 8)));
	if (k->type == MAT_F32)
		memcpy((void *)(uintptr_t)w.data, from, n * sizeof *from);
	else
		ggml_fp32_to_bf16_row(from, (ggml_bf16_t *)(uintptr_t)w.data, (int64_t)n);
	return w;
}

static void ours_free(struct ours *o)
{
	for (size_t i = 0; i < o->copies; i++) {
		be->free((void *)(uintptr_t)o->w[i].data);
		be->free((void *)(uintptr_t)o->w[i].scale);
		be->free((void *)(uintptr_t)o->w[i].offset);
	}
	xfree(o->w);
	xfree(o->y);
}

static void run_ours(void *arg)
{
	const struct ours *o = arg;

	for (size_t i = 0; i < o->copies; i++) {
		const struct product p = { o->y, o->s.rows, &o->w[i] };

		be->products(&p, 1, o->x, o->s.cols, o->s.m, o->math);
	}
}

static double error_of(const float *y, const double *want)
{
	double off = 0, all = 0;

	for (size_t i = 0; i < CHECKED; i++) {
		off += (y[i] - want[i]) * (y[i] - want[i]);
		all += want[i] * want[i];
	}
	return sqrt(off / all);
}

static double error_ours(const struct ours *o)
{
	float *row = xarray(o->s.cols, sizeof *row);
	double want[CHECKED] = { 0 };

	for (size_t i = 0; i < CHECKED; i++) {
		mat_row_f32(&o->w[o->copies - 1], i, row); /* whose product y is */
		for (size_t c = 0; c < o->s.cols; c++)
			want[i] += (double)row[c] * (double)o->x[c];
	}
	xfree(row);
	return error_of(o->y, want);
}

/* ---- the peer's */

struct peer {
	ggml_backend_t backend;
	struct ggml_context *weights, *rest;
	ggml_backend_buffer_t weight_memory, rest_memory;
	struct ggml_cgraph *graph;
	struct ggml_tensor *y;
	size_t copies, bytes;
};

static ggml_backend_buffer_type_t repacked(void)
{
	ggml_backend_dev_t dev = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
	ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(dev);
	void *p = ggml_backend_reg_get_proc_address(reg, "ggml_backend_dev_get_extra_bufts");
	ggml_backend_dev_get_extra_bufts_t get;
	ggml_backend_buffer_type_t *t;

	memcpy(&get, &p, sizeof get); /* ISO C has no cast for it */
	t = get ? get(dev) : NULL;
	for (; t && *t; t++)
		if (!strcmp(ggml_backend_buft_name(*t), "CPU_REPACK"))
			return *t;
	return NULL;
}

static struct ggml_context *context(size_t tensors)
{
	struct ggml_init_params p = { ggml_tensor_overhead() * (tensors + 4) +
					      ggml_graph_overhead_custom(tensors + 4, false),
		NULL, true };

	return need(ggml_init(p));
}

static void peer_free(struct peer *p)
{
	ggml_backend_buffer_free(p->weight_memory);
	if (p->rest_memory)
		ggml_backend_buffer_free(p->rest_memory);
	ggml_free(p->weights);
	if (p->rest)
		ggml_free(p->rest);
	ggml_backend_free(p->backend);
}

/* Stored bytes of `type`; false: `where` does not take it. */
static bool peer_new(struct peer *p, enum ggml_type type, ggml_backend_buffer_type_t where,
	const void *stored, const float *x, struct shape s, int threads)
{
	struct ggml_tensor *w[COPIES], *in;

	*p = (struct peer){ .backend = need(ggml_backend_cpu_init()) };
	ggml_backend_cpu_set_n_threads(p->backend, threads);
	p->bytes = ggml_row_size(type, (int64_t)s.cols) * s.rows;
	p->copies = (size_t)(cold / (double)p->bytes) + 1;
	p->copies = s.m >= MANY ? 1 : p->copies < COPIES ? p->copies : COPIES;
	p->weights = context(p->copies);
	for (size_t i = 0; i < p->copies; i++)
		w[i] = ggml_new_tensor_2d(p->weights, type, (int64_t)s.cols, (int64_t)s.rows);
	p->weight_memory = need(ggml_backend_alloc_ctx_tensors_from_buft(p->weights, where));
	ggml_backend_buffer_set_usage(p->weight_memory, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
	if (where != ggml_backend_cpu_buffer_type() && !w[0]->extra) {
		peer_free(p);
		return false;
	}
	for (size_t i = 0; i < p->copies; i++)
		ggml_backend_tensor_set(w[i], stored, 0, p->bytes);
	p->rest = context(p->copies + 1);
	in = ggml_new_tensor_2d(p->rest, GGML_TYPE_F32, (int64_t)s.cols, (int64_t)s.m);
	p->graph = ggml_new_graph_custom(p->rest, p->copies + 4, false);
	for (size_t i = 0; i < p->copies; i++) {
		p->y = ggml_mul_mat(p->rest, w[i], in);
		ggml_build_forward_expand(p->graph, p->y);
	}
	p->rest_memory = need(
		ggml_backend_alloc_ctx_tensors_from_buft(p->rest, ggml_backend_cpu_buffer_type()));
	ggml_backend_tensor_set(in, x, 0, s.cols * s.m * sizeof *x);
	return true;
}

static void run_peer(void *arg)
{
	struct peer *p = arg;

	if (ggml_backend_graph_compute(p->backend, p->graph) != GGML_STATUS_SUCCESS) {
		fprintf(stderr, "ggml_ops: the peer failed\n");
		exit(1);
	}
}

static double error_peer(const struct peer *p, enum ggml_type type, const void *stored,
	const float *x, struct shape s)
{
	ggml_to_float_t to_float = ggml_get_type_traits(type)->to_float;
	size_t bytes = ggml_row_size(type, (int64_t)s.cols);
	float *row = xarray(s.cols, sizeof *row), y[CHECKED];
	double want[CHECKED] = { 0 };

	for (size_t i = 0; i < CHECKED; i++) {
		const void *from = (const char *)stored + i * bytes;

		if (to_float)
			to_float(from, row, (int64_t)s.cols);
		else
			memcpy(row, from, bytes);
		for (size_t c = 0; c < s.cols; c++)
			want[i] += (double)row[c] * (double)x[c];
	}
	ggml_backend_tensor_get(p->y, y, 0, sizeof y);
	xfree(row);
	return error_of(y, want);
}

/* ---- beside each other */

struct pair {
	struct ours ours;
	const struct kind *kind;
	struct shape s;
	const float *x;
	int threads, pairs;
};

static void print(const struct pair *q, const char *who, const struct peer *p, double error,
	const struct bench_time *a, const struct bench_time *b, double ratio)
{
	double ours = a->median / (double)q->ours.copies, theirs = b->median / (double)p->copies;
	double noise = a->foreign > b->foreign ? a->foreign : b->foreign;

	printf("{\"bench\":\"%s\",\"peer\":\"%s\",\"rows\":%zu,\"cols\":%zu,\"m\":%zu,\"threads\":%"
	       "d,"
	       "\"us\":%.1f,\"peer_us\":%.1f,\"ratio\":%.3f,\"ratio_of_best\":%.3f,\"gb_s\":%.2f,"
	       "\"peer_gb_s\":%.2f,\"gop_s\":%.1f,\"peer_gop_s\":%.1f,\"error\":%.2g,"
	       "\"peer_error\":%.2g,\"read_gb_s\":%.2f,\"others\":%.2f}\n",
		q->kind->format, who, q->s.rows, q->s.cols, q->s.m, q->threads, ours * 1e6,
		theirs * 1e6, ratio * (double)q->ours.copies / (double)p->copies,
		b->least / (double)p->copies / (a->least / (double)q->ours.copies),
		1e-9 * (double)mat_bytes(&q->ours.w[0]) / ours, 1e-9 * (double)p->bytes / theirs,
		2e-9 * (double)(q->s.rows * q->s.cols * q->s.m) / ours,
		2e-9 * (double)(q->s.rows * q->s.cols * q->s.m) / theirs, error_ours(&q->ours),
		error, 1e-9 * be->read_rate(), noise);
	fflush(stdout);
}

static void beside(struct pair *q, enum ggml_type type, const float *from)
{
	struct ggml_type_traits const *traits = ggml_get_type_traits(type);
	ggml_backend_buffer_type_t where[] = { ggml_backend_cpu_buffer_type(), repacked() };
	size_t bytes = ggml_row_size(type, (int64_t)q->s.cols) * q->s.rows;
	void *stored = xarray(bytes, 1);

	ggml_quantize_init(type);
	ggml_quantize_chunk(type, from, stored, 0, (int64_t)q->s.rows, (int64_t)q->s.cols, NULL);
	for (size_t i = 0; i < sizeof where / sizeof *where && where[i]; i++) {
		struct bench_time a, b;
		struct peer p;
		char who[64];
		double ratio;

		if (!peer_new(&p, type, where[i], stored, q->x, q->s, q->threads))
			continue;
		snprintf(who, sizeof who, "%s%s", traits->type_name, i ? " repacked" : "");
		ratio = bench_pair(&a, &b, run_ours, &q->ours, run_peer, &p, q->pairs);
		print(q, who, &p, error_peer(&p, type, stored, q->x, q->s), &a, &b, ratio);
		peer_free(&p);
	}
	xfree(stored);
}

static float *uniform(size_t n)
{
	float *p = xarray(n, sizeof *p);

	for (size_t i = 0; i < n; i++)
		p[i] = (float)(rng_unit(&rng) - 0.5);
	return p;
}

static void compare(const struct kind *k, struct shape s, int threads, int pairs)
{
	float *from = uniform(s.rows * s.cols), *x = uniform(s.m * s.cols);
	struct pair q = { .kind = k, .s = s, .x = x, .threads = threads, .pairs = pairs };

	q.ours = (struct ours){ .x = x,
		.s = s,
		.math = k->math,
		.w = xarray(COPIES, sizeof *q.ours.w),
		.y = xarray(s.rows * s.m, sizeof(float)) };
	do {
		q.ours.w[q.ours.copies] = our_matrix(k, s.rows, s.cols, from);
	} while ((double)mat_bytes(&q.ours.w[0]) * (double)++q.ours.copies < cold &&
		 q.ours.copies < COPIES && s.m < MANY);
	for (size_t i = 0; i < PEER_TYPES && k->peer[i] != GGML_TYPE_COUNT; i++)
		beside(&q, k->peer[i], from);
	ours_free(&q.ours);
	xfree(from);
	xfree(x);
}

static void hush(enum ggml_log_level level, const char *text, void *arg)
{
	(void)arg;
	if (level == GGML_LOG_LEVEL_ERROR)
		fputs(text, stderr);
}

static void usage(void)
{
	fprintf(stderr,
		"ggml_ops [-t THREADS] [-n PAIRS] [-s ROWSxCOLS]... [-m M]... [-k KIND]...\n");
	exit(2);
}

static const struct kind *kind_of(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	usage();
	return NULL;
}

int main(int argc, char **argv)
{
	struct shape shapes[LISTED] = { { 4096, 4096, 0 } };
	const struct kind *chosen[LISTED] = { &kinds[0], &kinds[1] };
	size_t ms[LISTED] = { 1 }, n_shapes = 0, n_kinds = 0, n_ms = 0;
	int c, threads = 1, pairs = 9;

	while ((c = getopt(argc, argv, "t:n:s:m:k:")) != -1)
		if (c == 't')
			threads = atoi(optarg);
		else if (c == 'n')
			pairs = atoi(optarg);
		else if (c == 's' && n_shapes < LISTED) {
			if (sscanf(optarg, "%zux%zu", &shapes[n_shapes].rows,
				    &shapes[n_shapes].cols) != 2)
				usage();
			n_shapes++;
		} else if (c == 'm' && n_ms < LISTED)
			ms[n_ms++] = strtoull(optarg, NULL, 10);
		else if (c == 'k' && n_kinds < LISTED)
			chosen[n_kinds++] = kind_of(optarg);
		else
			usage();
	ggml_log_set(hush, NULL);
	rng_seed(&rng, 1);
	pool_start(threads);
	be = backend_best();
	for (size_t k = 0; k < (n_kinds ? n_kinds : 2); k++)
		for (size_t s = 0; s < (n_shapes ? n_shapes : 1); s++)
			for (size_t m = 0; m < (n_ms ? n_ms : 1); m++)
				compare(chosen[k],
					(struct shape){ shapes[s].rows, shapes[s].cols, ms[m] },
					threads, pairs);
	pool_stop();
	return 0;
}

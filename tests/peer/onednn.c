/* onednn.c - products in bfloat16 beside oneDNN's, and in float beside OpenBLAS's, in one process,
 * in turns.
 *
 *   make all && cc -O2 -D_GNU_SOURCE -I. tests/peer/onednn.c build/libbitdial.a -lopenblas -ldnnl \
 *     -lm -pthread -o build/onednn && OMP_NUM_THREADS=2 build/onednn 2 [ROUNDS]
 *
 * Needs Debian's libdnnl-dev (oneDNN 2.6).  A line of JSON a shape: for two ways to multiply the
 * quartiles of the ratios round by round (of the best of four each), how often the first is faster;
 * then GFLOP/s of each way, the median of the rounds and the best, which a busy machine spoils
 * least.
 *
 * ours: MATH_BF16 of int4g128 weights, which rounds and packs x, dequantizes W and multiplies.
 * matmul: theirs with x in bfloat16 and W in the layout it likes best, both made before.
 * whole: theirs with x in float, to be rounded first; W as above.
 * gemm: our general product of floats, by MATH_BF16; x3: by MATH_BF16X3; float: by MATH_F32.
 * sgemm: OpenBLAS's with as many threads.
 */
#include <cblas.h>
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/backend.h"
#include "kernels/pool.h"

enum { MOST = 2000, WAYS = 7, OURS = 0, MATMUL, WHOLE, GEMM, X3, FLOAT, SGEMM };

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void ok(dnnl_status_t s)
{
	if (s == dnnl_success)
		return;
	fprintf(stderr, "oneDNN refuses: %d\n", (int)s);
	exit(1);
}

static dnnl_memory_t memory(const dnnl_memory_desc_t *d)
{
	dnnl_memory_t m;

	ok(dnnl_memory_create(&m, d, engine, DNNL_MEMORY_ALLOCATE));
	return m;
}

static dnnl_memory_desc_t plain(size_t rows, size_t cols, dnnl_data_type_t type)
{
	dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)cols };
	dnnl_memory_desc_t d;

	ok(dnnl_memory_desc_init_by_tag(&d, 2, dims, type, dnnl_ab));
	return d;
}

struct theirs {
	dnnl_primitive_t matmul, round;
	dnnl_exec_arg_t args[3], round_args[2];
};

static dnnl_primitive_t reorder(dnnl_memory_desc_t from, dnnl_memory_desc_t to)
{
	dnnl_primitive_desc_t d;
	dnnl_primitive_t p;

	ok(dnnl_reorder_primitive_desc_create(&d, &from, engine, &to, engine, NULL));
	ok(dnnl_primitive_create(&p, d));
	dnnl_primitive_desc_destroy(d);
	return p;
}

static struct theirs prepare(size_t m, size_t k, size_t n)
{
	dnnl_memory_desc_t x = plain(m, k, dnnl_f32), xb = plain(m, k, dnnl_bf16),
			   y = plain(m, n, dnnl_f32), w = plain(k, n, dnnl_f32), any;
	dnnl_dims_t dims = { (dnnl_dim_t)k, (dnnl_dim_t)n };
	dnnl_primitive_t pack;
	dnnl_primitive_desc_t pd;
	dnnl_memory_t mx = memory(&x), mxb = memory(&xb), my = memory(&y), mw = memory(&w), mp;
	dnnl_matmul_desc_t d;
	struct theirs t;
	float *f;

	ok(dnnl_memory_desc_init_by_tag(&any, 2, dims, dnnl_bf16, dnnl_format_tag_any));
	ok(dnnl_matmul_desc_init(&d, &xb, &any, NULL, &y));
	ok(dnnl_primitive_desc_create(&pd, &d, NULL, engine, NULL));
	ok(dnnl_primitive_create(&t.matmul, pd));
	mp = memory(dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
	ok(dnnl_memory_get_data_handle(mx, (void **)&f));
	for (size_t i = 0; i < m * k; i++)
		f[i] = (float)rand() / (float)RAND_MAX - 0.5f;
	ok(dnnl_memory_get_data_handle(mw, (void **)&f));
	for (size_t i = 0; i < k * n; i++)
		f[i] = (float)rand() / (float)RAND_MAX - 0.5f;
	pack = reorder(w, *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0));
	t.round = reorder(x, xb);
	t.round_args[0] = (dnnl_exec_arg_t){ DNNL_ARG_FROM, mx };
	t.round_args[1] = (dnnl_exec_arg_t){ DNNL_ARG_TO, mxb };
	ok(dnnl_primitive_execute(t.round, stream, 2, t.round_args));
	ok(dnnl_primitive_execute(pack, stream, 2,
		(dnnl_exec_arg_t[]){ { DNNL_ARG_FROM, mw }, { DNNL_ARG_TO, mp } }));
	ok(dnnl_stream_wait(stream));
	t.args[0] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, mxb };
	t.args[1] = (dnnl_exec_arg_t){ DNNL_ARG_WEIGHTS, mp };
	t.args[2] = (dnnl_exec_arg_t){ DNNL_ARG_DST, my };
	return t;
}

static struct mat int4(const struct backend *be, size_t rows, size_t cols)
{
	size_t bytes = mat_code_bytes(4, rows, cols), stats = mat_stat_count(rows, cols, 128);
	unsigned char *words = be->alloc(bytes);
	uint16_t *scale = be->alloc(stats * 2), *offset = be->alloc(stats * 2);

	for (size_t i = 0; i < bytes; i++)
		words[i] = (unsigned char)(rand() >> 7);
	for (size_t i = 0; i < stats; i++) {
		scale[i] = (uint16_t)(0x2000 + rand() % 1024);
		offset[i] = (uint16_t)(0xa800 + rand() % 1024);
	}
	return (struct mat){ MAT_INT, 4, 128, rows, cols, words, scale, offset, .high = 0 };
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct job {
	const struct backend *be;
	size_t m, k, n;
	float *x, *y, *w;
	struct mat mat;
	struct theirs t;
};

static void run(const struct job *j, int way)
{
	const struct product p = { j->y, j->n, &j->mat };

	switch (way) {
	case OURS:
		j->be->products(&p, 1, j->x, j->k, j->m, MATH_BF16);
		break;
	case WHOLE:
		ok(dnnl_primitive_execute(j->t.round, stream, 2, j->t.round_args));
		/* fallthrough */
	case MATMUL:
		ok(dnnl_primitive_execute(j->t.matmul, stream, 3, j->t.args));
		ok(dnnl_stream_wait(stream));
		break;
	case SGEMM:
		cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)j->m, (blasint)j->n,
			(blasint)j->k, 1, j->x, (blasint)j->k, j->w, (blasint)j->n, 0, j->y,
			(blasint)j->n);
		break;
	default:
		j->be->gemm(false, false, j->m, j->n, j->k, 1, j->x, j->k, j->w, j->n, 0, j->y,
			j->n,
			way == GEMM ? MATH_BF16
			: way == X3 ? MATH_BF16X3
				    : MATH_F32);
	}
}

static void print(const char *name, const char *peer, double *ratio, int rounds)
{
	qsort(ratio, (size_t)rounds, sizeof *ratio, by_value);
	printf(",\"%s_over_%s\":[%.2f,%.2f,%.2f]", name, peer, ratio[rounds / 4], ratio[rounds / 2],
		ratio[rounds * 3 / 4]);
}

static void shape(const struct backend *be, size_t m, size_t k, size_t n, int rounds)
{
	static const char *const names[WAYS] = { "ours", "matmul", "whole", "gemm", "x3", "float",
		"sgemm" };
	static const int pairs[][2] = { { OURS, MATMUL }, { OURS, WHOLE }, { GEMM, MATMUL },
		{ GEMM, WHOLE }, { FLOAT, SGEMM } };
	static double took[WAYS][MOST], ratio[MOST];
	struct job j = { be, m, k, n, be->alloc(m * k * sizeof(float)),
		be->alloc(m * n * sizeof(float)), be->alloc(k * n * sizeof(float)), int4(be, n, k),
		prepare(m, k, n) };
	double work = 2e-9 * (double)(m * k * n);

	for (size_t i = 0; i < m * k; i++)
		j.x[i] = (float)rand() / (float)RAND_MAX - 0.5f;
	for (size_t i = 0; i < k * n; i++)
		j.w[i] = (float)rand() / (float)RAND_MAX - 0.5f;
	for (int i = 0; i < rounds; i++)
		for (int way = 0; way < WAYS; way++) {
			int last = (way + WAYS - 1) % WAYS;

			/* our threads sleep after 40 us, those of libgomp spin for some 20 ms */
			usleep(last == MATMUL || last == WHOLE || last == SGEMM ? 50000 : 1000);
			took[way][i] = 1e9;
			for (int again = 0; again < 4; again++) {
				double start = now();

				run(&j, way);
				if (now() - start < took[way][i])
					took[way][i] = now() - start;
			}
		}
	printf("{\"shape\":\"%zux%zux%zu\",\"threads\":%d", m, k, n, pool_threads());
	for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
		for (int i = 0; i < rounds; i++)
			ratio[i] = took[pairs[p][1]][i] / took[pairs[p][0]][i];
		print(names[pairs[p][0]], names[pairs[p][1]], ratio, rounds);
	}
	for (int way = 0; way < WAYS; way++) {
		qsort(took[way], (size_t)rounds, sizeof **took, by_value);
		printf(",\"%s\":[%.0f,%.0f]", names[way], work / took[way][rounds / 2],
			work / took[way][0]);
	}
	printf("}\n");
	fflush(stdout);
	be->free(j.x);
	be->free(j.y);
	be->free(j.w);
}

int main(int argc, char **argv)
{
	static const size_t shapes[][3] = { { 1024, 576, 1536 }, { 1024, 1536, 576 },
		{ 1024, 576, 576 }, { 512, 576, 1536 }, { 512, 2048, 2048 } };
	const struct backend *be = backend_best();
	int rounds = argc > 2 ? atoi(argv[2]) : 100;

	if (rounds < 1 || rounds > MOST)
		return 2;
	pool_start(argc > 1 ? atoi(argv[1]) : 0);
	ok(dnnl_engine_create(&engine, dnnl_cpu, 0));
	ok(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
	(void)be->path();
	openblas_set_num_threads(pool_threads());
	printf("{\"path\":\"%s\",\"onednn\":\"%d.%d.%d\"}\n", be->path(), dnnl_version()->major,
		dnnl_version()->minor, dnnl_version()->patch);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		shape(be, shapes[i][0], shapes[i][1], shapes[i][2], rounds);
	pool_stop();
	return 0;
}

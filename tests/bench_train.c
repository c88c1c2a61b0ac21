/* bench_train.c - steps of training a whole model: seconds, where they go, and the memory it took.
 * JSON lines.
 *
 *	bench_train [-m MODEL] [-d DATA] [-l LAYOUT] [-o METHOD] [-w WINDOW] [-k WINDOWS] [-n STEPS]
 *	            [-t THREADS] [-f] [-r] [-a]
 *
 * Default: rank on int4g128 everywhere, packed by clip, 4 windows of 256 of the data that comes
 *with the program, 4 steps.  -f: products in float; -r: blocks are run again on the way back; -a:
 *all is kept for it.  vm_hwm_mb is the most that the process ever held, before: before the run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/tune/train.h"
#include "core/work/desk.h"
#include "kernels/pool.h"
#include "tests/lib_bench.h"

enum part { PRODUCTS, BACK, GRADIENT, ATTENTION, HEAD, OTHER, PARTS };
static const char *const part_names[PARTS] = { "products", "products_back", "gradients",
	"attention", "cross_entropy", "norms_and_gates" };
static double spent[PARTS];
static const struct backend *under;

/* The backend of the model with a clock around what takes long. */
#define TIMED(part, call)                           \
	do {                                        \
		double began = clock_now();         \
		call;                               \
		spent[part] += clock_now() - began; \
	} while (0)

static void products(
	const struct product *p, size_t n, const float *x, size_t ldx, size_t m, enum math math)
{
	TIMED(PRODUCTS, under->products(p, n, x, ldx, m, math));
}

static void products_back(float *dx, size_t ldx, bool add, const float *dy, size_t ldy, size_t m,
	const struct mat *w, enum math math)
{
	TIMED(BACK, under->products_back(dx, ldx, add, dy, ldy, m, w, math));
}

static void gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
	size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc, enum math math)
{
	TIMED(GRADIENT, under->gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, math));
}

static void attention(float *out, const float *q, const struct attn_seq *seqs, size_t n,
	const struct attn_shape *shape)
{
	TIMED(ATTENTION, under->attention(out, q, seqs, n, shape));
}

static void attention_back(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *q, const struct attn_seq *seqs, size_t n, const struct attn_shape *shape)
{
	TIMED(ATTENTION, under->attention_back(dq, dk, dv, dout, out, q, seqs, n, shape));
}

static void cross_entropy(
	double *loss, float *z, const int32_t *label, size_t m, size_t n, float scale)
{
	TIMED(HEAD, under->cross_entropy(loss, z, label, m, n, scale));
}

static void rmsnorm(float *y, const float *x, const float *gain, size_t m, size_t n, float eps)
{
	TIMED(OTHER, under->rmsnorm(y, x, gain, m, n, eps));
}

static void rmsnorm_back(float *dx, float *dgain, const float *dy, const float *x,
	const float *gain, size_t m, size_t n, float eps)
{
	TIMED(OTHER, under->rmsnorm_back(dx, dgain, dy, x, gain, m, n, eps));
}

static void swiglu(float *y, const float *gate, const float *up, size_t n)
{
	TIMED(OTHER, under->swiglu(y, gate, up, n));
}

static void swiglu_back(
	float *dgate, float *dup, const float *dy, const float *gate, const float *up, size_t n)
{
	TIMED(OTHER, under->swiglu_back(dgate, dup, dy, gate, up, n));
}

static struct backend timed(const struct backend *be)
{
	struct backend b = *be;

	under = be;
	b.products = products;
	b.products_back = products_back;
	b.gemm = gemm;
	b.attention = attention;
	b.attention_back = attention_back;
	b.cross_entropy = cross_entropy;
	b.rmsnorm = rmsnorm;
	b.rmsnorm_back = rmsnorm_back;
	b.swiglu = swiglu;
	b.swiglu_back = swiglu_back;
	return b;
}

struct options {
	char *model, *data;
	const char *layout, *method;
	size_t window, windows, steps;
	int threads;
	int again;
	bool f32;
};

static void check(enum st st, const struct err *e)
{
	bench_check(st, e, "bench_train");
}

static double high_water(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	double kb = 0;

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, "VmHWM:", 6))
			kb = strtod(line + 6, NULL);
	if (f)
		fclose(f);
	return kb / 1000 * 1.024;
}

static const struct mat **view_of(struct desk *d, const char *name)
{
	const struct mat **view = xarray(d->m->n_linears, sizeof *view);
	struct layout l = { 0 };
	struct err e = { 0 };
	const char *source;

	check(desk_layout(d, name, &l, &source, NULL, &e), &e);
	for (size_t i = 0; i < l.n; i++)
		if (l.choice[i] != d->keep)
			l.by[i] = quantizer_find("clip");
	check(desk_layout_view(d, &l, view, NULL, &e), &e);
	layout_release(&l);
	return view;
}

static struct pack *pack_of(const struct desk *d, const struct options *o)
{
	struct pack_how how = { .tok = d->tok, .window = o->window, .held = 0.05, .seed = 1 };
	struct dataset *data;
	struct pack *p;
	struct err e = { 0 };

	how.jinja = d->m->ck->vocab->chat_template;
	check(template_recognise(&how.template, how.jinja, &e), &e);
	check(dataset_open(&data, o->data, 0, &e), &e);
	check(pack_read(&p, data, &how, NULL, &e), &e);
	dataset_close(data);
	return p;
}

static bool options_of(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "m:d:l:o:w:k:n:t:fra")) != -1)
		if (c == 'm')
			o->model = xstrdup(optarg);
		else if (c == 'd')
			o->data = xstrdup(optarg);
		else if (c == 'l')
			o->layout = optarg;
		else if (c == 'o')
			o->method = optarg;
		else if (c == 'w')
			o->window = strtoull(optarg, NULL, 10);
		else if (c == 'k')
			o->windows = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			o->steps = strtoull(optarg, NULL, 10);
		else if (c == 't')
			o->threads = atoi(optarg);
		else if (c == 'f')
			o->f32 = true;
		else if (c == 'r')
			o->again = 1;
		else if (c == 'a')
			o->again = 2;
		else
			return false;
	return o->window && o->windows && o->steps && train_method_find(o->method);
}

static void print(
	const struct options *o, const struct train_report *r, const struct train *t, double before)
{
	double known = 0;

	printf("{\"bench\":\"train\",\"method\":\"%s\",\"threads\":%d,\"step\":%llu,\"tokens\":%zu,"
	       "\"labelled\":%zu,\"loss\":%.4f,\"seconds\":%.2f,\"tok_s\":%.1f",
		o->method, pool_threads(), (unsigned long long)r->step, r->tokens, r->labelled,
		r->loss, r->seconds, (double)r->tokens / r->seconds);
	for (int i = 0; i < PARTS; i++) {
		printf(",\"%s\":%.3f", part_names[i], spent[i]);
		known += spent[i];
		spent[i] = 0;
	}
	printf(",\"optimizer_and_rest\":%.3f,\"train_mb\":%.0f,\"before_mb\":%.0f,\"vm_hwm_mb\":%."
	       "0f}\n",
		r->seconds - known, (double)train_bytes(t) / 1e6, before, high_water());
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct options o = {
		.layout = "int4g128", .method = "rank", .window = 256, .windows = 4, .steps = 4
	};
	struct desk_options open = { .read_only = true };
	const struct mat **view;
	struct train_report r;
	struct train_how how;
	struct backend be;
	struct train *t;
	struct desk *d;
	struct err e = { 0 };
	double before;

	if (!options_of(&o, argc, argv))
		return 2;
	if (!o.model)
		o.model = bench_model_path("bench_train");
	if (!o.data)
		o.data = fs_share("sft/next-step.jsonl");
	pool_start(o.threads);
	check(desk_open(&d, o.model, &open, NULL, &e), &e);
	view = view_of(d, o.layout);
	be = timed(d->m->be);
	d->m->be = &be;
	train_how_init(&how, train_method_find(o.method));
	how.windows = o.windows;
	how.math = o.f32 ? MATH_F32 : MATH_BF16;
	how.keep = o.again == 0 ? how.keep : o.again == 1 ? BACK_INPUTS : BACK_ALL;
	before = high_water();
	check(train_new(&t, d->m, &(struct train_from){ .view = view, .forms = 1 }, &how, pack_of(d, &o), NULL, &e), &e);
	memset(spent, 0, sizeof spent);
	for (size_t i = 0; i < o.steps; i++) {
		check(train_step(t, &r, NULL, &e), &e);
		print(&o, &r, t, before);
	}
	return 0; /* what is held goes with the process */
}

/* lib_cuda.c - see lib_cuda.h. */
#include "tests/lib_cuda.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECT "/libbitdial-cuda-emu.so"

const char *cuda_path(void)
{
	static char path[4096 + sizeof OBJECT];
	const char *named = getenv("BITDIAL_CUDA");
	ssize_t n;

	if (named && *named)
		return named;
	n = readlink("/proc/self/exe", path, 4096);
	cr_assert(n > 0);
	path[n] = '\0';
	strcpy(strrchr(path, '/'), OBJECT);
	cr_assert(access(path, R_OK) == 0, "there is no %s: make check builds it", path);
	return path;
}

const struct backend *cuda_backend(void)
{
	const struct backend *b = backend_find("cuda:0");
	struct err e = { ST_OK, "" };

	if (!b) {
		cr_assert_eq(backend_open(cuda_path(), &e), ST_OK, "%s", e.msg);
		b = backend_find("cuda:0");
	}
	cr_assert_not_null(b);
	cr_assert_eq(b->open(&e), ST_OK, "%s", e.msg);
	return b;
}

/* A function of the object, which is open already. */
static void *symbol(const char *name)
{
	void *so = dlopen(cuda_path(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD), *f;

	cr_assert_not_null(so, "%s", dlerror());
	f = dlsym(so, name);
	cr_assert_not_null(f, "%s", dlerror());
	(void)dlclose(so);
	return f;
}

void cuda_fail(long n, int code, bool sticky)
{
	void (*fail)(long, int, bool);

	*(void **)&fail = symbol("emu_fail");
	fail(n, code, sticky);
}

void cuda_hang(long n, double seconds)
{
	void (*hang)(long, double);

	*(void **)&hang = symbol("emu_hang");
	hang(n, seconds);
}

long cuda_calls(void)
{
	long (*calls)(void);

	*(void **)&calls = symbol("emu_calls");
	return calls();
}

void *cuda_held(const struct backend *b, const void *host, size_t bytes)
{
	void *p = b->alloc(bytes), *nan = NULL;

	cr_assert_not_null(p);
	if (!host) {
		host = nan = malloc(bytes + 1);
		memset(nan, 0xff, bytes + 1);
	}
	b->put(p, host, bytes);
	free(nan);
	return p;
}

static void hold_part(const struct backend *b, struct mat *d)
{
	size_t stats = mat_stat_count(d->rows, d->cols, d->group) * sizeof *d->scale;

	d->data = cuda_held(b, d->data, mat_code_bytes(d->bits, d->rows, d->cols));
	d->scale = cuda_held(b, d->scale, stats);
	d->offset = cuda_held(b, d->offset, stats);
}

struct mat cuda_mat(const struct backend *b, const struct mat *w)
{
	struct mat d = *w, high = *w, low;

	if (w->type != MAT_INT && w->type != MAT_MIX) {
		d.data = cuda_held(b, w->data, w->rows * w->cols * (w->type == MAT_F32 ? 4 : 2));
		return d;
	}
	if (w->type == MAT_MIX) {
		high = mat_part(w, true);
		low = mat_part(w, false);
		hold_part(b, &low);
		d.low_data = low.data;
		d.low_scale = low.scale;
		d.low_offset = low.offset;
		d.order = cuda_held(b, w->order, w->cols * sizeof *w->order);
	}
	hold_part(b, &high);
	d.data = high.data;
	d.scale = high.scale;
	d.offset = high.offset;
	return d;
}

void cuda_mat_free(const struct backend *b, const struct mat *d)
{
	const void *part[] = { d->data, d->scale, d->offset, d->low_data, d->low_scale,
		d->low_offset, d->order };
	size_t n = d->type == MAT_MIX ? 7 : d->type == MAT_INT ? 3 : 1;

	for (size_t i = 0; i < n; i++)
		b->free((void *)(uintptr_t)part[i]);
}

enum { MOST = 4096 };

static void *made[MOST];
static size_t n_made;

void *there(const struct backend *b, const void *host, size_t bytes)
{
	cr_assert(n_made < MOST);
	return made[n_made++] = cuda_held(b, host, bytes);
}

void there_free_all(const struct backend *b)
{
	while (n_made)
		b->free(made[--n_made]);
}

void *back(const struct backend *b, const void *device, size_t bytes)
{
	void *p = malloc(bytes + 1);

	b->get(p, device, bytes);
	cuda_well(b);
	return p;
}

float *cuda_floats(struct rng *r, size_t n)
{
	float *p = malloc((n + 1) * sizeof *p);

	for (size_t i = 0; i < n; i++)
		p[i] = (float)rng_normal(r);
	return p;
}

void cuda_well(const struct backend *b)
{
	struct err e = { ST_OK, "" };

	cr_assert_eq(b->fault(&e), ST_OK, "%s", e.msg);
}

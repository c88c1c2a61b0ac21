/* table.c - which backends there are, and how one is chosen. */
#include "kernels/backend.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* A new backend is one name here. */
#define BACKENDS(X) X(ref) X(cpu)

/* What a backend may leave to ref. */
/* clang-format off */
#define OPS(X) \
	X(read_rate) X(products) X(dequant) X(embed) X(gemm) X(rmsnorm) X(rope) X(round_kv) X(attention) X(swiglu) X(add) \
	X(row_stats) X(kl) X(sq_diff)
/* clang-format on */

#define X(name) extern const struct backend bd_backend_##name;
BACKENDS(X)
#undef X

enum { MAX = 8 };

static const struct backend *table[MAX + 1] = {
#define X(name) &bd_backend_##name,
	BACKENDS(X)
#undef X
};

/* The same with ref's operations in the gaps; filled[i].abi is 0 until it is asked for. */
static struct backend filled[MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* protects filled */

const struct backend *const *backends(void)
{
	return table;
}

static const struct backend *fill(size_t i)
{
	if (!table[i]->host_memory)
		return table[i];
	pthread_mutex_lock(&mutex);
	if (!filled[i].abi) {
		filled[i] = *table[i];
#define X(op)              \
	if (!filled[i].op) \
		filled[i].op = bd_backend_ref.op;
		OPS(X)
#undef X
	}
	pthread_mutex_unlock(&mutex);
	return &filled[i];
}

const struct backend *backend_find(const char *name)
{
	for (size_t i = 0; table[i]; i++)
		if (!strcmp(table[i]->name, name))
			return fill(i);
	return NULL;
}

const struct backend *backend_best(void)
{
	size_t best = 0;

	for (size_t i = 1; table[i]; i++)
		if (table[i]->score() > table[best]->score())
			best = i;
	return fill(best);
}

const char *backend_missing(const struct backend *b, size_t i)
{
	for (size_t k = 0; table[k]; k++)
		if (!strcmp(table[k]->name, b->name))
			b = table[k];
#define X(op)                   \
	if (!b->op && i-- == 0) \
		return #op;
	OPS(X)
#undef X
	return NULL;
}

enum st backend_open(const char *path, struct err *e)
{
	const struct backend *(*entry)(void);
	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	size_t n = 0;

	if (!so)
		return err_set(e, ST_UNSUPPORTED, "%s", dlerror());
	*(void **)&entry = dlsym(so, "bd_backend_entry");
	while (table[n])
		n++;
	if (!entry || entry()->abi != BD_BACKEND_ABI || n == MAX) {
		dlclose(so);
		return err_set(
			e, ST_UNSUPPORTED, "%s is not a backend of ABI %d", path, BD_BACKEND_ABI);
	}
	table[n] = entry(); /* never closed: device threads may outlive any moment we pick */
	return ST_OK;
}

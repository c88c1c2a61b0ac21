/* table.c - which backends there are, and how one is chosen. */
#include "kernels/backend.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A new backend is one name here. */
#define BACKENDS(X) X(ref) X(cpu)

/* What a backend may leave to ref. */
/* clang-format off */
#define OPS(X) \
	X(read_rate) X(products) X(dequant) X(embed) X(gemm) X(rmsnorm) X(rope) X(round_kv) X(attention) X(swiglu) X(add) \
	X(row_stats) X(kl) X(sq_diff)

/* The way back; a device may lack it, then no model is trained there. */
#define BACK_OPS(X) \
	X(products_back) X(rmsnorm_back) X(attention_back) X(swiglu_back) X(cross_entropy) X(kl_back) X(embed_back)

/* What one with memory of its own has, too. */
#define DEVICE_OPS(X) \
	X(open) X(fault) X(lost) X(wait) X(step) X(info) X(alloc) X(free) X(put) X(get) X(copy)
/* clang-format on */

#define X(name) extern const struct backend bd_backend_##name;
BACKENDS(X)
#undef X

enum { MAX = 16, GROWN = 8, LONGEST_NAME = 31 };

/* A table that is seen by others never changes: a longer one takes its place. */
static const struct backend *tables[GROWN + 1][MAX + 1] = { {
#define X(name) &bd_backend_##name,
	BACKENDS(X)
#undef X
} };
static atomic_size_t grown; /* which of them it is */

/* The same with ref's operations in the gaps; filled[i].abi is 0 until it is asked for. */
static struct backend filled[MAX];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* who writes tables, grown, filled */

static _Atomic(const struct backend *) in_use;
static pthread_once_t looked = PTHREAD_ONCE_INIT;
static char no_device[sizeof(((struct err *)0)->msg)];   /* why; written once, by look() */
static char passed[sizeof(((struct err *)0)->msg) + 24]; /* by the last backend_use("auto") */

const struct backend *const *backends(void)
{
	return tables[atomic_load(&grown)];
}

static const struct backend *fill(size_t i)
{
	const struct backend *b = backends()[i];

	if (!b->host_memory)
		return b;
	pthread_mutex_lock(&mutex);
	if (!filled[i].abi) {
		filled[i] = *b;
#define X(op)              \
	if (!filled[i].op) \
		filled[i].op = bd_backend_ref.op;
		OPS(X) BACK_OPS(X)
#undef X
	}
	pthread_mutex_unlock(&mutex);
	return &filled[i];
}

const struct backend *backend_find(const char *name)
{
	const struct backend *const *table = backends();

	for (size_t i = 0; table[i]; i++)
		if (!strcmp(table[i]->name, name))
			return fill(i);
	return NULL;
}

const struct backend *backend_best(void)
{
	const struct backend *const *table = backends();
	size_t best = 0;

	for (size_t i = 1; table[i]; i++)
		if (table[i]->host_memory && table[i]->score() > table[best]->score())
			best = i;
	return fill(best);
}

const char *backend_missing(const struct backend *b, size_t i)
{
	const struct backend *const *table = backends();

	for (size_t k = 0; table[k]; k++)
		if (!strcmp(table[k]->name, b->name))
			b = table[k];
#define X(op)                   \
	if (!b->op && i-- == 0) \
		return #op;
	OPS(X) BACK_OPS(X)
#undef X
	return NULL;
}

/* ---- shared objects ---- */

/* What dlerror says, for a person. */
static enum st not_opened(struct err *e, const char *path, const char *why)
{
	const char *lib = strstr(why, "libcu"), *end = lib ? strchr(lib, ':') : NULL;
	size_t n = strlen(path);

	if (strchr(path, '/') && access(path, F_OK))
		return err_set(e, ST_UNSUPPORTED, "there is no %s", path);
	if (end && !strstr(path, "libcu") && strstr(end, "cannot open shared object"))
		return err_set(e, ST_UNSUPPORTED,
			"%.*s is not installed: install %s of the CUDA 13 toolkit",
			(int)(end - lib), lib, strstr(lib, "cublas") ? "cuBLAS" : "the libraries");
	if (!strncmp(why, path, n) && !strncmp(why + n, ": ", 2))
		why += n + 2;
	return err_set(e, ST_UNSUPPORTED, "%s cannot be opened: %.200s", path, why);
}

static bool is_ours(const struct backend *const *list)
{
	if (!list || !list[0])
		return false;
	for (size_t i = 0; list[i]; i++)
		if (list[i]->abi != BD_BACKEND_ABI || list[i]->size != sizeof(struct backend))
			return false;
	return true;
}

/* As it is typed and shown: "cuda:0".  "auto" is no device's. */
static bool is_name(const char *s)
{
	size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789:._-") : 0;

	return n > 0 && n <= LONGEST_NAME && !s[n] && strcmp(s, "auto") != 0;
}

/* What is called without asking whether it is there; ref has none of it for a device. */
static const char *lacks(const struct backend *b)
{
#define X(op)       \
	if (!b->op) \
		return #op;
	X(score)
	if (b->host_memory)
		return NULL;
	DEVICE_OPS(X)
	OPS(X)
#undef X
	return NULL;
}

/* Who wrote the object may have left something out: it is told before it is called. */
static enum st check_list(const char *path, const struct backend *const *list, struct err *e)
{
	if (!is_ours(list))
		return err_set(e, ST_UNSUPPORTED,
			"%s is not a backend of ABI %d: build it with this bitdial", path,
			BD_BACKEND_ABI);
	for (size_t i = 0; list[i]; i++) {
		if (!is_name(list[i]->name))
			return err_set(e, ST_UNSUPPORTED,
				"%s: device %zu has no name such as cuda:0", path, i);
		if (lacks(list[i]))
			return err_set(e, ST_UNSUPPORTED, "%s: %s has no operation %s", path,
				list[i]->name, lacks(list[i]));
	}
	return ST_OK;
}

/* Those of the list whose names `to` has not; -1: they do not fit. */
static int add_to(const struct backend **to, const struct backend *const *list)
{
	int added = 0;

	for (; *list; list++) {
		size_t n = 0;

		while (to[n] && strcmp(to[n]->name, (*list)->name) != 0)
			n++;
		if (to[n])
			continue;
		if (n == MAX)
			return -1;
		to[n] = *list;
		added++;
	}
	return added;
}

static bool add(const struct backend *const *list)
{
	const struct backend *more[MAX + 1];
	size_t g;
	int n;

	pthread_mutex_lock(&mutex);
	g = atomic_load(&grown);
	memcpy(more, tables[g], sizeof more);
	n = add_to(more, list);
	if (n > 0 && g == GROWN)
		n = -1;
	if (n > 0) {
		memcpy(tables[g + 1], more, sizeof more);
		atomic_store(&grown, g + 1);
	}
	pthread_mutex_unlock(&mutex);
	return n >= 0;
}

/* The list of a shared object, which stays open: threads of a device may outlive any moment we
 * could pick. */
static enum st entry_of(const char *path, const struct backend *const **out, struct err *e)
{
	const struct backend *const *(*entry)(void);
	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const char *why = so ? NULL : dlerror();
	enum st st;

	if (!so)
		return not_opened(e, path, why ? why : "no reason given");
	*(void **)&entry = dlsym(so, "bd_backend_entry");
	*out = entry ? entry() : NULL;
	st = check_list(path, *out, e);
	if (st)
		dlclose(so);
	return st;
}

enum st backend_open(const char *path, struct err *e)
{
	const struct backend *const *list;
	enum st st = entry_of(path, &list, e);

	if (st)
		return st;
	return add(list) ? ST_OK : err_set(e, ST_UNSUPPORTED, "%s: too many backends", path);
}

/* ---- devices ---- */

/* Beside the program, or where `make install` puts it; false: in neither. */
static bool find_object(char *out, size_t size)
{
	static const char *const places[] = { "/libbitdial-cuda.so",
		"/../lib/bitdial/libbitdial-cuda.so" };
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	char *slash;

	if (n <= 0)
		return false;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (!slash)
		return false;
	*slash = '\0';
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if ((size_t)snprintf(out, size, "%s%s", exe, places[i]) < size &&
			access(out, F_OK) == 0)
			return true;
	return false;
}

/* Linux's driver, or that of a Linux inside Windows. */
static bool driver_loaded(void)
{
	return access("/dev/nvidiactl", F_OK) == 0 || access("/dev/dxg", F_OK) == 0;
}

static enum st open_devices(struct err *e)
{
	const struct backend *const *list;
	const char *path = getenv("BITDIAL_CUDA");
	char found[4096 + 64];
	enum st st;

	if (path && !*path)
		return err_set(e, ST_UNSUPPORTED, "BITDIAL_CUDA is empty: no device is used");
	if (!path && !find_object(found, sizeof found))
		return err_set(
			e, ST_UNSUPPORTED, "this build has no CUDA backend (nvcc was not found)");
	if (!path && !driver_loaded())
		return err_set(e, ST_UNSUPPORTED, "no NVIDIA driver is loaded");
	st = entry_of(path ? path : found, &list, e);
	if (st)
		return st;
	for (size_t i = 0; list[i]; i++)
		if (list[i]->score() > 0)
			return add(list) ? ST_OK : err_set(e, ST_UNSUPPORTED, "too many backends");
	/* where none can be used the first one says why */
	st = err_set(e, ST_UNSUPPORTED, "no CUDA device can be used");
	return list[0]->open && list[0]->open(e) ? ST_UNSUPPORTED : st;
}

static void look(void)
{
	struct err e = { ST_OK, "" };

	if (open_devices(&e))
		memcpy(no_device, e.msg, sizeof no_device);
	no_device[sizeof no_device - 1] = '\0';
}

const char *backend_devices(void)
{
	pthread_once(&looked, look);
	return no_device;
}

/* "cpu, ref, cuda:0" */
static void names(char *out, size_t size)
{
	const struct backend *const *table = backends();
	size_t n = 0;

	*out = '\0';
	for (size_t i = 0; table[i] && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", table[i]->name);
}

static enum st use(const struct backend *b, struct err *e)
{
	enum st st = ST_OK;

	if (b->score() <= 0 && !(b->lost && b->lost()))
		st = err_set(e, ST_UNSUPPORTED, "%s is not for this machine%s%s", b->name,
			b->path ? ": " : "", b->path ? b->path() : "");
	else if (b->open)
		st = b->open(e);
	if (!st)
		atomic_store(&in_use, b);
	return st;
}

const char *backend_passed_over(void)
{
	return passed;
}

/* The first device that opens; why the first one of all did not, stays in `passed`. */
static const struct backend *working_device(void)
{
	const struct backend *const *table = backends();

	passed[0] = '\0';
	for (size_t i = 0; table[i]; i++) {
		struct err why = { ST_OK, "" };

		if (table[i]->host_memory || table[i]->score() <= 0)
			continue;
		if (!table[i]->open || table[i]->open(&why) == ST_OK)
			return table[i];
		if (!passed[0])
			snprintf(passed, sizeof passed, "%s: %s", table[i]->name, why.msg);
	}
	return NULL;
}

enum st backend_use(const char *name, struct err *e)
{
	const struct backend *b = backend_find(name);
	const char *why = "";
	char have[200];

	if (!strcmp(name, "auto")) {
		(void)backend_devices();
		b = working_device();
		return use(b ? b : backend_best(), e);
	}
	if (!b) {
		why = backend_devices();
		b = backend_find(name);
	}
	if (b)
		return use(b, e);
	names(have, sizeof have);
	return err_set(e, ST_UNSUPPORTED, "there is no %s here, but %s%s%s", name, have,
		*why ? "; " : "", why);
}

const struct backend *backend_now(void)
{
	const struct backend *b = atomic_load(&in_use);

	return b ? b : backend_best();
}

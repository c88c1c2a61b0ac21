/* alloc.c - fallible and infallible memory over malloc, with a fault to order. */
#include "core/base/alloc.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/checked.h"
#include "core/base/text.h"

enum {
	BIG_ALIGN = 64,
	HUGE = 2 << 20,      /* a huge page of x86 and of most others, which ... */
	LARGE = 8 << 20,     /* ... from here on is asked for */
	ASK_FROM = 16 << 20, /* below this, looking at free memory costs more than it tells */
};

/* One counter a kind of memory: `at` is the absolute number of the call that fails. */
struct fault {
	atomic_ulong count, at;
	atomic_bool forever;
};

static struct fault big_fault, small_fault;
static _Atomic(void (*)(const char *)) end_hook;
static pthread_once_t env_once = PTHREAD_ONCE_INIT;

static void fault_set(struct fault *f, unsigned long n, bool forever)
{
	atomic_store(&f->forever, forever);
	atomic_store(&f->at, n ? atomic_load(&f->count) + n : 0);
}

static bool fault_hits(struct fault *f)
{
	unsigned long n = atomic_fetch_add(&f->count, 1) + 1, at = atomic_load(&f->at);

	return at && (n == at || (n > at && atomic_load(&f->forever)));
}

/* "7": the 7th fails; "7+": the 7th and all after it. */
static void fault_from_env(struct fault *f, const char *name)
{
	const char *s = getenv(name);
	char *end;
	unsigned long n;

	if (!s || *s < '0' || *s > '9')
		return;
	n = strtoul(s, &end, 10);
	fault_set(f, n, *end == '+');
}

static void read_env(void)
{
	fault_from_env(&big_fault, "BITDIAL_FAIL_ALLOC");
	fault_from_env(&small_fault, "BITDIAL_FAIL_XALLOC");
}

void alloc_fail_at(unsigned long n, bool forever)
{
	pthread_once(&env_once, read_env);
	fault_set(&big_fault, n, forever);
}

void xalloc_fail_at(unsigned long n)
{
	pthread_once(&env_once, read_env);
	fault_set(&small_fault, n, true);
}

unsigned long alloc_count(void)
{
	return atomic_load(&big_fault.count);
}

static void *no_room(size_t bytes, const char *what, struct err *e)
{
	size_t room = mem_available();
	char b1[16], b2[16];

	if (bytes < room) /* a limit of this process, which /proc/meminfo knows nothing of */
		err_set(e, ST_NOMEM, "%s of %s: the system gives no more memory (see ulimit -v)",
			what, text_bytes(bytes, b1));
	else
		err_set(e, ST_NOMEM, "%s of %s: only %s of memory is free", what,
			text_bytes(bytes, b1), text_bytes(room, b2));
	return NULL;
}

void *big_alloc(size_t bytes, const char *what, struct err *e)
{
	size_t align = bytes >= LARGE ? HUGE : BIG_ALIGN;
	void *p;

	pthread_once(&env_once, read_env);
	if (fault_hits(&big_fault))
		return no_room(bytes, what, e);
	/* malloc succeeds beyond what there is (overcommit) and the kill comes later. */
	if (bytes >= ASK_FROM && bytes > mem_available())
		return no_room(bytes, what, e);
	if (bytes > SIZE_MAX / 2 || posix_memalign(&p, align, bytes ? bytes : 1))
		return no_room(bytes, what, e);
#if defined(MADV_HUGEPAGE)
	if (align == HUGE) /* a refusal costs a little speed */
		(void)madvise(p, bytes, MADV_HUGEPAGE);
#endif
	memset(p, 0, bytes); /* touches every page now, not in the middle of a job */
	return p;
}

void *big_array(size_t n, size_t size, const char *what, struct err *e)
{
	size_t bytes;

	if (!size_mul(&bytes, n, size)) {
		err_set(e, ST_NOMEM, "%s: %zu items of %zu bytes cannot be addressed", what, n,
			size);
		return NULL;
	}
	return big_alloc(bytes, what, e);
}

void big_free(void *p)
{
	free(p);
}

void alloc_on_end(void (*fn)(const char *sentence))
{
	atomic_store(&end_hook, fn);
}

/* No atexit handlers here: other threads still run, and one may hold their locks. */
static _Noreturn void end(size_t bytes)
{
	void (*fn)(const char *) = atomic_load(&end_hook);
	char msg[96];
	int n = snprintf(
		msg, sizeof msg, "bitdial: out of memory (%zu more bytes were needed)\n", bytes);

	if (fn) {
		msg[n - 1] = '\0';
		fn(msg);
	} else if (write(STDERR_FILENO, msg, (size_t)n) < 0) {
		/* nobody listens: the exit status still tells */
	}
	_exit(1);
}

static bool small_fails(void)
{
	pthread_once(&env_once, read_env);
	return fault_hits(&small_fault);
}

void *xalloc(size_t bytes)
{
	void *p = small_fails() || bytes > SIZE_MAX / 2 ? NULL : calloc(1, bytes ? bytes : 1);

	if (!p)
		end(bytes);
	return p;
}

void *xarray(size_t n, size_t size)
{
	size_t bytes;

	if (!size_mul(&bytes, n, size))
		end(SIZE_MAX);
	return xalloc(bytes);
}

void *xrealloc(void *p, size_t bytes)
{
	void *q = small_fails() || bytes > SIZE_MAX / 2 ? NULL : realloc(p, bytes ? bytes : 1);

	if (!q)
		end(bytes);
	return q;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = xalloc(len + 1);

	memcpy(p, s, len);
	return p;
}

char *xprintf(const char *fmt, ...)
{
	va_list ap, ap2;
	char *s;
	int n;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) /* only a result beyond INT_MAX */
		end(SIZE_MAX);
	s = xalloc((size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, fmt, ap2);
	va_end(ap2);
	return s;
}

void xfree(void *p)
{
	free(p);
}

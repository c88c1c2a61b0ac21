/* alloc.h - the two ways to get memory, both of which tests can make fail.
 *
 * big_alloc: what is sized by a file, a model, a text or a job.  Fails with a
 * sentence that names the thing and the numbers; the program lives on.
 * xalloc and friends: everything else.  Never return NULL: a failure calls the
 * end hook (restores the terminal, flushes) and exits 1.
 * Any thread.  Memory from any of them is given back with xfree / big_free.
 */
#ifndef BD_BASE_ALLOC_H
#define BD_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

/* Zeroed, 64-byte aligned; NULL and *e on failure.  what: "KV cache". */
void *big_alloc(size_t bytes, const char *what, struct err *e);
/* As big_alloc for n items; a product that wraps is a failure, too. */
void *big_array(size_t n, size_t size, const char *what, struct err *e);
void big_free(void *p); /* NULL is fine */

void *xalloc(size_t bytes); /* zeroed */
void *xarray(size_t n, size_t size);
void *xrealloc(void *p, size_t bytes); /* the grown part is not zeroed */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xprintf(const char *fmt, ...) BD_PRINTF(1, 2);
void xfree(void *p);

/* Called once before the program ends for want of a small allocation. */
void alloc_on_end(void (*fn)(const char *sentence));

/* Bytes this process may still take: min(MemAvailable, cgroup limit - use). */
size_t mem_available(void);
size_t mem_available_in(const char *root); /* tests: with root in place of "/" */

/* Tests: fail the nth big_alloc from now (1 = the next), once or for ever.
 * 0 switches it off.  BITDIAL_FAIL_ALLOC=n in the environment does the same (n+: for
 * ever). */
void alloc_fail_at(unsigned long n, bool forever);
unsigned long alloc_count(void); /* big_allocs so far */
/* The same for xalloc and friends, which then end the program: the nth from now
 * and all after it (BITDIAL_FAIL_XALLOC=n). */
void xalloc_fail_at(unsigned long n);

#endif

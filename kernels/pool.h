/* pool.h - the compute threads: the calling engine thread and n - 1 workers.
 *
 * pool_run calls fn(arg, part) once for each part, in any order, on any thread of
 * the pool, and returns when all are done.  Parts are handed out by a ticket, so
 * uneven cores balance; results must not depend on which thread ran what.  One
 * pool a process; pool_run only from the engine thread (or a test's main thread),
 * never from inside a part.  Workers spin a few microseconds, then sleep on a
 * futex; they run niced.
 */
#ifndef BD_KERNELS_POOL_H
#define BD_KERNELS_POOL_H

#include <stddef.h>

void pool_start(int threads); /* 0: one a core.  Again: restarts with the new number */
void pool_stop(void);
int pool_threads(void); /* 1 before pool_start */

void pool_run(void (*fn)(void *arg, size_t part), void *arg, size_t parts);

/* POOL_SCRATCH bytes, 64-byte aligned, of the thread that runs a part (or of the one
 * that calls pool_run): free to use until the part returns. */
enum { POOL_SCRATCH = 2 << 20 };
void *pool_scratch(void);

#endif

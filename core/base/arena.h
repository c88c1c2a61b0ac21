/* arena.h - memory that is freed all at once.
 *
 * One arena per lifetime: a loaded model, one job, one frame.  Nothing taken
 * from an arena is freed by itself; arena_release gives back everything.  It
 * grows by chunks, so pointers stay valid.  An arena has one owner thread at a
 * time and takes no lock.  What a file sizes uses arena_try (NULL: out of memory
 * or past `limit`), the rest arena_take.
 */
#ifndef BD_BASE_ARENA_H
#define BD_BASE_ARENA_H

#include <stddef.h>

#include "core/base/err.h"

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t total;               /* bytes handed out */
	size_t limit;               /* arena_try refuses beyond; 0: none */
};

void arena_init(struct arena *a, size_t limit);
void arena_release(struct arena *a); /* may be used again afterwards */

void *arena_take(struct arena *a, size_t n, size_t size); /* zeroed, 16-byte aligned */
void *arena_try(struct arena *a, size_t n, size_t size, const char *what, struct err *e);
char *arena_strndup(struct arena *a, const char *s, size_t n); /* adds a NUL */

#define ARENA_NEW(a, type, n) ((type *)arena_take((a), (n), sizeof(type)))

#endif

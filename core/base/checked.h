/* checked.h - size arithmetic that cannot wrap.
 *
 * The only way sizes are computed from numbers that a file, a text or a user
 * supplied.  Each returns true and writes *out, or returns false and leaves it.
 * Pure; any thread.
 */
#ifndef BD_BASE_CHECKED_H
#define BD_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

BD_MUST_USE bool size_add(size_t *out, size_t a, size_t b);
BD_MUST_USE bool size_mul(size_t *out, size_t a, size_t b);
/* Up to the next multiple of align, a power of two. */
BD_MUST_USE bool size_align_up(size_t *out, size_t n, size_t align);

#endif

/* cut.h - how shapes are cut into parts.  Pure. */
#ifndef BD_KERNELS_CPU_CUT_H
#define BD_KERNELS_CPU_CUT_H

#include <stddef.h>

static inline size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many parts of `of` make n, the last maybe smaller. */
static inline size_t pieces(size_t n, size_t of)
{
	return n / of + (n % of != 0);
}

#endif

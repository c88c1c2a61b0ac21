/* checked.c - size arithmetic that cannot wrap. */
#include "core/base/checked.h"

bool size_add(size_t *out, size_t a, size_t b)
{
	if (b > SIZE_MAX - a)
		return false;
	*out = a + b;
	return true;
}

bool size_mul(size_t *out, size_t a, size_t b)
{
	if (a && b > SIZE_MAX / a)
		return false;
	*out = a * b;
	return true;
}

bool size_align_up(size_t *out, size_t n, size_t align)
{
	size_t sum;

	if (!align || (align & (align - 1)))
		return false;
	if (!size_add(&sum, n, align - 1))
		return false;
	*out = sum & ~(align - 1);
	return true;
}

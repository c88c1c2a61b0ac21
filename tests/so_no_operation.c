/* so_no_operation.c - a shared object whose device cannot do what is asked of every one. */
#include "kernels/backend.h"

const struct backend *const *bd_backend_entry(void);

static int score(void)
{
	return 1000;
}

const struct backend *const *bd_backend_entry(void)
{
	static const struct backend b = { .abi = BD_BACKEND_ABI,
		.size = sizeof(struct backend),
		.name = "half:0",
		.score = score };
	static const struct backend *const list[] = { &b, NULL };

	return list;
}

/* so_other_abi.c - a shared object like a backend's, of another time. */
#include "kernels/backend.h"

const struct backend *const *bd_backend_entry(void);

static int score(void)
{
	return 1000;
}

const struct backend *const *bd_backend_entry(void)
{
	static const struct backend b = { .abi = BD_BACKEND_ABI - 1,
		.size = sizeof(struct backend),
		.name = "old:0",
		.score = score };
	static const struct backend *const list[] = { &b, NULL };

	return list;
}

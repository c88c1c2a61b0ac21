/* so_no_name.c - a shared object whose device has a name that no one could type. */
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
		.name = "\033[31mcuda:0\n",
		.score = score };
	static const struct backend *const list[] = { &b, NULL };

	return list;
}

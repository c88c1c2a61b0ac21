/* lib_fenced.c - see lib_fenced.h. */
#include "tests/lib_fenced.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/backend.h"

const struct fenced_controls *lib_fenced(void)
{
	static const struct fenced_controls *found;
	char path[4096];
	ssize_t n;
	void *so;

	if (found)
		return found;
	n = readlink("/proc/self/exe", path, sizeof path - 32);
	if (n < 0)
		abort();
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "libfenced.so");
	setenv("BITDIAL_CUDA", path, 1);
	(void)backend_devices();
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	found = so ? dlsym(so, "bd_fenced") : NULL;
	if (!found) {
		fprintf(stderr, "%s: %s\n", path, dlerror());
		abort();
	}
	return found;
}

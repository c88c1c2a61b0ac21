/* stress_backends.c - the table of backends from two threads at once: opened, looked through and used
 * by one while the other one adds to it.  A plain program, for `make tsan`. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/backend.h"

enum { TIMES = 300 };

static char object[4200]; /* two devices of plain C, beside this program */

static void *look(void *failed)
{
	struct err e;

	for (int i = 0; i < TIMES; i++) {
		bool all = !backend_open(object, &e) && backend_find("fenced:1") &&
			   backend_find("cpu") && backend_now() && backend_best()->host_memory;

		(void)backend_devices();
		if (!all)
			*(bool *)failed = true;
	}
	return NULL;
}

static void *use(void *failed)
{
	static const char *const names[] = { "cpu", "ref", "auto" };
	struct err e;

	for (int i = 0; i < TIMES; i++)
		if (backend_use(names[i % 3], &e))
			*(bool *)failed = true;
	return look(failed);
}

int main(void)
{
	pthread_t threads[2];
	bool failed[2] = { false, false };
	ssize_t n = readlink("/proc/self/exe", object, 4096);

	if (n <= 0)
		return 1;
	object[n] = '\0';
	strcpy(strrchr(object, '/') + 1, "libfenced.so");
	setenv("BITDIAL_CUDA", object, 1);
	if (pthread_create(&threads[0], NULL, look, &failed[0]) ||
		pthread_create(&threads[1], NULL, use, &failed[1]))
		return 1;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	if (failed[0] || failed[1]) {
		fprintf(stderr, "stress_backends: a backend that is there was not found\n");
		return 1;
	}
	puts("ok");
	return 0;
}

/* stress_pool.c - the pool under many short jobs, pauses and restarts; a plain program,
 * to be run under the thread sanitizer.  Parts write plain memory that the caller reads
 * afterwards: a missing order between them is a report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/pool.h"

enum { JOBS = 4000, MOST = 64 };

struct job {
	unsigned seed;
	unsigned out[MOST]; /* plain on purpose */
};

static void part(void *arg, size_t i)
{
	struct job *j = arg;
	unsigned *s = pool_scratch();

	s[0] = j->seed;
	for (unsigned k = 0; k < (j->seed + i) % 200; k++)
		s[0] = s[0] * 1664525u + 1013904223u;
	j->out[i] = s[0] | 1;
}

int main(void)
{
	unsigned sum = 0, seed = 1;

	for (int threads = 1; threads <= 8; threads++) {
		pool_start(threads);
		for (int n = 0; n < JOBS / threads; n++) {
			struct job j = { .seed = seed = seed * 1664525u + 1013904223u };
			size_t parts = seed >> 16 & (MOST - 1);

			pool_run(part, &j, parts);
			for (size_t i = 0; i < MOST; i++) {
				if (!j.out[i] != (i >= parts)) {
					fprintf(stderr, "part %zu of %zu was lost\n", i, parts);
					return 1;
				}
				sum += j.out[i];
			}
			if (n % 500 == 0) {
				struct timespec ms = { 0, 1000000 };

				nanosleep(&ms, NULL);
			}
		}
	}
	pool_stop();
	printf("pool: %u\n", sum);
	return 0;
}

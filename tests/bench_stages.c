/* bench_stages.c - seconds of each stage of the dial, one after the other, nothing cached.
 * Prints one JSON object a line; the default model, or $MODEL. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/work/desk.h"

/* The longest time between two looks at the stop token, by the clock and of this thread's
 * own work: the first holds what a busy machine took from it, too. */
static struct gap {
	double last, worst;
} wall, own;

static void look(struct gap *s, double now)
{
	if (now - s->last > s->worst)
		s->worst = now - s->last;
	s->last = now;
}

static double own_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool poll(const struct sink *s)
{
	(void)s;
	look(&wall, clock_now());
	look(&own, own_now());
	return false;
}

static double begin(void)
{
	wall = (struct gap){ clock_now(), 0 };
	own = (struct gap){ own_now(), 0 };
	return wall.last;
}

static void end(const char *stage, double since)
{
	poll(NULL);
	printf("{\"bench\":\"stage\",\"stage\":\"%s\",\"s\":%.2f,\"worst_poll_ms\":%.1f,"
	       "\"worst_poll_cpu_ms\":%.1f}\n",
		stage, clock_now() - since, wall.worst * 1e3, own.worst * 1e3);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct desk_options o = { .read_only = true };
	struct sink s = { .poll = poll };
	const char *model = getenv("MODEL");
	int stages = argc > 1 ? atoi(argv[1]) : STAGE_SCAN;
	struct desk *d;
	struct err e;
	char *path = NULL;
	double t = begin();

	if (!model) {
		char *data = fs_place(FS_DATA);

		model = path = xprintf("%s/models/SmolLM2-135M-Instruct.Q4_1.gguf", data);
		xfree(data);
	}
	if (!fs_is_file(model)) {
		printf("bench_stages: skipped, there is no %s (make model)\n", model);
		return 0;
	}
	if (desk_open(&d, model, &o, &s, &e)) {
		fprintf(stderr, "bench_stages: %s\n", e.msg);
		return 1;
	}
	end("open", t);
	for (int g = 0; g < stages; g++) {
		t = begin();
		if (desk_stage(d, (enum stage)g, &s, &e)) {
			fprintf(stderr, "bench_stages: %s\n", e.msg);
			return 1;
		}
		end(desk_stage_name((enum stage)g), t);
	}
	desk_close(d);
	xfree(path);
	return 0;
}

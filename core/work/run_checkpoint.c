/* run_checkpoint.c - see run_checkpoint.h. */
#include "core/work/run_checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"

const char run_step_head[] = "step-";

bool run_is_checkpoint(const char *name, uint64_t *step)
{
	size_t n = strlen(name), digits = strspn(name + (n < 5 ? n : 5), "0123456789");
	unsigned long long at;

	if (strncmp(name, run_step_head, 5) != 0 || digits < RUN_STEP_DIGITS || n != 5 + digits ||
		digits > 15 || sscanf(name + 5, "%llu", &at) != 1)
		return false;
	*step = at;
	return true;
}

/* takes: NULL: all. */
static char *newest(const char *run, uint64_t below, bool (*takes)(const char *dir))
{
	char **name, *best = NULL;
	uint64_t step, last = 0;
	size_t n;

	if (fs_list(run, &name, &n, NULL))
		return NULL;
	for (size_t i = 0; i < n; i++) {
		char *dir = xprintf("%s/%s", run, name[i]);

		if (run_is_checkpoint(name[i], &step) && step < below && (!best || step > last) &&
			fs_is_dir(dir) && (!takes || takes(dir))) {
			xfree(best);
			best = dir;
			dir = NULL;
			last = step;
		}
		xfree(dir);
		xfree(name[i]);
	}
	xfree(name);
	return best;
}

char *run_newest(const char *run, uint64_t below)
{
	return newest(run, below, NULL);
}

char *run_checkpoint(const char *run, bool (*takes)(const char *dir))
{
	static const char *const links[] = { "best", "last" };
	char *found = NULL;

	for (size_t i = 0; i < sizeof links / sizeof *links && !found; i++) {
		char *link = xprintf("%s/%s", run, links[i]), *real = realpath(link, NULL);

		if (real && fs_is_dir(real) && takes(real))
			found = xstrdup(real);
		free(real); /* the C library's */
		xfree(link);
	}
	return found ? found : newest(run, UINT64_MAX, takes);
}

/* frames - how long frames took. */
#include <stdlib.h>
#include <string.h>

#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

void tui_frame_took(struct tui *t, double ms)
{
	t->stats.frames++;
	t->stats.draw_ms += (ms - t->stats.draw_ms) / (double)t->stats.frames;
	if (t->stats.frames == 1)
		t->stats.first_frame_ms = (clock_now() - t->started) * 1000;
	if (t->frame_ms)
		t->frame_ms[t->n_frame_ms++ % FRAMES] = ms;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void tui_frame_times(const struct tui *t, double *p50, double *p99, double *worst)
{
	size_t n = t->n_frame_ms < FRAMES ? t->n_frame_ms : FRAMES;
	double *sorted;

	*p50 = *p99 = *worst = 0;
	if (!n)
		return;
	sorted = xarray(n, sizeof *sorted);
	memcpy(sorted, t->frame_ms, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_value);
	*p50 = sorted[n / 2];
	*p99 = sorted[n - 1 - n / 100];
	*worst = sorted[n - 1];
	xfree(sorted);
}

/* frames - how long frames took, and what is told of them after a tour. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/tour.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/json.h"

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

static void frame_times(const struct tui *t, double *p50, double *p99, double *worst)
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

/* The times of a tour's frames, as one JSON object. */
static void print_tour(const struct tui *t)
{
	const struct tui_stats *s = &t->stats;
	double p50, p99, worst;
	struct json_out o;

	frame_times(t, &p50, &p99, &worst);
	json_out_init(&o, false);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "stations", (int64_t)s->tour_stations);
	json_put_i64(&o, "passed", (int64_t)s->tour_passed);
	json_put_i64(&o, "frames", (int64_t)s->frames);
	json_put_f64(&o, "frame_p50_ms", p50);
	json_put_f64(&o, "frame_p99_ms", p99);
	json_put_f64(&o, "frame_worst_ms", worst);
	json_put_f64(&o, "first_frame_ms", s->first_frame_ms);
	json_put_i64(&o, "keys", (int64_t)s->keys);
	json_put_i64(&o, "bytes", (int64_t)s->bytes);
	json_put_f64(&o, "seconds", clock_now() - t->started);
	json_close(&o, '}');
	printf("%.*s\n", (int)o.n, o.s);
	json_out_release(&o);
}

/* After the screen: what to do next, or the numbers; a station that was not passed is a failure. */
int tour_ended(const struct tui *t, int status)
{
	const struct tui_stats *s = &t->stats;

	if (!t->o->tour || t->o->plain || status)
		return status;
	if (t->o->json)
		print_tour(t);
	else if (t->tour_said[0])
		printf("%s\n", t->tour_said);
	if (!t->tour_said[0] || s->tour_passed == s->tour_stations)
		return status; /* or somebody left before its end */
	fprintf(stderr, "bitdial: the tour passed %zu of its %zu stations\n", s->tour_passed,
		s->tour_stations);
	return 1;
}

/* train_run_tell.c - what a run was asked for and what it reads, for who shows it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/desk_private.h"
#include "core/work/train_run_private.h"

const struct train_ask *train_run_ask(const struct train_run *r)
{
	return &r->ask;
}

const struct pack_counts *train_run_counts(const struct train_run *r)
{
	return pack_counts(r->pack);
}

const char *train_run_warning(const struct train_run *r, size_t i)
{
	return i < r->n_warnings ? r->warning[i] : NULL;
}

size_t train_run_windows(const struct train_run *r)
{
	size_t n;
	struct err e;

	return pack_windows(r->pack, 0, &n, &e) ? 0 : n;
}

bool train_run_is_over(const struct train_run *r)
{
	return r->ask.patience && r->far.waited >= r->ask.patience;
}

char *train_run_early(const struct train_run *r)
{
	const struct train_so_far *f = &r->far;
	const char *what = r->ask.teach || r->ask.teacher ? "KL" : "loss";
	unsigned long long step = (unsigned long long)f->step;

	if (!train_run_is_over(r) || f->step >= f->steps)
		return NULL;
	if (isnan(f->best_nll))
		return xprintf("ended at step %llu: held-out %s was no number", step, what);
	return xprintf("ended at step %llu: held-out %s was lowest at step %llu", step, what,
		(unsigned long long)f->best_step);
}

size_t train_run_points(
	const struct train_run *r, double bpw[TRAIN_POINTS], double kl[TRAIN_POINTS])
{
	for (size_t p = 0; r->dial && p < r->dial->points; p++) {
		bpw[p] = r->dial->point[p].bpw;
		kl[p] = r->dial->point[p].kl;
	}
	return r->dial ? r->dial->points : 0;
}

/* ---- the first look */

/* The last n columns of the first line of numbers that a table of the metrics has; NAN: not there.
 */
static void first_line(const struct train_run *r, const char *name, double *v, size_t n)
{
	enum { COLUMNS = 16, TABLE_MAX = 64 << 20 };
	char *path = xprintf("%s/metrics/%s", r->path, name), *text = NULL, *at, *end;
	double column[COLUMNS];
	size_t bytes, have = 0;

	for (size_t i = 0; i < n; i++)
		v[i] = (double)NAN;
	if (fs_is_file(path) && !fs_read(path, TABLE_MAX, &text, &bytes, NULL)) {
		for (at = text; *at == '#'; at += *at == '\n')
			at += strcspn(at, "\n");
		for (; have < COLUMNS && *at && *at != '\n'; at = end) {
			column[have] = strtod(at, &end);
			if (end == at)
				break;
			have++;
		}
		for (size_t i = 0; i < n && have >= n; i++)
			v[i] = column[have - n + i];
	}
	big_free(text);
	xfree(path);
}

struct train_first train_run_first(const struct train_run *r)
{
	struct train_first f;

	first_line(r, "held.tsv", &f.nll, 1);
	first_line(r, "kl.tsv", &f.kl, 1);
	first_line(r, "dial.tsv", f.point, r->dial ? r->dial->points : TRAIN_POINTS);
	return f;
}

struct train_sums train_run_sums(const struct train_run *r)
{
	return (struct train_sums){
		.tokens = r->far.tokens, .seconds = r->far.seconds, .loss = train_run_ema(r)
	};
}

void train_run_put_points(const struct train_run *r)
{
	struct desk *d = r->d;
	uint8_t *choice = xarray(d->set.n + 1, 1);

	for (size_t p = 0; r->dial && p < r->dial->points && r->far.look_step == r->far.step; p++) {
		const uint8_t *form = r->dial->point[p].form;

		for (size_t i = 0; i < d->set.n; i++)
			choice[i] = (uint8_t)desk_format_index(d, r->dial->format[form[i]]);
		if (isfinite(r->dial->point[p].kl))
			desk_put_point(d, choice, r->dial->point[p].kl, r->dial->point[p].tokens);
	}
	xfree(choice);
}

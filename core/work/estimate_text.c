/* estimate_text.c - an estimate in words: one line, the whole arithmetic, and why it does not fit.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/work/desk_private.h"
#include "core/work/estimate.h"

/* "a 3 MiB + b 4 MiB" */
static void sum_of(const struct estimate_bytes *b, char *out, size_t cap)
{
	char bytes[16];
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ESTIMATE_WORDS && b[i].what && n < cap; i++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s %s", i ? " + " : "", b[i].what,
			text_bytes(b[i].bytes, bytes));
}

static bool all_measured(const struct estimate *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (!x->part[i].measured)
			return false;
	return true;
}

static const char *source(const struct estimate *x)
{
	return all_measured(x) ? "rates measured here" : "in part from a short measurement";
}

const char *estimate_line(const struct estimate *x, char out[ESTIMATE_LINE])
{
	char time[16], later[16], bytes[16];
	int n = snprintf(out, ESTIMATE_LINE, "about %s", text_seconds(x->seconds, time));

	if (x->later_s >= 1)
		n += snprintf(out + n, (size_t)(ESTIMATE_LINE - n),
			" (at most %s more for undecided cells)", text_seconds(x->later_s, later));
	if (x->memory_sum)
		n += snprintf(out + n, (size_t)(ESTIMATE_LINE - n), ", %s of memory",
			text_bytes(x->memory_sum, bytes));
	if (x->there_sum)
		n += snprintf(out + n, (size_t)(ESTIMATE_LINE - n), ", %s on %s",
			text_bytes(x->there_sum, bytes), x->there_at);
	if (x->disk_sum)
		n += snprintf(out + n, (size_t)(ESTIMATE_LINE - n), ", %s of disk",
			text_bytes(x->disk_sum, bytes));
	snprintf(out + n, (size_t)(ESTIMATE_LINE - n), " (estimated, %s)", source(x));
	return out;
}

enum st estimate_fits(const struct estimate *x, const char *anyway, struct err *e)
{
	char sum[160], need[16], room[16], way[64] = "";

	if (anyway)
		snprintf(way, sizeof way, "; %s begins all the same", anyway);
	if (x->memory_sum > x->memory_room) {
		sum_of(x->memory, sum, sizeof sum);
		return err_set(e, ST_NOMEM, "%s needs about %s of memory (%s), %s is free%s",
			x->job, text_bytes(x->memory_sum, need), sum,
			text_bytes(x->memory_room, room), way);
	}
	if (x->there_sum > x->there_room) {
		sum_of(x->there, sum, sizeof sum);
		return err_set(e, ST_NOMEM, "%s needs about %s of memory on %s (%s), %s is free%s",
			x->job, text_bytes(x->there_sum, need), x->there_at, sum,
			text_bytes(x->there_room, room), way);
	}
	if (x->disk_sum > x->disk_room) {
		sum_of(x->disk, sum, sizeof sum);
		return err_set(e, ST_IO, "%s needs about %s of disk (%s), %s has %s free%s", x->job,
			text_bytes(x->disk_sum, need), sum, x->disk_at,
			text_bytes(x->disk_room, room), way);
	}
	return ST_OK;
}

void estimate_tell(const struct estimate *x, void (*put)(void *arg, const char *line), void *arg)
{
	char line[480], sum[160], time[16], a[16], b[16];

	for (size_t i = 0; i < x->n; i++) {
		const struct estimate_part *p = &x->part[i];

		snprintf(line, sizeof line, "  %-28s %8.3g units  %8.3g s  %s", p->what, p->units,
			p->seconds, p->measured ? "measured here" : "estimated");
		put(arg, line);
	}
	if (!x->n)
		put(arg, "  nothing is left to do: everything is in the cache");
	snprintf(line, sizeof line, "time    about %s (estimated, %s)", text_seconds(x->seconds, time),
		source(x));
	put(arg, line);
	if (x->later_s >= 1) {
		snprintf(line, sizeof line, "        at most %s more for undecided cells",
			text_seconds(x->later_s, time));
		put(arg, line);
	}
	sum_of(x->memory, sum, sizeof sum);
	snprintf(line, sizeof line, "memory  %s at the peak%s%s; %s is free",
		text_bytes(x->memory_sum, a), *sum ? ": " : "", sum, text_bytes(x->memory_room, b));
	put(arg, line);
	if (x->there_at[0]) {
		sum_of(x->there, sum, sizeof sum);
		snprintf(line, sizeof line, "%-7s %s at the peak%s%s; %s is free", x->there_at,
			text_bytes(x->there_sum, a), *sum ? ": " : "", sum,
			text_bytes(x->there_room, b));
		put(arg, line);
	}
	sum_of(x->disk, sum, sizeof sum);
	if (x->disk_sum)
		snprintf(line, sizeof line, "disk    %s: %s; %s has %s free",
			text_bytes(x->disk_sum, a), sum, x->disk_at, text_bytes(x->disk_room, b));
	else
		snprintf(line, sizeof line, "disk    nothing");
	put(arg, line);
}

/* " at 417 of 630 cells", or where it had not come so far what it had; "": all are scanned. */
bool estimate_stood(const struct desk *d, char out[ESTIMATE_STOOD])
{
	size_t all = 0, fast = 0, scanned = 0;

	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < d->set.k; f++) {
			uint8_t is = d->cell[i * d->set.k + f].state;

			if (!desk_staged(d, i, f))
				continue;
			all++;
			fast += is >= CELL_FAST && is <= CELL_SCANNED;
			scanned += is == CELL_SCANNED;
		}
	out[0] = '\0';
	if (scanned)
		snprintf(out, ESTIMATE_STOOD, " at %zu of %zu cells", scanned, all);
	else if (fast)
		snprintf(out, ESTIMATE_STOOD, " in the fast pass, at %zu of %zu cells", fast, all);
	else
		snprintf(out, ESTIMATE_STOOD, " before its first cell");
	return scanned < all;
}

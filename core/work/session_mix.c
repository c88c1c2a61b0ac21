/* session_mix.c - the channel-mixes of the layout under the dial, made and measured. */
#include "core/base/alloc.h"
#include "core/work/session_private.h"

enum st mix_settle(struct job *j, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;
	struct desk *d = s->desk;
	uint8_t *choice;
	enum st st = ST_OK;
	size_t fresh = 1;

	if (!desk_mixes(d) || !dial_generation(s->dial)) /* nothing is in nats yet */
		return ST_OK;
	choice = xarray(d->set.n + 1, 1);
	for (int round = 0; round < DESK_MIX_ROUNDS && fresh && !st; round++) {
		uint64_t generation;
		double bpw;

		if (!dial_choice(s->dial, choice, d->set.n, &bpw, &generation))
			break;
		job_stage(j, "mixes of the layout", "linears");
		st = desk_mix_measure(d, choice, &fresh, &j->sink, e);
		if (fresh) { /* else it would only move the dial to and fro */
			publish_cells(s, true);
			publish_points(s); /* which of them predict */
		}
	}
	xfree(choice);
	return st;
}

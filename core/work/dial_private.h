/* dial_private.h - what dial.c and dial_undo.c share; nobody else. */
#ifndef BD_WORK_DIAL_PRIVATE_H
#define BD_WORK_DIAL_PRIVATE_H

#include <pthread.h>

#include "core/search/front.h"
#include "core/work/dial.h"

enum { UNDO = 64, POINTS = 64 };

/* A front with the arrays it reads; counted, since the exact job works on one while the
 * dial may move to the next. */
struct solved {
	int refs; /* under dial.mu */
	struct front *front;
	struct front_table *table;
	uint64_t *bytes;
	double *damage, *se;
	bool in_nats;
};

struct dial_state { /* what undo returns to */
	double bpw, kl, se;
	int8_t *pin;
	uint8_t *choice; /* of a layout from a file; NULL: solved */
};

struct dial {
	pthread_mutex_t mu;
	struct bus *bus;
	struct snap_model *m;
	struct solved *now;
	double bpw; /* asked */
	int8_t *pin;
	uint8_t *choice;
	bool has_choice, given; /* given: from a file, not solved */
	double given_kl, given_se;
	uint64_t generation, answer_bytes;
	double answer_kl, answer_se;
	struct dial_state undo[UNDO];
	size_t n_undo, at_undo; /* states kept; where we are among them */
	double last_move;
	struct front_point point[POINTS];
	uint8_t *point_choice[POINTS];
	size_t n_points;
};

/* All of these: the caller holds d->mu. */

void dial_solve(struct dial *d);
/* The same damages under the present pins. */
BD_MUST_USE enum st dial_rebuild(struct dial *d, struct err *e);
/* Before a change: what undo comes back to.  Moves of the dial within 0.7 s are one. */
void dial_remember(struct dial *d, bool move);
void dial_forget_undo(struct dial *d);
BD_MUST_USE enum st dial_no_model(struct err *e);

#endif

/* dial_private.h - what dial.c and the dial_*.c share; nobody else. */
#ifndef BD_WORK_DIAL_PRIVATE_H
#define BD_WORK_DIAL_PRIVATE_H

#include <pthread.h>

#include "core/search/front.h"
#include "core/search/predict.h"
#include "core/work/dial.h"

enum { UNDO = 64 };

/* What a person laid down, each [n]. */
struct dial_rules {
	int8_t *pin, *floor; /* as front_input has them */
	uint16_t *tie;       /* a linear's own index: it is tied to none before it */
};

/* A front with the arrays it reads; counted, since the exact job works on one while the
 * dial may move to the next. */
struct solved {
	int refs; /* under dial.mu */
	struct front *front;
	struct front *layers;  /* without mixes; NULL: there are none */
	struct front *unruled; /* of the same damages without rules; NULL: there are none */
	struct front_table *table, *layer_table;
	uint64_t *bytes;
	double *damage, *se;
	bool in_nats;
};

struct dial_state { /* what undo returns to */
	double bpw, kl, se;
	struct dial_rules rules;
	uint8_t *choice; /* of a layout from a file; NULL: solved */
	uint8_t *mark;   /* NULL: none */
};

struct dial {
	pthread_mutex_t mu;
	struct bus *bus;
	struct snap_model *m;
	struct solved *now;
	double bpw; /* asked */
	struct dial_rules rules;
	uint8_t *choice;
	uint8_t *mark;          /* [n]: A; NULL: none */
	bool has_choice, given; /* given: from a file, not solved */
	double given_kl, given_se;
	uint64_t generation, answer_bytes;
	double answer_sum, answer_kl, answer_se; /* sum: of single damages */
	double read_s; /* bytes a second that decoding read; 0: not measured */
	struct dial_state undo[UNDO];
	size_t n_undo, at_undo; /* states kept; where we are among them */
	double last_move;
	struct dial_acted act;          /* but bpw */
	size_t next_cells, next_points; /* dial_known */
	struct predict predict; /* through the points, under the present damages */
	struct front_point point[POINTS_MAX];
	uint32_t point_tokens[POINTS_MAX];
	bool point_estimated[POINTS_MAX];
	uint8_t *point_choice[POINTS_MAX];
	size_t n_points;
};

/* All of these: the caller holds d->mu. */

uint64_t dial_budget_of(const struct dial *d, double bpw);
double dial_bpw_of(const struct dial *d, uint64_t bytes);
uint64_t dial_bytes_of(const struct dial *d, const uint8_t *choice);
/* What the damages known add up to; se may be NULL. */
double dial_sum(const struct dial *d, const uint8_t *choice, double *se);
/* KL of a sum of single damages, as the measured layouts correct it; while only first scores
 * are known the sum itself.  se may be NULL. */
double dial_predicted(const struct dial *d, double sum, double sum_se, double *se);
/* A layout in place of the solved one, until the dial moves. */
void dial_put(struct dial *d, const uint8_t *choice);
void dial_forget_points(struct dial *d);
/* Into a snapshot: the layout's own measurement, and a measured one that does better. */
void dial_publish_measured(const struct dial *d, struct snap_answer *s);
void dial_publish_front(struct dial *d);
/* After other damages or another point. */
void dial_refit(struct dial *d);
/* Is what was measured off what is predicted without it by more than two standard errors? */
bool dial_missed(const struct dial *d, const uint8_t *choice, double kl, double se);
/* The front's layout within these bytes, exact where the table is there. */
void dial_solve_at(const struct dial *d, uint64_t bytes, uint8_t *choice, struct front_answer *a);
void dial_solve(struct dial *d);
/* The front of these damages without mixes, NULL where there are none; and what is predicted
 * for its layout within these bytes, 0: nothing. */
/* Its damages, those of mixes not to be used; xfree. */
double *dial_layers_only(const struct dial *d, const struct solved *s);
struct front *dial_layers(
	const struct dial *d, const struct solved *s, const struct dial_rules *r);
double dial_layer_kl(const struct dial *d, uint64_t bytes);
/* false: there is none within these bytes. */
bool dial_layer_answer(
	const struct dial *d, uint64_t bytes, uint8_t *choice, struct front_answer *a);
void dial_solved_unref(struct solved *s);
/* Within the ends of the dial; solves and publishes. */
void dial_go(struct dial *d, double bpw);
/* The same damages under the present rules. */
BD_MUST_USE enum st dial_rebuild(struct dial *d, struct err *e);
/* Before a change: what undo comes back to.  Moves of the dial within 0.7 s are one. */
void dial_remember(struct dial *d, bool move);
void dial_forget_undo(struct dial *d);
BD_MUST_USE enum st dial_no_model(struct err *e);

struct dial_rules rules_new(size_t n); /* none laid down */
struct dial_rules rules_copy(const struct dial_rules *r, size_t n);
void rules_free(struct dial_rules *r);
bool rules_equal(const struct dial_rules *a, const struct dial_rules *b, size_t n);
bool rules_any(const struct dial_rules *r, size_t n);
/* Does a layout keep to them? */
bool rules_hold(const struct dial_rules *r, const uint8_t *choice, size_t n);
bool rules_tied(const struct dial_rules *r, size_t n);
/* The rules in place of the present ones, solved and published; nothing changes where they
 * cannot be.  Takes r over in any case. */
BD_MUST_USE enum st dial_lay_down(struct dial *d, struct dial_rules *r, struct err *e);
/* Into a snapshot: rules and what they cost. */
void dial_publish_rules(const struct dial *d, struct snap_answer *s);
/* The solver's input under rules, NULL: under none; its arrays are s's and the rules'. */
struct front_input dial_input(
	const struct snap_model *m, const struct solved *s, const struct dial_rules *r);
/* A front under rules, or NULL rules: under none.  Its arrays are d->now's. */
BD_MUST_USE enum st dial_front_under(struct front **out, const struct dial *d,
	const struct solved *s, const struct dial_rules *r, struct err *e);

#endif

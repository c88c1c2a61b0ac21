/* dial.h - the budget, the pins, floors and ties, and the layout they lead to.
 *
 * Turning the dial is answered in the call (hull and greedy, microseconds) and published
 * as EV_ANSWER; the exact programme follows as a job (dial_exact) and replaces it.  New
 * damages re-solve at once.  One mutex guards all of it: any thread may call; nothing is
 * called under it but the bus.
 */
#ifndef BD_WORK_DIAL_H
#define BD_WORK_DIAL_H

#include "core/base/err.h"
#include "core/base/sink.h"
#include "core/work/ask.h"
#include "core/search/front.h"
#include "core/work/bus.h"
#include "core/work/point.h"
#include "core/work/snap.h"

struct dial;

struct dial *dial_new(struct bus *b);
void dial_free(struct dial *d);

/* A model: forgets pins, marks and points; the budget stays where the new ends allow it,
 * or goes to the middle.  Takes a reference. */
void dial_model(struct dial *d, struct snap_model *m);
/* damage, se: [n][k].  Publishes EV_FRONT and EV_ANSWER. */
BD_MUST_USE enum st dial_damage(
	struct dial *d, const double *damage, const double *se, bool in_nats, struct err *e);

BD_MUST_USE enum st dial_budget(struct dial *d, double bpw, struct err *e);
BD_MUST_USE enum st dial_bytes(struct dial *d, uint64_t bytes, struct err *e);
double dial_bpw(struct dial *d);

/* Where an ask led: what the layout there is. */
struct dial_reached {
	double bpw; /* NAN: no model yet */
	double kl, se;
	double tok_s; /* expected; NAN: no speed is known */
	uint64_t bytes, file_bytes;
	bool in_nats;
	int end; /* -1, 1: the least, the most of the dial, and less, more was asked for */
};
/* The budget by any of its faces.  A damage is read from the front: the smallest layout that is
 * predicted at that or less.  A speed needs dial_speed. */
BD_MUST_USE enum st dial_ask(
	struct dial *d, const struct ask *a, struct dial_reached *r, struct err *e);
/* The layout of that many bits a weight was measured to decode so fast; a token reads the stored
 * linears and all else of the file once. */
void dial_speed(struct dial *d, double bpw, double tok_s);

/* Rules: what the solver must keep to.  A rule that cannot be changes nothing.
 * fmt -1 frees; -2: as it is now.  *matched: linears that the pattern names; where it takes rules
 * away, those that had one, and with none nothing happens. */
BD_MUST_USE enum st dial_pin(
	struct dial *d, const char *pattern, int fmt, size_t *matched, struct err *e);
/* No format below fmt; 0: any.  A pin comes before a floor. */
BD_MUST_USE enum st dial_floor(
	struct dial *d, const char *pattern, int fmt, size_t *matched, struct err *e);
/* "qkv", "gateup": in every block; "off": none; else a pattern whose linears all become one.
 * *units: how many moves there are to make then. */
BD_MUST_USE enum st dial_tie(struct dial *d, const char *what, size_t *units, struct err *e);

/* What rules cost: the damage predicted with them and without, at the bytes of the layout. */
enum { PRICE_PINS = 1, PRICE_FLOORS = 2, PRICE_TIES = 4, PRICE_ALL = 7 };
struct dial_price {
	double with, without; /* with is the damage shown */
	double bpw;
	size_t rules; /* linears that have one of them */
	bool in_nats;
};
/* which: PRICE_...; pattern NULL: of all linears. */
BD_MUST_USE enum st dial_price(
	struct dial *d, const char *pattern, unsigned which, struct dial_price *p, struct err *e);

/* The mark A: a layout to compare with. */
enum dial_mark_verb { MARK_HERE, MARK_OFF, MARK_TOGGLE };
BD_MUST_USE enum st dial_mark(
	struct dial *d, enum dial_mark_verb verb, bool *marked, struct err *e);
BD_MUST_USE enum st dial_to_mark(struct dial *d, struct err *e);
/* What is marked; false: nothing is.  choice [n] may be NULL, with n 0. */
bool dial_marked(struct dial *d, uint8_t *choice, size_t n, double *bpw);

/* Budget, rules, mark and layouts from files. */
BD_MUST_USE enum st dial_undo(struct dial *d, bool redo, struct err *e);
/* Takes over a layout from a file: its choice is shown as it is until the dial moves.
 * kl NAN: the sum of the damages known. */
void dial_choose(struct dial *d, const uint8_t *choice, double kl, double se);
/* Is choice [n] a layout of this model in the formats there are? */
bool dial_fits(struct dial *d, const uint8_t *choice, size_t n);

/* The layout now: choice [n]; false: there is none yet.  *generation changes whenever the
 * choice does. */
bool dial_choice(struct dial *d, uint8_t *choice, size_t n, double *bpw, uint64_t *generation);
/* The same with its bytes and what is predicted for it; false: there is none yet. */
bool dial_answered(
	struct dial *d, uint8_t *choice, size_t n, uint64_t *bytes, double *kl, double *se);
/* Which place of the desk's journals the damages and points that come next are of (desk.h). */
void dial_known(struct dial *d, size_t cells, size_t points);
/* What answers are made on, and what the last act that undo comes back from was made on. */
struct dial_acted {
	size_t cells, points;             /* of the damages and points now */
	size_t acted_cells, acted_points; /* when `acts` was counted last, or a move joined to it */
	uint64_t acts;                    /* that undo comes back from, ever */
	double bpw;                       /* where the dial stands; NAN: nowhere yet */
};
void dial_acted(struct dial *d, struct dial_acted *a);
/* The next move is one of its own, however soon it comes. */
void dial_part(struct dial *d);

/* Of the layout under the dial; 0: there is none, or nothing is predicted for it in nats. */
uint64_t dial_generation(struct dial *d);
/* Is the layout under the dial what a search at this budget gives, without any rule or file? */
bool dial_solved(struct dial *d, double *bpw);
/* The dial's formats; how many, 0 without a model. */
size_t dial_formats(struct dial *d, struct format f[FORMAT_MAX]);

/* The measured layouts in place of those there were, as points on the front, oldest first; a
 * layout whose measurement is off what those before it predict is marked as missed. */
void dial_points(struct dial *d, const struct point *p, size_t n);

/* The measured layout that does better than the one under the dial (snap_answer.better) takes
 * its place. */
BD_MUST_USE enum st dial_better(struct dial *d, struct err *e);
/* Rules as they are now, each [n]; false: there is no model of n linears. */
bool dial_rules(struct dial *d, int8_t *pin, int8_t *floor, uint16_t *tie, size_t n);

/* A guard at the bytes of the dial, under the rules.  false: there is none. */
bool dial_guard(struct dial *d, enum guard g, uint64_t seed, uint8_t *choice, size_t n);
/* The layout under the dial was measured, and no guard of about its size was. */
bool dial_wants_guards(struct dial *d);

/* Is the exact table of the present front still missing? */
bool dial_wants_exact(struct dial *d);
/* Engine thread: makes the table and re-solves. */
BD_MUST_USE enum st dial_exact(struct dial *d, const struct sink *s, struct err *e);

/* Engine thread: how sure the layout under the dial is (boot.h), published as EV_ODDS.  out or
 * NULL: the whole answer, boot_free; NULL where nothing is predicted in nats. */
struct boot;
BD_MUST_USE enum st dial_odds(
	struct dial *d, struct boot **out, const struct sink *s, struct err *e);

#endif

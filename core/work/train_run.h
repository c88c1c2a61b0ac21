/* train_run.h - a training run: its folder, checkpoints, held-out looks, and how it goes on.
 *
 * runs/...-train-7f3a/ holds, beside what every run does (run.h):
 *
 *   layout.json        what it began from
 *   metrics/train.tsv  a line a step: step, wall_s, loss, ema, lr, lr_s, grad_norm, update_norm,
 *                      flips2, flips3, flips4, flips8 (share of the codes of a width that changed),
 *                      saturated (share of all codes), reversals (share of flips), changed (share
 *                      of all codes in training that ever did), tok_s, skipped (so far), bytes (in
 *                      memory), frozen (matrices whose gradient was no number in this step)
 *   metrics/           loss.tsv: step, wall_s, loss; held.tsv: step, wall_s, se, nll; kl.tsv: step,
 *                      wall_s, kl: what figure_runs draws, x first and y last
 *   step-000150/       the last good checkpoint, and the one whose held-out loss was lowest: our
 *                      own folder (bundle.h), which opens as a model; of adapters PEFT's files; and
 *                      train.state, train.json.  `last` and `best` are links to them
 *   test.tsv           a line a sequence of the test file, for paired errors
 *
 * Each step stands in a table once, also of a run that was resumed.  A checkpoint is written beside
 * and renamed; the one before goes when the new one is whole.  kill -9 at any moment leaves the
 * last one; any run that does not run can be resumed: it goes on in its folder.
 *
 * end.json's numbers: loss (smoothed), held_nll, held_kl (of the windows that every look takes),
 * held_wide_nll, _se, _kl, _sequences (of up to 256 windows, where there are more than a look
 * takes), test_nll, test_se, steps, tokens,
 * seconds_a_step, peak_bytes, changed, stored_bpw (but of a dial), best_step, best_nll (under a
 * teacher: best_kl).
 */
#ifndef BD_WORK_TRAIN_RUN_H
#define BD_WORK_TRAIN_RUN_H

#include "core/tune/train.h"
#include "core/work/desk.h"
#include "core/work/run.h"
#include "core/work/snap_train.h"
#include "core/work/train_ask.h"

/* What a run is made of by what was asked for; ST_INVALID: there is no such method. */
BD_MUST_USE enum st train_ask_how(struct train_how *how, const struct train_ask *a, struct err *e);

struct train_run;

/* An ask with `calibrate` is one that calibrate_ask filled in.
 * Everything that can be wrong with the ask is said here, before the first step: data, sizes,
 * memory (ST_NOMEM with both figures), disk for two checkpoints.  l: the layout it begins from,
 * with the mats of `view`, both borrowed; resumed runs must get the same (layout.json says which).
 */
BD_MUST_USE enum st train_run_new(struct train_run **out, struct desk *d, const struct layout *l,
	const struct mat *const *view, const struct train_ask *ask, const struct sink *s,
	struct err *e);
/* What ask->resume names, as its folder tells it: for train_run_ask (its steps: as asked for last)
 * and train_run_done alone, to foretell the rest.  Refuses what train_run_new would. */
BD_MUST_USE enum st train_run_peek(
	struct train_run **out, const struct train_ask *ask, struct err *e);
void train_run_free(struct train_run *r); /* NULL is fine */

/* Told after every step and every look at what is held out. */
struct train_seen {
	void (*step)(void *arg, const struct train_report *rep);
	void (*held)(void *arg, uint64_t step, const struct train_eval *v);
	void (*saved)(void *arg, uint64_t step, const char *dir);
	/* Between steps: a step is finished, train_copy_take may be called; true: write a
	 * checkpoint now. */
	bool (*between)(void *arg, struct train *t);
	/* It was stopped within a step, which is finished first: about so many seconds.  May be NULL. */
	void (*ending)(void *arg, double seconds);
	void *arg;
};
/* To the end, or until it is stopped (a stop between steps writes a checkpoint first). */
BD_MUST_USE enum st train_run_go(
	struct train_run *r, const struct train_seen *seen, const struct sink *s, struct err *e);

/* Within `between`: a checkpoint now, of which seen->saved is told (else it failed, as was logged);
 * and that the run was held for so long, which is no time of its own. */
void train_run_keep(struct train_run *r, const struct train_seen *seen, const struct sink *s);
void train_run_held_for(struct train_run *r, double seconds);

struct train *train_run_train(struct train_run *r);
const struct train_ask *train_run_ask(
	const struct train_run *r); /* without zeros and NANs, as it runs */
const struct pack_counts *train_run_counts(const struct train_run *r);
/* What of the rows does not take part, and why; it was logged.  NULL: there are no more. */
const char *train_run_warning(const struct train_run *r, size_t i);
size_t train_run_windows(const struct train_run *r); /* once through the data; 0: unknown */
uint64_t train_run_done(const struct train_run *r);  /* steps in the last checkpoint or behind it */
uint64_t train_run_kept(const struct train_run *r);  /* that checkpoint's; UINT64_MAX: none yet */
const char *train_run_id(const struct train_run *r);
const char *train_run_folder(
	const struct train_run *r); /* of the last checkpoint; NULL: none yet */
/* The budgets a dial is looked at, in stored bits a weight, and the KL of the last look (NAN: none);
 * how many: 0 where one layout is trained. */
size_t train_run_points(const struct train_run *r, double bpw[TRAIN_POINTS], double kl[TRAIN_POINTS]);
/* The first look of all, as the run's metrics have it: what one that goes on had before it began.
 * NAN: nothing was looked at then. */
struct train_first {
	double nll, kl, point[TRAIN_POINTS];
};
struct train_first train_run_first(const struct train_run *r);
/* Of all its steps, also those before it was stopped; the loss smoothed, NAN: no step yet. */
struct train_sums {
	uint64_t tokens;
	double seconds, loss;
};
struct train_sums train_run_sums(const struct train_run *r);
/* The layouts of that look as measured points of the desk, which wears the run's variants. */
void train_run_put_points(const struct train_run *r);
/* "ended at step 120: held-out KL was lowest at step 80" of a run whose patience was over; NULL: of
 * all others; xfree. */
char *train_run_early(const struct train_run *r);
/* The step of the checkpoint with the lowest held-out loss, the last one where nothing is held out;
 * UINT64_MAX: there is none. */
uint64_t train_run_best(const struct train_run *r);
/* Of a run's folder: the id of the calibrated run that its adapters were trained beside, which is what
 * is opened to go on; NULL: any model else; xfree. */
char *train_run_beside(const char *path);
/* Its folder where that is not the last one: what is held out was better there than at the end.
 * NULL otherwise; xfree. */
char *train_run_better(const struct train_run *r, double *nll);

#endif

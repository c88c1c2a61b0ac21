/* calibrate.h - what a calibration is where nothing else is said: a run of training (train_run.h) by
 * which the reference teaches every format of the dial at once.
 *
 * Left open, an ask with `calibrate` has: the method flips; the dial's formats of at most 4 bits (of
 * wider ones there is nothing to regain), but for an ask with a layout, of which that alone is
 * calibrated; the reference, running beside, as the teacher; all tokens; 240 steps; the patience
 * below where anything is held out; and as data its `text`, else the text that the desk scans on,
 * which is "self" where the model writes it.  On the thread that owns the desk, but for
 * calibrate_dial.
 */
#ifndef BD_WORK_CALIBRATE_H
#define BD_WORK_CALIBRATE_H

#include "core/work/desk.h"
#include "core/work/train_ask.h"

enum { CALIBRATE_PATIENCE = 5 }; /* looks: a quarter of the run without a better one is its end */

/* The formats of a dial ("int2g64,keep"; NULL: the default) that are worth it, "int2g64,int4g128"; all
 * where fewer than two are.  xfree. */
char *calibrate_dial(const char *formats);
/* The ask with what was left open filled in, words its own (train_ask_release). */
struct train_ask calibrate_ask(const struct train_ask *a, const char *formats, const char *text);

extern const char calibrate_self[]; /* "self": no file of that name is meant */
/* Text that the model writes itself, for windows of so many tokens, as JSON lines in the cache's folder:
 * written when it is asked for first, which takes minutes; its path, xfree.  ST_INVALID: nothing may
 * be kept. */
BD_MUST_USE enum st calibrate_text(
	char **path, struct desk *d, size_t window, const struct sink *s, struct err *e);

/* What so many tokens of a run take in units of rates.h's "train": weights x tokens x passes. */
double calibrate_units(uint64_t weights, const struct train_ask *a, double tokens);
/* How long a run takes with its looks at what is held out, where its patience does not end it, of a
 * model with so many weights in its linears: by the steps of the runs before on this machine,
 * else by a guess (*guessed). */
double calibrate_seconds(uint64_t weights, const struct train_ask *a, bool *guessed);

/* Tokens of the text that the model has to write before the first step; 0: none, or the cache has
 * it. */
size_t calibrate_writes(const struct cache *c, const struct train_ask *a);
/* How long that takes, as the text of a scan took here, with so many weights in the linears and in
 * the head; NAN: none was written here yet. */
double calibrate_write_seconds(uint64_t weights, uint64_t head, size_t tokens);
/* Both together, of the model that is open. */
double calibrate_foretell(const struct desk *d, const struct train_ask *a, bool *guessed);

#endif

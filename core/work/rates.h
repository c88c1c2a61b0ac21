/* rates.h - how fast each kind of long work was on this machine, kept in the cache folder.
 *
 * A line a kind, size of the model and way of computing (backend, instruction set, threads) in
 * rates.tsv, seconds a unit; a new measurement moves the old one half of the way, so that an hour
 * in which the machine was busy is forgotten.  Deleting the file is always safe.  What a stage does
 * in the unit is estimate.h's.  Engine thread, or a verb's main thread.
 */
#ifndef BD_WORK_RATES_H
#define BD_WORK_RATES_H

#include <stdbool.h>
#include <stdint.h>

/* kind: one word; weights: of the model, since small matrices are slower for their size: the
 * nearest of those measured counts, a quarter to four times as large.  false: none was measured
 * here yet. */
bool rates_get(const char *kind, uint64_t weights, double *seconds_a_unit);
/* So many units took so long; what is too short to tell anything is left out. */
void rates_learn(const char *kind, uint64_t weights, double units, double seconds);
/* Tests: forget what was read from the file. */
void rates_forget(void);

#endif

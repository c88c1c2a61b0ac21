/* underway.h - long jobs leave word that they run, so that the next start knows what was cut short.
 *
 * $XDG_STATE_HOME/bitdial/underway/MODEL-KIND-TIME-PID.{lock,json,layout}: made when the job
 * begins, gone when it ends or is stopped by a person.  What is there and locked by nobody belongs
 * to a program that quit or was killed.  Who finds it takes it away, and leaves it again as long as
 * it is not answered.  A failure to write costs the word, not the job.  One thread a struct.
 */
#ifndef BD_WORK_UNDERWAY_H
#define BD_WORK_UNDERWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/quant/layout.h"

struct underway;

/* kind: "scan", "refine", "measure", "train"; model: hash of its header; l: the layout it is about (NULL:
 * none).  NULL: word could not be left. */
struct underway *underway_begin(const char *kind, const char *model, const struct layout *l);
/* cut: the program ends in the middle of it, and the next start is to know.  NULL is fine. */
void underway_end(struct underway *u, bool cut);

struct cut_short {
	char kind[16]; /* "": nothing was */
	int64_t began; /* seconds since 1970 */
	char *layout;  /* text of a layout file, of "train" the run's id; NULL: none; xfree */
	double bpw;    /* of it; NAN: none */
};
/* As underway_begin, of what was found and nobody has answered yet: it is found again. */
struct underway *underway_again(const struct cut_short *c, const char *model);
/* The newest of this model and kind (NULL: any), and takes all such away; false: none. */
bool underway_take(const char *model, const char *kind, struct cut_short *out);
void cut_short_release(struct cut_short *c);
/* "14:02", with the day where it was another one: "Sat 14:02". */
const char *cut_short_when(int64_t began, char out[24]);

#endif

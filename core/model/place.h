/* place.h - the memory that a model is in: how much there is, and what goes there and back.
 *
 * A backend has the host's memory or its own, which the host cannot touch: what is packed here is
 * put there whole, and whoever needs codes back asks for a copy.  Engine thread, but for
 * place_room and place_text.
 */
#ifndef BD_MODEL_PLACE_H
#define BD_MODEL_PLACE_H

#include "core/model/model.h"

/* Bytes that may still be taken there: of the machine, or of the device. */
uint64_t place_room(const struct backend *be);
/* "3.1 GiB are available", "1.2 GiB of 141.0 GiB are free on cuda:0": for sentences; returns out.
 */
enum { PLACE_TEXT = 96 };
const char *place_text(const struct backend *be, char out[PLACE_TEXT]);
/* When m's backend gave no memory: ST_DEVICE where it failed, else ST_NOMEM, "WHAT takes 4.0 GiB,
 * and 1.2 GiB of ... are free on cuda:0; HELP". */
enum st place_full(
	const struct model *m, const char *what, uint64_t bytes, const char *help, struct err *e);
/* Only the sentence, of any backend. */
enum st place_small(const struct backend *be, const char *what, uint64_t bytes, const char *help,
	struct err *e);

/* How much longer a call may be made than is right for two slow processors: 1 of a processor.  A
 * device does in a millisecond what they do in fifty; no result hangs on it, it is not measured. */
double place_pace(const struct backend *be);

/* A copy of w, which is in host memory, in one piece of the model's memory (*memory, be->free), and
 * there when this returns.  what: "a packed linear". */
BD_MUST_USE enum st place_put(struct mat *out, void **memory, const struct mat *w,
	const struct model *m, const char *what, struct err *e);
/* A copy of w, which is in the model's memory, in host memory (*memory, big_free). */
BD_MUST_USE enum st place_get(struct mat *out, void **memory, const struct mat *w,
	const struct model *m, const char *what, struct err *e);

#endif

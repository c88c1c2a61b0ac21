/* train_data.h - a data file as a run or a teacher reads it, and which model it is.
 *
 * On the thread that owns the desk.
 */
#ifndef BD_WORK_TRAIN_DATA_H
#define BD_WORK_TRAIN_DATA_H

#include "core/text/pack.h"
#include "core/work/desk.h"
#include "core/work/train_ask.h"

/* A file ("self": what the model writes itself, calibrate.h) by the ask's window, seed and what is
 * learned; of it `held` is held out, `rows` are read and `samples` sequences trained on at most (0:
 * all).  sha: of the file.  ST_INVALID, too: the model has no tokenizer, or a shorter context than
 * the window. */
BD_MUST_USE enum st train_data_read(struct pack **out, char sha[65], struct desk *d,
	const struct train_ask *a, const char *path, double held, size_t rows, size_t samples,
	const struct sink *s, struct err *e);
/* Beside a teacher's cache, teach.json: what its data was and how that was read, which names what
 * is another for a run that cannot learn from it.  sha: of the file. */
BD_MUST_USE enum st train_data_put_said(const char *dir, const struct train_ask *a,
	const struct pack *p, const char *sha, struct err *e);
/* ST_INVALID with that: the cache is of other sequences than p.  ST_OK, too, where no teach.json is
 * there that tells it; the cache itself knows whether it fits (teach_open). */
BD_MUST_USE enum st train_data_said(const char *dir, const struct train_ask *a,
	const struct pack *p, const char *sha, struct err *e);
/* SHA-256 of all files of the model, which the cache knows, or else is computed. */
BD_MUST_USE enum st train_data_model(
	char sha[65], const struct desk *d, const struct sink *s, struct err *e);

#endif

/* teach.h - what the reference says of a data file, once and for all: a cache of its most probable
 * tokens, which teaches in its place (teacher.h).
 *
 * Of each row the `top` largest log-probabilities with their tokens, and that of all others
 * together, which is never spread over the former: what is left of a distribution when it is
 * renormalised is biased and ruins the model (FORMULAS.md 4.2).  A folder of parts, each whole or not
 * there (fs.h) and checked by a SHA-256:
 *	struct head; uint32 rows [n]: of each sequence; of each row: log of the rest, logs [top], all
 *	fp16, tokens [top] (uint16 where the vocabulary fits, else uint32); SHA-256, 64 digits
 * Numbers as this kind of machine has them.  Sequences are those of training in file order
 * (pack_in_order).
 */
#ifndef BD_TUNE_TEACH_H
#define BD_TUNE_TEACH_H

#include "core/model/model.h"
#include "core/text/pack.h"

struct teach_how {
	const char *model; /* which one it is, in at most 64 letters: of another one it is refused */
	size_t top;        /* 1 to TEACH_MOST, at most the vocabulary */
	enum math math;    /* of the products */
};

enum { TEACH_TOP = 64, TEACH_MOST = 1024 };

/* Of the whole folder. */
uint64_t teach_bytes(const struct model *m, const struct pack *p, size_t top);
/* Parts that are there and whole are left as they are, damaged ones made again.  Polls and tells
 * progress in sequences.  ST_INVALID: the folder is one of another model, data or top; ST_IO with the
 * parts done kept. */
BD_MUST_USE enum st teach_write(const char *dir, const struct model *m, struct pack *p,
	const struct teach_how *how, const struct sink *s, struct err *e);

/* ---- reading */

struct teach_row {
	size_t top;
	float rest; /* log of the probability of all others, at least 1e-7 */
	float log[TEACH_MOST];
	int32_t token[TEACH_MOST];
};

struct teach;
/* Every part is read and checked now.  ST_FORMAT: damaged; ST_INVALID: of another model or
 * data, or parts are missing. */
BD_MUST_USE enum st teach_open(struct teach **out, const char *dir, const struct model *m,
	const struct pack *p, const char *model, const struct sink *s, struct err *e);
void teach_close(struct teach *t); /* NULL is fine */
/* Row of a sequence as pack_span numbers it; it is one of training. */
void teach_row(const struct teach *t, size_t seq, size_t row, struct teach_row *out);

#endif

/* teacher.h - whose distribution a calibrated model learns: the reference's, live or from a cache.
 *
 * Live, the model as it is in the file runs beside the one that learns, over the same batch
 * (FORMULAS.md 4.1); of it only what leaves the last block is kept, and its head is multiplied a chunk
 * of rows at a time, beside the learner's.  From a cache (teach.h) come the logarithms of its largest
 * probabilities p and of the rest pt.  Among all other tokens the rest is spread as the learner has
 * them, r pt / rt with rt its own rest: that is KL between the two distributions with all others in
 * one bucket, and its gradient (FORMULAS.md 4.3).  Engine thread.
 */
#ifndef BD_TUNE_TEACHER_H
#define BD_TUNE_TEACHER_H

#include "core/model/backward.h"
#include "core/text/pack.h"
#include "core/tune/teach.h"

struct teacher;

/* For batches of at most so many rows; ST_NOMEM. */
BD_MUST_USE enum st teacher_live(
	struct teacher **out, const struct model *m, size_t rows, struct err *e);
/* By a cache of the data that the batches are of; borrowed. */
BD_MUST_USE enum st teacher_cached(struct teacher **out, const struct model *m,
	const struct teach *cache, size_t rows, struct err *e);
void teacher_free(struct teacher *t); /* NULL is fine */
/* Bytes that one takes: live, or by a cache (without the cache, which is mapped). */
uint64_t teacher_need(const struct hparams *hp, size_t rows, bool cached);
uint64_t teacher_bytes(const struct teacher *t);
/* What a checkpoint says of it: "reference", "cache"; "none" of NULL. */
const char *teacher_name(const struct teacher *t);

/* What it has to say of a batch; spans: the batch's.  b runs meanwhile, and has no gains afterwards. */
BD_MUST_USE enum st teacher_read(struct teacher *t, struct back *b, const struct pack_batch *batch,
	const struct span *spans, const struct sink *s, struct err *e);
/* A back_teacher of the batch that was read last; arg: struct teacher. */
enum st teacher_says(
	void *arg, const size_t *at, size_t n, const float *zq, float *zp, struct err *e);

#endif

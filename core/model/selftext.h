/* selftext.h - text that the model writes itself, for scans without a corpus.
 *
 * Temperature 1, no cuts, BOS or the chat template's start first where there is one,
 * eight sequences side by side, seeded; sequence i depends on (seed, i) only.
 */
#ifndef BD_MODEL_SELFTEXT_H
#define BD_MODEL_SELFTEXT_H

#include "core/model/forward.h"

struct token_text { /* n_seq sequences of len ids each, [n_seq][len] */
	int32_t *id; /* big_alloc'ed */
	size_t n_seq, len;
};
void token_text_release(struct token_text *t);

/* Appends n more sequences of t->len ids, numbered from t->n_seq.  start: ids every
 * sequence begins with (not part of the count; kept out of the text), n_start may be 0
 * only if the model has some first token to give.  On ST_CANCELLED whole rounds of
 * eight already done stay. */
BD_MUST_USE enum st selftext_more(struct token_text *t, const struct model *m, uint64_t seed,
	const int32_t *start, size_t n_start, size_t n, const struct sink *s, struct err *e);

#endif

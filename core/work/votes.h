/* votes.h - which of two answers people liked: chat.ndjson of a model.
 *
 * One JSON object a line in <data>/chats/NAME-xxxxxxxx/chat.ndjson, the eight digits being the
 * start of the checkpoint's header_sha256; appended, never rewritten.  A line that is cut short
 * or is no vote is passed over and counted.  Any thread.
 */
#ifndef BD_WORK_VOTES_H
#define BD_WORK_VOTES_H

#include <stdbool.h>

#include "core/model/sampler.h"
#include "core/quant/format.h"
#include "core/work/snap.h"

enum vote_winner { VOTED_A, VOTED_B, VOTED_TIE, VOTED_BAD };

struct vote {
	char id[2][9];   /* layouts A and B: votes_layout_id */
	double bpw[2];   /* stored */
	char prompt[17]; /* start of the prompt's SHA-256 */
	struct sampler_options sampler;
	enum vote_winner winner;
	bool blind;
};

/* Eight digits of the SHA-256 of every linear's format by name. */
void votes_layout_id(char id[9], const struct format *f, const uint8_t *choice, size_t n);
/* The file of a model; its folder need not exist.  xfree. */
char *votes_path(const char *model_name, const char *model_sha);
/* Makes the folder where it is missing. */
BD_MUST_USE enum st votes_append(const char *path, const struct vote *v, struct err *e);
/* Counts by pair, those with most votes first; no file: none.  snap_unref. */
BD_MUST_USE enum st votes_count(struct snap_votes **out, const char *path, struct err *e);

/* The 95 % score interval for k of n (Wilson 1927, "Probable inference, the law of succession,
 * and statistical inference", JASA 22); n 0: 0 to 1. */
void wilson(size_t k, size_t n, double *lo, double *hi);

#endif

/* pack_private.h - what the files of the packing share; private to core/text. */
#ifndef BD_TEXT_PACK_PRIVATE_H
#define BD_TEXT_PACK_PRIVATE_H

#include "core/text/pack.h"

/* In words: this token is learned.  Ids are far below. */
#define PACK_LEARN (1 << 30)

struct pack_seq {
	size_t at;      /* its first word */
	uint32_t rows;  /* it has one word more */
	uint32_t row;   /* of the file, from 0, among those that are kept */
	uint64_t label; /* the hash of its row's content */
};

struct pack_plan {       /* sequences by window */
	uint32_t *seq;   /* [sequences] */
	uint32_t *start; /* [n + 1] into seq */
	size_t n;
	uint64_t epoch;
	bool made;
};

struct pack {
	size_t window;
	uint64_t seed;
	struct tok_ids words;
	struct pack_seq *seqs; /* those of training, then those held out, each in file order */
	size_t n, n_held, cap;
	struct pack_plan train, held;
	struct pack_counts counts;
	char sha[65];
};

/* pack_plan.c: seqs[from, from + n) into windows, in file order or in that of an epoch. */
BD_MUST_USE enum st pack_plan_file(
	struct pack_plan *plan, const struct pack *p, size_t from, size_t n, struct err *e);
BD_MUST_USE enum st pack_plan_epoch(
	struct pack_plan *plan, const struct pack *p, uint64_t epoch, struct err *e);
void pack_plan_release(struct pack_plan *plan);

#endif

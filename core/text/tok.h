/* tok.h - what the files of the tokenizer share; private to core/text.
 *
 * tokenizer.c builds the tables, added.c finds added tokens in text, bpe.c merges,
 * nfc.c normalises, template.c joins literals and content.
 */
#ifndef BD_TEXT_TOK_H
#define BD_TEXT_TOK_H

#include "core/base/sink.h"
#include "core/text/strmap.h"
#include "core/text/tokenizer.h"

#define TOK_ADDED_MAX 65536
#define TOK_ENDS_MAX  16

struct tok_pair {
	uint32_t left, right, result;
	uint32_t rank1; /* rank + 1; 0: free slot */
};

struct tokenizer {
	const struct vocab *v;
	char *pool;       /* what every token stands for, one after the other */
	size_t *at;       /* [n + 1] into pool */
	size_t longest;   /* bytes of the longest */
	bool spaces_lead; /* SPM: a space is a token, and none has one behind another character */
	struct strmap by_text; /* ordinary tokens by what they stand for */
	struct tok_pair *pairs;
	size_t pair_mask;
	int32_t byte_id[256];          /* -1: the vocabulary has none */
	uint32_t *added;               /* ids of added tokens, sorted by text */
	size_t n_added, added_at[257]; /* by first byte */
	bool any[2][2];                /* [mode][normalized]: is there anything to look for */
	int32_t ends[TOK_ENDS_MAX];
	size_t n_ends;
};

/* ---- pace.c: a text of gigabytes can be stopped, and says how far it is */

struct tok_pace {
	const struct sink *s;
	size_t done, total; /* bytes of the text that have their ids */
	size_t worked;      /* since the last poll */
	bool stopped;       /* from here on: whoever is at work leaves off */
};

/* A step that took about as long as so many bytes' merging; true: stop. */
bool tok_paced(struct tok_pace *p, size_t work);
/* Where the part of a text that begins at `at` may end, such that its parts are scanned as the
 * whole would be: behind a megabyte or more. */
size_t tok_part_end(const char *s, size_t n, size_t at);

/* ---- added.c */

struct tok_hit {
	size_t start, stop, next; /* next: where to look on; before stop when it took blanks */
	int32_t id;
};

BD_MUST_USE enum st tok_added_init(struct tokenizer *t, struct err *e);
/* The next added token at or after from that this mode takes; blanks that lstrip and
 * rstrip swallow are part of the hit, but nothing before floor.  As in the reference, a
 * hit may begin inside the blanks that the one before has swallowed.  pace may be NULL; false, too,
 * when it is stopped. */
bool tok_added_next(const struct tokenizer *t, const char *s, size_t n, size_t floor, size_t from,
	enum tok_mode mode, bool normalized, struct tok_hit *hit, struct tok_pace *pace);
int32_t tok_added_id(const struct tokenizer *t, const char *text); /* -1: none so spelt */
/* How many bytes of White_Space s begins or ends with. */
size_t tok_blank_head(const char *s, size_t n);
size_t tok_blank_tail(const char *s, size_t n);

/* ---- bpe.c */

struct tok_work; /* scratch for one call */

BD_MUST_USE enum st tok_pairs_init(struct tokenizer *t, struct err *e);
/* One stretch without added tokens. */
BD_MUST_USE enum st tok_merge_text(const struct tokenizer *t, const char *s, size_t n,
	struct tok_ids *ids, struct tok_pace *pace, struct err *e);

/* ---- tokenizer.c */

/* As tokenizer_encode; prefix: put SPM's leading space, first: s begins the text. */
BD_MUST_USE enum st tok_encode_part(const struct tokenizer *t, const char *s, size_t n,
	enum tok_mode mode, bool prefix, bool first, struct tok_ids *ids, struct err *e);

/* ---- nfc.c */

/* *out is NULL when s is NFC already, else big_alloc'ed.  Bytes that are not UTF-8
 * stay as they are. */
BD_MUST_USE enum st tok_nfc(
	const char *s, size_t n, char **out, size_t *len, struct tok_pace *pace, struct err *e);

#endif

/* turns.h - ids of a conversation under construction; private to core/text.
 *
 * Special tokens are found in literals only.  Plain text between two of them, literal
 * and content alike, is encoded as one stretch with special tokens off: the ids are
 * the reference's, and content still never becomes a special token.
 */
#ifndef BD_TEXT_TURNS_H
#define BD_TEXT_TURNS_H

#include "core/text/tokenizer.h"

struct turns {
	const struct tokenizer *tok;
	struct tok_ids *ids;
	struct err *e;
	char *pend; /* plain text not yet encoded */
	size_t n, cap;
	bool eat;      /* the token before swallows blanks (rstrip) */
	bool mid_text; /* pend continues text that was encoded before: no SPM space */
	bool at_start; /* nothing stands before pend */
	enum st st;    /* the first failure; everything after it does nothing */
	struct tok_ids *answers; /* from and to of each answer in ids; NULL: not asked for */
	bool open, closing;      /* inside an answer; up to the next special token */
};

void turns_init(struct turns *b, const struct tokenizer *tok, struct tok_ids *ids, struct err *e);
void turns_literal(struct turns *b, const char *s);
void turns_text(struct turns *b, const char *s, size_t n);
void turns_id(struct turns *b, int32_t id); /* -1: nothing */
/* An answer begins here, and what the model is given ends here: text before and after is encoded
 * apart, as it is when the model answers.  It ends behind the first special token that follows
 * turns_answer_end, or at turns_answer_over where there was none.  Nothing without answers. */
void turns_answer(struct turns *b);
void turns_answer_end(struct turns *b);
void turns_answer_over(struct turns *b);
/* Encodes what is left and gives the memory back. */
BD_MUST_USE enum st turns_end(struct turns *b);

#endif

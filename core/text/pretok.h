/* pretok.h - the scanners that cut text into pieces before BPE.
 *
 * Hand-written state machines for the regular expressions of the GPT-2, Llama-3,
 * Qwen2 and SmolLM2 tokenizers (rules: reliability.md 4); linear in the text, any
 * bytes (what is not UTF-8 counts as neither letter, number nor space).  Pieces are
 * never empty and joined they are the text.  A struct belongs to one thread.
 */
#ifndef BD_TEXT_PRETOK_H
#define BD_TEXT_PRETOK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/io/vocab.h"

struct pretok {
	enum vocab_pre pre;
	const char *s;
	size_t n, at;
	size_t stage; /* SmolLM2: where the digit-free stretch ends */
};

void pretok_init(struct pretok *p, enum vocab_pre pre, const char *s, size_t n);
/* The next piece as s[*start .. *start + *len); false: no more. */
bool pretok_next(struct pretok *p, size_t *start, size_t *len);

#endif

/* tokenizer.h - text to ids and back, exactly as the model's own tokenizer does.
 *
 * Byte-level BPE with the GPT-2, Llama-3, Qwen2 and SmolLM2 scanners, and
 * SentencePiece-style BPE with byte fallback (rules: reliability.md 4).  Input is
 * bytes: bytes that are not UTF-8 pass through the alphabet.  Immutable after
 * tokenizer_new; any thread.  The vocab must outlive it.
 */
#ifndef BD_TEXT_TOKENIZER_H
#define BD_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/sink.h"
#include "core/io/vocab.h"

struct tokenizer;

/* Refuses, by name, what it cannot do exactly (a byte missing from the alphabet, a
 * merge of unknown tokens). */
BD_MUST_USE enum st tokenizer_new(struct tokenizer **out, const struct vocab *v, struct err *e);
void tokenizer_free(struct tokenizer *t);

const struct vocab *tokenizer_vocab(const struct tokenizer *t);

enum tok_mode {
	TOK_PLAIN,  /* spellings of special tokens are plain text, as is all other markup in
		     * <> or []; no BOS */
	TOK_SPECIAL /* added tokens are recognised (template literals) */
};

struct tok_ids {
	int32_t *id; /* big_alloc'ed; tok_ids_release */
	size_t n, cap;
};
void tok_ids_release(struct tok_ids *ids);
BD_MUST_USE enum st tok_ids_push(struct tok_ids *ids, int32_t id, struct err *e);

/* Appends to ids.  1 MB of one letter takes well under a second. */
BD_MUST_USE enum st tokenizer_encode(const struct tokenizer *t, const char *s, size_t n,
	enum tok_mode mode, struct tok_ids *ids, struct err *e);
/* BOS first where the tokenizer itself adds one. */
BD_MUST_USE enum st tokenizer_encode_text(
	const struct tokenizer *t, const char *s, size_t n, struct tok_ids *ids, struct err *e);
/* The same for texts that take long: polls every few milliseconds, progress in bytes. */
BD_MUST_USE enum st tokenizer_encode_long(const struct tokenizer *t, const char *s, size_t n,
	struct tok_ids *ids, const struct sink *sink, struct err *e);

/* Some vocabularies (SmolLM2's) have no token for rare control characters and for bytes
 * that are not UTF-8; their own tokenizer leaves these out, and so does this one.
 * Offset of the first such byte in s, n: none. */
size_t tokenizer_first_lost(const struct tokenizer *t, const char *s, size_t n);

/* The bytes of one token (control tokens: their spelling), not NUL-terminated,
 * borrowed from t.  first: SPM drops the leading space of a text's first token.
 * An id without text gives "<|id|>" style bytes valid until this thread's next call. */
const char *tokenizer_piece(const struct tokenizer *t, int32_t id, bool first, size_t *len);
bool tokenizer_is_control(const struct tokenizer *t, int32_t id);
/* Ids that end an answer: eos, eot, the template's end of turn. */
bool tokenizer_is_end(const struct tokenizer *t, int32_t id);

/* Readers of the other tokenizer files (GGUF's is in io/gguf). */
struct arena;
BD_MUST_USE enum st vocab_from_hf(struct vocab **out, struct arena *a, const char *dir,
	struct err *e); /* tokenizer.json, tokenizer_config.json, chat_template.jinja */
BD_MUST_USE enum st vocab_from_llama2c(struct vocab **out, struct arena *a, const char *path,
	size_t n_vocab, struct err *e); /* tokenizer.bin, tok512.bin */
/* Writes tokenizer.json and tokenizer_config.json into dir, such that vocab_from_hf
 * gives the same tokenization back; other programs read them too. */
BD_MUST_USE enum st vocab_to_hf(const struct vocab *v, const char *dir, struct err *e);

#endif

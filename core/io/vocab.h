/* vocab.h - a tokenizer's tables, whichever file they came from.
 *
 * Filled by a reader (GGUF metadata, tokenizer.json, llama2.c's tokenizer.bin) into
 * an arena; text/tokenizer.h makes it run.  Immutable once filled.
 */
#ifndef BD_IO_VOCAB_H
#define BD_IO_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vocab_model {
	VOCAB_BPE, /* byte-level BPE: token texts are in GPT-2's byte alphabet */
	VOCAB_SPM  /* SentencePiece-style BPE by score, U+2581 for space, byte fallback */
};

enum vocab_pre { PRE_GPT2, PRE_LLAMA3, PRE_QWEN2, PRE_SMOLLM, PRE_NONE };

enum token_type {
	TOKEN_NORMAL,
	TOKEN_UNKNOWN,
	TOKEN_CONTROL, /* special: never made from message text */
	TOKEN_USER,    /* added, not special */
	TOKEN_UNUSED,
	TOKEN_BYTE     /* SPM "<0x0A>" */
};

struct vocab_token {
	const char *text; /* as in the file, NUL-terminated; may hold any byte but NUL */
	uint32_t len;
	enum token_type type;
	float score; /* SPM */
	/* added tokens of tokenizer.json */
	bool added, lstrip, rstrip, single_word, normalized;
};

struct vocab_merge {
	uint32_t left, right, result; /* ids; the rank is the index */
};

struct vocab {
	enum vocab_model model;
	enum vocab_pre pre;
	bool ignore_merges;    /* Llama-3: a piece that is a token is taken whole */
	bool nfc;              /* Qwen2: normalise first */
	bool add_bos, add_eos; /* what the tokenizer does by itself */
	bool add_space_prefix; /* SPM: a space before the text and after each added token */
	bool prefix_first;     /* SPM: only before the text, and only when it has none (Metaspace) */
	bool spm_rank;         /* VOCAB_SPM from tokenizer.json: merge by rank, not score */
	const struct vocab_token *tokens;
	size_t n;
	const struct vocab_merge *merges;
	size_t n_merges;
	int32_t bos, eos, unk, pad; /* -1: none */
	int32_t eot;                /* end of a turn where it differs from eos; -1: none */
	const char *chat_template;  /* the model's own text, or NULL */
};

#endif

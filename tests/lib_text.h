/* lib_text.h - what the suites of core/text share: vocabularies and golden lines. */
#ifndef BD_TESTS_LIB_TEXT_H
#define BD_TESTS_LIB_TEXT_H

#include "core/base/arena.h"
#include "core/base/json.h"
#include "core/text/tokenizer.h"

struct text_fixture {
	struct arena arena;
	struct vocab *vocab;
	struct tokenizer *tok;
};

/* Each ends the test with a sentence when it cannot. */
void text_open_hf(struct text_fixture *f, const char *dir);
void text_open_gguf(struct text_fixture *f, const char *path);
void text_open_vocab(struct text_fixture *f, struct vocab *v);
void text_close(struct text_fixture *f);

/* The default model, NULL: not on this machine (xfree). */
char *text_model(void);
/* A file of reference data that may be absent; NULL (xfree). */
char *text_data(const char *name);

/* Calls fn for each line of a golden file, parsed; returns how many. */
size_t text_golden(const char *name, void (*fn)(const cJSON *line, void *arg), void *arg);
/* Ids as "1 2 3", in a static buffer that the next call reuses. */
const char *text_ids(const int32_t *id, size_t n);
/* Compares with a JSON array of ids; says which text differs. */
void text_expect_ids(const struct tok_ids *got, const cJSON *want, const char *text);
/* decode(ids); xfree. */
char *text_decode(const struct tokenizer *t, const struct tok_ids *ids, size_t *n);

/* A byte-level vocabulary in f's arena: 256 bytes, then these special tokens (NULL at
 * the end); no merges. */
struct vocab *text_bytes_vocab(struct arena *a, const char *const *special);

#endif

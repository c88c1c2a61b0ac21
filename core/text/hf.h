/* hf.h - what the readers of Hugging Face tokenizer files share; private to core/text. */
#ifndef BD_TEXT_HF_H
#define BD_TEXT_HF_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/io/vocab.h"
#include "core/text/strmap.h"

#define HF_FILE "tokenizer.json"

struct hf_slice { /* one JSON value of the file */
	const char *s;
	size_t n;
};

/* A pre-tokenizer's regular expression that we have a scanner for. */
struct hf_regex {
	enum vocab_pre pre;
	const char *pattern;
};
extern const struct hf_regex hf_regexes[];
extern const size_t hf_n_regexes;

/* The shape of the pipeline around the merges, into *v: model, pre, nfc,
 * add_space_prefix, prefix_first.  An empty slice: the key was absent. */
BD_MUST_USE enum st hf_shape(
	struct vocab *v, struct hf_slice normalizer, struct hf_slice pre_tokenizer, struct err *e);
/* The list .model.merges, into *v. */
BD_MUST_USE enum st hf_merges(struct vocab *v, struct arena *a, struct hf_slice list,
	const struct strmap *text_id, struct err *e);
/* Room for one more of n items in *p, a table from big_alloc. */
BD_MUST_USE enum st hf_grow(
	void **p, size_t n, size_t *cap, size_t size, const char *what, struct err *e);
/* add_bos, add_eos and the ids they add; text_id finds tokens by their text. */
BD_MUST_USE enum st hf_post(
	struct vocab *v, struct hf_slice post, const struct strmap *text_id, struct err *e);
/* tokenizer_config.json, special_tokens_map.json, chat_template.jinja, each if there. */
BD_MUST_USE enum st hf_config(struct vocab *v, struct arena *a, const char *dir,
	const struct strmap *text_id, struct err *e);

#endif

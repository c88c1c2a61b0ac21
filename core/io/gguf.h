/* gguf.h - the header of one GGUF file (v2, v3), copied into memory and checked.
 *
 * Counts, lengths and offsets are bounded by the file before anything is allocated
 * for them.  Parsing never goes back to the file: what was checked is what is used.
 * Used by one thread; the tensors point into the caller's map.
 */
#ifndef BD_IO_GGUF_H
#define BD_IO_GGUF_H

#include "core/io/reader.h"

enum gguf_type {
	GGUF_U8,
	GGUF_I8,
	GGUF_U16,
	GGUF_I16,
	GGUF_U32,
	GGUF_I32,
	GGUF_F32,
	GGUF_BOOL,
	GGUF_STRING,
	GGUF_ARRAY,
	GGUF_U64,
	GGUF_I64,
	GGUF_F64,
	GGUF_TYPES
};

struct gguf_kv {
	const char *key; /* not NUL-terminated */
	size_t key_len;
	enum gguf_type type, elem; /* elem: of an array */
	uint64_t count;            /* elements of an array, bytes of a string, else 1 */
	size_t at, bytes;          /* of the value or the first element, in head */
	size_t key_at;             /* private: while head may still move */
};

struct gguf_info {
	const char *name; /* not NUL-terminated */
	size_t name_len, name_at;
	struct tensor t; /* dims slowest first; data into the map; no name */
	size_t at;       /* in the data part */
};

struct gguf {
	const char *where;   /* the file's name, for messages */
	unsigned char *head; /* the header's bytes */
	size_t n;            /* how many belong to it */
	uint32_t version;
	size_t align;
	struct gguf_kv *kv; /* sorted by key */
	size_t n_kv;
	struct gguf_info *info; /* in the file's order */
	size_t n_info;
};

BD_MUST_USE enum st gguf_read(struct gguf *g, const struct ck_file *f, struct err *e);
void gguf_release(struct gguf *g);

/* NULL: absent. */
const struct gguf_kv *gguf_find(const struct gguf *g, const char *key);
/* Each leaves *out alone when the key is absent, and refuses a value of another type or
 * outside the range with a sentence that names the key. */
BD_MUST_USE enum st gguf_u64(const struct gguf *g, const char *key, uint64_t lo, uint64_t hi,
	uint64_t *out, struct err *e);
BD_MUST_USE enum st gguf_f64(const struct gguf *g, const char *key, double *out, struct err *e);
BD_MUST_USE enum st gguf_bool(const struct gguf *g, const char *key, bool *out, struct err *e);
BD_MUST_USE enum st gguf_string(
	const struct gguf *g, const char *key, const char **s, size_t *n, struct err *e);
/* An array of this element type; *out NULL: absent. */
BD_MUST_USE enum st gguf_array(const struct gguf *g, const char *key, enum gguf_type elem,
	const struct gguf_kv **out, struct err *e);
/* The string at *at in an array of strings; moves *at to the next one. */
const char *gguf_next_string(const struct gguf *g, size_t *at, size_t *n);
uint64_t gguf_le(const unsigned char *p, size_t n); /* n little-endian bytes */
/* ggml's name of a tensor type, NULL: none; *dtype -1: a type that is not read here. */
const char *gguf_tensor_type(uint64_t number, int *dtype);
int gguf_compare(const char *a, size_t n, const char *b, size_t m);

/* The tokenizer.ggml.* keys as a vocab in an arena; *out NULL and a sentence in *missing
 * (in the arena) when the file has none.  max: rows of the embedding. */
BD_MUST_USE enum st gguf_vocab(struct vocab **out, const char **missing, struct arena *a,
	const struct gguf *g, size_t max, struct err *e);
/* The same from a file that need hold nothing else. */
BD_MUST_USE enum st vocab_from_gguf(
	struct vocab **out, struct arena *a, const char *path, struct err *e);

#endif

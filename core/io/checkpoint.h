/* checkpoint.h - a model file or folder as it lies on disk, whoever wrote it.
 *
 * checkpoint_open reads headers only and maps the weights; every offset, count and
 * shape has been checked against the file before it returns, so that the tensors
 * may be read without further doubt.  Names are ours ("embed", "norm", "head",
 * "layers.3.q", "layers.3.attn_norm", "layers.3.mlp_norm"); each reader maps its
 * own.  Immutable after opening; any thread may read; the opener closes it.
 */
#ifndef BD_IO_CHECKPOINT_H
#define BD_IO_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/fs.h"
#include "core/io/vocab.h"

/* How elements lie in the file.  bits a weight with its own statistics included. */
/* clang-format off */
#define DTYPE_LIST(X) /* name, elements of a block, bytes of a block */ \
	X(F32, 1, 4) X(F16, 1, 2) X(BF16, 1, 2) X(U8, 1, 1) \
	X(Q4_0, 32, 18) X(Q4_1, 32, 20) X(Q5_0, 32, 22) X(Q5_1, 32, 24) X(Q8_0, 32, 34) \
	X(Q4_K, 256, 144) X(Q6_K, 256, 210)
/* clang-format on */
enum dtype {
#define X(name, n, bytes) DT_##name,
	DTYPE_LIST(X)
#undef X
};
const char *dtype_name(enum dtype t);
size_t dtype_block(enum dtype t);       /* elements */
size_t dtype_block_bytes(enum dtype t);

struct tensor {
	const char *name; /* ours; a tensor we have no name for keeps the file's */
	enum dtype dtype;
	int rank;       /* 0 to 4 */
	uint64_t dim[4]; /* slowest first: [out][in] for a linear */
	const unsigned char *data;
	size_t bytes;
};

/* Elements first ... first + n of a tensor as float; any dtype; first and n are
 * whole blocks.  From the bit layout of ggml's block types, bit-exact to it. */
void tensor_f32(const struct tensor *t, size_t first, size_t n, float *out);

struct hparams {
	const char *arch; /* "llama" */
	size_t vocab, hidden, inter, layers, heads, kv_heads, head_dim, ctx;
	double rope_base, eps;
	bool rope_pairs; /* llama2.c and GGUF order of q and k rows; false: Hugging Face's */
	bool tied;       /* head is the embedding */
	size_t window;   /* sliding window, 0: none */
};

/* How one integer matrix NAME of our own folder is stored: as the tensors NAME.codes U8
 * [rows][ceil(cols * bits / 8)] and NAME.scale and NAME.offset F16 [rows][groups]. */
struct stored_int {
	int bits;
	size_t group;
};

struct checkpoint {
	const char *path;   /* as opened */
	const char *kind;   /* "gguf", "safetensors", "hf", "llama2c", "bitdial" */
	const char *name;   /* for people: file or folder name, or general.name; unsanitised */
	struct hparams hp;
	const struct tensor *tensors; /* sorted by name */
	size_t n_tensors;
	const struct vocab *vocab;    /* NULL: none found (vocab_missing says where it looked) */
	const char *vocab_missing;
	const char *license;          /* or NULL */
	uint64_t file_bytes;          /* all files together */
	char header_sha256[65];       /* of the headers: names, shapes, hyperparameters */
	struct fs_id id;              /* of the (first) weight file */
	struct arena arena;           /* owns the strings and arrays above */
	struct checkpoint_files *files; /* private: the maps */
};

/* path: a .gguf, a .safetensors, a llama2.c .bin, a Hugging Face folder, a folder of
 * ours.  A run or anything else is refused with a list of what is known. */
BD_MUST_USE enum st checkpoint_open(struct checkpoint **out, const char *path, struct err *e);
void checkpoint_close(struct checkpoint *c); /* NULL is fine */
/* The hyperparameters alone, of a config.json or a folder with one: there need be no weights. */
BD_MUST_USE enum st checkpoint_config(struct hparams *hp, const char *path, struct err *e);

const struct tensor *checkpoint_find(const struct checkpoint *c, const char *name);
/* Whether the matrix is stored as integers (our own folder only); its three tensors have
 * been checked against the shape the model needs. */
bool checkpoint_stored(const struct checkpoint *c, const char *name, struct stored_int *out);
/* ST_IO with a sentence when a weight file is no longer the one that was opened. */
BD_MUST_USE enum st checkpoint_unchanged(const struct checkpoint *c, struct err *e);
/* SHA-256 over all weight files, slow (hundreds of MB/s); sink-free, call in pieces:
 * *at starts at 0 (which initialises s); done when *at == file_bytes, then sha256_hex. */
struct sha256;
void checkpoint_hash_step(const struct checkpoint *c, struct sha256 *s, uint64_t *at, size_t max);

/* The readers, tried in order; adding a format is one file and one line. */
struct io_format {
	const char *name;
	/* Looks at the path and the first bytes; never fails, never reads more. */
	bool (*recognise)(const char *path, const unsigned char *head, size_t n);
	enum st (*open)(struct checkpoint *c, const char *path, struct err *e);
};
extern const struct io_format *const io_formats[]; /* NULL-terminated */

#endif

/* lib_io.h - tests: writers of small model files, right and wrong ones.
 *
 * Sizes are those of the caller; contents are seeded.  Everything is for tests that
 * run in their own process; fx_clean, the .fini of their suites, removes the temporary
 * folder and frees what GGUF writers hold.
 */
#ifndef BD_TESTS_LIB_IO_H
#define BD_TESTS_LIB_IO_H

#include <stddef.h>
#include <stdint.h>

struct fx_buf {
	unsigned char *p;
	size_t n, cap;
};

void fx_put(struct fx_buf *b, const void *p, size_t n);
void fx_uint(struct fx_buf *b, uint64_t v, size_t bytes); /* little-endian */
void fx_f32(struct fx_buf *b, float v);
void fx_text(struct fx_buf *b, const char *s); /* without NUL */
void fx_zero(struct fx_buf *b, size_t n);
/* n floats of a seeded stream, small ones. */
void fx_noise(struct fx_buf *b, size_t n, uint64_t seed);

/* The temporary folder of this process; fx_clean removes it. */
const char *fx_dir(void);
void fx_clean(void);
char *fx_path(const char *name); /* in that folder */
void fx_write(const char *path, const struct fx_buf *b);
void fx_write_text(const char *path, const char *s);

/* What a tiny llama looks like. */
struct fx_shape {
	size_t vocab, hidden, inter, layers, heads, kv_heads;
};
extern const struct fx_shape fx_tiny; /* vocab 8, hidden 32, ff 64, 1 layer, 4 and 2 heads */

/* Its matrices and vectors in the order of checkpoint names; cols 0: a vector. */
struct fx_part {
	char name[48]; /* ours */
	char hf[64], gguf[64];
	size_t rows, cols;
};
size_t fx_parts(const struct fx_shape *s, struct fx_part *out, size_t cap); /* without head */

/* ---- GGUF */

enum { GW_U32 = 4, GW_I32 = 5, GW_F32 = 6, GW_BOOL = 7, GW_STR = 8, GW_ARR = 9, GW_U64 = 10 };

struct gw_kv {
	char key[64];
	size_t key_len;
	uint32_t type;
	struct fx_buf value;
};

struct gw_tensor {
	char name[80];
	uint32_t rank, type;
	uint64_t ne[4]; /* fastest first, as in the file */
	uint64_t offset;
	size_t bytes;
};

struct gw {
	char magic[4];
	uint32_t version;
	struct gw_kv kv[48];
	size_t n_kv;
	struct gw_tensor t[64];
	size_t n_t;
	uint64_t said_kv, said_t; /* counts as written; UINT64_MAX: the true ones */
	size_t align;
};

void gw_u32(struct gw *w, const char *key, uint32_t v); /* each replaces an older value */
void gw_f32(struct gw *w, const char *key, float v);
void gw_bool(struct gw *w, const char *key, int v);
void gw_str(struct gw *w, const char *key, const char *s);
void gw_strs(struct gw *w, const char *key, const char *const *s, size_t n);
void gw_raw(struct gw *w, const char *key, uint32_t type, const void *p, size_t n);
void gw_drop(struct gw *w, const char *key);
struct gw_tensor *gw_find(struct gw *w, const char *name);
void gw_drop_tensor(struct gw *w, const char *name);
/* Offsets of all tensors as the format wants them. */
void gw_place(struct gw *w);
/* A model that opens, matrices of this ggml type, with a small BPE vocabulary. */
void gw_llama(struct gw *w, const struct fx_shape *s, uint32_t type);
void gw_release_all(void); /* fx_clean does */
/* The whole file, data filled with noise. */
void gw_file(const struct gw *w, struct fx_buf *out);

/* ---- safetensors and Hugging Face folders */

struct fx_config {
	struct {
		char key[40], json[400];
	} item[32];
	size_t n;
};

void fx_config_init(struct fx_config *c, const struct fx_shape *s);
void fx_config_set(struct fx_config *c, const char *key, const char *json); /* NULL: drop */
void fx_config_write(const struct fx_config *c, const char *path);

/* header length, header, n bytes of data. */
void fx_safetensors(struct fx_buf *out, const char *header, size_t data);
/* The tiny model under names of `naming` (0 ours, 1 Hugging Face's) as F32; parts
 * [from, to) of fx_parts. */
void fx_model(struct fx_buf *out, const struct fx_shape *s, int naming, size_t from, size_t to);
/* A folder with config.json and model.safetensors; returns its path. */
char *fx_hf(const char *name, const struct fx_shape *s);

/* ---- llama2.c */

void fx_llama2c(struct fx_buf *out, const struct fx_shape *s, int32_t ctx, int own_head);

#endif

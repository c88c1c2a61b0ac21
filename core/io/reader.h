/* reader.h - what the readers of core/io share while a checkpoint is being made.
 *
 * A reader adds the files it maps, the tensors it finds and the hyperparameters, then
 * calls ck_finish, which sorts, and checks everything a model needs.  Private to core/io.
 */
#ifndef BD_IO_READER_H
#define BD_IO_READER_H

#include "core/io/checkpoint.h"
#include "core/io/naming.h"

struct ck_file {
	const char *path, *base; /* base: the last part of path, for messages */
	struct fs_map map;
};

struct stored_entry {
	const char *name; /* ours */
	struct stored_int how;
};

struct checkpoint_files {
	struct ck_file *file; /* [n], room for cap; addresses stay */
	size_t n, cap;
	struct stored_entry *stored; /* [n_stored], sorted by name */
	size_t n_stored;
	struct tensor *list; /* big_alloc'ed; moves into the arena at the end */
	size_t n_list, cap_list;
};

const char *ck_base(const char *path);

/* n bytes of s as a string in the checkpoint's arena. */
BD_MUST_USE enum st ck_strndup(
	struct checkpoint *c, const char **out, const char *s, size_t n, struct err *e);

BD_MUST_USE enum st ck_reserve_files(struct checkpoint *c, size_t n, struct err *e);
/* Maps the file.  It belongs to c from then on. */
BD_MUST_USE enum st ck_add_file(
	struct checkpoint *c, const char *path, struct ck_file **out, struct err *e);
/* Bytes at ... at + n of a mapped file through pread, so that they cannot change under a
 * parser; the caller has compared with map.size. */
BD_MUST_USE enum st ck_pread(const struct ck_file *f, void *to, size_t n, size_t at, struct err *e);

/* t without its name, which is made from the file's. */
BD_MUST_USE enum st ck_add_tensor(struct checkpoint *c, const struct tensor *t, enum naming by,
	const char *name, size_t n, struct err *e);
/* t named `ours` as it is (the string must outlive c). */
BD_MUST_USE enum st ck_put_tensor(
	struct checkpoint *c, const struct tensor *t, const char *ours, struct err *e);

/* Sorts the tensors; refuses two of one name. */
BD_MUST_USE enum st ck_sort(struct checkpoint *c, enum naming by, const char *where, struct err *e);
/* Refuses hyperparameters that contradict each other. */
BD_MUST_USE enum st ck_check_hparams(const struct hparams *hp, const char *where, struct err *e);
/* Sets tied; refuses hyperparameters that contradict each other and tensors that are
 * missing or have another shape.  where: the file to name in messages. */
BD_MUST_USE enum st ck_check(
	struct checkpoint *c, enum naming by, const char *where, struct err *e);

/* The bytes that a tensor of this shape (slowest first) takes; false: they wrap, or a row is
 * not whole blocks. */
bool ck_tensor_bytes(enum dtype t, int rank, const uint64_t *dim, size_t *bytes);

extern const struct io_format io_gguf, io_llama2c, io_safetensors, io_bitdial, io_hf;

bool ck_ends_with(const char *s, const char *end);

#endif

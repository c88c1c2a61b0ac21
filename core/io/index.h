/* index.h - model.safetensors.index.json: which shard holds which tensor.
 *
 * Shards are files of the folder itself, by plain name.  Private to core/io.
 */
#ifndef BD_IO_INDEX_H
#define BD_IO_INDEX_H

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/io/safetensors.h"

struct shard_entry {
	const char *tensor, *file;
};

struct shard_index {
	struct shard_entry *entry; /* sorted by file, then tensor */
	size_t n, cap;
	const char **file; /* [n_files], sorted */
	size_t n_files;
	struct arena arena;
};

BD_MUST_USE enum st index_read(struct shard_index *x, const char *path, struct err *e);
void index_release(struct shard_index *x);
/* ST_FORMAT when a tensor that the index places in this shard is not in it. */
BD_MUST_USE enum st index_check(
	const struct shard_index *x, const char *file, const struct safetensors *s, struct err *e);
/* The path of a shard of the folder; refuses a link that leads out of it.  xfree. */
BD_MUST_USE enum st index_shard_path(const char *dir, const char *file, char **path, struct err *e);

#endif

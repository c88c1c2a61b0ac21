/* safetensors.h - the header of one .safetensors file, checked by every rule of the
 * format: no overlap, no hole, nothing outside the file, sizes as type and shape say.
 *
 * Private to core/io.  The entries live in `arena` until safetensors_release.
 */
#ifndef BD_IO_SAFETENSORS_H
#define BD_IO_SAFETENSORS_H

#include "core/base/sha256.h"
#include "core/io/reader.h"

enum { ENTRY_RANK = 8 };

struct st_entry {
	const char *name;
	size_t len;
	int type; /* index into the format's types; see safetensors_type */
	int rank;
	uint64_t dim[ENTRY_RANK];
	uint64_t begin, end; /* in the data part */
};

struct safetensors {
	struct st_entry *entry; /* sorted by name */
	size_t n, cap;
	size_t data; /* where the data part begins in the file */
	struct arena arena;
};

/* Reads f's header and adds its bytes to sha. */
BD_MUST_USE enum st safetensors_read(
	struct safetensors *s, const struct ck_file *f, struct sha256 *sha, struct err *e);
void safetensors_release(struct safetensors *s);

/* The entry as a tensor into f's map; false: of a type or rank that is not read here. */
bool safetensors_tensor(const struct safetensors *s, const struct st_entry *x,
	const struct ck_file *f, struct tensor *out);
const char *safetensors_type(const struct st_entry *x); /* "F8_E4M3" */

#endif

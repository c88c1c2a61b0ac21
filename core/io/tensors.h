/* tensors.h - the tensors of one .safetensors file by themselves: no model, no config.json.
 *
 * Headers are checked as checkpoint.h says; the data stays in the map until tensors_close.  Names
 * are the file's.  Any thread may read what is open.
 */
#ifndef BD_IO_TENSORS_H
#define BD_IO_TENSORS_H

#include "core/io/checkpoint.h"

struct tensors;

BD_MUST_USE enum st tensors_open(struct tensors **out, const char *path, struct err *e);
void tensors_close(struct tensors *t); /* NULL is fine */

size_t tensors_count(const struct tensors *t);
const char *tensors_name(const struct tensors *t, size_t i); /* in the order of strcmp */
/* The tensor of that name; false: there is none, or of a type that is not read here. */
bool tensors_find(const struct tensors *t, const char *name, struct tensor *out);

#endif

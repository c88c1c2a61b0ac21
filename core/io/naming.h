/* naming.h - what tensors are called: by us, by Hugging Face's Llama, by GGUF.
 *
 * Pure; any thread.
 */
#ifndef BD_IO_NAMING_H
#define BD_IO_NAMING_H

#include <stdbool.h>
#include <stddef.h>

enum naming { NAMING_OURS, NAMING_HF, NAMING_GGUF, NAMING_COUNT };

enum { NAMING_MAX = 64 }; /* bytes that hold any name of a tensor we know, in any naming */

/* Our name of a tensor that a file calls s; false: it is none of ours. */
bool naming_ours(enum naming from, const char *s, size_t n, char out[NAMING_MAX]);
/* The name that a file of this naming has for ours, for messages. */
const char *naming_theirs(enum naming to, const char *ours, char out[NAMING_MAX]);

#endif

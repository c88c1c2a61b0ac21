/* lib_random_model.h - a llama of any shape with random packed weights, made where it runs.
 *
 * Nothing is read, no checkpoint stands behind it (m->ck is NULL): for times, which do not depend
 * on the values, and for agreement of backends.  All linears are of one format, head and
 * embedding of int8g32.  Freed by random_model_free alone.  Engine thread.
 */
#ifndef BD_TESTS_LIB_RANDOM_MODEL_H
#define BD_TESTS_LIB_RANDOM_MODEL_H

#include "core/model/model.h"

struct random_shape {
	const char *name;
	size_t layers, hidden, inter, heads, kv_heads, head_dim, vocab;
};
extern const struct random_shape random_135m, random_1b, random_8b, random_tiny;

/* NULL: there is no memory for it. */
struct model *random_model(const struct backend *b, const struct random_shape *s, int bits,
	size_t group, uint64_t seed);
void random_model_free(struct model *m);
/* Bytes that one token reads of the linears and the head. */
uint64_t random_model_bytes(const struct model *m);

#endif

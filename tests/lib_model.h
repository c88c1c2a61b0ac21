/* lib_model.h - what the suites about models share: the demo model in a folder of its
 * own, the real one where it is installed, sinks that stop. */
#ifndef BD_TESTS_LIB_MODEL_H
#define BD_TESTS_LIB_MODEL_H

#include <stdbool.h>

#include "core/base/sink.h"
#include "core/model/model.h"

/* Made of the seed, loaded on the backend of that name; the file is gone already. */
struct model *lib_demo(const char *backend, uint64_t seed);
struct checkpoint *lib_demo_checkpoint(uint64_t seed);

/* Loads the default model, or NULL after saying on stderr that the test is skipped. */
struct model *lib_real(const char *backend);
/* A file or folder of the reference data (BITDIAL_TEST_DATA, else ../shared/data): its
 * path, xfree'd by the caller, or NULL after saying that the test is skipped. */
char *lib_data(const char *name);

/* Says stop at the nth poll. */
struct lib_stop {
	struct sink sink;
	unsigned long polls, stop_at; /* 0: never */
};
void lib_stop_init(struct lib_stop *s, unsigned long at);

/* Largest |a - b|. */
double lib_distance(const float *a, const float *b, size_t n);
/* n ids below vocab from a seed; xfree. */
int32_t *lib_ids(size_t n, size_t vocab, uint64_t seed);

#endif

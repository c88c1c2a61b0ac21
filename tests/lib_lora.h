/* lib_lora.h - adapters for suites: made, as after some training, and what a model says with one.
 */
#ifndef BD_TESTS_LIB_LORA_H
#define BD_TESTS_LIB_LORA_H

#include "core/base/rng.h"
#include "core/tune/lora.h"

struct lora *lib_adapter(const struct model *m, size_t rank, size_t max_rows);
/* B as after some training. */
void lib_adapter_trained(struct lora *l, const struct model *m, uint64_t seed);
size_t lib_count(const struct mat *w);
void lib_noise(float *x, size_t n, double size, struct rng *r);
float *lib_kept(const float *g, size_t n); /* a copy, xfree */
/* Logits of plain_letters as one sequence, host memory, xfree; l may be NULL. */
float *lib_logits(const struct model *m, struct lora *l, enum math math);

#endif

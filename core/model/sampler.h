/* sampler.h - the next token from logits.
 *
 * Order: repetition penalty over the last tokens (Keskar et al. 2019), temperature,
 * top-k, top-p (Holtzman et al. 2020), min-p, draw.  Temperature 0 is the argmax.
 * Seeded: the same seed and logits give the same ids on any machine.  A sampler
 * belongs to one sequence; one thread at a time.
 */
#ifndef BD_MODEL_SAMPLER_H
#define BD_MODEL_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"

struct sampler_options {
	double temperature;    /* 0: greedy */
	int top_k;             /* 0: off */
	double top_p, min_p;   /* 1 and 0: off */
	double repeat_penalty; /* 1: off */
	int repeat_last;       /* tokens looked back at */
	uint64_t seed;
};
extern const struct sampler_options sampler_default; /* 0.7, 40, 0.95, 0.05, 1.1, 64, seed 1 */

struct sampler;
struct sampler *sampler_new(const struct sampler_options *o, size_t vocab);
void sampler_free(struct sampler *s);
void sampler_seen(struct sampler *s, int32_t id); /* a prompt token, for the penalty */
/* Draws and remembers.  logits [vocab] are changed; banned ids (no text) have -INF. */
int32_t sampler_next(struct sampler *s, float *logits);

#endif

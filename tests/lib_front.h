/* lib_front.h - instances of the front in the shapes of a real model. */
#ifndef BD_LIB_FRONT_H
#define BD_LIB_FRONT_H

#include "core/search/front.h"

enum { LINEARS = 210, FORMATS = 4 };

struct big {
	struct front_input in;
	uint64_t bytes[LINEARS * FORMATS];
	double damage[LINEARS * FORMATS];
};

/* SmolLM2-135M with int2g64, int3g64, int4g128 and keep, damages from a seed; ragged: sizes
 * without a common divisor.  xfree. */
struct big *front_smollm2(uint64_t seed, bool ragged);
/* Sums over a choice. */
void front_total(
	const struct front_input *in, const uint8_t *choice, uint64_t *bytes, double *damage);

#endif

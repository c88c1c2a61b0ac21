/* rng.h - seeded random numbers: xoshiro256++ seeded by splitmix64 (Blackman and
 * Vigna 2019).  The same seed gives the same stream on every machine.  A struct
 * belongs to one thread. */
#ifndef BD_BASE_RNG_H
#define BD_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
double rng_unit(struct rng *r);                /* [0, 1) */
uint32_t rng_below(struct rng *r, uint32_t n); /* [0, n), n > 0, unbiased */
double rng_normal(struct rng *r);              /* mean 0, deviation 1 */

#endif

/* lib_front.c - see lib_front.h. */
#include "tests/lib_front.h"

#include <math.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

void front_total(
	const struct front_input *in, const uint8_t *choice, uint64_t *bytes, double *damage)
{
	*bytes = 0;
	*damage = 0;
	for (size_t i = 0; i < in->n; i++) {
		*bytes += in->bytes[i * in->k + choice[i]];
		*damage += in->damage[i * in->k + choice[i]];
	}
}

struct big *front_smollm2(uint64_t seed, bool ragged)
{
	static const size_t rows[7] = { 576, 192, 192, 576, 1536, 1536, 576 };
	static const size_t cols[7] = { 576, 576, 576, 576, 576, 576, 1536 };
	static const double kl[3] = { 0.04, 0.007, 0.0015 };
	static const struct format formats[3] = { { .bits = 2, .group = 64 },
		{ .bits = 3, .group = 64 }, { .bits = 4, .group = 128 } };
	struct big *b = xalloc(sizeof *b);
	struct rng r;

	rng_seed(&r, seed);
	b->in = (struct front_input){
		.n = LINEARS, .k = FORMATS, .bytes = b->bytes, .damage = b->damage
	};
	for (size_t i = 0; i < LINEARS; i++) {
		double scale = exp(rng_normal(&r));

		for (size_t f = 0; f < FORMATS; f++) {
			size_t c = i * FORMATS + f, n = rows[i % 7] * cols[i % 7];

			b->bytes[c] = f < 3 ? format_bytes(formats[f], rows[i % 7], cols[i % 7])
					    : n * 5 / 8;
			b->bytes[c] += ragged ? rng_below(&r, 64) : 0;
			b->damage[c] = f < 3 ? scale * kl[f] * (0.5 + rng_unit(&r)) : 0;
		}
	}
	return b;
}

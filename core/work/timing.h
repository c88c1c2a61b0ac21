/* timing.h - how fast one product is on this machine.
 *
 * A matrix of random codes (what they are takes no time), y[m][rows] = x[m][cols] W^T.  Cold: so
 * many copies of it in turn that no cache holds them, as the weights of a model pass in decoding;
 * else one, that stays in whatever holds it.  Engine thread.
 */
#ifndef BD_WORK_TIMING_H
#define BD_WORK_TIMING_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/base/sink.h"
#include "core/quant/format.h"
#include "kernels/backend.h"

struct timing_ask {
	struct format format; /* no mix, not keep */
	size_t rows, cols, m;
	enum math math;
	bool cold;
};

struct timing {
	double us, least_us; /* of a product: median and best of the passes */
	double gb_s;         /* weights read, of the median */
	double gop_s;        /* two operations a weight and row of x */
	double read_gb_s;    /* cold: what reading alone reached in the same second; 0: not known */
	int passes;
};

BD_MUST_USE enum st timing_run(const struct timing_ask *a, const struct backend *be,
	struct timing *out, const struct sink *s, struct err *e);

#endif

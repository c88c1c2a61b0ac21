/* lib_quant.h - what the suites about quantizers share: seeded weights and moments,
 * one call from format name to codes. */
#ifndef BD_TESTS_LIB_QUANT_H
#define BD_TESTS_LIB_QUANT_H

#include <stdbool.h>

#include "core/quant/quantizer.h"

/* Normal numbers with a few large ones; big_free. */
float *lib_weights(size_t rows, size_t cols, double deviation, uint64_t seed);
/* Second moments of correlated inputs; big_free. */
float *lib_moments(size_t cols, uint64_t seed);

/* Codes of in in the named format; the test fails where the quantizer does. */
struct qcodes lib_quantize(const char *quantizer, const char *format, const struct quant_input *in);
double lib_error(const struct quant_input *in, const struct qcodes *q); /* quant_error */

/* On backend ref; moments may be NULL. */
struct quant_input lib_input(float *w, size_t rows, size_t cols, float *moments);
/* Fails the test where a statistic or a weight is not finite or a code too large. */
void lib_check_finite(const struct qcodes *q, const char *what);
bool lib_same_codes(const struct qcodes *a, const struct qcodes *b); /* and statistics */

#endif

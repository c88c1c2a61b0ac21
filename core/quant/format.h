/* format.h - how a quantized linear is stored: bits and group size, or `keep`.
 *
 * `int4g128` is 4 bits, groups of 128 inputs; bits 1 to 8, group a multiple of 32, a
 * ragged last group is allowed.  `keep` is the linear as it is in the file.  Stored
 * bytes are codes (each row to whole bytes) and an fp16 scale and offset a group.
 * Values; pure; any thread.
 */
#ifndef BD_QUANT_FORMAT_H
#define BD_QUANT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

enum { FORMAT_MAX = 8, FORMAT_NAME = 16 }; /* formats in one dial; bytes of a name */

struct format {
	int bits;     /* 0: keep */
	size_t group; /* 0: keep */
};

BD_MUST_USE enum st format_parse(struct format *f, const char *name, struct err *e);
/* "int2g64,int4g128,keep": sorted by bits a weight, duplicates refused; keep is not
 * added by itself. */
BD_MUST_USE enum st format_list(struct format *f, size_t *n, const char *names, struct err *e);
const char *format_name(struct format f, char out[FORMAT_NAME]);
bool format_equal(struct format a, struct format b);
static inline bool format_is_keep(struct format f) { return !f.bits; }

uint64_t format_bytes(struct format f, size_t rows, size_t cols); /* not for keep */
double format_nominal(struct format f); /* b + 4/g, as model names advertise; not for keep */

#endif

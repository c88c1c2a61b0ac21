/* format.h - how a quantized linear is stored: bits and group size, or `keep`.
 *
 * `int4g128` is 4 bits, groups of 128 inputs; bits 1 to 8, group a multiple of 32, a
 * ragged last group is allowed.  `keep` is the linear as it is in the file.  Stored
 * bytes are codes (each row to whole bytes) and an fp16 scale and offset a group.
 * `int4g128:3+int2g64` is a channel-mix: of a linear's inputs in the order of their
 * importance (mix.h) about three eighths in int4g128, the rest in int2g64; it stores the
 * order, too, two bytes an input.
 * Values; pure; any thread.
 */
#ifndef BD_QUANT_FORMAT_H
#define BD_QUANT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

enum { FORMAT_MAX = 16, FORMAT_NAME = 32 }; /* formats in one dial; bytes of a name */
enum { FORMAT_PARTS = 8, FORMAT_STEP = 64 }; /* a mix goes by eighths, to so many inputs */

struct format {
	int bits;     /* 0: keep; of a mix: the low part's, as group is */
	size_t group; /* 0: keep */
	int hi_bits;  /* of the high part, more than bits; 0: no mix */
	size_t hi_group;
	int part; /* eighths of the inputs that are high: 1 to 7; 0: no mix */
};

BD_MUST_USE enum st format_parse(struct format *f, const char *name, struct err *e);
/* "int2g64,int4g128,keep": sorted by bits a weight, duplicates refused; keep is not
 * added by itself. */
BD_MUST_USE enum st format_list(struct format *f, size_t *n, const char *names, struct err *e);
const char *format_name(struct format f, char out[FORMAT_NAME]);
/* One character for a map, of f[at] among the k of a dial: its bits, k for keep, and for mixes a,
 * b, c ... without k: pair after pair as the list has them, by eighths within a pair. */
char format_letter(const struct format *f, size_t k, size_t at);
/* Which letters are which pair: "a-d: 4+2, e-h: 4+3"; "" where there are no mixes. */
enum { FORMAT_PAIRS = 160 };
const char *format_pairs(const struct format *f, size_t k, char out[FORMAT_PAIRS]);
bool format_equal(struct format a, struct format b);
static inline bool format_is_keep(struct format f) { return !f.bits; }
static inline bool format_is_mix(struct format f) { return f.part != 0; }
static inline struct format format_int(int bits, size_t group)
{
	return (struct format){ .bits = bits, .group = group };
}
/* The ends of a mix; of any other format itself. */
struct format format_low(struct format f);
struct format format_high(struct format f);
struct format format_mix(struct format high, int part, struct format low);
/* A mix needs 128 inputs at least and 65,536 at most. */
bool format_fits(struct format f, size_t cols);
/* Inputs in the high part, of a mix that fits: the nearest multiple of 64, at least 64 and at
 * least 64 short of all. */
size_t format_high_cols(struct format f, size_t cols);

uint64_t format_bytes(struct format f, size_t rows, size_t cols); /* not for keep */
double format_nominal(struct format f); /* b + 4/g, as model names advertise; not for keep */

/* A mix stands between its two formats: they must be in the list, too. */
BD_MUST_USE enum st format_check_mixes(const struct format *f, size_t k, struct err *e);

/* Puts mixes beside the k formats of a dial, sorted in: of its lowest format and the first with
 * four bits or more (else its highest), all seven; where one lies between these, one to four
 * eighths of the lowest and of that one.  How many formats there are then; as they were where
 * there are no two to mix or no room. */
size_t format_add_mixes(struct format f[FORMAT_MAX], size_t k);

#endif

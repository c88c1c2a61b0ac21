/* lanes.h - the sixteen lanes that every kernel of this folder is written in, once.
 *
 * vf: 16 floats (a tile's rows, or 16 neighbours in memory); vd: 16 doubles.
 *   vf_load, vf_store          any alignment; vf_loadn, vf_storen touch the first n only,
 *                              and fill the rest with 0 (n <= 16)
 *   vf_max(a, b)               where either is NaN, b
 *   vf_where_nonzero(p, a)     a where p is not 0 (or is NaN), else 0
 *   vf_where_small(d, x, a, b) a where |d| < x, else (also where d is NaN) b
 *   vf_ldexp(a, n)             a * 2^n for whole n
 *   vf_equal(a, b)             bit i: lanes i are equal
 *   vf_half, vf_bf16, vf_byte  16 of those (vf_byte: int8), any alignment
 *   lane_words(&w, block, bits, e)  loads columns 8 * e ... 8 * e + 7 of a packed block
 *   lane_code(&w, bits, c)     codes of the c-th of those, for the block's 16 rows; bits
 *                              and c must be constants once inlined
 *   lane_transpose(r)          16 x 16
 *
 * A kernel body (*.inc) is included by name_avx512.c, name_avx2.c and name_plain.c;
 * the compiler's flags for those files decide here which lanes they get.
 */
#ifndef BD_KERNELS_CPU_LANES_H
#define BD_KERNELS_CPU_LANES_H

#if defined(__AVX512F__)
#include "kernels/cpu/lanes_avx512.h"
#elif defined(__AVX2__)
#include "kernels/cpu/lanes_avx2.h"
#else
#include "kernels/cpu/lanes_plain.h"
#endif

#endif

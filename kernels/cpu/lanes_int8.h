/* lanes_int8.h - beside lanes.h, what products of codes with int8 take: sixteen lanes (a
 * tile's rows) of four bytes (columns).
 *
 *   vb_load(p), vb_or(a, b)       16 words of a plane; bitwise or
 *   vb_pick(a, right, left, mask) in each byte ((word >> right) & mask) << left
 *   vb_deal(&a, &b)               of each lane's bytes a0 a1 a2 a3 and b0 b1 b2 b3, makes
 *                                 a = a0 a2 b0 b2 and b = a1 a3 b1 b3
 *   vdot                          sums of a block of 32 columns, codes of `bits` bits
 *   vdot_zero(bits)
 *   vdot_add(&d, code, x, bits)   lane's sum += its four codes * the four int8 of x
 *   vdot_float(&d, bits)          the sums as vf, exact
 *   vf_fused(a, b, c)             a * b + c, rounded once
 *   order_bytes(out, q, width)    32 int8 as the words of a plane of that width meet them:
 *                                 out[w * (8 / width) + s] is columns w * (32 / width) + s +
 *                                 j * (8 / width), j = 0 ... 3
 */
#ifndef BD_KERNELS_CPU_LANES_INT8_H
#define BD_KERNELS_CPU_LANES_INT8_H

#include "kernels/cpu/lanes.h"

#if defined(__AVX512VNNI__)
#include "kernels/cpu/lanes_int8_vnni.h"
#elif defined(__AVX2__)
#include "kernels/cpu/lanes_int8_avx2.h"
#else
#include "kernels/cpu/lanes_int8_plain.h"
#endif

#endif

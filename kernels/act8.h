/* act8.h - what MATH_INT8 computes, to the bit.
 *
 * A row of x is rounded in blocks of 32 columns, from column 0; the last may be shorter.
 * Of a block b, whose largest |x| is max:
 *	s = max / 127, inv = 127 / max, h = rint(x * inv)       |h| <= 127
 *	t = s / 254, l = rint(fma(x, inv, -h) * 254)             |l| <= 127
 * so that x is about s * h, and far closer to s * h + t * l.  All in float, rounded to
 * nearest even.  A max below 2^-100 counts as 0: s = h = 0.  A block with an infinity or a
 * NaN has s = NaN, h = 0, so all it enters is NaN.
 *
 * The second digit l is used where the first one alone would leave more error than in the
 * row's blocks on average: s * s > ACT_FINE * (sum of s * s in order of the blocks) / (number
 * of blocks), in double.  A fifth of the blocks, those with the channels that are large in
 * every token, hold most of the error: on SmolLM2-135M in int4g128 one digit alone is 4.4e-3
 * nats from float activations, this 0.8e-3, two digits everywhere 2e-7.
 *
 * With the integer sums D = sum(code * h), E = sum(code * l), H = sum(h), L = sum(l) of a
 * block (they are exact), for each group g of a row of W in order
 *	a = 0, c = 0, and for each block of g in order
 *		a = fma(s, D, a), c = fma(s, H, c)
 *		a = fma(t, E, a), c = fma(t, L, c)     where it has a second digit
 *	y = fma(scale, a, y), y = fma(offset, c, y)
 * where D to L are taken as float (|D|, |E| < 2^24).  Both parts use the rounded x, so that
 * the error is W times what rounding changed.  Each value depends on its row of x and its
 * row of W alone; any order of rows, number of threads and width of vectors gives the same
 * bits (of NaN only that it is one).
 */
#ifndef BD_KERNELS_ACT8_H
#define BD_KERNELS_ACT8_H

#include <stddef.h>

enum { ACT_BLOCK = 32, ACT_DIGIT = 127, ACT_SECOND = 254 };

#define ACT_LEAST 0x1p-100f /* largest |x| of a block that is not taken for zeros */
#define ACT_FINE  1.0       /* share of the mean squared error that asks for more */

#endif

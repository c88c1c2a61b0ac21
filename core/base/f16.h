/* f16.h - IEEE half and bfloat16 to and from float, in plain C.
 *
 * Exact in the widening direction; round to nearest even in the other.  NaN
 * stays NaN, overflow becomes infinity.  Pure; any thread.
 */
#ifndef BD_BASE_F16_H
#define BD_BASE_F16_H

#include <stdint.h>

float f16_to_f32(uint16_t h);
uint16_t f16_from_f32(float f);
float bf16_to_f32(uint16_t b);
uint16_t bf16_from_f32(float f);

#endif

/* pack_bf16.h - the packing of struct leaf_bf16 that the leaves for AVX512_BF16 and for AMX share;
 * in leaf_bf16.c. */
#ifndef BD_KERNELS_CPU_PACK_BF16_H
#define BD_KERNELS_CPU_PACK_BF16_H

#include "kernels/cpu/leaf.h"

void bf16_pack(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n);
void bf16_pack_t(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n);
void bf16_panel(uint16_t *strip, const struct mat *w, size_t first, size_t c, size_t n);
void bf16_panel_f32(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n);
void bf16_panel_t(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n);
/* of b16x3 */
void bf16x3_pack(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n);
void bf16x3_pack_t(uint16_t *strip, const float *x, size_t ldx, size_t m, size_t n);
void bf16x3_panel(uint16_t *strip, const struct mat *w, size_t first, size_t c, size_t n);
void bf16x3_panel_f32(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n);
void bf16x3_panel_t(uint16_t *strip, const float *b, size_t ldb, size_t rows, size_t n);

#endif

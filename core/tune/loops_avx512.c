/* loops_avx512.c - the loops of loops.inc for AVX-512 (F, BW, VL, DQ). */
#include "core/tune/loops.inc"

TUNE_LOOPS(avx512);

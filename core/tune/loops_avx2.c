/* loops_avx2.c - the loops of loops.inc for AVX2. */
#include "core/tune/loops.inc"

TUNE_LOOPS(avx2);

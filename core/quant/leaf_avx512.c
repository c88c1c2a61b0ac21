/* leaf_avx512.c - the quantizers' loops for AVX-512. */
#if defined(__x86_64__)
#define LEAF avx512
#include "core/quant/leaf.inc"
#else
typedef int leaf_avx512_is_of_another_machine;
#endif

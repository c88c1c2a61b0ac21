/* leaf_avx2.c - the quantizers' loops for AVX2. */
#if defined(__x86_64__)
#define LEAF avx2
#include "core/quant/leaf.inc"
#else
typedef int leaf_avx2_is_of_another_machine;
#endif

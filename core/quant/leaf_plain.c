/* leaf_plain.c - the quantizers' loops for any machine. */
#define LEAF plain
#include "core/quant/leaf.inc"

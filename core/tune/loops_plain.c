/* loops_plain.c - the loops of loops.inc as any x86-64 runs them. */
#include "core/tune/loops.inc"

TUNE_LOOPS(plain);

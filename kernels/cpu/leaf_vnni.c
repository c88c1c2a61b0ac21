/* leaf_vnni.c - what AVX512 VNNI adds: products of codes with int8. */
#include "kernels/cpu/leaf.h"

#include <math.h>
#include <string.h>

#include "kernels/act8.h"
#include "kernels/cpu/lanes_int8.h"

/* the body, for these lanes */
#include "kernels/cpu/int8.inc"

const struct leaf leaf_vnni = {
	.name = "vnni",
	.i8 = { LANES_STRIP_MOST, round_strip, strip_product },
};

/* lib_fenced.h - the device "fenced:0" (fenced.c) for suites: found by name as a CUDA one is. */
#ifndef BD_TESTS_LIB_FENCED_H
#define BD_TESTS_LIB_FENCED_H

#include "tests/fenced.h"

/* Opens the shared object beside this program as BITDIAL_CUDA; its controls. */
const struct fenced_controls *lib_fenced(void);

#endif

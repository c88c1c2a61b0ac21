/* plot_private.h - between what gnuplot is told (plot.c) and how it is run (plot_run.c). */
#ifndef BD_WORK_PLOT_PRIVATE_H
#define BD_WORK_PLOT_PRIVATE_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/base/sink.h"

/* What gnuplot writes to its standard output when it reads `script`; xfree. */
BD_MUST_USE enum st plot_run(
	const char *script, char **out, size_t *n, const struct sink *s, struct err *e);

#endif

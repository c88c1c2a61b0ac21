/* lib_runs.h - run folders as a writer leaves them, and an index of them as a snapshot. */
#ifndef BD_TESTS_LIB_RUNS_H
#define BD_TESTS_LIB_RUNS_H

#include "core/work/runs_io.h"

/* A folder of runs_dir() with a run in it, made by hand; kl below 0: it has no layout. */
void put_run(const char *id, const char *kind, const char *status, long began, double bpw,
	double kl, const char *parents);
/* A scan, then searches of 3.5, 4.5 (stopped) and 2.5 bits; their ids end in a, b, c, d. */
void put_four_runs(void);
/* A file of a run's folder. */
void put_in_run(const char *id, const char *file, const char *text);

/* An index as runs_io publishes it, of n runs: a scan, then searches made from the one before. */
struct snap *made_runs(size_t n);
/* Of the folders there are. */
struct snap *loaded_runs(void);

#endif

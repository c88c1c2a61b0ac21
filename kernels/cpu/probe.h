/* probe.h - whether this machine runs what it announces.
 *
 * A processor, or what pretends to be one, may announce instructions that end the process or
 * compute something else.  They are tried in a child process first.
 */
#ifndef BD_KERNELS_CPU_PROBE_H
#define BD_KERNELS_CPU_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Runs probe[0] ... probe[n - 1] in turn in one child process, until one is false or fatal: how
 * many are good.  NULL is good without being run; no child where all are NULL.  Where there is no
 * process to be had, nothing is proven: only what comes before the first that is not NULL counts.
 * Any thread; the probes allocate nothing and take no lock. */
size_t cpu_probe(bool (*const *probe)(void), size_t n);

/* What the processor announces and the system keeps for its threads.  cpu_has_amx asks the system
 * for the room of the tiles, once for the process: false where it refuses. */
bool cpu_has_bf16(void);
bool cpu_has_amx(void);

#endif

/* device.h - what computes here and how busy it is: for the Jobs screen and for doctor.
 *
 * Read from the kernel's tables (/proc), which takes a tenth of a millisecond and waits for no
 * disk.  One sampler a reader, its thread's; the first sample has no loads, since they are
 * differences.  A backend with memory of its own (a GPU) adds an entry of snap_device.at here
 * and nowhere else.
 */
#ifndef BD_WORK_DEVICE_H
#define BD_WORK_DEVICE_H

#include <stdint.h>

#include "core/work/snap.h"

struct device_sampler {
	double at;          /* clock of the last sample; 0: none */
	uint64_t busy, all; /* ticks of all cores, as of /proc/stat */
	uint64_t ours;      /* ticks of this process */
};

struct snap_device *device_sample(struct device_sampler *s);
/* "AMD EPYC 9654 96-Core Processor"; "unknown" where the kernel does not say; xfree. */
char *device_cpu_name(void);
/* Bytes of address space this process may still take (RLIMIT_AS); UINT64_MAX: no limit. */
uint64_t device_address_room(void);

#endif

/* device.h - what computes here and how busy it is: for the Jobs screen and for doctor.
 *
 * Read from the kernel's tables (/proc), which takes a tenth of a millisecond and waits for no
 * disk.  One sampler a reader, its thread's; the first sample has no loads, since they are
 * differences.  A backend with memory of its own (a GPU) says itself how it is (backend.info).
 */
#ifndef BD_WORK_DEVICE_H
#define BD_WORK_DEVICE_H

#include <stdint.h>

#include "core/work/snap.h"
#include "kernels/backend.h"

struct device_sampler {
	double at;          /* clock of the last sample; 0: none */
	uint64_t busy, all; /* ticks of all cores, as of /proc/stat */
	uint64_t ours;      /* ticks of this process */
};

struct snap_device *device_sample(struct device_sampler *s);
/* Any thread.  "cuda:0 NVIDIA H200" in at most cap bytes. */
void device_title(const struct backend *be, char *out, size_t cap);
/* What computes, as run folders name it: "avx512 (of avx2, avx512)", "cuda:0 NVIDIA H200, sm_90,
 * driver 13.0"; static to the thread that asks until it asks again. */
const char *device_computes(void);
/* The device that was lost to this process; NULL: none was. */
const struct backend *device_lost(void);
/* "AMD EPYC 9654 96-Core Processor"; "unknown" where the kernel does not say; xfree. */
char *device_cpu_name(void);
/* Bytes of address space this process may still take (RLIMIT_AS); UINT64_MAX: no limit. */
uint64_t device_address_room(void);

uint64_t device_resident(void); /* bytes of this process in memory; 0: not known */

#endif

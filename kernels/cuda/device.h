/* device.h - the state of the device in use that the files of this room share among themselves:
 * what opens and closes it, what it did, whether it works.
 *
 * Private to cuda.cu, device.cu, queue.cu, memory.cu and blas.cu; operations see queue.h.
 */
#ifndef BD_CUDA_DEVICE_H
#define BD_CUDA_DEVICE_H

#include "kernels/cuda/queue.h"

/* ---- device.cu */
/* "12.4" of 12040; returns text. */
const char *version_text(int version, char text[16]);
/* The sentence for no count of devices, or no devices. */
enum st device_none(struct err *e, cudaError_t code);
enum st device_open(int index, struct err *e);
enum st device_fault(struct err *e);
bool device_lost(void);
/* The index of the open one, -1: none.  Any thread. */
int device_index(void);
/* Makes it the calling thread's; false where there is none or it is lost. */
bool device_enter(void);

/* Since it was opened; any thread reads them, the engine thread adds.  busy is in nanoseconds,
 * ours in bytes taken by alloc. */
enum count { COUNT_LAUNCHES, COUNT_BUILT, COUNT_REPLAYED, COUNT_OURS, COUNT_BUSY, COUNTS };
void count_add(enum count c, uint64_t n); /* ours goes down by adding 0 - n */
uint64_t count_of(enum count c);

/* ---- the others: called once by open, each after the one above; false: *e says why */
bool queue_open(struct err *e);
void queue_close(void);
bool memory_open(struct err *e);
void memory_close(void);
/* true when code is cudaSuccess; else *e says what was to be had: "256 MiB of memory". */
bool open_ok(cudaError_t code, const char *what, struct err *e);

/* queue.cu: what is held is forgotten; what is only kept to be quick (graphs) is given back, true
 * when there was some. */
void queue_drop(void);
bool queue_spare(void);
void queue_step(bool begin);

#endif

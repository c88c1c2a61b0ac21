/* emu.h - what the parts of the emulator know of each other.
 *
 * One lock guards all of it (emu_lock); device work is carried out on the thread that waits
 * for it, under the lock.
 */
#ifndef BD_EMU_EMU_H
#define BD_EMU_EMU_H

#include <functional>
#include <mutex>

#include <cuda_runtime.h>

/* ---- runtime.cc */
extern std::recursive_mutex emu_mutex;
struct emu_lock {
	std::lock_guard<std::recursive_mutex> guard;

	emu_lock() : guard(emu_mutex) {}
};
/* Counts a call; the error that it is to return, or cudaSuccess.  later: the call has only put
 * work on a stream, and what goes wrong on the device is told when it is waited for. */
cudaError_t emu_call(bool later = false);
/* The error that work on the device has ended with since it was last asked. */
cudaError_t emu_device_error(void);
/* Whether the device hangs at the moment; what waits sleeps through it. */
bool emu_hangs(bool wait);
cudaError_t emu_return(cudaError_t e); /* sets cudaGetLastError's */
long emu_env(const char *name, long other);
[[noreturn]] void emu_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- memory.cc */
extern uintptr_t emu_arena, emu_arena_end; /* addresses of device memory */
/* Device memory may be touched between them; may be nested. */
void emu_open(void);
void emu_close(void);
/* Device work has touched p, which the host may not: true when it may be touched now. */
bool emu_admit(const void *p);
enum emu_place { EMU_PAGEABLE, EMU_LOCKED, EMU_DEVICE };
enum emu_place emu_place(const void *p);
/* Dies where [p, p + bytes) is not inside one allocation, when p is on the device or locked. */
void emu_range(const void *p, size_t bytes, const char *what);
void emu_check(const char *after); /* what surrounds all allocations */
/* "4 bytes behind the end of allocation 3 (100 bytes)" */
const char *emu_where(const void *p);

/* ---- threads.cc */
enum { EMU_THREADS = 1024, EMU_SHARED = 101376, EMU_SHARED_PLAIN = 49152 };
void emu_run(const void *kernel, dim3 grid, dim3 block, size_t shared, void *arg);
/* "kernel saxpy, block (0, 0, 0), thread 7 of 256" */
void emu_thread_name(char *out, size_t size);
/* What the thread that runs did when it touched p; NULL: no kernel runs. */
const char *emu_touched(const void *p);

/* ---- crash.cc */
/* From now on a crash of this thread says where it was, what handled it before still does, and
 * device work is let to its memory. */
void emu_watch(void);

/* ---- symbols.cc */
const char *emu_symbol(const void *function); /* its name, static ones too */

/* ---- stream.cc */
void emu_put(cudaStream_t s, std::function<void()> work);
bool emu_capturing(cudaStream_t s);

#endif

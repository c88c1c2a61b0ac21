/* inline.h - the compiler extensions that the kernels need.
 *
 * A kernel whose width is a constant argument is only fast when it is inlined and its
 * loops are unrolled; without vectors neither is worth its code.  Checks at every one
 * of the accesses that unrolling makes would take minutes to compile, so the address
 * sanitizer leaves kernels out; their tests put a guard page behind each buffer.
 */
#ifndef BD_KERNELS_CPU_INLINE_H
#define BD_KERNELS_CPU_INLINE_H

enum { LANES = 16 }; /* of every vector, however many registers that takes */

#if !defined(__SANITIZE_ADDRESS__)
#define UNCHECKED
#elif defined(__AVX2__)
#define UNCHECKED __attribute__((no_sanitize("address,undefined")))
#else
#define UNCHECKED __attribute__((no_sanitize("address")))
#endif

#define KERNEL static UNCHECKED

#if !defined(__AVX2__)
#define ALWAYS_INLINE static inline UNCHECKED __attribute__((unused))
#define LANE_UNROLL
#elif defined(__clang__)
#define ALWAYS_INLINE static inline UNCHECKED __attribute__((always_inline, unused))
#define LANE_UNROLL   _Pragma("clang loop unroll(full)")
#else
#define ALWAYS_INLINE static inline UNCHECKED __attribute__((always_inline, unused))
#define LANE_UNROLL   _Pragma("GCC unroll 16")
#endif

#endif

/* lanes.h - sixteen floats at a time, for the loops over weights in core/quant.
 *
 * The compiler makes of `lanes` whatever the machine has (BD_HOT: chosen when the
 * program starts).  Every sum runs in sixteen lanes that are added in one fixed
 * order and nothing is contracted, so all machines get the same bits.  Private to
 * core/quant.  Pure; any thread.
 */
#ifndef BD_QUANT_LANES_H
#define BD_QUANT_LANES_H

#include <stdint.h>
#include <string.h>

/* GCC remarks that passing 64-byte vectors by value changed in its version 4.6: helpers
 * take pointers or are macros, and all of them are inlined. */
#pragma GCC diagnostic ignored "-Wpsabi"

enum { LANES = 16 };

typedef float lanes __attribute__((vector_size(64)));
typedef int32_t ilanes __attribute__((vector_size(64)));

/* Sanitizers hook the resolver that picks a clone before they are set up. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
	!defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BD_HOT __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define BD_HOT
#endif
#define BD_INLINE static inline __attribute__((always_inline))

/* Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even, for
 * numbers below 2^22. */
#define ROUND_MAGIC 12582912.0f

/* Arguments are evaluated more than once. */
#define lanes_all(x)         ((lanes){ 0 } + (x))
#define lanes_where(m, a, b) ((lanes)(((m) & (ilanes)(a)) | (~(m) & (ilanes)(b))))
#define lanes_min(a, b)      lanes_where((a) < (b), (a), (b))
#define lanes_max(a, b)      lanes_where((a) > (b), (a), (b))
#define lanes_abs(a)         ((lanes)((ilanes)(a)&0x7fffffff))

/* w[0..n) in the first lanes, fill in the others. */
BD_INLINE lanes lanes_load(const float *w, size_t n, float fill)
{
	lanes v;

	if (n >= LANES) {
		memcpy(&v, w, sizeof v);
		return v;
	}
	v = lanes_all(fill);
	memcpy(&v, w, n * sizeof *w);
	return v;
}

/* Zero in all but the first n lanes. */
BD_INLINE void lanes_keep(lanes *v, size_t n)
{
	const ilanes index = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

	if (n < LANES)
		*v = (lanes)((ilanes)*v & (index < (int32_t)n));
}

/* The nearest of 0 ... top. */
BD_INLINE lanes lanes_code(const lanes *v, float top)
{
	lanes zero = lanes_all(0), most = lanes_all(top), q = lanes_max(*v, zero);

	q = lanes_min(q, most);
	return q + ROUND_MAGIC - ROUND_MAGIC;
}

BD_INLINE double lanes_sum(const lanes *p)
{
	lanes v = *p;
	double half[8];

	for (int i = 0; i < 8; i++)
		half[i] = (double)v[i] + (double)v[i + 8];
	return ((half[0] + half[4]) + (half[2] + half[6])) +
	       ((half[1] + half[5]) + (half[3] + half[7]));
}

/* The sum in floats: quicker, and near enough to compare errors by. */
BD_INLINE float lanes_total(const lanes *p)
{
	typedef float half __attribute__((vector_size(32)));
	typedef float quarter __attribute__((vector_size(16)));
	half a, b;
	quarter c, d;

	memcpy(&a, p, sizeof a);
	memcpy(&b, (const char *)p + sizeof a, sizeof b);
	a += b;
	memcpy(&c, &a, sizeof c);
	memcpy(&d, (const char *)&a + sizeof c, sizeof d);
	c += d;
	return (c[0] + c[2]) + (c[1] + c[3]);
}

BD_INLINE float lanes_least(const lanes *v)
{
	float m = (*v)[0];

	for (int i = 1; i < LANES; i++)
		m = (*v)[i] < m ? (*v)[i] : m;
	return m;
}

BD_INLINE float lanes_most(const lanes *v)
{
	float m = (*v)[0];

	for (int i = 1; i < LANES; i++)
		m = (*v)[i] > m ? (*v)[i] : m;
	return m;
}

/* x^p of numbers >= 0 within 1e-6; 0 counts as 2^-127.  log2 by the series of artanh on
 * [sqrt(1/2), sqrt(2)), 2^y by Taylor on [-1/2, 1/2]. */
BD_INLINE lanes lanes_pow(const lanes *x, float p)
{
	ilanes bits = (ilanes)*x, exponent = (bits - 0x3f3504f3) >> 23, k;
	lanes m = (lanes)(bits - (exponent << 23)), t = (m - 1.0f) / (m + 1.0f), t2 = t * t, y, f,
	      r;

	r = t2 * 0.11111111f + 0.14285714f;
	r = t2 * r + 0.2f;
	r = t2 * r + 0.33333333f;
	r = (t2 * r + 1.0f) * t * 2.88539008f;
	y = p * (__builtin_convertvector(exponent, lanes) + r);
	f = y + ROUND_MAGIC;
	k = (ilanes)f - 0x4b400000;
	f = y - (f - ROUND_MAGIC);
	r = f * 1.5403530e-4f + 1.3333558e-3f;
	r = f * r + 9.6181291e-3f;
	r = f * r + 5.5504109e-2f;
	r = f * r + 0.24022651f;
	r = f * r + 0.69314718f;
	return (f * r + 1.0f) * (lanes)((k + 127) << 23);
}

#endif

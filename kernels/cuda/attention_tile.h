/* attention_tile.h - products of tiles of 64 by 64 in shared memory, by 256 threads, in float: of
 * which attention of many rows and its way back are made.
 *
 * Private to attention_many.cu and back_attention.cu.  A thread has 4 rows by 4 columns of a
 * product; all operands are 16-byte words of shared memory: one load for eight multiply-adds.
 */
#ifndef BD_CUDA_ATTENTION_TILE_H
#define BD_CUDA_ATTENTION_TILE_H

#include "kernels/cuda/attention.h"

enum { TILE = 64, TILE_THREADS = 256 };

/* Which rows and keys (columns) a thread has: ty + 16 i, tx + 16 i; a warp has 4 by 8, so that
 * its loads are broadcasts or meet in no bank. */
DEVICE unsigned thread_x(void)
{
	return threadIdx.x / 32 % 2 * 8 + threadIdx.x % 8;
}

DEVICE unsigned thread_y(void)
{
	return threadIdx.x / 64 * 4 + threadIdx.x % 32 / 8;
}

/* s += q k^T, of `dim` columns, a multiple of 4; rows of both are WIDTH + 4 apart. */
template <int WIDTH>
DEVICE void multiply_scores(float s[4][4], const float *q, const float *k, unsigned dim)
{
	q += thread_y() * (WIDTH + 4);
	k += thread_x() * (WIDTH + 4);
	for (unsigned d = 0; d < dim; d += 4) {
		float4 x[4];

		for (int i = 0; i < 4; i++)
			x[i] = load4(q + 16 * i * (WIDTH + 4) + d);
		for (int c = 0; c < 4; c++) {
			float4 y = load4(k + 16 * c * (WIDTH + 4) + d);

			for (int i = 0; i < 4; i++) {
				s[i][c] += x[i].x * y.x;
				s[i][c] += x[i].y * y.y;
				s[i][c] += x[i].z * y.z;
				s[i][c] += x[i].w * y.w;
			}
		}
	}
}

DEVICE void add_scaled(float part[4], float p, float4 v)
{
	part[0] += p * v.x;
	part[1] += p * v.y;
	part[2] += p * v.z;
	part[3] += p * v.w;
}

/* part += p v, of rows ty + 16 i and columns 4 tx ... of v, n rows of it (a multiple of 4); rows of
 * p are LD_P apart, those of v LD. */
template <int LD_P, int LD>
DEVICE void multiply_weights(float part[4][4], const float *p, const float *v, unsigned n)
{
	p += thread_y() * LD_P;
	v += thread_x() * 4;
	for (unsigned k = 0; k < n; k += 4) {
		float4 x[4], y[4];

		for (int i = 0; i < 4; i++)
			x[i] = load4(p + 16 * i * LD_P + k);
		for (int c = 0; c < 4; c++)
			y[c] = load4(v + (k + (unsigned)c) * LD);
		for (int i = 0; i < 4; i++) {
			add_scaled(part[i], x[i].x, y[0]);
			add_scaled(part[i], x[i].y, y[1]);
			add_scaled(part[i], x[i].z, y[2]);
			add_scaled(part[i], x[i].w, y[3]);
		}
	}
}

#endif

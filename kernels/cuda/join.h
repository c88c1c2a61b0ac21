/* join.h - launches that come one after the other and need not wait for each other, as one.
 *
 * Private to kernels/cuda.  A node of a graph costs 1.3 to 1.5 us however little it does, and a
 * token of a small model is mostly such nodes.  So the queue, before it holds a launch, asks
 * whether the last one held can take it along: what is held has not begun, so nothing else
 * has to know of it.  The kernel is the one that would have run anyway, with more blocks or one
 * more argument, so that the results are the same bits.
 *
 * Each pair is a function beside its kernels; join.cu has the table.  Whether a pair is one may
 * hang on pointers (what overlaps stays apart); a layer of a model never overlaps.
 */
#ifndef BD_CUDA_JOIN_H
#define BD_CUDA_JOIN_H

#include <limits.h>
#include <string.h>

#include "kernels/cuda/ptx.h"
#include "kernels/cuda/queue.h"

/* A launch with its arguments and what lies behind them. */
struct put {
	struct launch l;
	const void *args, *extra;
	size_t size, extra_bytes;
};

/* true: *first is now what does both.  Its args are new, and remain as they are until the next
 * call; its extra is that of one of the two. */
bool join(struct put *first, const struct put *second);

/* ---- the pairs; each as join, false where it is not their kernels */
bool norm_joins(struct put *first, const struct put *second);  /* norm.cu: add, rmsnorm */
bool ropes_join(struct put *first, const struct put *second);  /* rope.cu */
bool copies_join(struct put *first, const struct put *second); /* memory.cu */
bool rounds_join(struct put *first, const struct put *second); /* kv.cu: round_kv */

/* ---- what may run side by side */

struct range {
	const void *at;
	size_t bytes;
};
struct touched {
	struct range written[2], read;
};
bool ranges_apart(struct range a, struct range b);
/* Neither writes what the other one reads or writes. */
bool touched_apart(const struct touched *a, const struct touched *b);

/* ---- jobs of one kernel, some blocks (of the grid's x) each ---- */

enum { JOBS = 32 }; /* keys and values of a step's 16 sequences */

/* J has `unsigned blocks`, its own.  Only the first n travel. */
template <class J> struct jobs {
	size_t n;
	J of[JOBS];
};

/* The block's job, and which block of it this is. */
template <class J> DEVICE const J *job_of(const struct jobs<J> *a, unsigned *block)
{
	const J *j = a->of;

	for (*block = blockIdx.x; *block >= j->blocks; j++)
		*block -= j->blocks;
	return j;
}

template <class J>
static inline void job_put(
	const char *name, void (*kernel)(const struct jobs<J> *), unsigned threads, const J &job)
{
	const struct launch l = { (const void *)kernel, name, { job.blocks, 1, 1 }, threads, 0 };
	struct jobs<J> a; /* the others are not read */

	a.n = 1;
	a.of[0] = job;
	queue_put(&l, &a, sizeof a - (JOBS - 1) * sizeof(J), nullptr, 0);
}

/* The second's one job behind the first's, where it is apart from each of them. */
template <class J>
static inline bool jobs_join(struct put *first, const struct put *second,
	void (*kernel)(const struct jobs<J> *), struct touched (*touches)(const J *))
{
	static struct jobs<J> both; /* engine thread */
	struct touched last;

	if (first->l.kernel != (const void *)kernel || second->l.kernel != (const void *)kernel)
		return false;
	memcpy(&both, first->args, first->size);
	if (both.n == JOBS || second->l.grid[0] > INT_MAX - first->l.grid[0])
		return false;
	both.of[both.n] = ((const struct jobs<J> *)second->args)->of[0];
	last = touches(&both.of[both.n]);
	for (size_t i = 0; i < both.n; i++) {
		const struct touched one = touches(&both.of[i]);

		if (!touched_apart(&one, &last))
			return false;
	}
	both.n++;
	first->args = &both;
	first->size += sizeof(J);
	first->l.grid[0] += second->l.grid[0];
	return true;
}

#endif

/* cuda_warp.h - what lanes of a warp do together: shuffles, votes, the largest.
 *
 * Part of cuda_runtime.h.
 */
#ifndef BD_EMU_CUDA_WARP_H
#define BD_EMU_CUDA_WARP_H

#include "cuda_runtime.h"

struct emu_shuffle_part {
	uint64_t in, out;
	unsigned from;
};

static inline void emu_shuffled(void *const part[32], unsigned mask)
{
	for (unsigned i = 0; i < 32; i++) {
		struct emu_shuffle_part *s = (struct emu_shuffle_part *)part[i];

		if (!(mask >> i & 1))
			continue;
		if (!(mask >> s->from & 1))
			emu_wrong("lane %u shuffles with lane %u, which mask 0x%08x leaves out", i,
				s->from, mask);
		s->out = ((const struct emu_shuffle_part *)part[s->from])->in;
	}
}

template <class T>
static inline T emu_shuffle(unsigned mask, T v, unsigned from, const char *file, int line)
{
	struct emu_shuffle_part s = { 0, 0, from };

	static_assert(sizeof(T) <= sizeof s.in, "at most eight bytes");
	memcpy(&s.in, &v, sizeof v);
	emu_meet(mask, emu_shuffled, &s, file, line);
	memcpy(&v, &s.out, sizeof v);
	return v;
}

/* What the four shuffles have in common; `at` is the lane asked for, of the lane's part of
 * `width`; outside of it a lane keeps its own. */
#define EMU_SHUFFLE(name, second, at, inside)                                                      \
	template <class T>                                                                         \
	static inline T name(unsigned mask, T v, second, int width = 32, EMU_HERE)                 \
	{                                                                                          \
		const int lane = (int)(emu_thread % 32), base = lane & ~(width - 1), to = (at);    \
                                                                                                   \
		return emu_shuffle(mask, v, (unsigned)((inside) ? to : lane), file, line);         \
	}
EMU_SHUFFLE(__shfl_sync, int src, base + (src & (width - 1)), true)
EMU_SHUFFLE(__shfl_up_sync, unsigned by, lane - (int)by, to >= base)
EMU_SHUFFLE(__shfl_down_sync, unsigned by, lane + (int)by, to < base + width)
EMU_SHUFFLE(__shfl_xor_sync, int bits, lane ^ bits, to < base + width)
#undef EMU_SHUFFLE

static inline void emu_voted(void *const part[32], unsigned mask)
{
	unsigned votes = 0;

	for (unsigned i = 0; i < 32; i++)
		if (mask >> i & 1)
			votes |= *(const unsigned *)part[i] << i;
	for (unsigned i = 0; i < 32; i++)
		if (mask >> i & 1)
			*(unsigned *)part[i] = votes;
}

static inline unsigned __ballot_sync(unsigned mask, int is, EMU_HERE)
{
	unsigned vote = is != 0;

	emu_meet(mask, emu_voted, &vote, file, line);
	return vote;
}

static inline int __any_sync(unsigned mask, int is, EMU_HERE)
{
	return __ballot_sync(mask, is, file, line) != 0;
}

static inline int __all_sync(unsigned mask, int is, EMU_HERE)
{
	return __ballot_sync(mask, is, file, line) == mask;
}

static inline void emu_most(void *const part[32], unsigned mask)
{
	unsigned most = 0;

	for (unsigned i = 0; i < 32; i++)
		if (mask >> i & 1 && *(const unsigned *)part[i] > most)
			most = *(const unsigned *)part[i];
	for (unsigned i = 0; i < 32; i++)
		if (mask >> i & 1)
			*(unsigned *)part[i] = most;
}

static inline unsigned __reduce_max_sync(unsigned mask, unsigned v, EMU_HERE)
{
	emu_meet(mask, emu_most, &v, file, line);
	return v;
}

#endif

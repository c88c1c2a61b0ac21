/* stream.h - how fast this machine reads its memory: the wall that decoding runs against.
 *
 * A plain sum over more bytes than any cache holds, by all threads of the pool; the best of a few
 * rounds, since others can only slow it down.  Takes a tenth of a second and STREAM_BYTES of
 * memory.  Engine thread.
 */
#ifndef BD_KERNELS_STREAM_H
#define BD_KERNELS_STREAM_H

#include <stddef.h>

enum { STREAM_BYTES = 256 << 20 };

/* Bytes a second; 0: there is no memory for it. */
double stream_rate(void);

#endif

/* fenced.h - what a test does to the backend "fenced" (fenced.c). */
#ifndef BD_TESTS_FENCED_H
#define BD_TESTS_FENCED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/backend.h"

struct fenced_controls {
	/* The nth operation from now fails (1: the next; 0: none); lost: for good. */
	void (*fail_at)(unsigned long n, bool lost);
	unsigned long (*count)(void); /* operations so far */
	/* Bytes that alloc gives at most; 0: all of the arena. */
	void (*limit)(size_t bytes);
	uint64_t (*ours)(void);       /* bytes taken and not given back, of both devices */
	unsigned long (*steps)(void); /* that were begun */
	bool (*in_step)(void);
	void (*revive)(void); /* as in another process: nothing is lost */
	/* With b's operations, not ref's; a fence of pages is closed after every 64th. */
	void (*quickly)(const struct backend *b);
};

#endif

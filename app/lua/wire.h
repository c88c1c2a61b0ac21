/* wire.h - what passes between a stranger's script and the program: bytes, and plain Lua values.
 *
 * A message is its length (four bytes) and so many bytes.  Values are nil, booleans, numbers,
 * strings, tables of them, and handles as numbers.  Whoever reads believes nothing: each length
 * is held against what there is, tables against WIRE_DEPTH and WIRE_VALUES.  Writing never
 * fails at once: what does not fit makes the message `full`.
 * One thread at a time.
 */
#ifndef BD_APP_LUA_WIRE_H
#define BD_APP_LUA_WIRE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WIRE_DEPTH = 12,         /* of tables in tables */
	WIRE_VALUES = 1 << 20,   /* in a message */
	WIRE_ASKED = 1 << 20,    /* bytes of what a script may send at once */
	WIRE_ANSWERED = 32 << 20 /* ... and of an answer */
};

struct wire { /* to be written; {.max = } begins one */
	uint8_t *p;
	size_t n, cap, max;
	bool full; /* longer than max, or no memory */
};

void wire_begin(struct wire *w); /* a new message; keeps the memory */
void wire_u8(struct wire *w, unsigned v);
void wire_u32(struct wire *w, uint32_t v);
void wire_u64(struct wire *w, uint64_t v);
void wire_str(struct wire *w, const char *s, size_t n); /* with its length */
/* Writes the length in front: what to send is p, n. */
void wire_end(struct wire *w);
void wire_release(struct wire *w);

struct wire_in { /* to be read: the bytes behind the length */
	const uint8_t *p;
	size_t n, at, values;
	bool bad; /* it ends too early or is nonsense; reads give 0 from then on */
};

unsigned wire_get_u8(struct wire_in *in);
uint32_t wire_get_u32(struct wire_in *in);
uint64_t wire_get_u64(struct wire_in *in);
const char *wire_get_str(struct wire_in *in, size_t *n); /* borrowed, not terminated */

/* How handles pass: */
struct wire_handles {
	/* The handle at `at` of the stack; false: it is none (raises where it may not pass). */
	bool (*put)(lua_State *L, struct wire *w, int at, void *arg);
	/* Pushes one; raises, or sets in->bad. */
	void (*get)(lua_State *L, struct wire_in *in, void *arg);
	void *arg;
};

/* Both raise: what may not pass, a message that is full or bad. */
void wire_put_value(lua_State *L, struct wire *w, int at, const struct wire_handles *h);
void wire_get_value(lua_State *L, struct wire_in *in, const struct wire_handles *h); /* pushes */

#endif

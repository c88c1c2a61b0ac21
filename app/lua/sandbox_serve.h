/* sandbox_serve.h - what a stranger's script asks for, carried out: one message, one answer.
 *
 * Nothing in a message is believed: a function must be in the lists of the modules' tables, a
 * handle must be one that was given out and not taken back, a file must be one that the person
 * named.  What may not be is an error to the script; what no script can send ends it.
 * On the thread and in the Lua state of the program's side; the state holds handles and nothing
 * else of the script.
 */
#ifndef BD_APP_LUA_SANDBOX_SERVE_H
#define BD_APP_LUA_SANDBOX_SERVE_H

#include "app/lua/sandbox_child.h"

enum serve {
	SERVE_ANSWERED,
	SERVE_ENDED,   /* by itself: end, sentence */
	SERVE_BROKEN,  /* nothing that a script can send */
	SERVE_PRINTED, /* more than SANDBOX_PRINTED */
	SERVE_CALLED   /* more often than SERVE_CALLS */
};
enum { SERVE_CALLS = 100000 };

struct server {
	lua_State *L;
	char *const *file; /* that the person named */
	int n_files;
	struct {
		uint16_t generation; /* in the upper half of its number; ids of old ones are none */
		bool used;
	} slot[SANDBOX_HANDLES]; /* the handles themselves: a table in the registry */
	size_t printed, calls;
	struct wire answer;
	enum sandbox_end end;
	char *sentence; /* xfree; with SERVE_ENDED */
};

/* L: with the extra space of l.h and nothing else; belongs to the server from now on. */
void server_open(struct server *s, lua_State *L, char *const *file, int n_files);
/* A message without its length; answer is then what to send (SERVE_ANSWERED). */
enum serve server_take(struct server *s, const uint8_t *message, size_t n);
void server_close(struct server *s);

#endif

/* sandbox.h - a stranger's script: Lua in a process of its own that may do nothing but compute.
 *
 * The process is this program started anew (fork alone would copy locks that other threads hold,
 * a device's context, and the memory with all that is in it).  It has one socket, a limited
 * memory and processor time, and a filter of system calls; its Lua has no files, no processes, no
 * bytecode.  Functions of bitdial that the modules' tables allow (l_module.sandbox) are asked for
 * through the socket and carried out here, in a Lua state that holds nothing of the script
 * (sandbox_serve.h).  All that comes through the socket is taken for hostile.
 */
#ifndef BD_APP_LUA_SANDBOX_H
#define BD_APP_LUA_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct l_ctx;

struct sandbox_options {
	double seconds;      /* of processor time of the script itself; 0: SANDBOX_SECONDS */
	size_t memory;       /* bytes of its values; 0: SANDBOX_MEMORY */
	bool weak;           /* accepted: no filter of system calls, where there is none */
	const char *program; /* tests: NULL is this one */
};

enum { SANDBOX_SECONDS = 10, SANDBOX_MEMORY = 256 << 20, SANDBOX_PRINTED = 16 << 20 };

struct sandbox_script {
	const char *path, *text;
	int argc;
	char *const *argv;
};

/* Runs it to its end on this thread: SCRIPT_OK, _FAILED, _MISSED or _STOPPED.  *sentence (xfree)
 * says why, NULL when all went well.  Stops, with the process killed, when c->stop is and
 * c->wake_fd is readable. */
int sandbox_run(struct l_ctx *c, const struct sandbox_options *o, const struct sandbox_script *s,
	char **sentence);

/* The process itself: argv[1] of a program that is started as one. */
#define SANDBOX_LATE "it took too long" /* what its Lua says then */
#define SANDBOX_CHILD "--sandbox-child"
int sandbox_child(void);

#endif

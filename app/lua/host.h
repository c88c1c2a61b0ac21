/* host.h - how a script's thread has the session act.
 *
 * Session verbs belong to the thread of the screen (in a batch: the main thread).  A script
 * runs on a thread of its own, so that neither waits for the other: it hands a function over
 * with host_call and sleeps until that thread has served it.  What comes of the act arrives on the
 * bus, of which the script has its own subscription.
 *
 * The serving thread makes and frees the host; the script's thread calls.  A call that was not
 * begun when the script is stopped is taken back; one that was is waited for.
 */
#ifndef BD_APP_LUA_HOST_H
#define BD_APP_LUA_HOST_H

#include "core/base/err.h"
#include "core/work/session.h"
#include "core/work/token.h"

struct host;

/* The tiny model, for bitdial.open{ demo = true }. */
struct host_demo {
	char *(*make)(bool read_only, struct err *e); /* its path, owned by the caller; NULL: none */
	bool read_only;
	bool usual; /* bitdial.open() without a path opens it */
};

/* What else a script may ask of who runs it; any may be NULL. */
struct host_face {
	/* A line of output, of print; any thread. */
	void (*print)(void *arg, const char *line);
	/* A notice of the script, shown to a person; any thread. */
	void (*notice)(void *arg, const char *line);
	void *arg;
	/* What was measured before is passed over: a log's numbers are told, not expected. */
	bool anew;
	struct host_demo demo;
	bool screen; /* others draw on the standard output: io.write is to go to print */
};

struct host *host_new(struct session *s, struct bus *b, const struct host_face *face);
/* Who carries out lines of the command line (bitdial.cmd), as typed after `:`; serving thread. */
typedef enum st host_command_fn(void *arg, const char *line, struct err *e);
void host_set_command(struct host *h, host_command_fn *fn, void *arg);
BD_MUST_USE enum st host_command(
	struct host *h, const char *line, struct err *e); /* serving thread */
/* Which of those lines a stranger's script may type; none until it is said. */
void host_set_allowed(struct host *h, host_command_fn *fn);
BD_MUST_USE enum st host_allowed(struct host *h, const char *line, struct err *e);
void host_free(struct host *h);
/* Calls from now on fail: the session ends.  Serving thread. */
void host_close(struct host *h);
int host_fd(const struct host *h); /* readable: a call waits */
void host_serve(struct host *h);   /* serving thread: runs what waits */
const struct host_face *host_face(const struct host *h);
struct bus *host_bus(struct host *h);

/* fn on the serving thread; script's thread.  *job (may be NULL): the last job it started, 0:
 * none.  ST_CANCELLED when `stop` came first. */
typedef enum st host_fn(struct session *s, void *arg, struct err *e);
BD_MUST_USE enum st host_call(struct host *h, const struct token *stop, host_fn *fn, void *arg,
	uint32_t *job, struct err *e);
/* Wakes a call that waits, after its token was stopped; any thread. */
void host_wake(struct host *h);

#endif

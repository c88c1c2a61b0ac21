/* l.h - what the modules of `bitdial` share.
 *
 * A module is one file l_NAME.c with one struct l_module, and one line in open.c.  The manual
 * (`bitdial help lua`) is made from these tables.  Bindings translate, they do not compute.
 * Everything here runs on the script's thread.
 *
 * Errors: wrong use (a type, an unknown option) raises; what may well happen (no such file, a
 * stopped job) returns nil and a sentence.
 */
#ifndef BD_APP_LUA_L_H
#define BD_APP_LUA_L_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/lua/host.h"
#include "app/lua/script.h"
#include "core/work/snap.h"

/* ---- the tables */

struct l_opt {
	const char *name, *kind, *help; /* kind: "number", "string", "boolean", "table", "layout" ... */
};

struct l_fn {
	const char *name, *args, *help; /* args: "(path)", "{bpw=, bytes=}" ...; name NULL ends a list */
	lua_CFunction fn;
	const struct l_opt *opt; /* ended by a NULL name; NULL: takes no table of options */
};

struct l_class { /* handles */
	const char *name, *help;
	const struct l_fn *method;
	const struct l_opt *field;                                  /* what `h.name` gives */
	int (*get)(lua_State *L, void *handle, const char *field);  /* pushes one value */
	void (*release)(void *handle);
	size_t size;
	const char *sandbox; /* as of l_module: methods */
};

struct l_module {
	const char *name, *help;
	const char *main; /* the function that calling the module is */
	const struct l_fn *fn;
	const struct l_class *class; /* what it hands out; NULL: nothing of its own */
	/* What a stranger's script may call (sandbox.h), with blanks between; NULL: nothing.
	 * "open=path": its first argument or its option `path` is a file, which must be one
	 * that the person named. */
	const char *sandbox;
};
extern const struct l_module *const l_modules[]; /* ended by NULL; open.c */
extern const struct l_module l_base;              /* bitdial itself */

/* ---- the script's own state */

struct l_ended {
	uint32_t job;
	enum st st;
	char *text;
};

struct l_ctx {
	struct host *host;
	struct token *stop;
	int wake_fd; /* readable: stopped */
	struct sub *sub;
	struct snap *last[EV_KINDS]; /* newest of each state kind; NULL: none yet */
	struct l_ended *ended;
	size_t n_ended, cap_ended;
	struct snap_progress *progress; /* of the job heard of last */
	uint32_t progress_job;
	unsigned long missed; /* bitdial.expect */
	bool stranger;        /* calls come from a sandbox */
	_Atomic uint32_t awaits; /* the job that the script waits for; 0: none */
};

struct l_ctx *l_ctx(lua_State *L);
void l_ctx_release(struct l_ctx *c);
/* Takes in what the bus brought. */
void l_hear(lua_State *L);
/* ... after waiting for it, ms at most; raises when the script is stopped. */
void l_wait(lua_State *L, int ms);
/* fn on the session's thread.  Raises only when the script was stopped. */
enum st l_call(lua_State *L, host_fn *fn, void *arg, uint32_t *job, struct err *e);
const void *l_last(lua_State *L, enum ev_kind kind); /* after l_hear; borrowed; NULL: none */

/* ---- values */

int l_fail(lua_State *L, const struct err *e); /* pushes nil and the sentence; 2 */
/* A function of a module ("bitdial.scan.") or of a handle ("layout:"), which knows its name. */
void l_push_fn(lua_State *L, const char *owner, const struct l_fn *f);
void l_push_named(lua_State *L, const char *name, const struct l_fn *f); /* the whole of it */
const char *l_name(lua_State *L); /* of the function that runs: "bitdial.scan.run" */
/* Puts a copy in the place of the table at `at`, without a metatable: nothing that the script does
 * meanwhile, in a metamethod or a finalizer, changes what is read of it, or frees it. */
void l_plain(lua_State *L, int at);
/* The options table at `at`, which becomes plain (absent or nil: none) of the function that runs: every key is in its
 * list, or it raises with the nearest; then the getters read it. */
void l_options(lua_State *L, int at);
lua_Number l_number(lua_State *L, int at, const char *name, lua_Number otherwise);
/* A whole number from lo to hi. */
lua_Integer l_whole(lua_State *L, int at, const char *name, lua_Integer otherwise, lua_Integer lo,
	lua_Integer hi);
const char *l_string(lua_State *L, int at, const char *name, const char *otherwise);
bool l_flag(lua_State *L, int at, const char *name, bool otherwise);
void l_push_number(lua_State *L, double v); /* nil where it is not known (NAN) */

void l_show(lua_State *L); /* all of the stack: the values of an expression, on one line */

/* io.write and io.stdout:write become lines of print, the standard input is empty, and what
 * os.execute and io.popen start reads and writes no terminal; flush: what has no line feed yet, too. */
void l_screen(lua_State *L);
void l_screen_flush(lua_State *L);

/* ---- handles */

void *l_new(lua_State *L, const struct l_class *c); /* pushes; zeroed */
void *l_check(lua_State *L, int at, const struct l_class *c);
const struct l_class *const *l_classes(void);     /* all there are; ended by NULL */
const struct l_class *l_class_number(unsigned i); /* of them, 0 on; NULL: no more */
/* The number of the class of a handle; -1: it is none. */
int l_class_at(lua_State *L, int at);

/* ---- a layout: l_layout.c */

extern const struct l_class l_layout_class;
/* Pushes the layout under the dial as it is now; nil where there is none. */
int l_push_layout(lua_State *L);
/* Puts the layout of a handle under the dial. */
enum st l_use_layout(lua_State *L, int at, struct err *e);

/* ---- jobs: long work; l_job.c */

extern const struct l_class l_job_class;
/* Pushes a handle.  result pushes what wait() gives; id 0: it is over already. */
void l_push_job(lua_State *L, const char *kind, uint32_t id, int (*result)(lua_State *L));
/* l_run.c: what a run's folder says, {run =, path =} and the numbers of end.json; or nil and why not. */
int l_push_result(lua_State *L, const char *id);
/* Until the job is over: true, or false and e. */
bool l_await(lua_State *L, uint32_t id, struct err *e);
bool l_over(lua_State *L, uint32_t id);
enum st l_stop(lua_State *L, uint32_t id, struct err *e); /* asks it to */
/* What a job that is over said at its end; borrowed. */
const char *l_said(lua_State *L, uint32_t id);

/* The state of a script that does not run now; NULL: it has none. */
lua_State *script_state(const struct script *s);

/* Keeps in mind what has finalizers from now on (setmetatable, debug.setmetatable), for l_close:
 * lua_close, with a second for all finalizers together; those after it do not run. */
void l_finalizers(lua_State *L);
void l_close(lua_State *L);

void l_open(lua_State *L); /* the global `bitdial`, and require "bitdial" */

#endif

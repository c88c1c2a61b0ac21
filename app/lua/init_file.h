/* init_file.h - runs init.lua, the user's settings.
 *
 * In a state of its own (box.h) that knows set, bind, theme, arrange, and of Lua ipairs, pairs,
 * type, tostring, tonumber, math, and the parts of string and table that end by themselves: no
 * patterns, no rep.  What the file says is handed over as it runs; what goes wrong ends it with
 * one sentence that names the file and the line, and what was said before it holds.  Any thread.
 */
#ifndef BD_APP_LUA_INIT_FILE_H
#define BD_APP_LUA_INIT_FILE_H

#include "app/tui/theme.h"
#include "core/base/err.h"

/* Each is called on the calling thread; its error becomes that of the file. */
struct init_face {
	/* value as :set takes it: "on", "0.5" */
	enum st (*set)(void *arg, const char *name, const char *value, struct err *e);
	/* help: may be NULL */
	enum st (*bind)(void *arg, const char *context, const char *keys, const char *command,
		const char *help, struct err *e);
	enum st (*theme)(void *arg, const char *name, struct err *e);
	void (*theme_table)(void *arg, const struct theme_def *def);
	/* where: "init.lua:7", for what turns out later */
	enum st (*arrange)(void *arg, const char *name, const char *where, struct err *e);
	void *arg;
};

BD_MUST_USE enum st init_file_run(
	const char *where, const char *text, size_t n, const struct init_face *f, struct err *e);
BD_MUST_USE enum st init_file_load(const char *path, const struct init_face *f, struct err *e);

#endif

/* keys.h - names of keys, and the table that says what each does.
 *
 * A key is a code point, or one of KEY_..., or'd with modifiers.  "C-g", "M-Enter",
 * "S-Tab", "PgUp", "," are names.  A binding is always a command string, so that it can
 * be shown, logged and replayed.  Pure; any thread.
 */
#ifndef BD_APP_TUI_KEYS_H
#define BD_APP_TUI_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

enum {
	KEY_CTRL = 1 << 24, /* with a lower-case letter: KEY_CTRL | 'c' */
	KEY_ALT = 1 << 25,
	KEY_SHIFT = 1 << 26, /* with a KEY_ only: letters have their own capitals */
	KEY_BASE = (1 << 24) - 1,

	KEY_ENTER = 0x110000,
	KEY_ESC,
	KEY_TAB,
	KEY_BACKSPACE,
	KEY_DEL,
	KEY_UP,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_HOME,
	KEY_END,
	KEY_PGUP,
	KEY_PGDN,
	KEY_INS,
	KEY_F1, /* ... KEY_F1 + 11 */
	KEY_LAST = KEY_F1 + 11
};

enum { KEY_NAME = 24 };

/* Mouse buttons as panels get them. */
enum { MOUSE_LEFT = 1, MOUSE_MIDDLE, MOUSE_RIGHT, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };

bool key_parse(const char *name, size_t n, uint32_t *key);
const char *key_name(uint32_t key, char out[KEY_NAME]);
/* A character to insert, rather than a key to obey. */
static inline bool key_is_text(uint32_t key)
{
	return key >= ' ' && key != 0x7f && key < KEY_ENTER;
}

/* Is each word of it a key?  The sentence says what one looks like. */
BD_MUST_USE enum st keys_check(const char *keys, struct err *e);

struct binding; /* app/panel/panel.h */

struct key_context {
	const char *name; /* "global", "search", "chat" */
	const struct binding *keys;
};
/* The global table, then one for each screen. */
extern const struct key_context key_contexts[];
const struct binding *keys_of(const char *context); /* NULL: no such */

/* The command bound to key in a table, in out; false: none. */
bool keys_find(const struct binding *table, uint32_t key, char *out, size_t cap);
/* Walks keys of a table: for each key the command it runs; fn false stops. */
void keys_walk(const struct binding *b,
	bool (*fn)(void *arg, uint32_t key, const char *command, size_t len), void *arg);

#endif

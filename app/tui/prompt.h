/* prompt.h - the line at the bottom: editing, history, completion.
 *
 * Knows nothing of commands: who owns it supplies candidates and runs what was entered.
 * UI thread.
 */
#ifndef BD_APP_TUI_PROMPT_H
#define BD_APP_TUI_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

enum prompt_kind { PROMPT_NONE, PROMPT_COMMAND, PROMPT_FILTER };
enum { PROMPT_MAX = 2048, HISTORY_MAX = 500, COMPLETIONS = 64 };
enum { HISTORY_LUA = '>', HISTORY_BREAK = 0x1e }; /* of Lua a line feed is kept as that */

struct history {
	char **line; /* oldest first; the first byte is the kind: ':', '/' or HISTORY_LUA */
	size_t n;
	bool changed;
};

/* Missing is empty.  Lines that are not ours are skipped. */
void history_load(struct history *h, const char *path);
BD_MUST_USE enum st history_save(const struct history *h, const char *path, struct err *e);
void history_release(struct history *h);
void history_add(struct history *h, char kind, const char *line);

struct completion {
	size_t from; /* byte of the line where the word begins */
	size_t n;
	struct {
		char text[80], help[80];
	} item[COMPLETIONS];
};
/* Adds a candidate when word is its beginning, inside it, or a subsequence of it; best
 * first, in the order they came within a class.  quotes names that hold blanks. */
void completion_add(
	struct completion *c, const char *word, size_t n, const char *text, const char *help);

struct prompt {
	enum prompt_kind kind;
	char text[PROMPT_MAX];
	size_t n, at; /* bytes; the cursor */
	struct completion list;
	int chosen; /* in list; -1: none */
	/* private */
	struct history *history;
	long past; /* line of history that is shown; -1: the typed one */
	char typed[PROMPT_MAX];
	bool searching; /* C-r */
	char query[80];
};

enum prompt_result {
	PROMPT_IGNORED, /* not for a line */
	PROMPT_MOVED,
	PROMPT_EDITED, /* candidates should be made anew */
	PROMPT_ENTER,
	PROMPT_CANCEL
};

void prompt_open(struct prompt *p, enum prompt_kind kind, struct history *h, const char *text);
void prompt_close(struct prompt *p);
enum prompt_result prompt_key(struct prompt *p, uint32_t key);
void prompt_insert(struct prompt *p, const char *s, size_t n); /* line feeds become blanks */

#endif

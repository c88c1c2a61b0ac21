/* editor.h - text of several lines that is typed, pasted and sent, and what was sent before.
 *
 * Holds what a person sees: whatever the screen would not show is not taken in.  At most
 * EDITOR_MAX bytes; `cut` says that something was left out.  UI thread.
 */
#ifndef BD_APP_PANEL_EDITOR_H
#define BD_APP_PANEL_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDITOR_MAX = 64 * 1024, EDITOR_PAST = 100 };

struct editor {
	char *text; /* [n], and a NUL; NULL while nothing was typed */
	size_t n, cap, at;
	bool cut;
	bool by_prefix;         /* of the past only what begins as the draft */
	char **past;            /* [n_past], oldest first */
	size_t n_past, past_at; /* n_past: the draft itself */
	char *draft;
};

void editor_release(struct editor *e);
void editor_set(struct editor *e, const char *s);
void editor_insert(struct editor *e, const char *s, size_t n);
/* Moves, deletes, earlier texts, characters; false: a key that means nothing here. */
bool editor_key(struct editor *e, uint32_t key);
bool editor_blank(const struct editor *e); /* nothing to send */
/* A command with a text as its one argument; xfree. */
char *editor_command(const char *word, const char *text);
void editor_remember(struct editor *e, const char *text); /* as if it had been sent */
/* Into the past, and empty. */
void editor_sent(struct editor *e);

#endif

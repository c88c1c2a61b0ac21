/* input.h - bytes from a terminal into keys, mouse and pastes.
 *
 * Knows the sequences of xterm, tmux, screen, the Linux console and vt100.  A sequence
 * that is not whole waits for more bytes; when none come within ESC_MS, the caller asks
 * with `late` and a lone Esc is a key.  Pure: no file descriptors.
 */
#ifndef BD_APP_TUI_INPUT_H
#define BD_APP_TUI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INPUT_BUFFER = 4096, INPUT_PASTE_MAX = 1 << 20, ESC_MS = 25 };
enum input_kind { INPUT_KEY, INPUT_MOUSE, INPUT_PASTE, INPUT_DEVICE /* the answer to DA1 */ };

struct input_event {
	enum input_kind kind;
	uint32_t key;
	int x, y, button; /* from 0; button of keys.h */
	bool dragged;
	bool sixel;       /* INPUT_DEVICE: it shows sixels */
	const char *text; /* of a paste; valid until the next call */
	size_t n;
};

struct input {
	unsigned char buf[INPUT_BUFFER];
	size_t n;
	bool pasting;
	char *paste;
	size_t paste_n, paste_cap;
};

void input_release(struct input *in);
/* Bytes taken: fewer than n when the buffer is full (take events first). */
size_t input_feed(struct input *in, const void *bytes, size_t n);
bool input_next(struct input *in, struct input_event *ev, bool late);
static inline bool input_waits(const struct input *in)
{
	return in->n > 0;
}

#endif

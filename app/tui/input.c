/* input - a decoder of what terminals send. */
#include "app/tui/input.h"

#include <stdlib.h>
#include <string.h>

#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

enum { MORE = 0, SEQUENCE_MAX = 64 };
static const char paste_end[] = "\033[201~";

void input_release(struct input *in)
{
	xfree(in->paste);
	*in = (struct input){ 0 };
}

size_t input_feed(struct input *in, const void *bytes, size_t n)
{
	if (n > INPUT_BUFFER - in->n)
		n = INPUT_BUFFER - in->n;
	memcpy(in->buf + in->n, bytes, n);
	in->n += n;
	return n;
}

static void drop(struct input *in, size_t n)
{
	memmove(in->buf, in->buf + n, in->n - n);
	in->n -= n;
}

/* ---- pastes */

static void keep(struct input *in, size_t n)
{
	/* A paste beyond the limit is cut: better than a screen that hangs. */
	size_t take = n < INPUT_PASTE_MAX - in->paste_n ? n : INPUT_PASTE_MAX - in->paste_n;

	if (in->paste_n + take > in->paste_cap) {
		in->paste_cap = (in->paste_n + take) * 2;
		in->paste = xrealloc(in->paste, in->paste_cap);
	}
	if (take)
		memcpy(in->paste + in->paste_n, in->buf, take);
	in->paste_n += take;
	drop(in, n);
}

static bool paste_next(struct input *in, struct input_event *ev)
{
	size_t len = sizeof paste_end - 1;
	unsigned char *end = memmem(in->buf, in->n, paste_end, len);

	if (end) {
		keep(in, (size_t)(end - in->buf));
		drop(in, len);
		in->pasting = false;
		for (size_t i = 0; i < in->paste_n; i++)
			if (in->paste[i] == '\r')
				in->paste[i] = '\n';
		*ev = (struct input_event){
			.kind = INPUT_PASTE, .text = in->paste ? in->paste : "", .n = in->paste_n
		};
		in->paste_n = 0;
		return true;
	}
	/* What may be the beginning of the end stays. */
	if (in->n >= len)
		keep(in, in->n - (len - 1));
	return false;
}

/* ---- keys.  Each returns the bytes used, MORE when it needs more of them. */

static size_t plain(const unsigned char *s, size_t n, uint32_t *key)
{
	if (*s == '\r')
		*key = KEY_ENTER;
	else if (*s == '\t')
		*key = KEY_TAB;
	else if (*s == 0x7f || *s == 8)
		*key = KEY_BACKSPACE;
	else if (*s == 0)
		*key = KEY_CTRL | ' ';
	else if (*s <= 26)
		*key = KEY_CTRL | (uint32_t)(*s + 'a' - 1);
	else if (*s < ' ')
		*key = 0;
	else if (*s >= 0x80 && utf8_partial_tail((const char *)s, n) == n)
		return MORE;
	else
		return utf8_decode((const char *)s, n, key);
	return 1;
}

static uint32_t with_modifiers(uint32_t key, int parameter)
{
	int bits = parameter > 1 ? parameter - 1 : 0;

	return key | (bits & 1 ? KEY_SHIFT : 0) | (bits & 2 ? KEY_ALT : 0) |
	       (bits & 4 ? KEY_CTRL : 0);
}

static uint32_t final_key(unsigned char c)
{
	switch (c) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'C':
		return KEY_RIGHT;
	case 'D':
		return KEY_LEFT;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	case 'M':
		return KEY_ENTER;
	case 'Z':
		return KEY_SHIFT | KEY_TAB;
	default:
		return c >= 'P' && c <= 'S' ? KEY_F1 + (uint32_t)(c - 'P') : 0;
	}
}

static uint32_t tilde_key(int n)
{
	static const uint32_t edit[] = { 0, KEY_HOME, KEY_INS, KEY_DEL, KEY_END, KEY_PGUP, KEY_PGDN,
		KEY_HOME, KEY_END };

	if (n > 0 && n < 9)
		return edit[n];
	if (n >= 11 && n <= 15)
		return KEY_F1 + (uint32_t)(n - 11);
	if (n >= 17 && n <= 21)
		return KEY_F1 + 5 + (uint32_t)(n - 17);
	if (n == 23 || n == 24)
		return KEY_F1 + 10 + (uint32_t)(n - 23);
	return 0;
}

static void mouse(struct input_event *ev, int code, int x, int y, bool release)
{
	ev->kind = INPUT_MOUSE;
	ev->x = x - 1;
	ev->y = y - 1;
	ev->dragged = code & 32;
	if (code & 64)
		ev->button = code & 1 ? MOUSE_WHEEL_DOWN : MOUSE_WHEEL_UP;
	else
		ev->button = (code & 3) == 3 ? 0 : MOUSE_LEFT + (code & 3);
	if (release)
		ev->button = 0;
}

/* CSI ? 62 ; 4 ; 22 c: what the terminal is, then what it has. */
static void device(struct input_event *ev, const unsigned char *s, size_t n)
{
	ev->kind = INPUT_DEVICE;
	for (size_t i = 3; i + 2 < n; i++)
		ev->sixel |= s[i] == ';' && s[i + 1] == '4' && (s[i + 2] == ';' || s[i + 2] == 'c');
}

/* CSI parameters final. */
static size_t csi(struct input *in, struct input_event *ev)
{
	const unsigned char *s = in->buf;
	int par[4] = { 0 }, n_par = 0;
	bool sgr = in->n > 2 && s[2] == '<';
	size_t at = 2u + sgr;

	if (in->n > 3 && s[2] == '[') { /* the Linux console's F1 to F5 */
		ev->key = s[3] >= 'A' && s[3] <= 'E' ? KEY_F1 + (uint32_t)(s[3] - 'A') : 0;
		return 4;
	}
	if (in->n > 2 && s[2] == 'M') { /* X10 mouse: three bytes, 32 added */
		if (in->n < 6)
			return MORE;
		mouse(ev, s[3] - 32, s[4] - 32, s[5] - 32, (s[3] & 3) == 3 && !(s[3] & 64));
		return 6;
	}
	for (; at < in->n && (s[at] < 0x40 || s[at] > 0x7e || (s[at] == '[' && at == 2)); at++) {
		if (at >= SEQUENCE_MAX || s[at] < ' ')
			return at;
		if (s[at] == ';')
			n_par += n_par < 3;
		else if (s[at] >= '0' && s[at] <= '9' && par[n_par] < 100000)
			par[n_par] = par[n_par] * 10 + s[at] - '0';
	}
	if (at == in->n)
		return MORE;
	if (s[at] == 'c' && s[2] == '?')
		device(ev, s, at + 1);
	else if (sgr && (s[at] == 'M' || s[at] == 'm'))
		mouse(ev, par[0], par[1], par[2], s[at] == 'm');
	else if (s[at] == '~' && par[0] == 200)
		in->pasting = true;
	else if (s[at] == '~')
		ev->key = with_modifiers(tilde_key(par[0]), par[1]);
	else if (s[at] == 'u') /* keys that have no sequence of their own, by number */
		ev->key = par[0] == 13   ? with_modifiers(KEY_ENTER, par[1])
			  : par[0] == 27 ? KEY_ESC
			  : par[0] == 9  ? with_modifiers(KEY_TAB, par[1])
					 : 0;
	else if (!sgr)
		ev->key = with_modifiers(final_key(s[at]), par[1]);
	if (!(ev->key & KEY_BASE))
		ev->key = 0;
	return at + 1;
}

static size_t escape(struct input *in, struct input_event *ev, bool late)
{
	const unsigned char *s = in->buf;
	uint32_t key = 0;
	size_t used;

	if (in->n == 1 || s[1] == 033) {
		ev->key = KEY_ESC;
		return in->n == 1 && !late ? MORE : 1;
	}
	if (s[1] == '[' && in->n > 2) {
		used = csi(in, ev);
		if (used || !late)
			return used;
		return in->n; /* a sequence that never ends */
	}
	if (s[1] == 'O' && in->n > 2) {
		ev->key = final_key(s[2]);
		return 3;
	}
	if ((s[1] == '[' || s[1] == 'O') && !late)
		return MORE;
	used = plain(s + 1, in->n - 1, &key);
	if (!used)
		return late ? in->n : MORE;
	ev->key = key ? KEY_ALT | key : 0;
	return used + 1;
}

bool input_next(struct input *in, struct input_event *ev, bool late)
{
	while (in->n) {
		size_t used;

		if (in->pasting)
			return paste_next(in, ev);
		*ev = (struct input_event){ .kind = INPUT_KEY };
		if (in->buf[0] == 033)
			used = escape(in, ev, late);
		else
			used = plain(in->buf, in->n, &ev->key);
		if (!used && !late && in->n < INPUT_BUFFER)
			return false;
		drop(in, used ? used : in->n);
		if (!used || in->pasting)
			continue;
		if (ev->kind == INPUT_DEVICE)
			return true;
		if (ev->kind == INPUT_MOUSE ? ev->button != 0 : ev->key && ev->key != 0xfffd)
			return true;
	}
	return false;
}

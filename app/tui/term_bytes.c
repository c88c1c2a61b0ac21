/* term_bytes - what goes to the terminal beside frames, and what comes from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/tui/osc52.h"
#include "app/tui/term_private.h"
#include "core/base/alloc.h"

bool term_flush(struct term *t)
{
	return outq_flush(&t->out);
}

int term_out_fd(const struct term *t)
{
	return t->out.fd;
}
unsigned long term_bytes(const struct term *t)
{
	return t->out.bytes;
}

/* ---- modes */

void term_modes_on(struct term *t)
{
	outq_str(&t->out, "\033[?2004h");
	if (t->mouse)
		outq_str(&t->out, "\033[?1000h\033[?1002h\033[?1006h");
}

void term_modes_off(struct term *t)
{
	if (t->mouse)
		outq_str(&t->out, "\033[?1006l\033[?1002l\033[?1000l");
	outq_str(&t->out, "\033[?2004l");
}

void term_set_mouse(struct term *t, bool on)
{
	/* Terminals that cannot say where the mouse is are not asked. */
	if (on && !t->has_mouse)
		return;
	if (on == t->mouse)
		return;
	if (!on)
		outq_str(&t->out, "\033[?1006l\033[?1002l\033[?1000l");
	t->mouse = on;
	if (on)
		outq_str(&t->out, "\033[?1000h\033[?1002h\033[?1006h");
}

void term_set_sync(struct term *t, bool on)
{
	t->sync = on;
}
void term_show_cursor(struct term *t, bool on)
{
	t->show_cursor = on;
}
void term_bell(struct term *t)
{
	outq_str(&t->out, "\a");
}

void term_clipboard(struct term *t, const char *text)
{
	char *s = osc52(text);

	outq_str(&t->out, s);
	xfree(s);
}

void term_ask_device(struct term *t)
{
	outq_str(&t->out, "\033[c");
}

void term_pixels(const struct term *t, int *w, int *h)
{
	struct winsize ws = { 0 };

	if (t->out.fd < 0 || ioctl(t->out.fd, TIOCGWINSZ, &ws))
		ws = (struct winsize){ 0 };
	*w = ws.ws_xpixel;
	*h = ws.ws_ypixel;
}

void term_picture(struct term *t, const char *sixel, size_t n, const char *line)
{
	char below[32];

	if (t->sync)
		outq_str(&t->out, "\033[?2026h");
	outq_str(&t->out, "\033[0m\033[H\033[2J");
	outq_put(&t->out, sixel, n);
	snprintf(below, sizeof below, "\033[%d;1H\033[K", t->h);
	outq_str(&t->out, below);
	outq_put(&t->out, line, strnlen(line, (size_t)t->w));
	if (t->sync)
		outq_str(&t->out, "\033[?2026l");
}

/* ---- bytes in */

bool term_read(struct term *t)
{
	unsigned char buf[INPUT_BUFFER];
	size_t room = INPUT_BUFFER - t->input.n;
	ssize_t n;

	if (!room)
		return true;
	do
		n = read(t->in, buf, room);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	input_feed(&t->input, buf, (size_t)n);
	return true;
}

bool term_next(struct term *t, struct input_event *ev, bool late)
{
	return input_next(&t->input, ev, late);
}

bool term_waits(const struct term *t)
{
	return input_waits(&t->input) && !t->input.pasting;
}

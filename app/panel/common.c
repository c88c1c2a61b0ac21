/* common.c - numbers, shades, parts of lines and braille dots. */
#include "app/panel/common.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

void *panel_hold(void *old, const struct event *ev)
{
	struct snap *now = snap_ref(ev->snap);

	snap_unref(old);
	return now;
}

/* ---- numbers */

const char *panel_kl(double v, char out[16])
{
	char buf[24];

	if (isnan(v))
		return strcpy(out, "-");
	if (!(v > 0))
		return strcpy(out, "0");
	if (v < 0.00005)
		snprintf(out, 16, "%.0e", v > 1e-99 ? v : 1e-99);
	else if (v < 0.99995) {
		snprintf(buf, sizeof buf, "%.4f", v);
		snprintf(out, 16, "%.14s", buf + 1);
	} else
		snprintf(out, 16, "%.*f", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v < 99999 ? v : 99999);
	return out;
}

const char *panel_signed_kl(double v, char out[20])
{
	char kl[16];

	snprintf(out, 20, "%s%s",
		isnan(v) || v == 0 ? ""
		: v < 0            ? "-"
				   : "+",
		panel_kl(fabs(v), kl));
	return out;
}

const char *panel_signed_mib(int64_t bytes, char out[20])
{
	char mib[16];

	snprintf(out, 20, "%s%s", bytes < 0 ? "-" : "+",
		panel_mib((uint64_t)(bytes < 0 ? -bytes : bytes), mib));
	return out;
}

const char *panel_time(double s, char out[24])
{
	out[0] = 0;
	if (isnan(s) || s < 0 || s > 1e7)
		return out;
	if (s < 59.5)
		snprintf(out, 24, "%.0f s", s);
	else if (s < 3600)
		snprintf(out, 24, "%d min %d s", (int)(s + 0.5) / 60, (int)(s + 0.5) % 60);
	else
		snprintf(out, 24, "%d h %d min", (int)s / 3600, (int)s / 60 % 60);
	return out;
}

const char *panel_mib(uint64_t bytes, char out[16])
{
	double mib = (double)bytes / 1048576;

	if (mib < 0.95)
		snprintf(out, 16, "%.1f KiB", (double)bytes / 1024);
	else if (mib < 999.95)
		snprintf(out, 16, "%.1f MiB", mib);
	else
		snprintf(out, 16, "%.2f GiB", mib / 1024);
	return out;
}

const char *panel_bytes5(uint64_t bytes, char out[16])
{
	static const char unit[] = "KMGTPE";
	double v = (double)bytes / 1024;
	int u = 0;

	for (; v >= 999.5 && u < 5; u++)
		v /= 1024;
	snprintf(out, 16, "%.*f%c", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, unit[u]);
	return out;
}

const char *panel_count(uint64_t n, char out[16])
{
	static const char unit[] = "kMGT";
	double v = (double)n / 1000;
	int u = 0;

	if (n < 1000000) {
		snprintf(out, 16, "%u", (unsigned)n);
		return out;
	}
	for (; v >= 999.5 && u < 3; u++)
		v /= 1000;
	snprintf(out, 16, "%.*f %c", v < 9.995 ? 2 : v < 99.95 ? 1 : 0, v, unit[u]);
	return out;
}

/* ---- shades */

const char *panel_shade(int level)
{
	static const char *const shade[8] = { " ", "░", "░", "▒", "▒", "▓", "▓", "█" };

	return shade[level < 0 ? 0 : level > 7 ? 7 : level];
}

enum role panel_ramp(int level)
{
	return (enum role)(ROLE_RAMP0 + (level < 0 ? 0 : level > 7 ? 7 : level));
}

/* ---- lines */

void panel_cut(struct canvas *c, int x, int y, int width, enum role r, const char *text)
{
	struct canvas in = canvas_sub(c, x, y, width, 1);

	if (x < 0 || y < 0 || width < 1)
		return;
	canvas_text(&in, 0, 0, r, text);
	if (text_width(text, strlen(text)) > in.w && in.w)
		canvas_text(&in, in.w - 1, 0, r, "…");
}

int panel_columns(const char *s, size_t n)
{
	struct text_cell cell;
	size_t at = 0;
	int x = 0;

	while (text_next(s, n, &at, &cell) && cell.ch[0] != '\n')
		x += cell.ch[0] == '\t' ? 8 - x % 8 : cell.width;
	return x;
}

bool panel_part(struct parts *p, enum role r, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int w;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	w = text_width(buf, strlen(buf));
	if (!w || (p->n && p->x + 2 + w > p->c->w))
		return false;
	if (p->n++)
		p->x += 2;
	panel_cut(p->c, p->x, p->y, p->c->w - p->x, r, buf);
	p->x += w;
	return true;
}

size_t panel_scrolled(size_t n, size_t room, size_t at)
{
	if (n <= room || at < room / 2)
		return 0;
	return at - room / 2 > n - room ? n - room : at - room / 2;
}

/* ---- dots */

static const uint8_t dot_bit[4][2] = { { 1, 8 }, { 2, 16 }, { 4, 32 }, { 64, 128 } };

void dots_set(struct dots *d, int x, int y)
{
	if (x >= 0 && y >= 0 && x < d->w * 2 && y < d->h * 4)
		d->bits[y / 4 * d->w + x / 2] |= dot_bit[y % 4][x % 2];
}

uint32_t dots_char(const struct dots *d, int x, int y)
{
	uint8_t b = d->bits[y * d->w + x];

	return b ? 0x2800u + b : 0;
}

uint32_t dots_ascii(const struct dots *d, int x, int y)
{
	static const char row_char[4] = { '\'', '-', '-', '_' };
	uint8_t b = d->bits[y * d->w + x];
	int rows = 0, last = 0;

	for (int j = 0; j < 4; j++)
		if (b & (dot_bit[j][0] | dot_bit[j][1])) {
			rows++;
			last = j;
		}
	return !rows ? 0 : rows > 2 ? '|' : (uint32_t)row_char[last];
}

void dots_draw(const struct dots *d, struct canvas *c, int x0, enum role r, bool ascii)
{
	for (int y = 0; y < d->h; y++)
		for (int x = 0; x < d->w; x++) {
			uint32_t ch = ascii ? dots_ascii(d, x, y) : dots_char(d, x, y);

			if (ch)
				canvas_char(c, x0 + x, y, r, ch);
		}
}

double panel_step(double span, int n)
{
	double raw = span / (n > 1 ? n : 1), unit = pow(10, floor(log10(raw))), m = raw / unit;

	return unit * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

void panel_unit(struct canvas *c, int x, int y, bool nats)
{
	static const char *const unit[2][3] = {
		{ "relative error, first score", "first score", "score" },
		{ "nats, log", "nats", "nats" },
	};
	int i = 0;

	while (i < 2 && x + (int)strlen(unit[nats][i]) > c->w)
		i++;
	canvas_text(c, x, y, ROLE_DIM, unit[nats][i]);
}

/* color - see color.h. */
#include "app/tui/color.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "black", "red", "green", "yellow", "blue", "magenta", "cyan",
	"white", "grey", "bright-red", "bright-green", "bright-yellow", "bright-blue",
	"bright-magenta", "bright-cyan", "bright-white" };

static uint32_t rgb_of(int index)
{
	static const uint32_t first[16] = { 0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee,
		0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff,
		0xff00ff, 0x00ffff, 0xffffff };
	static const uint32_t level[6] = { 0, 95, 135, 175, 215, 255 };

	if (index < 16)
		return first[index < 0 ? 0 : index];
	if (index >= 232)
		return (uint32_t)(8 + 10 * (index - 232)) * 0x010101;
	return level[(index - 16) / 36] << 16 | level[(index - 16) / 6 % 6] << 8 |
	       level[(index - 16) % 6];
}

static double linear(uint32_t rgb, int shift)
{
	double v = (rgb >> shift & 255) / 255.0;

	return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

double color_luminance(int index)
{
	uint32_t rgb = rgb_of(index);

	return 0.2126 * linear(rgb, 16) + 0.7152 * linear(rgb, 8) + 0.0722 * linear(rgb, 0);
}

static double root(double v)
{
	return v > 216.0 / 24389 ? cbrt(v) : (24389.0 / 27 * v + 16) / 116;
}

/* sRGB, white point D65 (IEC 61966-2-1). */
static void lab(uint32_t rgb, double out[3])
{
	double r = linear(rgb, 16), g = linear(rgb, 8), b = linear(rgb, 0);
	double x = root((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
	double y = root(0.2126 * r + 0.7152 * g + 0.0722 * b);
	double z = root((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.0890);

	out[0] = 116 * y - 16;
	out[1] = 500 * (x - y);
	out[2] = 200 * (y - z);
}

static int nearest(uint32_t rgb, int from, int to)
{
	double want[3], got[3], best = INFINITY;
	int at = from;

	lab(rgb, want);
	for (int i = from; i < to; i++) {
		double d = 0;

		lab(rgb_of(i), got);
		for (int k = 0; k < 3; k++)
			d += (got[k] - want[k]) * (got[k] - want[k]);
		if (d < best) {
			best = d;
			at = i;
		}
	}
	return at;
}

int color_of_rgb(uint32_t rgb)
{
	return nearest(rgb, 16, 256);
}

int color_of_16(int index)
{
	return index < 16 ? index : nearest(rgb_of(index), 0, 16);
}

bool color_parse(const char *s, int16_t *index)
{
	size_t n = strlen(s);

	if (!strcmp(s, "default")) {
		*index = -1;
		return true;
	}
	for (int i = 0; i < 16; i++)
		if (!strcmp(s, names[i])) {
			*index = (int16_t)i;
			return true;
		}
	if (*s == '#') {
		if (n != 7 || strspn(s + 1, "0123456789abcdefABCDEF") != 6)
			return false;
		*index = (int16_t)color_of_rgb((uint32_t)strtoul(s + 1, NULL, 16));
		return true;
	}
	if (!n || n > 3 || strspn(s, "0123456789") != n || atoi(s) > 255)
		return false;
	*index = (int16_t)atoi(s);
	return true;
}

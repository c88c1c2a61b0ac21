/* glyph - the one table from drawing characters to ASCII. */
#include "app/tui/theme.h"

struct pair {
	uint16_t ch;
	char ascii;
};

/* Ascending. */
static const struct pair table[] = {
	{ 0x00a0, ' ' },
	{ 0x00b0, 'o' },
	{ 0x00b1, '~' },
	{ 0x00b5, 'u' },
	{ 0x00b7, '.' },
	{ 0x00d7, 'x' },
	{ 0x00f7, '/' },
	{ 0x03bc, 'u' },
	{ 0x2010, '-' },
	{ 0x2011, '-' },
	{ 0x2012, '-' },
	{ 0x2013, '-' },
	{ 0x2014, '-' },
	{ 0x2018, '\'' },
	{ 0x2019, '\'' },
	{ 0x201c, '"' },
	{ 0x201d, '"' },
	{ 0x2022, '*' },
	{ 0x2026, '.' },
	{ 0x2190, '<' },
	{ 0x2191, '^' },
	{ 0x2192, '>' },
	{ 0x2193, 'v' },
	{ 0x2194, '-' },
	{ 0x2212, '-' },
	{ 0x2248, '~' },
	{ 0x2260, '!' },
	{ 0x2264, '<' },
	{ 0x2265, '>' },
	{ 0x2500, '-' },
	{ 0x2501, '=' },
	{ 0x2502, '|' },
	{ 0x2503, '#' },
	{ 0x2506, '|' },
	{ 0x250c, '+' },
	{ 0x250f, '#' },
	{ 0x2510, '+' },
	{ 0x2513, '#' },
	{ 0x2514, '+' },
	{ 0x2517, '#' },
	{ 0x2518, '+' },
	{ 0x251b, '#' },
	{ 0x251c, '+' },
	{ 0x2524, '+' },
	{ 0x252c, '+' },
	{ 0x2534, '+' },
	{ 0x253c, '+' },
	{ 0x2580, '"' },
	{ 0x2581, '_' },
	{ 0x2582, '.' },
	{ 0x2583, '-' },
	{ 0x2584, '=' },
	{ 0x2585, '+' },
	{ 0x2586, '*' },
	{ 0x2587, '%' },
	{ 0x2588, '#' },
	{ 0x258c, '|' },
	{ 0x2590, '|' },
	{ 0x2591, '.' },
	{ 0x2592, ':' },
	{ 0x2593, '+' },
	{ 0x25a0, '#' },
	{ 0x25a1, 'H' },
	{ 0x25b2, '^' },
	{ 0x25b3, '^' },
	{ 0x25b4, '^' },
	{ 0x25b6, '>' },
	{ 0x25b8, '>' },
	{ 0x25bc, 'v' },
	{ 0x25be, 'v' },
	{ 0x25c0, '<' },
	{ 0x25c2, '<' },
	{ 0x25c6, '*' },
	{ 0x25c7, '*' },
	{ 0x25cb, 'o' },
	{ 0x25cc, 'o' },
	{ 0x25cf, '@' },
};

/* A braille cell: dots of the upper half, of the lower half, or many of both. */
static char braille(unsigned dots)
{
	unsigned n = 0;

	for (unsigned b = dots; b; b &= b - 1)
		n++;
	if (!n)
		return ' ';
	if (n >= 6)
		return '#';
	if (!(dots & 0xe4)) /* dots 3 6 7 8 are the lower two rows */
		return '\'';
	if (!(dots & 0x1b))
		return n > 2 ? '_' : '.';
	return n > 3 ? '+' : '-';
}

char glyph_ascii(uint32_t ch)
{
	size_t lo = 0, hi = sizeof table / sizeof table[0];

	if (ch >= ' ' && ch < 0x7f)
		return (char)ch;
	if (ch >= 0x2800 && ch <= 0x28ff)
		return braille(ch - 0x2800);
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (table[mid].ch == ch)
			return table[mid].ascii;
		if (table[mid].ch < ch)
			lo = mid + 1;
		else
			hi = mid;
	}
	return '?';
}

/* color.h - what the colours of an xterm palette look like, and which is nearest to another.
 *
 * 16 to 255 are fixed; 0 to 15 are the user's own, and xterm's are taken for them.  Pure.
 */
#ifndef BD_APP_TUI_COLOR_H
#define BD_APP_TUI_COLOR_H

#include <stdbool.h>
#include <stdint.h>

/* Relative luminance, 0 to 1 (WCAG 2.1). */
double color_luminance(int index);
/* The nearest of the fixed ones (16 to 255), or of the first sixteen, to 0xrrggbb or to another
 * index: Euclidean distance in CIELAB (CIE 1976). */
int color_of_rgb(uint32_t rgb);
int color_of_16(int index);
/* "red", "bright-red", "grey", "default" (-1), "0" to "255", "#rrggbb". */
bool color_parse(const char *s, int16_t *index);

#endif

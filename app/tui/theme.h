/* theme.h - roles to colours, at the very end.
 *
 * Panels know roles only.  At 256 colours a theme uses the fixed part of the palette
 * for ramps and series and the user's own colours for text; at 16 ramps are told by
 * glyphs; mono has attributes only.  A background is never painted over the screen.
 * Five themes are compiled in; others are files (themes.h) that say what they change of the
 * default one.
 * Values; UI thread.
 */
#ifndef BD_APP_TUI_THEME_H
#define BD_APP_TUI_THEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/tui/canvas.h"

enum depth { DEPTH_MONO, DEPTH_16, DEPTH_256 };
enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum ramp { RAMP_VIRIDIS, RAMP_CIVIDIS, RAMP_PUOR, RAMP_GREY, RAMPS };
enum { ATTR_BOLD = 1, ATTR_DIM = 2, ATTR_UNDERLINE = 4, ATTR_REVERSE = 8 };

struct style {
	int16_t fg, bg; /* xterm palette index; -1: the terminal's own */
	uint8_t attr;
};

struct theme {
	const char *name;
	enum depth depth;
	enum ramp ramp;
	bool light; /* the terminal's background is */
	struct style style[ROLES];
};

extern const char *const theme_names[];    /* default dark light high-contrast mono; NULL */
extern const char *const ramp_name[RAMPS]; /* viridis cividis PuOr grey */
extern const uint8_t ramp_index[RAMPS][8]; /* low to high, for a dark background */

/* false: no theme of that name (t is then the default). */
bool theme_init(struct theme *t, const char *name, enum depth depth, enum ramp ramp, bool light);
/* ---- themes of files */

enum { THEME_NAME = 24 };
enum theme_for { THEME_FOR_ANY, THEME_FOR_DARK, THEME_FOR_LIGHT };

struct theme_def {
	char name[THEME_NAME];
	enum theme_for background; /* that of the terminal it is made for */
	struct style style[ROLES]; /* colours of the 256; theme_make reduces them */
	bool given[ROLES];         /* the others are those of the default theme */
	char left_out[200];        /* the first line of the file that was left out, and why; "" */
};

extern const char *const role_name[ROLES]; /* text ... border_focus ramp0 ... diff0 ... series6 */
/* def outlives t.  Its ramp stands in the place of viridis. */
void theme_make(
	struct theme *t, const struct theme_def *def, enum depth depth, enum ramp ramp, bool light);
/* Contrast of text in this role with what is behind it, 1 to 21 (WCAG 2.1); the terminal's own
 * background counts as black, or white where the theme is for a light one.  NAN: a colour that
 * the terminal chooses. */
double theme_contrast(const struct theme *t, uint8_t role);

/* A ramp colours shades as their foreground, and letters and digits by a background with
 * a foreground that can be read on it. */
struct style theme_style(const struct theme *t, uint8_t role, uint32_t ch);
/* As near as a terminal of so many colours comes to it. */
struct style style_fit(struct style s, int colors);

/* Flags beat environment: WHEN, then NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, then
 * what the terminal says (0 or less: none). */
enum depth color_depth(enum color_when when, int terminal_colors);
bool color_when_parse(const char *s, enum color_when *out);

/* One ASCII column for any glyph, wide or not; ASCII itself is unchanged. */
char glyph_ascii(uint32_t ch);

#endif

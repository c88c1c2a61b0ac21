/* theme - what each role looks like, and the ramps of terminal.md 5.1. */
#include "app/tui/theme.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/color.h"

const char *const theme_names[] = { "default", "dark", "light", "high-contrast", "mono", NULL };
const char *const ramp_name[RAMPS] = { "viridis", "cividis", "PuOr", "grey" };

/* Monotone in lightness within the fixed part of the palette. */
const uint8_t ramp_index[RAMPS][8] = {
	{ 17, 53, 24, 30, 36, 78, 119, 226 },
	{ 235, 24, 242, 244, 246, 144, 186, 227 },
	{ 130, 172, 215, 254, 255, 146, 97, 53 },
	{ 234, 237, 240, 243, 246, 249, 252, 255 },
};

/* Okabe-Ito: orange sky green yellow blue vermillion purple. */
static const uint8_t series[7] = { 214, 74, 36, 227, 32, 166, 175 };

/* The same hues where the background is light: 3.8 or more against white. */
static const uint8_t series_light[7] = { 130, 31, 29, 100, 25, 160, 127 };

/* Roles up to the ramps, in the order of enum role. */
enum { PLAIN_ROLES = ROLE_RAMP0 };

/* clang-format off */
static const struct style palette[][PLAIN_ROLES] = {
	/*  text          dim            strong              accent           good            warn */
	/*  bad           sel            cursor              border           border_focus */
	{ { -1, -1, 0 }, { 8, -1, 0 },   { -1, -1, ATTR_BOLD }, { 6, -1, 0 },    { 2, -1, 0 },   { 3, -1, 0 },
	  { 1, -1, ATTR_BOLD }, { -1, -1, ATTR_REVERSE }, { -1, -1, ATTR_REVERSE | ATTR_BOLD }, { 8, -1, 0 }, { 6, -1, 0 } },
	{ { 252, -1, 0 }, { 244, -1, 0 }, { 231, -1, ATTR_BOLD }, { 80, -1, 0 },  { 114, -1, 0 }, { 221, -1, 0 },
	  { 210, -1, ATTR_BOLD }, { 231, 24, 0 }, { 16, 221, ATTR_BOLD }, { 240, -1, 0 }, { 80, -1, 0 } },
	{ { 235, -1, 0 }, { 243, -1, 0 }, { 16, -1, ATTR_BOLD }, { 25, -1, 0 },  { 28, -1, 0 },  { 94, -1, 0 },
	  { 124, -1, ATTR_BOLD }, { 16, 153, 0 }, { 231, 25, ATTR_BOLD }, { 248, -1, 0 }, { 25, -1, 0 } },
	{ { -1, -1, 0 }, { -1, -1, 0 },  { -1, -1, ATTR_BOLD }, { -1, -1, ATTR_UNDERLINE }, { -1, -1, ATTR_BOLD }, { 11, -1, ATTR_BOLD },
	  { 9, -1, ATTR_BOLD }, { -1, -1, ATTR_REVERSE }, { -1, -1, ATTR_REVERSE | ATTR_BOLD }, { -1, -1, 0 }, { -1, -1, ATTR_BOLD } },
	{ { -1, -1, 0 }, { -1, -1, ATTR_DIM }, { -1, -1, ATTR_BOLD }, { -1, -1, ATTR_BOLD }, { -1, -1, 0 }, { -1, -1, ATTR_BOLD },
	  { -1, -1, ATTR_BOLD | ATTR_REVERSE }, { -1, -1, ATTR_REVERSE }, { -1, -1, ATTR_REVERSE | ATTR_BOLD }, { -1, -1, 0 }, { -1, -1, ATTR_BOLD } },
};
/* clang-format on */

enum { THEME_DEFAULT, THEME_DARK, THEME_LIGHT, THEME_HIGH, THEME_MONO };

/* At 16 colours and fewer series differ by marker; the colour only helps. */
static const uint8_t series16[7] = { 3, 6, 2, 11, 4, 1, 5 };

static void set_ramps(struct theme *t)
{
	for (int i = 0; i < 8; i++) {
		/* On a light background "bad" stays the more prominent end. */
		int at = t->light ? 7 - i : i;

		t->style[ROLE_RAMP0 + i] = (struct style){ ramp_index[t->ramp][at], -1, 0 };
		t->style[ROLE_DIFF0 + i] = (struct style){ ramp_index[RAMP_PUOR][i], -1, 0 };
		if (t->depth != DEPTH_256) {
			static const struct style plain = { -1, -1, 0 },
						  loud = { -1, -1, ATTR_BOLD };

			t->style[ROLE_RAMP0 + i] = i > 5 ? loud : plain;
			t->style[ROLE_DIFF0 + i] = i < 2 || i > 5 ? loud : plain;
		}
	}
	for (int i = 0; i < 7; i++)
		t->style[ROLE_SERIES0 + i] =
			t->depth == DEPTH_256
				? (struct style){ t->light ? series_light[i] : series[i], -1, 0 }
			: t->depth == DEPTH_16 ? (struct style){ series16[i], -1, 0 }
					       : (struct style){ -1, -1, i ? 0 : ATTR_BOLD };
}

/* A dark or light theme on 16 colours is the default one: the rest is the user's. */
static int palette_of(int theme, enum depth depth)
{
	if (depth == DEPTH_MONO)
		return THEME_MONO;
	if (depth == DEPTH_16 && (theme == THEME_DARK || theme == THEME_LIGHT))
		return THEME_DEFAULT;
	return theme;
}

bool theme_init(struct theme *t, const char *name, enum depth depth, enum ramp ramp, bool light)
{
	int at = 0;
	bool found = true;

	while (theme_names[at] && strcmp(theme_names[at], name))
		at++;
	if (!theme_names[at]) {
		at = THEME_DEFAULT;
		found = false;
	}
	if (at == THEME_MONO)
		depth = DEPTH_MONO;
	if (at == THEME_DARK || at == THEME_LIGHT)
		light = at == THEME_LIGHT;
	*t = (struct theme){
		.name = theme_names[at], .depth = depth, .ramp = ramp, .light = light
	};
	memcpy(t->style, palette[palette_of(at, depth)], sizeof palette[0]);
	set_ramps(t);
	return found;
}

/* ---- themes of files */

/* clang-format off */
const char *const role_name[ROLES] = { "text", "dim", "strong", "accent", "good", "warn", "bad",
	"sel", "cursor", "border", "border_focus",
	"ramp0", "ramp1", "ramp2", "ramp3", "ramp4", "ramp5", "ramp6", "ramp7",
	"diff0", "diff1", "diff2", "diff3", "diff4", "diff5", "diff6", "diff7",
	"series0", "series1", "series2", "series3", "series4", "series5", "series6" };
/* clang-format on */

void theme_make(
	struct theme *t, const struct theme_def *def, enum depth depth, enum ramp ramp, bool light)
{
	if (def->background)
		light = def->background == THEME_FOR_LIGHT;
	theme_init(t, "default", depth, ramp, light);
	t->name = def->name;
	for (int i = 0; i < ROLES && depth != DEPTH_MONO; i++) {
		struct style s = def->style[i];
		bool steps = i >= ROLE_RAMP0 && i <= ROLE_DIFF_LAST;

		/* At 16 colours glyphs tell the steps; another ramp was asked for by name. */
		if (!def->given[i] || (steps && depth != DEPTH_256) ||
			(i >= ROLE_RAMP0 && i <= ROLE_RAMP_LAST && ramp != RAMP_VIRIDIS))
			continue;
		if (depth != DEPTH_256) {
			s.fg = (int16_t)color_of_16(s.fg);
			s.bg = (int16_t)color_of_16(s.bg);
		}
		t->style[i] = s;
	}
}

double theme_contrast(const struct theme *t, uint8_t role)
{
	struct style s = theme_style(t, role, '0');
	double fg, bg;

	if ((s.fg >= 0 && s.fg < 16) || (s.bg >= 0 && s.bg < 16) || s.fg < 0)
		return (double)NAN;
	fg = color_luminance(s.fg);
	bg = s.bg < 0 ? (t->light ? 1 : 0) : color_luminance(s.bg);
	return fg > bg ? (fg + 0.05) / (bg + 0.05) : (bg + 0.05) / (fg + 0.05);
}

static bool is_shape(uint32_t ch)
{
	return (ch >= 0x2500 && ch <= 0x25ff) || (ch >= 0x2800 && ch <= 0x28ff);
}

struct style theme_style(const struct theme *t, uint8_t role, uint32_t ch)
{
	struct style s = t->style[role < ROLES ? role : ROLE_TEXT];

	if (t->depth == DEPTH_256 && role >= ROLE_RAMP0 && role <= ROLE_DIFF_LAST && ch != ' ' &&
		!is_shape(ch)) {
		s.bg = s.fg;
		/* 0.179 is where black and white have the same contrast. */
		s.fg = color_luminance(s.bg) > 0.179 ? 16 : 231;
	}
	return s;
}

struct style style_fit(struct style s, int colors)
{
	if (colors >= 16)
		return s;
	/* Eight colours: the bright ones are bold; bright black would be black on black. */
	if (s.fg == 8) {
		s.fg = -1;
		s.attr |= ATTR_DIM;
	} else if (s.fg > 8 && s.fg < 16) {
		s.fg = (int16_t)(s.fg - 8);
		s.attr |= ATTR_BOLD;
	}
	if (s.bg >= 8 || !colors)
		s.bg = -1;
	if (s.fg >= 8 || !colors)
		s.fg = -1;
	return s;
}

bool color_when_parse(const char *s, enum color_when *out)
{
	static const char *const name[] = { "auto", "always", "never" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(s, name[i])) {
			*out = (enum color_when)i;
			return true;
		}
	return false;
}

static bool env_on(const char *name)
{
	const char *v = getenv(name);

	return v && *v;
}

static enum depth depth_of(int colors)
{
	return colors >= 256 ? DEPTH_256 : colors >= 8 ? DEPTH_16 : DEPTH_MONO;
}

enum depth color_depth(enum color_when when, int terminal_colors)
{
	enum depth d = depth_of(terminal_colors);

	if (when == COLOR_NEVER)
		return DEPTH_MONO;
	if (when == COLOR_AUTO && env_on("NO_COLOR"))
		return DEPTH_MONO;
	if (when == COLOR_ALWAYS || env_on("FORCE_COLOR") || env_on("CLICOLOR_FORCE"))
		return d == DEPTH_MONO ? DEPTH_256 : d;
	return d;
}

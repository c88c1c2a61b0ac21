/* verbs_colors.c - bitdial doctor --colors: every theme, role and ramp, with its contrast. */
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/tui/canvas.h"
#include "app/tui/themes.h"
#include "app/verbs.h"
#include "core/base/alloc.h"

enum { WIDTH = 80, FIRST = 13, COLUMN = 17, COLUMNS = 4 };

/* A surface as text: letters for the roles, a shape and a digit of every step of a ramp. */
static void put_surface(struct surface *s, const struct theme *t)
{
	bool ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	char *text =
		t->depth == DEPTH_MONO ? surface_dump(s, ascii) : surface_dump_ansi(s, ascii, t);

	fputs(text, stdout);
	xfree(text);
	surface_free(s);
}

static const char *ratio(const struct theme *t, int role, char out[16])
{
	double c = t->depth == DEPTH_MONO ? (double)NAN : theme_contrast(t, (uint8_t)role);

	if (isnan(c))
		return "own";
	snprintf(out, 16, "%.1f", c);
	return out;
}

/* The least contrast of a role from first on; NAN: the terminal chooses them all. */
static double least(const struct theme *t, int first, int n)
{
	double low = (double)NAN;

	for (int i = first; i < first + n; i++) {
		double c = theme_contrast(t, (uint8_t)i);

		if (!(c >= low))
			low = c;
	}
	return low;
}

static void steps(const struct theme *t, const char *name, enum role first, int n)
{
	struct surface *s = surface_new(WIDTH, 1);
	struct canvas c = canvas_of(s);
	double low = t->depth == DEPTH_256 ? least(t, (int)first, n) : (double)NAN;

	canvas_text(&c, 0, 0, ROLE_TEXT, name);
	for (int i = 0; i < n; i++) {
		canvas_char(&c, FIRST + 2 * i, 0, (enum role)(first + i), 0x2588);
		canvas_char(&c, FIRST + 18 + 2 * i, 0, (enum role)(first + i), (uint32_t)('0' + i));
	}
	if (!isnan(low))
		canvas_printf(&c, FIRST + 36, 0, ROLE_TEXT, "least contrast %.1f", low);
	put_surface(s, t);
}

static void roles(const struct theme *t)
{
	struct surface *s = surface_new(WIDTH, (ROLE_RAMP0 + COLUMNS - 1) / COLUMNS);
	struct canvas c = canvas_of(s);
	char text[16];

	canvas_text(&c, 0, 0, ROLE_TEXT, "  roles");
	for (int i = 0; i < ROLE_RAMP0; i++) {
		int x = FIRST + i % COLUMNS * COLUMN, y = i / COLUMNS;

		x += canvas_text(&c, x, y, (enum role)i, role_name[i]) + 1;
		canvas_text(&c, x, y, ROLE_TEXT, ratio(t, i, text));
	}
	put_surface(s, t);
}

static void show(void *arg, const char *name, const char *where)
{
	const enum depth *depth = arg;
	struct theme_def def;
	struct err e = { 0 };
	struct theme t;
	bool file;

	if (themes_find(&def, &file, name, &e)) {
		printf("\ntheme %s: %s\n", name, e.msg);
		return;
	}
	if (file)
		theme_make(&t, &def, *depth, RAMP_VIRIDIS, false);
	else
		theme_init(&t, name, *depth, RAMP_VIRIDIS, false);
	printf("\ntheme %s (%s), contrast on %s\n", name, where, t.light ? "white" : "black");
	roles(&t);
	if (file && def.left_out[0])
		printf("%s\n", def.left_out);
	steps(&t, "  series", ROLE_SERIES0, 7);
	if (file && def.given[ROLE_RAMP0])
		steps(&t, "  ramp", ROLE_RAMP0, 8);
	if (file && def.given[ROLE_DIFF0])
		steps(&t, "  diverging", ROLE_DIFF0, 8);
}

int verb_colors(void)
{
	enum depth depth = color_depth(COLOR_AUTO, isatty(STDOUT_FILENO) ? 256 : 0);
	struct theme t;

	printf("Contrast of text with what is behind it (WCAG 2.1: 4.5 is enough, 7 is good); own: "
	       "a "
	       "colour\nthat the terminal chooses.\n");
	themes_each(show, &depth);
	printf("\nramps; their digits stand on the step's colour\n");
	for (int r = 0; r < RAMPS; r++) {
		char name[24];

		theme_init(&t, "default", depth, (enum ramp)r, false);
		snprintf(name, sizeof name, "  %s", ramp_name[r]);
		steps(&t, name, ROLE_RAMP0, 8);
	}
	steps(&t, "  diverging", ROLE_DIFF0, 8);
	return 0;
}

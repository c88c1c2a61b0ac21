/* arrange.h - how panels share a screen: rows of panels, as layouts/ describes them.
 *
 * A pure function from a description and a size to rectangles.  They never overlap
 * and never leave the area; a panel has at least its smallest size or is left out, so
 * there may be none at all.  Any thread.
 */
#ifndef BD_APP_TUI_ARRANGE_H
#define BD_APP_TUI_ARRANGE_H

#include <stdbool.h>
#include <stddef.h>

enum { ARR_ROWS = 12, ARR_PANELS = 6, ARR_NAME = 24, ARR_RECTS = ARR_ROWS * ARR_PANELS };
enum { ARR_NARROW = 100 }; /* columns below which `narrow` is used */

struct arr_panel {
	char name[ARR_NAME];
	double weight; /* of the width; 0: shares what is left */
};

struct arr_row {
	int h;    /* lines, box included; 0: what is left */
	int drop; /* lowest leaves first when lines run out; 0: stays */
	int n;
	struct arr_panel panel[ARR_PANELS];
};

struct arr_rows {
	int n;
	struct arr_row row[ARR_ROWS];
};

struct arrangement {
	char name[ARR_NAME];
	char key;                     /* '1' ... '9' */
	struct arr_rows wide, narrow; /* narrow.n 0: wide at any width */
};

struct arr_size {
	int w, h;
};

struct arr_rect {
	const char *name; /* of the arrangement */
	int x, y, w, h;
};

/* min: smallest size of a panel, box included; w < 0: there is no such panel.  focus:
 * the panel that is kept when only one fits (NULL: the first). */
size_t arrange(const struct arrangement *a, int w, int h, const char *focus,
	struct arr_size (*min)(const void *arg, const char *name), const void *arg,
	struct arr_rect out[ARR_RECTS]);

#endif

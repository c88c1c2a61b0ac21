/* table.c - the panels there are. */
#include "app/panel/panel.h"

#define PANELS(X) X(heatmap) X(cell) X(slider) X(front) X(search) X(jobs) X(chat) X(runs) X(log) \
	X(device) X(console) X(loss) X(facts) X(spark)

#define X(name) extern const struct panel_class panel_##name;
PANELS(X)
#undef X

const struct panel_class *const panel_table[] = {
#define X(name) &panel_##name,
	PANELS(X)
#undef X
		0,
};

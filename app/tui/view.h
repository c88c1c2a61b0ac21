/* view.h - what EV_VIEW carries in event.n: how panels show things, as bits. */
#ifndef BD_APP_TUI_VIEW_H
#define BD_APP_TUI_VIEW_H

enum view_bits {
	VIEW_RAMP = 7,        /* index into ramp_name of theme.h: viridis cividis PuOr grey */
	VIEW_LOG = 1 << 3,    /* log axis */
	VIEW_MOTION = 1 << 4, /* decoration may move */
	VIEW_ASCII = 1 << 5,  /* the screen is ASCII */
	VIEW_SOURCE = 7 << 6  /* of the texts the one the map shows, from 1; 0: all */
};

enum { VIEW_SOURCE_SHIFT = 6 };

#endif

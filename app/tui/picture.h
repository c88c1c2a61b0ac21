/* picture.h - a picture over the whole screen, on terminals that show sixels.
 *
 * Whether a terminal does it says itself: DA1 (CSI c) is answered with a list in which 4 is sixel
 * graphics (DEC VT340 manual; xterm's ctlseqs).  It is asked when the first picture is wanted, and
 * what did not answer in time gets none.  `:set sixel on` is the person's word for it.  UI thread.
 */
#ifndef BD_APP_TUI_PICTURE_H
#define BD_APP_TUI_PICTURE_H

#include <stdbool.h>
#include <stddef.h>

struct tui;
struct snap_plot;

enum sixel { SIXEL_NO_TERMINAL, SIXEL_NOT_ASKED, SIXEL_ASKED, SIXEL_NO, SIXEL_YES };

struct picture {
	enum sixel able;
	bool ask;             /* for who owns the terminal: send DA1 */
	double asked;         /* when */
	int pixel_w, pixel_h; /* of the screen; 0: the terminal does not say */
	char *bytes;          /* [n] to be shown; NULL: none */
	size_t n;
	char line[160];
	bool shown;
};

/* Pixels a picture may have here; 0: none is wanted.  Asks the terminal where that is open. */
void picture_want(struct tui *t, int *w, int *h);
void picture_heard(struct tui *t, bool sixel); /* the terminal's answer */
void picture_take(struct tui *t, const struct snap_plot *p);
/* Is it to be shown now?  Forgets it where the terminal cannot, or did not answer. */
bool picture_due(struct tui *t);
double picture_wait(const struct tui *t); /* seconds until that is known; < 0: nothing waits */
bool picture_close(struct tui *t);        /* true: one was shown, and is gone */
void picture_release(struct tui *t);

#endif

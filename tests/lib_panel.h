/* lib_panel.h - a panel alone: fed with snapshots, drawn onto a surface, read as rows. */
#ifndef BD_TESTS_LIB_PANEL_H
#define BD_TESTS_LIB_PANEL_H

#include "app/panel/panel.h"
#include "core/work/snap_train.h"

struct alone {
	const struct panel_class *class;
	void *self;
};

struct alone alone_open(const struct panel_class *class);
void alone_close(struct alone *a);
/* Hands an event over, as the loop does; takes snap. */
bool alone_hear(struct alone *a, enum ev_kind kind, uint32_t key, int64_t n, struct snap *snap);
/* The panel as text; rows end in \n; xfree. */
char *alone_draw(struct alone *a, int w, int h);
/* The same, but focused and in ASCII as asked; *x, *y: the cursor, -1: not shown. */
char *alone_draw_as(struct alone *a, int w, int h, bool focus, bool ascii, int *x, int *y);
/* Nothing is written outside a rectangle of w x h, and no cursor is put there. */
bool alone_stays_inside(struct alone *a, int w, int h);
/* Row y of a drawing, until the next call but three. */
const char *alone_row(const char *drawing, int y);
/* The role of the cell at x, y. */
int alone_role(struct alone *a, int w, int h, int x, int y);

/* Snapshots of a made-up model: n = 7 * layers linears; the dial's formats are int2g64,
 * int3g64, int4g128 and keep; the probe damage of linear i is 0.001 * (i + 1). */
struct snap_model *made_model(size_t layers);
struct snap_map *made_map(size_t layers, enum cell_state state);
struct snap_answer *made_answer(size_t layers); /* linear i has format i % 4 */
struct snap_variants *made_variants(size_t layers);
struct snap_front *made_front(void); /* 2.5 to 5 bpw; damage 8 halves every quarter bit */
struct snap_progress *made_progress(const char *name, double done, double total);

/* A run that has done `steps` of 400: the loss falls from 4 towards 2 with a spike of 9 at step 7,
 * and every tenth step is looked at what is held out; codes of 2 and 4 bits. */
struct snap_train *made_train(uint64_t steps);
void made_step(struct snap_train *t, double loss, bool bad); /* one more */
/* One that trains all formats of a dial, looked at before its first step and after every twentieth:
 * five budgets from 2.5 to 4.25 bpw, whose KL falls by a formula. */
struct snap_train *made_dial(uint64_t steps);
double made_dial_kl(size_t point, uint64_t step);

/* A transcript, piece by piece. */
struct talk {
	char text[1 << 16];
	size_t len;
	struct chat_piece piece[32];
	size_t n;
	struct chat_stats stats;
};
void talk_add(struct talk *t, enum chat_who who, size_t turn, uint32_t layout, double bpw,
	const char *text);
void talk_more(struct talk *t, const char *text); /* to the last piece, which is open */
struct snap *talk_snap(const struct talk *t);

#endif

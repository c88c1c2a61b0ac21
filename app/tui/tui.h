/* tui.h - the workbench without its terminal: what keys, commands, events and frames
 * share.  Private to app/tui; UI thread.
 *
 * loop.c and headless.c feed it keys and time and show its surface; commands change it;
 * compose draws it.  Nothing here waits.
 */
#ifndef BD_APP_TUI_TUI_H
#define BD_APP_TUI_TUI_H

#include "app/panel/panel.h"
#include "app/tui/arrange.h"
#include "app/tui/binds.h"
#include "app/tui/canvas.h"
#include "app/tui/loop.h"
#include "app/tui/options.h"
#include "app/tui/picture.h"
#include "app/tui/prompt.h"
#include "app/tui/theme.h"
#include "app/tui/view.h"
#include "core/base/log.h"
#include "core/work/runs_io.h"
#include "core/work/device.h"
#include "core/work/session.h"
#include "core/work/snap_train.h"

enum { PANELS = 32, SCREENS = 9, NOTICES = 64, JOBS = 16, CHOICES = 48 };

struct notice {
	enum log_level strength;
	double at; /* clock */
	char text[320];
	bool seen; /* read with `!`, or a warning that a key took away */
	bool gone; /* from the status line: a key came after it */
	bool offer; /* to go on with what was cut short; a few words of it stay (status.c) */
};

struct job_line {
	uint32_t id;
	char name[48];
	double done, total, left; /* NAN: not known */
	bool held, stopping;
};

struct shown { /* a panel on the last frame */
	size_t panel;
	int x, y, w, h;     /* with its box */
	int ix, iy, iw, ih; /* what the panel drew into */
};

struct tui;
struct list_line {
	char *text;
	enum role role;
};
struct list { /* an overlay of lines, with a filter typed into it */
	bool open;
	/* Instead of the filter: one of the lines is chosen, and keys are about that one; false:
	 * not used.  NULL: none is. */
	bool (*on_key)(struct tui *t, size_t line, uint32_t key);
	size_t at;
	char title[48];
	struct list_line *line;
	size_t n, top;
	char filter[64];
};

struct choice { /* an arrangement there is */
	struct arrangement arr;
	long focus; /* the panel that had it; -1: none yet */
};

struct place { /* one screen: the arrangement in use, the panel in focus */
	struct arrangement arr;
	long focus; /* index into panels; -1: none yet */
	long back;  /* has the focus again as soon as there is room for it; -1: none */
};

enum question { ASK_NOTHING, ASK_QUIT };

struct tui {
	struct session *s;
	struct bus *bus;
	struct sub *sub;
	const struct tui_options *o;
	struct options opt;
	struct sampler_options sampler;
	double now, started;
	int exit_status;
	bool quit, dirty;

	/* the screen */
	struct surface *screen;
	struct theme theme;
	struct theme_def theme_def; /* of the theme, where it is a file */
	bool theme_file;
	int terminal_colors; /* what the terminal has; 0: none */
	bool utf8;
	const struct panel_class *const *class;
	void *panel[PANELS];
	size_t n_panels;
	struct place place[SCREENS];
	size_t n_places, at;
	struct choice choice[CHOICES]; /* in the order of [ and ] */
	size_t n_choices;
	char screen_name[SCREENS + 1][ARR_NAME]; /* by key: what its keys and its tab go by */
	char arranged[SCREENS + 1][ARR_NAME]; /* by key: the arrangement used last; "": the first */
	struct shown shown[ARR_RECTS];
	size_t n_shown;
	bool zoom, bare, hud, hint;

	/* input */
	struct binds binds; /* the user's own keys */
	struct prompt prompt;
	struct history history;
	struct list list;
	enum question question;
	double stopped_at; /* the last Ctrl-C */
	bool by_mouse;     /* the command that runs was a click or a drag */
	char filter[PROMPT_MAX];
	bool filtering; /* a filter is set on the focused panel */
	long filter_panel;

	/* what happened */
	struct notice notice[NOTICES]; /* a ring */
	size_t n_notices;              /* ever */
	bool offer_shown; /* no notice stood before what session_offer says when the key came */
	struct job_line job[JOBS];
	size_t n_jobs;
	const struct snap_model *model;
	const struct snap_answer *answer;
	const struct snap_front *front;
	const struct snap_map *map;
	const struct snap_variants *variants;
	const struct snap_odds *odds;
	const struct snap_chat *talk;
	const struct snap_ab *ab;
	const struct snap_train *training; /* NULL: there was none yet */
	const struct snap_runs *runs; /* NULL: nobody wanted to see them yet */
	struct runs_io *runs_io;      /* ... */
	bool streaming;
	struct chat_stats chat; /* of the last conversation event */
	size_t cursor; /* linear under the crosshair */
	int64_t view;  /* enum view_bits */
	uint64_t log_lines; /* that the panels were told of */
	double sampled_at;
	struct device_sampler sampler_of;

	/* for who owns the terminal */
	bool want_redraw, want_suspend;
	char *want_edit; /* a file for $EDITOR; xfree */
	char *clipboard; /* to be sent; xfree */
	bool ring;
	struct picture picture;
	struct scripting *scripting; /* NULL in a batch, which has its own */
	struct acts *acts;           /* the command log; NULL: none is kept */
	bool by_script;              /* the command that runs is a script's */
	struct tui_stats stats;
	double *lag; /* of each key, ms, the last LAGS */
	size_t n_lag;

	/* Hears each event after the panels did; NULL: nobody (plain_say.c). */
	void (*tell)(void *arg, const struct event *ev);
	void *tell_arg;
	struct tour *tour;   /* NULL: none is taken */
	char tour_said[256]; /* its last sentence; "": none was finished */
	double *frame_ms;    /* of each frame, where they are to be printed; the last FRAMES */
	size_t n_frame_ms;
};
enum { FRAMES = 1 << 16 };
enum { LAGS = 4096 };

/* ---- tui.c */
struct tui *tui_new(
	struct session *s, struct bus *b, const struct tui_options *o, int colors, bool utf8);
void tui_free(struct tui *t); /* saves state and history */
void tui_resize(struct tui *t, int w, int h);
void tui_apply_theme(struct tui *t);
/* Finds the theme of that name; where it is none the present one stays. */
BD_MUST_USE enum st tui_theme(struct tui *t, const char *name, struct err *e);
void tui_publish_view(struct tui *t);
void tui_key_shown(struct tui *t, double ms); /* counts into stats */
void tui_complain(const struct err *e); /* "bitdial: ..." on stderr, sanitised: no screen yet */

/* ---- tui_input.c */
void tui_key(struct tui *t, uint32_t key);
void tui_paste(struct tui *t, const char *s, size_t n);
/* dragged: with the button held. */
void tui_mouse(struct tui *t, int x, int y, int button, bool dragged);
/* The user's keys that hold now, in the order they are asked. */
void tui_binds(const struct tui *t, struct binding out[BINDS_MAX + 1]);

/* ---- loop.c: on a terminal */
struct term;
int loop_run(struct tui *t, struct term *term, int signal_fd); /* until the end; exit status */

/* ---- events.c */
/* At most `ms` of events; true: more wait. */
bool tui_deliver(struct tui *t, double ms);
void tui_notice(struct tui *t, enum log_level strength, const char *fmt, ...) BD_PRINTF(3, 4);
/* The notice the status line shows now, or NULL; info goes after four seconds. */
const struct notice *tui_notice_now(const struct tui *t);
size_t tui_unread(const struct tui *t); /* errors */
/* A key takes errors and warnings from the status line, Esc all. */
void notices_keyed(struct tui *t, uint32_t key);
/* Seconds until something on the screen changes by itself; < 0: never. */
double tui_next_tick(const struct tui *t);
bool tui_idle(const struct tui *t);

/* ---- screens.c, arrangements.c */
void screens_load(struct tui *t);          /* files, else compiled in; problems become notices */
extern const char *const screen_builtin[]; /* texts equal to layouts/, in order; NULL */
extern const char *const screen_builtin_name[];
const char *screen_name(const struct tui *t, size_t place);
const char *screen_title(const char *name, char out[ARR_NAME]); /* with a capital */
bool screen_go(struct tui *t, const char *which);               /* key, screen or arrangement */
bool screen_choose(struct tui *t, const char *name); /* an arrangement there is, on its screen */
/* The one a screen has where none was chosen; NULL: there is no such screen. */
const char *screen_first(const struct tui *t, char key);
/* NAME, FILE (with a / or a .), reload, next, prev, save NAME. */
enum st screen_arrange(struct tui *t, const char *what, struct err *e);
char *state_path(const struct tui *t, const char *name); /* tui.c; xfree */
long panel_find(const struct tui *t, const char *name);
long focus_now(const struct tui *t); /* -1: none */
void focus_step(struct tui *t, int step);
bool focus_on(struct tui *t, long panel);
bool panel_on_screen(const struct tui *t, size_t panel); /* of this arrangement */
bool focus_takes_text(const struct tui *t);
/* Asks the focused panel, then the others of the screen. */
bool panels_command(struct tui *t, const char *word, const char *arg);
/* Publishes EV_CURSOR when a panel's cursor moved; panels_command does. */
void tell_cursor(struct tui *t);

/* ---- compose.c, status.c, overlay.c */
void compose(struct tui *t);
char *compose_panel(struct tui *t, size_t panel); /* as text; xfree */
void status_header(struct tui *t, struct canvas *c);
void status_line(struct tui *t, struct canvas *c);
/* Which screen's tab is at column x of the header; NULL: none. */
const struct arrangement *status_tab_at(const struct tui *t, int x);
void overlay_draw(struct tui *t, struct canvas *c);
void overlay_prompt(struct tui *t, struct canvas *c); /* the bottom line and what is above */

/* ---- cmd_view.c */
bool is_open_model(const struct tui *t, const char *path); /* does it name the weights? */

/* ---- lists.c */
void list_open(struct tui *t, const char *title);
void list_add(struct tui *t, enum role role, const char *fmt, ...) BD_PRINTF(3, 4);
void list_close(struct tui *t);
bool list_key(struct tui *t, uint32_t key); /* false: not used */
void list_help(struct tui *t, const char *word);
void list_notices(struct tui *t);
void list_options(struct tui *t);
void list_binds(struct tui *t);
void list_doctor(struct tui *t);
void list_sources(struct tui *t);
void list_votes(struct tui *t, const struct snap_votes *v);
bool list_line_matches(const struct list *l, const struct list_line *line);

/* ---- frames.c */
void tui_frame_took(struct tui *t, double ms); /* counts into stats */

/* ---- cmd_runs.c */
/* The thread that reads run folders begins where the Runs panel is on the screen. */
void runs_wanted(struct tui *t);
/* `open` where the Runs panel has the focus; false: it has not. */
bool run_open_here(struct tui *t, enum st *st, struct err *e);

/* ---- complete.c */
void tui_complete(struct tui *t);

/* ---- numbers.c: as people read them */
const char *num_kl(double v, char out[16]);         /* ".0131", "1.37" */
const char *num_time(double seconds, char out[16]); /* "3 s", "4 min 10 s" */
const char *num_count(uint64_t n, char out[16]);    /* "135 M", "8.03 B" */

#endif

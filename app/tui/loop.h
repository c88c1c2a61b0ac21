/* loop.h - the workbench: with a terminal, without one, or as lines.
 *
 * Takes a session and a bus that others made (and may be opening a model already), and
 * returns when the person is done.  Call tui_block_signals before the first thread
 * starts: the loop reads its signals from a descriptor.  UI thread.
 */
#ifndef BD_APP_TUI_LOOP_H
#define BD_APP_TUI_LOOP_H

#include <stdbool.h>

#include "app/lua/host.h"
#include "app/tui/theme.h"
#include "core/work/session.h"

struct panel_class;
struct config;
struct sandbox_options;

/* A subscription for tui_options.sub, made before the session is asked to open a model,
 * so that nothing it publishes is missed. */
struct sub *tui_subscribe(struct bus *b);

struct tui_options {
	const struct config *config; /* of init.lua; NULL: there is none */
	const char *color;   /* --color=WHEN: "auto", "always", "never"; NULL: auto */
	const char *theme;   /* NULL: default */
	const char *arrange; /* --arrange FILE or NAME */
	const char *screen;  /* --screen N or name */
	const char *filter;  /* --filter TEXT */
	bool ascii, no_mouse, no_sync, read_only;

	int w, h;         /* --size or --headless WxH; 0: the terminal's, or 120x36 */
	bool once, plain; /* --once, --plain */
	bool headless;    /* no terminal: keys from a file */
	const char *keys; /* --keys FILE */
	const char *dump; /* --dump FILE: the last frame; .ansi with colours */
	const char *script; /* --batch FILE: no screen, no terminal; with what follows it */
	int argc;
	char *const *argv;
	/* --sandbox: scripts are a stranger's; NULL: one's own. */
	const struct sandbox_options *sandbox;
	bool json;        /* its event lines on stdout; of a tour the times of its frames */
	bool tour;        /* --tour: played by itself, then the end */
	bool no_devices;  /* --device cpu: nobody wants to know why there are none */
	bool show_cursor; /* --show-cursor: the cursor is seen where the focus is */
	struct host_demo demo; /* for bitdial.open{ demo = true } */
	bool anew;        /* the session passes over what was measured before */
	bool stats;       /* print struct tui_stats as JSON on stdout at the end */

	const char *const *began; /* commands that do what the command line asked for; acts.h */
	struct sub *sub; /* of tui_subscribe; NULL: made when tui_run is called */
	const struct sampler_options *sampler;   /* what the session was given; NULL: default */
	const struct panel_class *const *panels; /* NULL: panel_table */
	const char *state_dir;                   /* NULL: fs_place(FS_STATE) */
};

struct tui_stats {
	unsigned long keys, frames, bytes; /* bytes: written to the terminal */
	double p50_ms, p99_ms, worst_ms;   /* key to flushed frame */
	/* The loop's turns on a terminal, without their waiting; slow: above 50 ms. */
	unsigned long slow_turns;
	double worst_turn_ms;
	double draw_ms;                    /* mean time of a frame */
	double seconds;                    /* since the first frame */
	double first_frame_ms;             /* since tui_run was called */
	size_t answer_tokens;              /* of the chat's last answer; 0: there was none */
	double answer_tok_s;
	size_t tour_stations, tour_passed; /* 0: there was none */
};

/* Exit status: 0 done, 1 failed, 2 no terminal, 129 or 143 after SIGHUP or SIGTERM. */
int tui_run(struct session *s, struct bus *b, const struct tui_options *o);
/* WINCH INT TERM TSTP CONT HUP; PIPE and XFSZ are ignored. */
void tui_block_signals(void);
const struct tui_stats *tui_last_stats(void); /* of the last tui_run */

#endif

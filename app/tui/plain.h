/* plain.h - the workbench as lines: for screen readers, pipes and terminals without a cursor.
 *
 * What is typed is the vocabulary of `:`; what changes is said in one line each.  Nothing is
 * drawn, nothing is written over, nothing moves.  Private to app/tui; UI thread, but for
 * plain_line.
 */
#ifndef BD_APP_TUI_PLAIN_H
#define BD_APP_TUI_PLAIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/tui/tui.h"

enum { PLAIN_JOBS = JOBS, PLAIN_INPUT = 1 << 16 };

struct plain_job {
	uint32_t id;
	char name[48];      /* as it began */
	char stage[48];     /* as its progress was said last */
	double began, last; /* clock; when its progress was said last */
	double done;        /* share of 100 that was said last */
};

struct plain {
	struct tui *t;
	bool person;       /* the standard input is a terminal */
	bool prompts;      /* ... and what is said goes to one, too */
	bool chat;         /* lines are messages */
	bool color;        /* --color=always */
	int status;        /* what the first line that went wrong makes of the exit code */
	int killed;        /* 128 and the signal that ends it; 0: none */
	double stopped_at; /* the last Ctrl-C */

	/* what is read */
	char *in; /* PLAIN_INPUT */
	size_t n;
	bool ended, skips; /* the end of the input; the rest of a line that is too long */

	/* what was said; the lock is for the lines of scripts */
	pthread_mutex_t lock;
	unsigned long lines;
	bool prompted;  /* the cursor stands behind a prompt */
	bool broken;    /* nobody reads any more */
	size_t notices; /* of the workbench, said so far */
	char last_error[320];

	/* what is known of it */
	char model[96], reference[64], text[96], device[48];
	struct plain_job job[PLAIN_JOBS];
	size_t n_jobs;
	char answer[200], better[160];      /* said last */
	double asked, moved_at, changed_at; /* clock; 0: nothing to be said */
	bool answering;
	size_t talked, talk_at; /* bytes of the answer that were said, from where */
	size_t done_turn, done_len;
	uint64_t done_seed; /* of the answer that was said last */
	int ab_state;
	size_t tour_at; /* station that was said, from 1; 0: none */
};

/* ---- plain_say.c */
/* One line, made harmless; any thread.  Role: what colour, where colours are wanted. */
void plain_line(struct plain *p, enum role role, const char *fmt, ...) BD_PRINTF(3, 4);
void plain_event(void *arg, const struct event *ev); /* of tui.tell */
void plain_notices(struct plain *p);                 /* those that are new */
void plain_list(struct plain *p); /* the open list of the workbench, which it closes */
/* What waits until it rests: all of it when now, else what has rested for long enough. */
void plain_rest(struct plain *p, bool now);
double plain_rest_due(const struct plain *p);   /* seconds; < 0: nothing waits */
void plain_failed(struct plain *p, enum st st); /* for the exit code */
void plain_prompt(struct plain *p);

/* ---- plain_chat.c */
void plain_chat(struct plain *p, const struct snap_chat *c);
void plain_ab(struct plain *p, const struct snap_ab *a);

/* ---- plain_words.c */
void plain_run_line(struct plain *p, const char *line); /* of the input */
void plain_tour(struct plain *p);                       /* says a station that is new */
/* Has the command a word of its own without a screen (an answer, or what to use instead)? */
bool plain_knows(const char *command);
/* The sentence about a command flagged SCREEN: what to use in its place.  NULL: there is none. */
const char *plain_instead(const char *command);
/* "(x stops it)" without keys: "(stop ends it)"; in place, for cap bytes. */
void plain_no_keys(char *s, size_t cap);

#endif

/* lib_work.h - what the suites of core/work share: places of their own, the demo model on
 * disk, a session that is driven to its end. */
#ifndef BD_TESTS_LIB_WORK_H
#define BD_TESTS_LIB_WORK_H

#include <stdbool.h>

#include "core/work/desk.h"
#include "core/work/session.h"
#include "core/work/snap_train.h"

/* Cache, data, state and runs below tmp_dir() from now on. */
void work_home(void);
/* work_home, with the texts that the demo model (seed 1) writes for itself in the cache already:
 * of 64 tokens to scan, and those to calibrate and measure on.  Written once a program, by the
 * first test that asks. */
void work_home_texts(void);
/* The demo model of this seed in tmp_dir(); the name is static. */
const char *work_demo(uint64_t seed);
/* A desk on it; formats, text may be NULL. */
struct desk *work_desk(const char *path, const char *formats, const char *text);
/* A text file of n letters in tmp_dir(). */
const char *work_text(const char *name, size_t n);

/* The same, one of four names that stay good. */
const char *work_file(const char *name, size_t n);
/* A list of texts from words as a person types them. */
struct sources work_sources(const char *const *word, size_t n);

/* The latest of each kind of snapshot, and what was said. */
struct work_seen {
	struct sub *sub;
	struct snap_model *model;
	struct snap_map *map;
	struct snap_front *front;
	struct snap_answer *answer;
	struct snap_variants *variants;
	struct snap_chat *chat;
	struct snap_ab *ab;
	struct snap_votes *votes;
	struct snap_train *train;
	int began, ended, stopped, notices;
	char order[512];  /* a letter an event: M m f a v c, B E, N */
	char said[16384]; /* notices, a line each */
	enum st last;     /* of the last job that ended */
	char sentence[320];
};
void work_watch(struct work_seen *w, struct bus *b);
void work_unwatch(struct work_seen *w);
/* Reads all that waits. */
void work_read(struct work_seen *w);
/* Drains jobs and events until nothing is queued or running (false: a minute went by). */
bool work_settle(struct session *s, struct work_seen *w);
/* ... until fn is true of what was seen. */
bool work_until(struct session *s, struct work_seen *w, bool (*fn)(const struct work_seen *w));

/* Opens the demo model of seed 1 and waits until nothing is queued or running. */
void work_opened(struct session *s, struct bus *b);

#endif

/* lib_train_run.h - runs of training on the demo model, begun, stopped and gone on with, and what
 * lies in their folders, for the suites of core/work/train_run. */
#ifndef BD_TESTS_LIB_TRAIN_RUN_H
#define BD_TESTS_LIB_TRAIN_RUN_H

#include <stdbool.h>

#include "core/work/train_run.h"

/* A desk on the demo model and a layout of three formats. */
struct scene {
	struct desk *d;
	struct layout l;
	const struct mat **view;
};

/* Warnings of the log since the test began, a line each; a test may cut them to "". */
extern char scene_warned[4096];

/* work_home; warnings are kept from now on: what a suite begins with. */
void scene_home(void);
void scene_open(struct scene *s, const char *model);
void scene_close(struct scene *s);
/* Which of the desk's formats has this name. */
size_t scene_format(const struct desk *d, const char *name);

/* A file of n rows; its name is static. */
const char *scene_rows(const char *name, size_t n);
/* 12 steps on 40 rows, a checkpoint every 5. */
struct train_ask scene_ask(const char *method);
/* Goes to the end; its folder, xfree. */
char *scene_went(struct scene *s, const struct train_ask *a, enum st expected, struct err *e);
/* Begins and is stopped behind a step; its folder, xfree. */
char *scene_stopped(struct scene *s, const struct train_ask *a, uint64_t after);
/* To go on with the run in a folder. */
struct train_ask scene_again(const char *dir);

/* Stops when so many steps are done. */
struct stopper {
	struct sink sink;
	struct train_seen seen;
	uint64_t after;
	bool now;
	int saved;
};

void stopper_init(struct stopper *s, uint64_t after);

/* Of a run's folder: a file's bytes (big_free), whether there is one. */
char *scene_file(const char *dir, const char *name, size_t *n);
bool scene_has(const char *dir, const char *name);
void scene_copy(const char *from, const char *to, const char *name);
/* Expects the same bytes in two folders. */
void scene_same_file(const char *one, const char *two, const char *name);
/* Expects a table whose first columns are from, from + 1 ... to, each once. */
void scene_steps_once(const char *dir, const char *name, uint64_t from, uint64_t to);
/* One of the numbers it ended with. */
double scene_number(const char *dir, const char *key);

#endif

/* show.h - what the panels show, as lines that can be read aloud: no columns, no colours, each line
 * a whole statement.
 *
 * A topic adds its lines to the list of the workbench (list_add): on a screen that is an overlay,
 * in --plain they are printed.  UI thread.
 */
#ifndef BD_APP_TUI_SHOW_H
#define BD_APP_TUI_SHOW_H

#include "core/base/err.h"

struct tui;

struct show_topic {
	const char *name, *args, *help;
	/* arg: what follows the topic's name, "" for nothing. */
	enum st (*lines)(struct tui *t, const char *arg, struct err *e);
};
extern const struct show_topic show_topics[]; /* name NULL ends it */

/* "search: 4.25 bpw, damage .0131, 59.0 MiB, predicted"; "" while there is no layout. */
enum { SHOW_LINE = 200 };
const char *show_answer(const struct tui *t, char out[SHOW_LINE]);

/* A damage in words: what is less than its last digit is not nothing. */
const char *show_kl(double v, char out[24]);

/* show_map.c */
enum st show_map(struct tui *t, const char *arg, struct err *e);
enum st show_layout(struct tui *t, const char *arg, struct err *e);
enum st show_cell(struct tui *t, const char *arg, struct err *e);
/* show_more.c */
enum st show_front(struct tui *t, const char *arg, struct err *e);
enum st show_chat(struct tui *t, const char *arg, struct err *e);
enum st show_ab(struct tui *t, const char *arg, struct err *e);
enum st show_runs(struct tui *t, const char *arg, struct err *e);
/* show_device.c */
enum st show_device(struct tui *t, const char *arg, struct err *e);

#endif

/* train_words.h - what may follow the commands `train` and `calibrate`, for completion.  UI thread.
 */
#ifndef BD_APP_TUI_TRAIN_WORDS_H
#define BD_APP_TUI_TRAIN_WORDS_H

#include <stddef.h>

struct tui;

/* The nth word, behind `before`; word: what of it is typed.  Files (data=, test=) are the caller's.
 */
void train_words(const struct tui *t, size_t nth, const char *before, const char *word,
	void (*fn)(void *arg, const char *text, const char *help), void *arg);
/* ... and `calibrate`, beside the keys. */
void calibrate_words(const struct tui *t, size_t nth, const char *before,
	void (*fn)(void *arg, const char *text, const char *help), void *arg);

#endif

/* lib_docs.h - what the suites about documents share: a page as text, and lists of words
 * separated by blanks. */
#ifndef BD_TESTS_LIB_DOCS_H
#define BD_TESTS_LIB_DOCS_H

#include <stdbool.h>

enum { DOCS_WORD = 64 };

char *slurp(const char *path); /* from the root of the tree; big_free */

bool next_word(const char **s, char out[DOCS_WORD]);
bool has_word(const char *list, const char *word);
/* Every word of a is in b and the other way round; where: for the message. */
void same_words(const char *a, const char *b, const char *where);

/* Of a manual page; the test is skipped where there is no mandoc. */
void mandoc_warns_of_nothing(const char *path);

#endif

/* lib_base.h - what several suites need: a private folder, and a bare comparison
 * of what a file holds. */
#ifndef BD_TESTS_LIB_BASE_H
#define BD_TESTS_LIB_BASE_H

#include <stdbool.h>
#include <stddef.h>

/* A new empty folder, removed when the test's process ends.  The name is static. */
const char *tmp_dir(void);
/* "tmp_dir()/name" in one of a few static buffers. */
const char *tmp_path(const char *name);

void tmp_write(const char *path, const void *p, size_t n); /* not through fs.h */
bool tmp_holds(const char *path, const void *p, size_t n);
size_t tmp_entries(void); /* names in tmp_dir() */

#endif

/* run_made.c - the list of run.json files that were written here, by their SHA-256. */
#include "core/work/run_made.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/sha256.h"

enum { HEAD_MAX = 4 << 20, LIST_MAX = 256 << 20 };

static char *list_path(char **dir)
{
	*dir = fs_place(FS_STATE);
	return xprintf("%s/made.txt", *dir);
}

void run_made_note(const char *id, const char *head, size_t n)
{
	char *dir, *path = list_path(&dir), hex[65], *line;

	sha256_of(head, n, hex);
	line = xprintf("%s %s", hex, id);
	if (fs_mkdirs(dir, NULL) || fs_append(path, line, NULL)) {
		/* rerun asks then, as of a stranger's */
	}
	xfree(line);
	xfree(path);
	xfree(dir);
}

/* Does a line begin with it? */
static bool is_listed(const char *list, const char *hex)
{
	for (const char *p = list; (p = strstr(p, hex)); p++)
		if (p == list || p[-1] == '\n')
			return true;
	return false;
}

bool run_made_here(const char *path)
{
	char *dir, *list = list_path(&dir), *head = xprintf("%s/run.json", path), *text, hex[65];
	bool here = false;
	size_t n;

	if (fs_is_file(head) && !fs_read(head, HEAD_MAX, &text, &n, NULL)) {
		sha256_of(text, n, hex);
		big_free(text);
		if (fs_is_file(list) && !fs_read(list, LIST_MAX, &text, &n, NULL)) {
			here = is_listed(text, hex);
			big_free(text);
		}
	}
	xfree(head);
	xfree(list);
	xfree(dir);
	return here;
}

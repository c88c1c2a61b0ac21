/* tasks.c - finding the files of tasks. */
#include "core/work/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"

static const char ending[] = ".jsonl";

static char *folder(int at)
{
	char *data, *dir;

	switch (at) {
	case 0:
		data = fs_place(FS_DATA);
		dir = xprintf("%s/tasks", data);
		xfree(data);
		return dir;
	case 1:
		return fs_share("tasks");
	case 2:
		return xstrdup("share/tasks");
	default:
		return NULL;
	}
}

char *task_path(const char *name, struct err *e)
{
	char *dir, *path;

	if (fs_is_file(name))
		return xstrdup(name);
	for (int at = 0; !strchr(name, '/') && (dir = folder(at)); at++) {
		path = xprintf("%s/%s%s", dir, name, ending);
		xfree(dir);
		if (fs_is_file(path))
			return path;
		xfree(path);
	}
	(void)err_set(e, ST_INVALID,
		"%s: there is no such file, and no task of that name (in tasks/ of the data "
		"folder)",
		name);
	return NULL;
}

static const char *base(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(base(*(char *const *)a), base(*(char *const *)b));
}

void tasks_list(char ***path, size_t *n)
{
	char *dir, **name;
	size_t have;

	*path = NULL;
	*n = 0;
	for (int at = 0; (dir = folder(at)); at++) {
		if (!fs_is_dir(dir) || fs_list(dir, &name, &have, NULL)) {
			name = NULL;
			have = 0;
		}
		for (size_t i = 0; i < have; i++) {
			size_t len = strlen(name[i]), tail = sizeof ending - 1;
			bool is = len > tail && !strcmp(name[i] + len - tail, ending);

			for (size_t k = 0; is && k < *n; k++)
				is = strcmp(base((*path)[k]), name[i]) != 0;
			if (is) {
				*path = xrealloc(*path, (*n + 1) * sizeof **path);
				(*path)[(*n)++] = xprintf("%s/%s", dir, name[i]);
			}
			xfree(name[i]);
		}
		xfree(name);
		xfree(dir);
	}
	if (*n)
		qsort(*path, *n, sizeof **path, by_name);
}

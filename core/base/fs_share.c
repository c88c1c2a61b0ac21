/* fs_share.c - where the files lie that come with the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"

/* The folder of the running program; NULL: it is not known (no /proc). */
static char *own_folder(void)
{
	char path[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

	if (n <= 0)
		return NULL;
	path[n] = 0;
	slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	*slash = 0;
	return xstrdup(path);
}

static char *take_if_there(char *path)
{
	if (fs_is_there(path))
		return path;
	xfree(path);
	return NULL;
}

/* In the tree it was built in, known by its tour: layouts/ lies beside share/ there. */
static char *in_tree(const char *root, const char *name)
{
	char *mark = xprintf("%s/share/tour.lua", root), *path = NULL;

	if (fs_is_there(mark)) {
		path = take_if_there(xprintf("%s/share/%s", root, name));
		if (!path)
			path = take_if_there(xprintf("%s/%s", root, name));
	}
	xfree(mark);
	return path;
}

char *fs_share(const char *name)
{
	const char *said = getenv("BITDIAL_SHARE");
	char *installed = xprintf("%s/%s", said && *said ? said : BD_SHARE, name), *own, *path,
	     *root;

	if (said && *said)
		return installed;
	if (fs_is_there(installed) || !(own = own_folder()))
		return installed;
	path = take_if_there(xprintf("%s/../share/bitdial/%s", own, name));
	for (int up = 1; up <= 2 && !path; up++) { /* build/bitdial, build/tests/test_... */
		root = xprintf("%s/%s", own, up == 1 ? ".." : "../..");
		path = in_tree(root, name);
		xfree(root);
	}
	xfree(own);
	if (!path)
		return installed;
	xfree(installed);
	return path;
}

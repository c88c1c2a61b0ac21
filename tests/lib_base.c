/* lib_base.c - a private folder for tests. */
#include "tests/lib_base.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fs.h"

static char dir[64];
static pid_t owner;

static void remove_dir(void)
{
	if (getpid() != owner) /* a fork inside a test */
		return;
	fs_fail_at(0, 0);
	if (fs_remove_tree(dir, NULL))
		fprintf(stderr, "left behind: %s\n", dir);
}

const char *tmp_dir(void)
{
	if (owner == getpid())
		return dir;
	strcpy(dir, "/tmp/bitdial-test-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	owner = getpid();
	atexit(remove_dir);
	return dir;
}

const char *tmp_path(const char *name)
{
	static char paths[8][512];
	static unsigned next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof *paths, "%s/%s", tmp_dir(), name);
	return p;
}

void tmp_write(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		abort();
}

bool tmp_holds(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "rb");
	char *got = malloc(n + 1);
	bool same;

	if (!f) {
		free(got);
		return false;
	}
	same = fread(got, 1, n + 1, f) == n && !memcmp(got, p, n);
	fclose(f);
	free(got);
	return same;
}

size_t tmp_entries(void)
{
	DIR *d = opendir(tmp_dir());
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return n;
}

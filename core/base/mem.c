/* mem.c - how much memory this process may still take.
 *
 * The kernel's MemAvailable, and the limit of each control group from ours up to
 * the root: version 2 (memory.max) and version 1 (memory.limit_in_bytes).  Page
 * cache that the kernel would drop first (inactive_file) counts as free, since a
 * mapped model would otherwise seem to fill the group.
 */
#include "core/base/alloc.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT = 8192, PATH = 4096 };

/* The beginning of a file of the kernel; false when it is not there. */
static bool slurp(const char *path, char out[TEXT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, out, TEXT - 1);
	close(fd);
	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

/* The number after `key` at the beginning of a line; false: no such line. */
static bool number_after(const char *text, const char *key, uint64_t *out)
{
	size_t n = strlen(key);

	for (const char *s = text; s; s = strchr(s, '\n')) {
		s += *s == '\n';
		if (!strncmp(s, key, n)) {
			*out = strtoull(s + n, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool group_number(const char *dir, const char *file, uint64_t *out)
{
	char path[PATH], text[TEXT];

	if (snprintf(path, sizeof path, "%s/%s", dir, file) >= (int)sizeof path)
		return false;
	if (!slurp(path, text) || text[0] < '0' || text[0] > '9') /* "max": no limit */
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

/* What one group leaves, or UINT64_MAX when it sets no limit. */
static uint64_t group_room(const char *dir, bool v2)
{
	char path[PATH], text[TEXT];
	uint64_t limit, use, cache = 0;

	if (!group_number(dir, v2 ? "memory.max" : "memory.limit_in_bytes", &limit))
		return UINT64_MAX;
	if (!group_number(dir, v2 ? "memory.current" : "memory.usage_in_bytes", &use))
		return UINT64_MAX;
	if (snprintf(path, sizeof path, "%s/memory.stat", dir) < (int)sizeof path &&
		slurp(path, text))
		number_after(text, v2 ? "inactive_file " : "total_inactive_file ", &cache);
	use -= cache < use ? cache : use;
	return use < limit ? limit - use : 0;
}

/* The least room on the way from mount/group up to mount itself. */
static uint64_t groups_room(const char *mount, const char *group, size_t n, bool v2)
{
	char dir[PATH];
	size_t base = strlen(mount);
	uint64_t least = UINT64_MAX;

	if (base + n >= sizeof dir)
		return least;
	memcpy(dir, mount, base);
	memcpy(dir + base, group, n);
	dir[base + n] = '\0';
	for (;;) {
		uint64_t room = group_room(dir, v2);
		char *slash;

		if (room < least)
			least = room;
		slash = strrchr(dir + base, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

size_t mem_available_in(const char *root)
{
	char path[PATH], mount[PATH], text[TEXT];
	uint64_t room = UINT64_MAX, kb, other;

	snprintf(path, sizeof path, "%s/proc/meminfo", root);
	if (slurp(path, text) && number_after(text, "MemAvailable:", &kb))
		room = kb * 1024;
	snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
	if (!slurp(path, text))
		return room > SIZE_MAX ? SIZE_MAX : (size_t)room;
	for (char *line = text; line && *line;) {
		char *end = strchr(line, '\n'), *first = strchr(line, ':');
		char *second = first ? strchr(first + 1, ':') : NULL;

		if (end)
			*end = '\0';
		if (second && (!end || second < end)) {
			bool v2 = second == first + 1;
			bool v1 =
				!v2 && strstr(first, "memory") && strstr(first, "memory") < second;

			if (v1 || v2) {
				snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s", root,
					v1 ? "/memory" : "");
				other = groups_room(mount, second + 1, strlen(second + 1), v2);
				if (other < room)
					room = other;
			}
		}
		line = end ? end + 1 : NULL;
	}
	return room > SIZE_MAX ? SIZE_MAX : (size_t)room;
}

size_t mem_available(void)
{
	return mem_available_in("");
}

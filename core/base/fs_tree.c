/* fs_tree.c - folders, where the program keeps things, and locks. */
#include "core/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs_sys.h"

enum { DEPTH_MAX = 64 }; /* folders within folders; ours have four */

static enum st io_error(struct err *e, const char *doing, const char *path, int err)
{
	return err_set(e, ST_IO, "cannot %s %s: %s", doing, path, fs_sys_reason(err));
}

/* ---- making */

enum st fs_mkdirs(const char *path, struct err *e)
{
	char *p = xstrdup(path);
	size_t n = strlen(p);
	enum st st = ST_OK;

	for (size_t i = 1; i <= n && !st; i++) {
		char saved = p[i];

		if (p[i] != '/' && p[i] != '\0')
			continue;
		p[i] = '\0';
		/* Looked at first: mkdir on a read-only parent fails before EEXIST. */
		if (!fs_is_dir(p) && fs_sys_mkdir(p, 0700)) {
			int err = errno;

			if (err != EEXIST || !fs_is_dir(p))
				st = io_error(
					e, "make the folder", p, err == EEXIST ? ENOTDIR : err);
		}
		p[i] = saved;
	}
	xfree(p);
	return st;
}

enum st fs_mkdir_new(const char *path, struct err *e)
{
	if (fs_sys_mkdir(path, 0700))
		return io_error(e, "make the folder", path, errno);
	return ST_OK;
}

enum st fs_rename(const char *from, const char *to, struct err *e)
{
	if (fs_sys_rename(from, to))
		return err_set(
			e, ST_IO, "cannot rename %s to %s: %s", from, to, fs_sys_reason(errno));
	if (fs_sys_sync_parent(to))
		return io_error(e, "sync the folder of", to, errno);
	return ST_OK;
}

enum st fs_link(const char *path, const char *target, struct err *e)
{
	char *temp = xprintf("%s.%ld.tmp", path, (long)getpid());
	struct stat sb;
	enum st st = ST_OK;

	if (!lstat(path, &sb) && !S_ISLNK(sb.st_mode))
		st = err_set(e, ST_INVALID, "cannot make the link %s: there is another file", path);
	else if ((unlink(temp), fs_sys_symlink(target, temp)))
		st = io_error(e, "make the link", path, errno);
	else
		st = fs_rename(temp, path, e);
	if (st)
		unlink(temp);
	xfree(temp);
	return st;
}

/* ---- walking */

/* Removes everything in the folder that fd is open on, and closes fd. */
static int empty_dir(int fd, int depth)
{
	DIR *d = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int rc = 0, err = 0;

	if (!d) {
		err = depth < DEPTH_MAX ? errno : ELOOP;
		close(fd);
		errno = err;
		return -1;
	}
	while (!rc && (errno = 0, entry = readdir(d))) {
		struct stat sb;
		int flags = 0, sub;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		rc = fstatat(fd, entry->d_name, &sb, AT_SYMLINK_NOFOLLOW);
		if (!rc && S_ISDIR(sb.st_mode)) {
			flags = AT_REMOVEDIR;
			sub = openat(
				fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			rc = sub < 0 ? -1 : empty_dir(sub, depth + 1);
		}
		if (!rc)
			rc = fs_sys_unlinkat(fd, entry->d_name, flags);
	}
	err = errno;
	closedir(d);
	errno = err;
	return rc || err ? -1 : 0;
}

enum st fs_remove_tree(const char *path, struct err *e)
{
	struct stat sb;
	int fd, flags = 0;

	if (lstat(path, &sb))
		return errno == ENOENT ? ST_OK : io_error(e, "remove", path, errno);
	if (S_ISDIR(sb.st_mode)) {
		flags = AT_REMOVEDIR;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || empty_dir(fd, 0))
			return io_error(e, "remove", path, errno);
	}
	if (fs_sys_unlinkat(AT_FDCWD, path, flags))
		return io_error(e, "remove", path, errno);
	return ST_OK;
}

static uint64_t dir_bytes(int fd, int depth)
{
	DIR *d = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
	struct dirent *entry;
	uint64_t sum = 0;

	if (!d) {
		close(fd);
		return 0;
	}
	while ((entry = readdir(d))) {
		struct stat sb;
		int sub;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (fstatat(fd, entry->d_name, &sb, AT_SYMLINK_NOFOLLOW))
			continue;
		if (S_ISREG(sb.st_mode))
			sum += (uint64_t)sb.st_size;
		if (!S_ISDIR(sb.st_mode))
			continue;
		sub = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			sum += dir_bytes(sub, depth + 1);
	}
	closedir(d);
	return sum;
}

uint64_t fs_tree_bytes(const char *path)
{
	struct stat sb;
	int fd;

	if (lstat(path, &sb))
		return 0;
	if (!S_ISDIR(sb.st_mode))
		return S_ISREG(sb.st_mode) ? (uint64_t)sb.st_size : 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? 0 : dir_bytes(fd, 0);
}

const char *fs_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

uint64_t fs_free_bytes(const char *dir)
{
	char *p = xstrdup(*dir ? dir : ".");
	struct statvfs v;
	uint64_t free_bytes = 0;

	while (statvfs(p, &v)) {
		char *slash = strrchr(p, '/');

		if (!strcmp(p, "/") || !strcmp(p, "."))
			goto out;
		if (!slash)
			strcpy(p, ".");
		else
			slash[slash == p] = '\0'; /* "/a" becomes "/" */
	}
	free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
out:
	xfree(p);
	return free_bytes;
}

/* ---- places */

static char *home(void)
{
	const char *h = getenv("HOME");
	struct passwd pw, *found = NULL;
	char buf[4096];

	if (h && *h == '/')
		return xstrdup(h);
	if (!getpwuid_r(getuid(), &pw, buf, sizeof buf, &found) && found && pw.pw_dir &&
		pw.pw_dir[0] == '/')
		return xstrdup(pw.pw_dir);
	return xstrdup("/tmp"); /* a container's nameless user */
}

char *fs_place(enum fs_place p)
{
	static const struct {
		const char *var, *below_home;
	} places[] = {
		[FS_CONFIG] = { "XDG_CONFIG_HOME", ".config" },
		[FS_STATE] = { "XDG_STATE_HOME", ".local/state" },
		[FS_DATA] = { "XDG_DATA_HOME", ".local/share" },
		[FS_CACHE] = { "XDG_CACHE_HOME", ".cache" },
	};
	const char *set = getenv(places[p].var);
	char *h, *out;

	if (set && *set == '/') /* the specification: a relative one is ignored */
		return xprintf("%s/bitdial", set);
	h = home();
	out = xprintf("%s/%s/bitdial", h, places[p].below_home);
	xfree(h);
	return out;
}

/* ---- locks */

static int holder(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return atoi(text);
}

int fs_lock(const char *path, int *pid, struct err *e)
{
	int fd = fs_sys_open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600), rc, who;
	char text[32];

	if (pid)
		*pid = 0;
	if (fd < 0) {
		io_error(e, "lock", path, errno);
		return -1;
	}
	do
		rc = flock(fd, LOCK_EX | LOCK_NB);
	while (rc && errno == EINTR);
	if (rc && errno == EWOULDBLOCK) {
		who = holder(fd);
		if (pid)
			*pid = who;
		if (who > 0)
			err_set(e, ST_IO, "%s is in use by process %d", path, who);
		else
			err_set(e, ST_IO, "%s is in use by another process", path);
		close(fd);
		return -1;
	}
	if (rc) {
		io_error(e, "lock", path, errno);
		close(fd);
		return -1;
	}
	/* The number only helps others; the lock holds without it. */
	rc = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (!fs_sys_truncate(fd, 0) && fs_sys_write(fd, text, (size_t)rc) < 0)
		fs_sys_truncate(fd, 0);
	return fd;
}

bool fs_is_locked(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool held;

	if (fd < 0)
		return false;
	held = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return held;
}

void fs_unlock(int fd)
{
	if (fd < 0)
		return;
	fs_sys_truncate(fd, 0);
	fs_sys_close(fd);
}

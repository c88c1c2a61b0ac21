/* fs_sys.c - every system call of the program that writes to a file system. */
#include "core/base/fs_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"

static atomic_ulong calls, fail_call;
static atomic_int fail_errno;

void fs_fail_at(unsigned long n, int with_errno)
{
	atomic_store(&fail_errno, with_errno);
	atomic_store(&fail_call, n ? atomic_load(&calls) + n : 0);
}

unsigned long fs_count(void)
{
	return atomic_load(&calls);
}

static bool fails(void)
{
	unsigned long n = atomic_fetch_add(&calls, 1) + 1;

	if (n != atomic_load(&fail_call))
		return false;
	errno = atomic_load(&fail_errno);
	if (errno < 0)
		raise(-errno);
	return true;
}

int fs_sys_open(const char *path, int flags, mode_t mode)
{
	int fd;

	if (fails())
		return -1;
	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

ssize_t fs_sys_write(int fd, const void *p, size_t n)
{
	ssize_t put;

	if (fails())
		return -1;
	do
		put = write(fd, p, n);
	while (put < 0 && errno == EINTR);
	return put;
}

/* fallocate, not posix_fallocate: that one writes zeros where it is unsupported. */
int fs_sys_reserve(int fd, off_t size)
{
	int rc;

	if (fails())
		return -1;
	do
		rc = fallocate(fd, 0, 0, size);
	while (rc && errno == EINTR);
	return rc && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) ? 0 : rc;
}

int fs_sys_truncate(int fd, off_t size)
{
	int rc;

	if (fails())
		return -1;
	do
		rc = ftruncate(fd, size);
	while (rc && errno == EINTR);
	return rc;
}

int fs_sys_chmod(int fd, mode_t mode)
{
	return fails() ? -1 : fchmod(fd, mode);
}

int fs_sys_sync(int fd)
{
	int rc;

	if (fails())
		return -1;
	do
		rc = fsync(fd);
	while (rc && errno == EINTR);
	return rc && (errno == EINVAL || errno == ENOTSUP) ? 0 : rc;
}

void fs_sys_start_sync(int fd)
{
#ifdef SYNC_FILE_RANGE_WRITE
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
	(void)fd;
#endif
}

/* The descriptor is gone whatever close says, so it is never tried again. */
int fs_sys_close(int fd)
{
	bool failed = fails();
	int saved = errno, rc = close(fd);

	if (failed) {
		errno = saved;
		return -1;
	}
	return rc && errno == EINTR ? 0 : rc;
}

int fs_sys_rename(const char *from, const char *to)
{
	return fails() ? -1 : rename(from, to);
}

int fs_sys_symlink(const char *target, const char *path)
{
	return fails() ? -1 : symlink(target, path);
}

int fs_sys_mkdir(const char *path, mode_t mode)
{
	return fails() ? -1 : mkdir(path, mode);
}

int fs_sys_unlinkat(int dir, const char *name, int flags)
{
	return fails() ? -1 : unlinkat(dir, name, flags);
}

int fs_sys_sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir =
		!slash ? xstrdup(".") : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	int fd, rc, saved;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	xfree(dir);
	if (fd < 0)
		return -1;
	rc = fs_sys_sync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

const char *fs_sys_reason(int err)
{
	static _Thread_local char buf[96];
	const char *s = strerrordesc_np(err);

	if (s)
		return s;
	snprintf(buf, sizeof buf, "error %d", err);
	return buf;
}

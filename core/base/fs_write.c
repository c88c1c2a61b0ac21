/* fs_write.c - the writing half of fs.h: whole files that appear at once, and
 * logs of whole lines.  The order of calls is reliability.md 10. */
#include "core/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs_sys.h"
#include "core/base/text.h"

enum { BUFFER = 256 << 10, NAMES_TRIED = 100 };

struct fs_out {
	int fd;          /* -1: closed */
	char *path;      /* where it will be, links followed */
	char *temp;      /* NULL: renamed or removed */
	uint64_t hint;   /* bytes reserved */
	uint64_t size;   /* bytes written */
	uint64_t wanted; /* bytes given so far */
	size_t held;     /* of buf, not yet written */
	unsigned char *buf;
};

/* Out of space is the one failure that wants two more numbers. */
static enum st out_error(struct fs_out *o, const char *doing, int err, struct err *e)
{
	char b1[16], b2[16];
	uint64_t need = o->wanted > o->hint ? o->wanted : o->hint;

	if (err != ENOSPC && err != EDQUOT)
		return err_set(e, ST_IO, "cannot %s %s (%s): %s", doing, o->path,
			text_bytes(need, b1), fs_sys_reason(err));
	return err_set(e, ST_IO, "cannot %s %s: %s: it needs %s and %s are free", doing, o->path,
		fs_sys_reason(err), text_bytes(need, b1), text_bytes(fs_free_bytes(o->path), b2));
}

/* ".name.pid-n.tmp" in the folder of path; O_EXCL, so no link is followed. */
static int open_temp(struct fs_out *o, mode_t mode)
{
	static atomic_uint serial;
	const char *name = fs_name(o->path);
	int dir = (int)(name - o->path);

	for (int i = 0; i < NAMES_TRIED; i++) {
		xfree(o->temp);
		o->temp = xprintf("%.*s.%.100s.%ld-%u.tmp", dir, o->path, name, (long)getpid(),
			atomic_fetch_add(&serial, 1));
		o->fd = fs_sys_open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
		if (o->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	xfree(o->temp);
	o->temp = NULL;
	return -1;
}

/* The process a temporary's name ends with, ".pid-n.tmp"; 0: no such name. */
static long temp_owner(const char *name)
{
	size_t n = strlen(name);
	const char *at = name + n;
	char *end;
	long pid;

	if (name[0] != '.' || n < 8 || strcmp(name + n - 4, ".tmp"))
		return 0;
	for (at -= 5; at > name && *at != '.'; at--)
		;
	pid = strtol(at + 1, &end, 10);
	return at > name && *end == '-' && pid > 1 ? pid : 0;
}

void fs_sweep(const char *dir)
{
	char **names;
	size_t n;

	if (fs_list(dir, &names, &n, NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		long pid = temp_owner(names[i]);
		char *path = xprintf("%s/%s", dir, names[i]);

		if (pid && kill((pid_t)pid, 0) && errno == ESRCH)
			remove(path);
		xfree(path);
		xfree(names[i]);
	}
	xfree(names);
}

/* The file a path means: through links, so that a link stays one. */
static enum st resolve(const char *path, char **real, struct stat *sb, bool *exists, struct err *e)
{
	*exists = !stat(path, sb);
	if (*exists && !S_ISREG(sb->st_mode))
		return err_set(e, ST_INVALID, "cannot write %s: it is not a regular file", path);
	if (!*exists && errno != ENOENT)
		return err_set(e, ST_IO, "cannot write %s: %s", path, fs_sys_reason(errno));
	*real = fs_real(path);
	return ST_OK;
}

static enum st reserve(struct fs_out *o, uint64_t size_hint, struct err *e)
{
	o->hint = size_hint;
	if (!size_hint)
		return ST_OK;
	if (size_hint > INT64_MAX)
		return err_set(
			e, ST_INVALID, "cannot write %s: no file can be that large", o->path);
	if (fs_sys_reserve(o->fd, (off_t)size_hint))
		return out_error(o, "reserve space for", errno, e);
	return ST_OK;
}

enum st fs_out_open(struct fs_out **out, const char *path, uint64_t size_hint, struct err *e)
{
	struct fs_out *o;
	struct stat sb;
	char *real = NULL;
	bool exists;
	enum st st;

	*out = NULL;
	st = resolve(path, &real, &sb, &exists, e);
	if (st)
		return st;
	o = xalloc(sizeof *o);
	o->fd = -1;
	o->path = real;
	if (open_temp(o, 0666)) {
		st = out_error(o, "write beside", errno, e);
		goto fail;
	}
	if (exists && fs_sys_chmod(o->fd, sb.st_mode & 0777)) {
		st = out_error(o, "keep the permissions of", errno, e);
		goto fail;
	}
	st = reserve(o, size_hint, e);
	if (st)
		goto fail;
	o->buf = xalloc(BUFFER);
	*out = o;
	return ST_OK;
fail:
	fs_out_abort(o);
	return st;
}

static enum st put(struct fs_out *o, const unsigned char *p, size_t n, struct err *e)
{
	while (n) {
		ssize_t k = fs_sys_write(o->fd, p, n);

		if (k <= 0)
			return out_error(o, "write", k ? errno : EIO, e);
		p += k;
		n -= (size_t)k;
		o->size += (uint64_t)k;
	}
	return ST_OK;
}

static enum st flush(struct fs_out *o, struct err *e)
{
	enum st st = put(o, o->buf, o->held, e);

	o->held = 0;
	return st;
}

enum st fs_out_write(struct fs_out *o, const void *p, size_t n, struct err *e)
{
	enum st st;

	o->wanted += n;
	if (n > BUFFER - o->held) {
		st = flush(o, e);
		if (st)
			return st;
	}
	if (n >= BUFFER)
		return put(o, p, n, e);
	if (n)
		memcpy(o->buf + o->held, p, n);
	o->held += n;
	return ST_OK;
}

static enum st commit(struct fs_out *o, bool wait, struct err *e)
{
	enum st st = flush(o, e);
	int rc;

	if (st)
		return st;
	/* Bytes lost by an ignored failure of fs_out_write never get a name. */
	if (o->size != o->wanted)
		return err_set(e, ST_IO, "cannot write %s: an earlier write failed", o->path);
	if (o->hint > o->size && fs_sys_truncate(o->fd, (off_t)o->size))
		return out_error(o, "cut to its size", errno, e);
	/* A failed fsync is final: the kernel may call the lost pages clean. */
	if (wait && fs_sys_sync(o->fd))
		return out_error(o, "sync", errno, e);
	rc = fs_sys_close(o->fd);
	o->fd = -1;
	if (rc)
		return out_error(o, "close", errno, e);
	if (fs_sys_rename(o->temp, o->path))
		return out_error(o, "put in place", errno, e);
	xfree(o->temp);
	o->temp = NULL;
	if (wait && fs_sys_sync_parent(o->path))
		return out_error(o, "sync the folder of", errno, e);
	return ST_OK;
}

enum st fs_out_commit(struct fs_out *o, struct err *e)
{
	enum st st = commit(o, true, e);

	fs_out_abort(o);
	return st;
}

enum st fs_out_place(struct fs_out *o, struct err *e)
{
	enum st st = commit(o, false, e);

	fs_out_abort(o);
	return st;
}

void fs_out_abort(struct fs_out *o)
{
	if (!o)
		return;
	if (o->fd >= 0)
		close(o->fd);
	if (o->temp)
		fs_sys_unlinkat(AT_FDCWD, o->temp, 0);
	xfree(o->temp);
	xfree(o->path);
	xfree(o->buf);
	xfree(o);
}

static enum st write_all(const char *path, const void *p, size_t n, bool wait, struct err *e)
{
	struct fs_out *o;
	enum st st = fs_out_open(&o, path, n, e);

	if (st)
		return st;
	st = fs_out_write(o, p, n, e);
	if (st) {
		fs_out_abort(o);
		return st;
	}
	return wait ? fs_out_commit(o, e) : fs_out_place(o, e);
}

enum st fs_write_all(const char *path, const void *p, size_t n, struct err *e)
{
	return write_all(path, p, n, true, e);
}

enum st fs_note(const char *path, const void *p, size_t n, struct err *e)
{
	return write_all(path, p, n, false, e);
}

/* ---- logs of whole lines */

struct fs_log {
	int fd;
	char *path;
	double synced; /* clock_now when the disk was last asked to write */
	bool dirty;
	char *line;
	size_t cap;
};

static enum st log_error(struct fs_log *l, const char *doing, int err, struct err *e)
{
	return err_set(e, ST_IO, "cannot %s %s: %s", doing, l->path, fs_sys_reason(err));
}

/* A line that a crash cut short would swallow the next one: cut it off. */
static int drop_torn_tail(int fd)
{
	char block[4096];
	off_t end = lseek(fd, 0, SEEK_END), at = end;

	while (at > 0) {
		size_t n = at < (off_t)sizeof block ? (size_t)at : sizeof block;
		ssize_t got = pread(fd, block, n, at - (off_t)n);
		char *nl;

		if (got != (ssize_t)n)
			return -1;
		nl = memrchr(block, '\n', n);
		if (nl) {
			at = at - (off_t)n + (nl - block) + 1;
			break;
		}
		at -= (off_t)n;
	}
	return end < 0 || (at != end && fs_sys_truncate(fd, at)) ? -1 : 0;
}

enum st fs_log_open(struct fs_log **out, const char *path, struct err *e)
{
	struct fs_log *l = xalloc(sizeof *l);
	struct stat sb;
	enum st st = ST_OK;

	*out = NULL;
	l->path = xstrdup(path);
	l->fd = fs_sys_open(path, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY, 0666);
	if (l->fd < 0)
		st = log_error(l, "open", errno, e);
	else if (fstat(l->fd, &sb) || !S_ISREG(sb.st_mode))
		st = err_set(e, ST_INVALID, "%s is not a regular file", path);
	else if (drop_torn_tail(l->fd))
		st = log_error(l, "append to", errno, e);
	if (st) {
		fs_log_close(l);
		return st;
	}
	l->synced = clock_now();
	*out = l;
	return ST_OK;
}

/* Removes what the last write put, unless another process has put more behind it. */
static int take_back(int fd, ssize_t n)
{
	off_t end = lseek(fd, 0, SEEK_CUR);
	struct stat sb;

	return end < n || fstat(fd, &sb) || sb.st_size != end ? 0 : fs_sys_truncate(fd, end - n);
}

enum st fs_log_line(struct fs_log *l, const char *line, struct err *e)
{
	size_t n = strlen(line);
	ssize_t put_n;
	double now;

	if (memchr(line, '\n', n))
		return err_set(e, ST_INVALID, "a line for %s holds a line feed", l->path);
	if (n + 1 > l->cap) {
		l->cap = n + 1 + n / 2;
		l->line = xrealloc(l->line, l->cap);
	}
	memcpy(l->line, line, n);
	l->line[n] = '\n';
	put_n = fs_sys_write(l->fd, l->line, n + 1);
	if (put_n != (ssize_t)n + 1) {
		int err = put_n < 0 ? errno : ENOSPC; /* a short write to a file: it is full */

		if (put_n > 0 && take_back(l->fd, put_n))
			err = errno; /* the next open cuts the torn line off */
		return log_error(l, "append to", err, e);
	}
	l->dirty = true;
	now = clock_now();
	if (now - l->synced < 1)
		return ST_OK;
	l->synced = now;
	fs_sys_start_sync(l->fd);
	return ST_OK;
}

void fs_log_close(struct fs_log *l)
{
	if (!l)
		return;
	if (l->fd >= 0) {
		if (l->dirty)
			fs_sys_sync(l->fd);
		fs_sys_close(l->fd);
	}
	xfree(l->path);
	xfree(l->line);
	xfree(l);
}

enum st fs_append(const char *path, const char *line, struct err *e)
{
	struct fs_log *l;
	enum st st = fs_log_open(&l, path, e);

	if (st)
		return st;
	st = fs_log_line(l, line, e);
	l->dirty = false;
	fs_log_close(l);
	return st;
}

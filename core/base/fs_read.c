/* fs_read.c - the reading half of fs.h: mapped files, whole files, folders. */
#include "core/base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/fs_sys.h"
#include "core/base/text.h"

static const char *kind_of(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a folder";
	if (S_ISFIFO(mode))
		return "a pipe";
	if (S_ISSOCK(mode))
		return "a socket";
	return "a device";
}

static enum st io_error(struct err *e, const char *doing, const char *path, int err)
{
	return err_set(e, ST_IO, "cannot %s %s: %s", doing, path, fs_sys_reason(err));
}

static struct fs_id id_of(const struct stat *sb)
{
	return (struct fs_id){ .dev = sb->st_dev,
		.ino = sb->st_ino,
		.size = (uint64_t)sb->st_size,
		.mtime_ns = (int64_t)sb->st_mtim.tv_sec * 1000000000 + sb->st_mtim.tv_nsec };
}

/* O_NONBLOCK: the open of a pipe returns at once, and then is refused by kind. */
static enum st open_regular(const char *path, int *fd, struct stat *sb, struct err *e)
{
	int err;

	do
		*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while (*fd < 0 && errno == EINTR);
	if (*fd < 0)
		return io_error(e, "open", path, errno);
	if (fstat(*fd, sb)) {
		err = errno;
		close(*fd);
		return io_error(e, "look at", path, err);
	}
	if (!S_ISREG(sb->st_mode)) {
		close(*fd);
		return err_set(
			e, ST_INVALID, "%s is %s, not a regular file", path, kind_of(sb->st_mode));
	}
	return ST_OK;
}

enum st fs_map_open(struct fs_map *m, const char *path, struct err *e)
{
	struct stat sb;
	enum st st;
	void *p;
	int fd, err;

	*m = (struct fs_map){ 0 };
	st = open_regular(path, &fd, &sb, e);
	if (st)
		return st;
	m->id = id_of(&sb);
	if (!sb.st_size) {
		close(fd);
		return ST_OK;
	}
	if (m->id.size > SIZE_MAX / 2) {
		close(fd);
		return err_set(e, ST_NOMEM, "%s is too large to be mapped", path);
	}
	p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	err = errno;
	close(fd);
	if (p == MAP_FAILED)
		return io_error(e, "map", path, err);
	m->data = p;
	m->size = (size_t)sb.st_size;
	return ST_OK;
}

void fs_map_close(struct fs_map *m)
{
	if (m->data)
		munmap((void *)(uintptr_t)m->data, m->size);
	*m = (struct fs_map){ 0 };
}

enum st fs_identify(const char *path, struct fs_id *id, struct err *e)
{
	struct stat sb;

	*id = (struct fs_id){ 0 };
	if (stat(path, &sb))
		return io_error(e, "look at", path, errno);
	*id = id_of(&sb);
	return ST_OK;
}

bool fs_id_equal(const struct fs_id *a, const struct fs_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}

/* Fills p[0..n) or up to the end of the file. */
static enum st read_up_to(int fd, char *p, size_t n, size_t *got, const char *path, struct err *e)
{
	*got = 0;
	while (*got < n) {
		ssize_t k = read(fd, p + *got, n - *got);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return io_error(e, "read", path, errno);
		if (!k)
			break;
		*got += (size_t)k;
	}
	return ST_OK;
}

enum st fs_read(const char *path, size_t max, char **out, size_t *len, struct err *e)
{
	char b1[16], b2[16];
	struct stat sb;
	size_t room, got;
	enum st st;
	int fd;

	*out = NULL;
	if (len)
		*len = 0;
	st = open_regular(path, &fd, &sb, e);
	if (st)
		return st;
	if ((uint64_t)sb.st_size > max || !size_add(&room, (size_t)sb.st_size, 1)) {
		st = err_set(e, ST_INVALID, "%s has %s, at most %s are read here", path,
			text_bytes((uint64_t)sb.st_size, b1), text_bytes(max, b2));
		goto out;
	}
	*out = big_alloc(room, path, e);
	if (!*out) {
		st = ST_NOMEM;
		goto out;
	}
	st = read_up_to(fd, *out, room - 1, &got, path, e);
	if (st) {
		big_free(*out);
		*out = NULL;
	} else if (len) {
		*len = got;
	}
out:
	close(fd);
	return st;
}

enum st fs_in_open(struct fs_in *in, const char *path, struct err *e)
{
	struct stat sb;
	enum st st;

	*in = (struct fs_in){ .fd = -1, .path = path };
	st = open_regular(path, &in->fd, &sb, e);
	if (st)
		in->fd = -1;
	else
		in->id = id_of(&sb);
	return st;
}

enum st fs_in_read(struct fs_in *in, void *p, size_t n, size_t *got, struct err *e)
{
	return read_up_to(in->fd, p, n, got, in->path, e);
}

bool fs_in_same(const struct fs_in *in)
{
	struct stat sb;
	struct fs_id now;

	if (fstat(in->fd, &sb))
		return false;
	now = id_of(&sb);
	return fs_id_equal(&now, &in->id);
}

void fs_in_close(struct fs_in *in)
{
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}

bool fs_is_file(const char *path)
{
	struct stat sb;

	return !stat(path, &sb) && S_ISREG(sb.st_mode);
}

bool fs_holds(const char *dir, const char *name)
{
	char *path = xprintf("%s/%s", dir, name);
	bool is = fs_is_file(path);

	xfree(path);
	return is;
}

bool fs_is_there(const char *path)
{
	return !access(path, F_OK);
}

bool fs_is_dir(const char *path)
{
	struct stat sb;

	return !stat(path, &sb) && S_ISDIR(sb.st_mode);
}

char *fs_real(const char *path)
{
	char *real = realpath(path, NULL), *out = xstrdup(real ? real : path);

	free(real);
	return out;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum st fs_list(const char *dir, char ***names, size_t *n, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t cap = 16;

	*names = NULL;
	*n = 0;
	if (!d)
		return io_error(e, "list", dir, errno);
	*names = xarray(cap, sizeof **names);
	while (errno = 0, (entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (*n == cap)
			*names = xrealloc(*names, (cap *= 2) * sizeof **names);
		(*names)[(*n)++] = xstrdup(entry->d_name);
	}
	if (errno) {
		enum st st = io_error(e, "list", dir, errno);

		closedir(d);
		while (*n)
			xfree((*names)[--*n]);
		xfree(*names);
		*names = NULL;
		return st;
	}
	closedir(d);
	qsort(*names, *n, sizeof **names, by_name);
	return ST_OK;
}

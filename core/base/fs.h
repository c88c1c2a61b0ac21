/* fs.h - files: mapped reading, atomic writing, appended logs, folders.
 *
 * Every system call that writes goes through one layer that tests can make fail
 * at the nth call.  All functions retry EINTR.  Any thread; a struct belongs to
 * one thread at a time.  Messages name the path, the needed bytes and errno.
 */
#ifndef BD_BASE_FS_H
#define BD_BASE_FS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

/* ---- reading */

struct fs_id { /* what tells that a file is still the same one */
	uint64_t dev, ino, size;
	int64_t mtime_ns;
};

struct fs_map { /* a regular file, read-only; FIFOs, devices, folders are refused */
	const unsigned char *data; /* NULL when size is 0 */
	size_t size;
	struct fs_id id;
};

/* What a SIGBUS at a mapped file is answered with: its pages end where another program cut it. */
#define FS_MAP_LOST                                                                       \
	"a mapped file (the model, or a variant in the cache) was cut short while in use; " \
	"put it back and start again"

BD_MUST_USE enum st fs_map_open(struct fs_map *m, const char *path, struct err *e);
void fs_map_close(struct fs_map *m);
BD_MUST_USE enum st fs_identify(const char *path, struct fs_id *id, struct err *e);
bool fs_id_equal(const struct fs_id *a, const struct fs_id *b);

/* Whole file, NUL added after it, at most max bytes; big_free the result. */
BD_MUST_USE enum st fs_read(const char *path, size_t max, char **out, size_t *len, struct err *e);

/* A regular file read from its beginning, a piece at a time. */
struct fs_in {
	int fd;
	const char *path; /* borrowed */
	struct fs_id id;  /* when it was opened */
};
BD_MUST_USE enum st fs_in_open(struct fs_in *in, const char *path, struct err *e);
/* got < n: that was the end. */
BD_MUST_USE enum st fs_in_read(
	struct fs_in *in, void *p, size_t n, size_t *got, struct err *e);
bool fs_in_same(const struct fs_in *in); /* has nobody written to it since? */
void fs_in_close(struct fs_in *in);

bool fs_is_file(const char *path);
bool fs_is_dir(const char *path);
bool fs_holds(const char *dir, const char *name); /* is there a file of that name in it? */
/* What follows the last / of a path: its end. */
const char *fs_name(const char *path);
/* As it is called from any folder, its links followed; where there is none the path as it stands; xfree. */
char *fs_real(const char *path);
bool fs_is_there(const char *path); /* of whatever kind: a FIFO, a folder */

/* Names in a folder without "." and "..", sorted; xfree each and the array. */
BD_MUST_USE enum st fs_list(const char *dir, char ***names, size_t *n, struct err *e);

/* ---- writing one file: old content or new content, never a mixture
 * (temporary beside it, space reserved, fsync, rename, fsync of the folder) */

struct fs_out;
BD_MUST_USE enum st fs_out_open(
	struct fs_out **o, const char *path, uint64_t size_hint, struct err *e);
BD_MUST_USE enum st fs_out_write(struct fs_out *o, const void *p, size_t n, struct err *e);
/* Frees o whatever the result; on failure the former file stands (the new one, if
 * nothing failed but the fsync of the folder). */
BD_MUST_USE enum st fs_out_commit(struct fs_out *o, struct err *e);
void fs_out_abort(struct fs_out *o); /* NULL is fine */

/* The same without waiting for the disk, which takes it tenths of a second: after a loss of
 * power the file may be torn.  For what is checked when it is read and can be made again. */
BD_MUST_USE enum st fs_out_place(struct fs_out *o, struct err *e);
BD_MUST_USE enum st fs_note(const char *path, const void *p, size_t n, struct err *e);

BD_MUST_USE enum st fs_write_all(const char *path, const void *p, size_t n, struct err *e);

/* Removes the temporaries that processes left in a folder when they were killed. */
void fs_sweep(const char *dir);

/* ---- a log of whole lines, each one write(2), which outlives the process; the disk
 * is asked to write at most once a second and waited for at the end only */

struct fs_log;
BD_MUST_USE enum st fs_log_open(struct fs_log **l, const char *path, struct err *e);
BD_MUST_USE enum st fs_log_line(struct fs_log *l, const char *line, struct err *e); /* adds \n */
void fs_log_close(struct fs_log *l); /* fsyncs; NULL is fine */
/* One line behind a file, made if it is not there, and no wait for the disk. */
BD_MUST_USE enum st fs_append(const char *path, const char *line, struct err *e);

/* ---- folders, places, locks */

BD_MUST_USE enum st fs_mkdirs(const char *path, struct err *e); /* mode 0700 below the first new */
BD_MUST_USE enum st fs_mkdir_new(const char *path, struct err *e);              /* must not exist */
BD_MUST_USE enum st fs_rename(const char *from, const char *to, struct err *e); /* + dir fsync */
/* path becomes a link that says `target`, in place of one that is there; another file stays. */
BD_MUST_USE enum st fs_link(const char *path, const char *target, struct err *e);
/* Follows no link; what is absent is fine. */
BD_MUST_USE enum st fs_remove_tree(const char *path, struct err *e);
uint64_t fs_tree_bytes(const char *path); /* 0 when absent */
uint64_t fs_free_bytes(const char *dir);  /* on the file system that holds it or its parent */

enum fs_place { FS_CONFIG, FS_STATE, FS_DATA, FS_CACHE };
/* $XDG_..._HOME/bitdial or its default below $HOME; xfree.  Creates nothing. */
char *fs_place(enum fs_place p);

/* A file or a folder that comes with the program ("tasks", "tour.lua", "layouts"): as installed,
 * else beside the program where its whole folder was moved (../share/bitdial), else in the tree
 * it was built in; in $BITDIAL_SHARE alone where that is set.  xfree; where it would be installed when it is nowhere. */
char *fs_share(const char *name);

/* An advisory lock held until fs_unlock or the process ends; fd or -1.  When
 * another process holds it, *pid is that process (0: unknown). */
int fs_lock(const char *path, int *pid, struct err *e);
void fs_unlock(int fd);
/* Does somebody hold it?  Only looks: also where nothing may be written. */
bool fs_is_locked(const char *path);

/* Tests: fail the nth write-side call from now with this errno; 0: off.  errno below 0: the
 * process is killed in its place, by that signal. */
void fs_fail_at(unsigned long n, int with_errno);
unsigned long fs_count(void);

#endif

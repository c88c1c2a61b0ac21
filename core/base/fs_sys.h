/* fs_sys.h - the system calls that write, behind one counter that tests can make
 * fail (fs_fail_at).  For core/base only; everyone else uses fs.h.
 *
 * Each returns what the call returns and sets errno; EINTR is retried inside.
 * Any thread.
 */
#ifndef BD_BASE_FS_SYS_H
#define BD_BASE_FS_SYS_H

#include <stddef.h>
#include <sys/types.h>

int fs_sys_open(const char *path, int flags, mode_t mode); /* O_CLOEXEC is added */
ssize_t fs_sys_write(int fd, const void *p, size_t n);     /* may be short */
int fs_sys_reserve(int fd, off_t size);                    /* 0 where it is not supported */
int fs_sys_truncate(int fd, off_t size);
int fs_sys_chmod(int fd, mode_t mode);
int fs_sys_sync(int fd); /* 0 on what cannot be synced (EINVAL) */
int fs_sys_close(int fd);
int fs_sys_rename(const char *from, const char *to);
int fs_sys_symlink(const char *target, const char *path);
int fs_sys_mkdir(const char *path, mode_t mode);
int fs_sys_unlinkat(int dir, const char *name, int flags);

/* Asks the disk to write what is new of a file, and waits for nothing. */
void fs_sys_start_sync(int fd);
/* fsync of the folder that holds path. */
int fs_sys_sync_parent(const char *path);

/* "No such file or directory", from the thread's own buffer. */
const char *fs_sys_reason(int err);

#endif

/* teach_private.h - a part of a teacher's cache, as both its writer and its reader know it. */
#ifndef BD_TUNE_TEACH_PRIVATE_H
#define BD_TUNE_TEACH_PRIVATE_H

#include "core/tune/teach.h"

enum { TEACH_PART = 64, TEACH_SUM = 64 }; /* sequences of a part; digits of its sum */

struct teach_head {
	char magic[8]; /* "bdteach1" */
	uint64_t vocab, top;
	uint64_t part, n, rows; /* which one; its sequences, and their rows */
	char data[64], model[64];
};

/* The head of a part as it has to be; data: 64 digits (pack_train_sha256). */
struct teach_head teach_head_of(const struct model *m, const struct pack *p, size_t top,
	const char *model, const char *data, size_t part);
size_t teach_parts(const struct pack *p);
size_t teach_row_bytes(size_t vocab, size_t top);
size_t teach_part_bytes(const struct teach_head *h);
char *teach_part_path(const char *dir, size_t part); /* xfree */
/* ST_FORMAT, in the words of every damage. */
enum st teach_damaged(const char *path, struct err *e);
/* What is wrong with a part that was read whole; ST_OK: nothing; ST_INVALID: it is another's. */
BD_MUST_USE enum st teach_check(const struct teach_head *want, const void *part, size_t bytes,
	const char *path, struct err *e);

#endif

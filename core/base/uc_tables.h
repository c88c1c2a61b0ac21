/* uc_tables.h - Unicode classes as sorted, disjoint ranges; see uc_tables.c.
 * Read-only; any thread.  Only text.c looks in here. */
#ifndef BD_BASE_UC_TABLES_H
#define BD_BASE_UC_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct uc_range {
	uint32_t lo, hi;
};

extern const struct uc_range uc_letters[], uc_numbers[];
extern const struct uc_range uc_marks[];      /* drawn over the character before */
extern const struct uc_range uc_wide[];       /* two columns */
extern const struct uc_range uc_unseen[];     /* format characters, variation selectors, fillers */
extern const struct uc_range uc_unassigned[]; /* noncharacters, too */
extern const size_t uc_letters_n, uc_numbers_n, uc_marks_n, uc_wide_n, uc_unseen_n, uc_unassigned_n;

#endif

/* dp_row.h - one item of the dynamic programme, over all budgets at once.
 *
 * In place: best[w] = min over j < k of best[w - size[j]] + damage[j] for w = 0 ... len - 1,
 * and the j (the lowest of equals) into `pick`, read back by dp_pick.  size[0] is 0;
 * best[-max size] ... can be read; len is a multiple of DP_BLOCK; k is 2 to 16.  Any
 * thread; the same bits on every machine.
 */
#ifndef BD_SEARCH_DP_ROW_H
#define BD_SEARCH_DP_ROW_H

#include <stddef.h>
#include <stdint.h>

enum { DP_BLOCK = 256 };

void dp_row(double *best, uint8_t *pick, const uint32_t *size, const double *damage, size_t k,
	size_t len);

/* Picks of one row are packed: so many bytes for len of them. */
size_t dp_pick_bytes(size_t k, size_t len);
uint8_t dp_pick(const uint8_t *pick, size_t k, size_t w);

#endif

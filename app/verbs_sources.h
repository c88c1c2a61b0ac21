/* verbs_sources.h - several texts in what `bitdial scan` prints; nothing where there is one.
 *
 * Main thread; a desk that was scanned.
 */
#ifndef BD_APP_VERBS_SOURCES_H
#define BD_APP_VERBS_SOURCES_H

#include <stddef.h>

struct desk;
struct json_out;

/* Members of the object: "sources" with weights, "sources" of a cell in the same order (at:
 * linear * formats + format), "rank_correlation". */
void sources_json(struct json_out *o, const struct desk *d);
void sources_cell_json(struct json_out *o, const struct desk *d, size_t at);
void sources_pairs_json(struct json_out *o, const struct desk *d);
/* The same as columns, which end the line also where there is one text, and as comments. */
void sources_head(const struct desk *d);
void sources_cell(const struct desk *d, size_t at);
void sources_pairs(const struct desk *d);

#endif

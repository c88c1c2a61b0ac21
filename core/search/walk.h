/* walk.h - the reference over a whole text, one block after the other.
 *
 * All rows go through a block before the next one begins, so that what is gathered about
 * a block is complete when `after` is called.  The tap may refuse or stop: it keeps a
 * status in w->st, which ends the walk.  What the tap got of a block is to be believed when
 * `after` is called (fwd_fault); what `after` gets itself it asks about.  Private to core/search; engine thread.
 */
#ifndef BD_SEARCH_WALK_H
#define BD_SEARCH_WALK_H

#include "core/model/forward.h"
#include "core/model/selftext.h"

struct walk {
	const struct model *m;
	const struct token_text *t;
	const struct sink *s;
	struct err *e;
	enum math math; /* of the blocks' products; 0: in float */
	/* as struct tap's; return at once when w->st is not ST_OK */
	void (*tap)(void *walk, size_t linear, const float *x, const float *y, size_t rows);
	enum st (*before)(struct walk *w, size_t layer); /* or NULL */
	enum st (*after)(struct walk *w, size_t layer);  /* or NULL */
	void *arg;
	enum st st;
	struct fwd *f; /* while it runs */
	size_t rows; /* at most so many rows go through the tap at once */
};

/* Rows a walk takes at once over this text: whole sequences, about 1024. */
size_t walk_rows(const struct token_text *t);
BD_MUST_USE enum st walk_reference(struct walk *w);

#endif

/* token.h - one flag that asks work to stop, with a parent.
 *
 * Stopping a parent stops all below it.  token_stop from any thread and from signal
 * handlers; a poll is a relaxed load for each level.  A token must outlive those who
 * poll it.
 */
#ifndef BD_WORK_TOKEN_H
#define BD_WORK_TOKEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct token {
	atomic_bool stop;
	const struct token *parent;
};

static inline void token_init(struct token *t, const struct token *parent)
{
	atomic_init(&t->stop, false);
	t->parent = parent;
}

static inline void token_stop(struct token *t)
{
	atomic_store_explicit(&t->stop, true, memory_order_relaxed);
}

static inline bool token_stopped(const struct token *t)
{
	for (; t; t = t->parent)
		if (atomic_load_explicit(&t->stop, memory_order_relaxed))
			return true;
	return false;
}

#endif

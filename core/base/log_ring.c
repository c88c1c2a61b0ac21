/* log_ring.c - see log_ring.h. */
#include "core/base/log_ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { LINES = 1024, BYTES = 64 << 10 };

struct entry {
	double at;
	uint64_t from; /* of all bytes ever put; its place is that modulo BYTES */
	uint16_t len;
	uint8_t level;
	char thread[LOG_WORD], module[LOG_WORD];
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
/* under mu */
static struct entry entry[LINES];
static char bytes[BYTES];
static uint64_t end;       /* bytes ever put */
static atomic_ullong head; /* lines ever put */

void log_ring_put(
	double at, enum log_level l, const char *thread, const char *module, const char *text)
{
	size_t len = strlen(text);
	struct entry *x;

	len = len < LOG_TEXT ? len : LOG_TEXT - 1;
	pthread_mutex_lock(&mu);
	x = &entry[atomic_load(&head) % LINES];
	*x = (struct entry){ .at = at, .from = end, .len = (uint16_t)len, .level = (uint8_t)l };
	snprintf(x->thread, sizeof x->thread, "%s", thread);
	snprintf(x->module, sizeof x->module, "%s", module);
	for (size_t i = 0; i < len; i++)
		bytes[(end + i) % BYTES] = text[i];
	end += len;
	atomic_fetch_add(&head, 1);
	pthread_mutex_unlock(&mu);
}

uint64_t log_ring_head(void)
{
	return atomic_load(&head);
}

bool log_ring_read(uint64_t *next, struct log_line *out)
{
	uint64_t n, top;
	bool got = false;

	pthread_mutex_lock(&mu);
	top = atomic_load(&head);
	n = top > LINES && *next < top - LINES ? top - LINES : *next;
	while (n < top && end - entry[n % LINES].from > BYTES) /* its text is written over */
		n++;
	if (n < top) {
		const struct entry *x = &entry[n % LINES];

		*out = (struct log_line){ .n = n, .at = x->at, .level = (enum log_level)x->level };
		memcpy(out->thread, x->thread, sizeof out->thread);
		memcpy(out->module, x->module, sizeof out->module);
		for (size_t i = 0; i < x->len; i++)
			out->text[i] = bytes[(x->from + i) % BYTES];
		n++;
		got = true;
	}
	*next = n;
	pthread_mutex_unlock(&mu);
	return got;
}

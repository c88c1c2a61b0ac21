/* events.c - see events.h. */
#include "app/events.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/base/clock.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* lines come whole, from any thread */
static bool on;
static double began;
static atomic_int failed; /* why the first line that was lost was lost */

void events_start(void)
{
	if (on) /* the clock of the first line goes on */
		return;
	on = true;
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an errno, from the first line on */
	began = clock_now();
}

bool events_on(void)
{
	return on;
}

int events_errno(void)
{
	return failed;
}

void event_begin(struct json_out *o, const char *name)
{
	json_out_init(o, false);
	json_open(o, NULL, '{');
	json_put_i64(o, "v", 1);
	json_put_fixed(o, "t", clock_now() - began);
	json_put_str(o, "ev", name);
}

void event_end(struct json_out *o)
{
	json_close(o, '}');
	pthread_mutex_lock(&lock);
	errno = 0;
	if ((fwrite(o->s, 1, o->n, stdout) < o->n || fputc('\n', stdout) < 0 || fflush(stdout)) &&
		!failed)
		failed = errno ? errno : EIO;
	pthread_mutex_unlock(&lock);
	json_out_release(o);
}

void event_text(const char *name, const char *text)
{
	struct json_out o;

	event_begin(&o, name);
	json_put_str(&o, "text", text);
	event_end(&o);
}

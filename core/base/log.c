/* log.c - one leaf lock, one write(2) a line.
 *
 * The level is looked at without the lock, the text is made outside it; inside
 * it the repeats are counted, the line goes out and the file is rotated.
 */
#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs_sys.h"
#include "core/base/log_ring.h"
#include "core/base/text.h"

enum {
	ROTATE_AT = 1 << 20,
	KEPT = 5,
	TEXT = 1024,
	MODULES = 16,
	SLOTS = 64, /* format strings whose repeats are counted at a time */
	PER_SECOND = 10,
};

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace" };

/* Repeats of one format string within one second. */
struct slot {
	const char *fmt;
	char module[16];
	enum log_level level;
	double since;
	unsigned count, dropped;
};

struct override {
	char module[16];
	int level;
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
/* under mu */
static int fd = -1;
static char *path;
static off_t size;
static struct slot slots[SLOTS];
static struct override overrides[MODULES];
static int n_overrides, base_level = LOG_INFO;

static atomic_bool opened;
static atomic_int highest = LOG_INFO; /* of base_level and all overrides */
static atomic_ulong lines;
static _Atomic(void (*)(enum log_level, const char *)) watcher;
static _Thread_local char thread_name[16];

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static double start;

static void set_start(void)
{
	start = clock_now();
}

static const char *this_thread(void)
{
	if (*thread_name)
		return thread_name;
	return gettid() == getpid() ? "main" : "thread";
}

/* ---- the file; the caller holds mu */

static int open_file(void)
{
	struct stat sb;

	fd = fs_sys_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0)
		return -1;
	if (fstat(fd, &sb) || !S_ISREG(sb.st_mode)) {
		close(fd);
		fd = -1;
		errno = EINVAL;
		return -1;
	}
	size = sb.st_size;
	return 0;
}

/* path.4 becomes path.5 and so on; what fails is not worth more than a gap. */
static void rotate(void)
{
	for (int i = KEPT; i > 0; i--) {
		char *to = xprintf("%s.%d", path, i);
		char *from = i > 1 ? xprintf("%s.%d", path, i - 1) : xstrdup(path);

		fs_sys_rename(from, to);
		xfree(from);
		xfree(to);
	}
	close(fd);
	open_file();
}

static void put_line(double now, enum log_level l, const char *module, const char *text)
{
	char line[TEXT + 96];
	int n = snprintf(line, sizeof line, "%.3f %s %s %s: %s\n", now - start, level_names[l],
		this_thread(), module, text);

	log_ring_put(now - start, l, this_thread(), module, text);
	if (n >= (int)sizeof line) {
		n = sizeof line - 1;
		line[n - 1] = '\n';
	}
	if (fd >= 0 && size + n > ROTATE_AT)
		rotate();
	if (fd < 0 && (atomic_load(&opened) || l > LOG_WARN))
		return; /* the file is lost; the screen belongs to someone else */
	if (fs_sys_write(fd >= 0 ? fd : STDERR_FILENO, line, (size_t)n) > 0)
		size += n;
	atomic_fetch_add(&lines, 1);
}

static void tell_dropped(struct slot *s, double now)
{
	char text[64];

	if (!s->dropped)
		return;
	snprintf(text, sizeof text, "the last message was repeated %u more times", s->dropped);
	s->dropped = 0;
	put_line(now, s->level, s->module, text);
}

/* May this format string be written once more in this second? */
static bool admit(const char *fmt, enum log_level l, const char *module, double now)
{
	struct slot *s = &slots[((uintptr_t)fmt >> 3 ^ (uintptr_t)fmt >> 9) % SLOTS];

	if (s->fmt != fmt || now - s->since >= 1) {
		tell_dropped(s, now);
		*s = (struct slot){ .fmt = fmt, .level = l, .since = now };
		snprintf(s->module, sizeof s->module, "%s", module);
	}
	if (s->count++ < PER_SECOND)
		return true;
	s->dropped++;
	return false;
}

/* ---- public */

enum st log_open(const char *file, struct err *e)
{
	int rc, err;

	log_close();
	pthread_once(&start_once, set_start);
	pthread_mutex_lock(&mu);
	path = xstrdup(file);
	rc = open_file();
	err = errno;
	if (!rc)
		atomic_store(&opened, true);
	pthread_mutex_unlock(&mu);
	if (rc)
		return err_set(e, ST_IO, "cannot open the log %s: %s", file, fs_sys_reason(err));
	return ST_OK;
}

void log_close(void)
{
	pthread_once(&start_once, set_start);
	pthread_mutex_lock(&mu);
	for (int i = 0; i < SLOTS; i++)
		tell_dropped(&slots[i], clock_now());
	memset(slots, 0, sizeof slots);
	if (fd >= 0)
		close(fd);
	fd = -1;
	xfree(path);
	path = NULL;
	atomic_store(&opened, false);
	pthread_mutex_unlock(&mu);
}

static int level_from(const char *s, size_t n)
{
	for (int i = 0; i <= LOG_TRACE; i++)
		if (strlen(level_names[i]) == n && !strncmp(s, level_names[i], n))
			return i;
	return -1;
}

bool log_levels(const char *spec)
{
	struct override got[MODULES];
	int n = 0, level, base = -1, top;

	for (const char *s = spec;; s++) {
		size_t len = strcspn(s, ",");
		const char *eq = memchr(s, '=', len);

		level = eq ? level_from(eq + 1, len - (size_t)(eq + 1 - s)) : level_from(s, len);
		if (level < 0)
			return false;
		if (!eq) {
			base = level;
		} else {
			if (n == MODULES || eq == s || eq - s >= (ptrdiff_t)sizeof got->module)
				return false;
			got[n].level = level;
			snprintf(got[n++].module, sizeof got->module, "%.*s", (int)(eq - s), s);
		}
		s += len;
		if (!*s)
			break;
	}
	pthread_mutex_lock(&mu);
	if (base >= 0)
		base_level = base;
	top = base_level;
	memcpy(overrides, got, sizeof *got * (size_t)n);
	n_overrides = n;
	for (int i = 0; i < n; i++)
		if (got[i].level > top)
			top = got[i].level;
	atomic_store(&highest, top);
	pthread_mutex_unlock(&mu);
	return true;
}

void log_thread(const char *name)
{
	snprintf(thread_name, sizeof thread_name, "%s", name);
}

void log_watch(void (*fn)(enum log_level l, const char *text))
{
	atomic_store(&watcher, fn);
}

bool log_wanted(enum log_level l, const char *module)
{
	bool wanted;

	if ((int)l > atomic_load_explicit(&highest, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&mu);
	wanted = (int)l <= base_level;
	for (int i = 0; i < n_overrides; i++)
		if (!strcmp(overrides[i].module, module))
			wanted = (int)l <= overrides[i].level;
	pthread_mutex_unlock(&mu);
	return wanted;
}

/* One line: what breaks lines is escaped like every other control character. */
static void one_line(char out[TEXT], char *raw)
{
	char flat[TEXT];
	size_t n = 0;

	for (const char *s = raw; *s && n + 5 < sizeof flat; s++) {
		if (*s == '\n' || *s == '\t')
			n += (size_t)snprintf(flat + n, sizeof flat - n, "\\x%02x", (unsigned)*s);
		else
			flat[n++] = *s;
	}
	text_clean(out, TEXT, flat, n, true);
}

void log_write(enum log_level l, const char *module, const char *fmt, ...)
{
	void (*watch)(enum log_level, const char *) = atomic_load(&watcher);
	char raw[TEXT], text[TEXT];
	va_list ap;
	double now;
	bool admitted;

	if (!log_wanted(l, module))
		return;
	pthread_once(&start_once, set_start);
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	one_line(text, raw);
	now = clock_now();
	pthread_mutex_lock(&mu);
	admitted = admit(fmt, l, module, now);
	if (admitted)
		put_line(now, l, module, text);
	pthread_mutex_unlock(&mu);
	if (admitted && watch && l <= LOG_WARN)
		watch(l, text);
}

/* Counted as one message, by where it comes from: a traceback is not cut at ten lines. */
void log_text(enum log_level l, const char *module, const char *s)
{
	char part[TEXT / 4], text[TEXT];
	double now = clock_now();

	if (!log_wanted(l, module))
		return;
	pthread_once(&start_once, set_start);
	pthread_mutex_lock(&mu);
	if (admit(module, l, module, now))
		for (int first = 1; *s || first; first = 0) {
			size_t n = strcspn(s, "\n");

			/* Tabs of a traceback are blanks of the lines under the first. */
			while (!first && n && *s == '\t')
				s++, n--;
			snprintf(part, sizeof part, "%s%.*s", first ? "" : "  ", (int)n, s);
			one_line(text, part);
			put_line(now, l, module, text);
			s += n + (s[n] == '\n');
		}
	pthread_mutex_unlock(&mu);
}

const char *log_level_name(enum log_level l)
{
	return level_names[l];
}

unsigned long log_lines(void)
{
	return atomic_load(&lines);
}

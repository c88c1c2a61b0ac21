/* guard - the crash path: nothing here allocates or takes a lock once it is armed. */
#include "app/tui/guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log_capture.h"

static struct {
	volatile sig_atomic_t armed;
	int fd, err;
	struct termios saved;
	bool has_termios;
	char reset[512];
	size_t reset_n;
	char note[512];
	size_t note_n;
} guard;

static const char lost[] = "bitdial: " FS_MAP_LOST "\n";

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static void write_all(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t k = write(fd, s, n);

		if (k <= 0)
			return;
		s += k;
		n -= (size_t)k;
	}
}

static void restore(void)
{
	if (!guard.armed)
		return;
	guard.armed = 0;
	write_all(guard.fd, guard.reset, guard.reset_n);
	if (guard.has_termios)
		tcsetattr(guard.fd, TCSANOW, &guard.saved);
}

/* What a library said of it last lies in a pipe that nobody reads any more. */
static void pass_on(void)
{
	char buf[512];
	int fd = log_capture_fd();
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0)
		write_all(guard.err, buf, (size_t)n);
}

static void on_fatal(int sig, siginfo_t *info, void *context)
{
	bool ours = guard.armed;

	(void)context;
	restore();
	if (sig == SIGBUS && info->si_code == BUS_ADRERR) { /* not a fault of ours */
		write_all(guard.err, lost, sizeof lost - 1);
		_exit(1);
	}
	if (ours)
		pass_on();
	if (ours)
		write_all(guard.err, guard.note, guard.note_n);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Memory ended: that way out runs no atexit. */
static void on_no_memory(const char *sentence)
{
	restore();
	write_all(guard.err, sentence, strlen(sentence));
	write_all(guard.err, "\n", 1);
}

/* Padding of terminfo, "$<2>", is a pause for old terminals, not text. */
static void add(const char *s)
{
	while (*s && guard.reset_n < sizeof guard.reset) {
		if (s[0] == '$' && s[1] == '<') {
			s += strcspn(s, ">");
			s += *s == '>';
			continue;
		}
		guard.reset[guard.reset_n++] = *s++;
	}
}

static void install(void)
{
	static bool installed;
	struct sigaction sa = { .sa_sigaction = on_fatal, .sa_flags = SA_ONSTACK | SA_SIGINFO };
	/* AVX-512 state makes frames larger than any constant in a header. */
	size_t size = getauxval(AT_MINSIGSTKSZ) + 32768;
	stack_t alt = { .ss_size = size };

	if (installed)
		return;
	installed = true;
	/* For the life of the process. */
	alt.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (alt.ss_sp != MAP_FAILED)
		sigaltstack(&alt, NULL);
	for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
		sigaction(fatal[i], &sa, NULL);
	alloc_on_end(on_no_memory);
	atexit(restore);
}

void guard_arm(
	int fd, int err_fd, const struct termios *saved, const char *const *reset, const char *log)
{
	guard.armed = 0;
	guard.fd = fd;
	guard.err = err_fd;
	guard.has_termios = saved;
	if (saved)
		guard.saved = *saved;
	guard.reset_n = 0;
	for (; *reset; reset++)
		add(*reset);
	guard.note_n = (size_t)snprintf(guard.note, sizeof guard.note,
		"bitdial: ended by a fault of its own%s%s\n", log ? "; the log is " : "",
		log ? log : "");
	if (guard.note_n >= sizeof guard.note)
		guard.note_n = sizeof guard.note - 1;
	install();
	guard.armed = 1;
}

void guard_disarm(void)
{
	guard.armed = 0;
}

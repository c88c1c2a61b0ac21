/* log_capture.c - see log_capture.h. */
#include "core/base/log_capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/sig.h"

static struct {
	atomic_int fd; /* read end, plus one; 0: nothing is captured */
	int quit;      /* eventfd */
	pthread_t thread;
	char line[1000]; /* of the thread */
	size_t n;
} cap = { .quit = -1 };

int log_capture_fd(void)
{
	return atomic_load(&cap.fd) - 1;
}

static void flush(void)
{
	if (cap.n) /* no warning of ours, and none that would come out at fd 2 again */
		log_at(LOG_INFO, "stderr", "%.*s", (int)cap.n, cap.line);
	cap.n = 0;
}

static void take(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n' || s[i] == '\r' || cap.n == sizeof cap.line)
			flush();
		if (s[i] != '\n' && s[i] != '\r')
			cap.line[cap.n++] = s[i];
	}
}

static void drain(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof buf)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			take(buf, (size_t)n);
}

static void *reader(void *arg)
{
	struct pollfd p[2] = { { .fd = log_capture_fd(), .events = POLLIN },
		{ .fd = cap.quit, .events = POLLIN } };

	(void)arg;
	log_thread("stderr");
	while (!p[1].revents && (poll(p, 2, -1) >= 0 || errno == EINTR))
		if (p[0].revents)
			drain(p[0].fd);
	drain(p[0].fd);
	flush();
	return NULL;
}

static bool start(void)
{
	sigset_t all, old;
	int failed;

	sig_all_but_faults(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	failed = pthread_create(&cap.thread, NULL, reader, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return !failed;
}

static int give_up(int fd[2], int saved)
{
	atomic_store(&cap.fd, 0);
	if (cap.quit >= 0)
		close(cap.quit);
	cap.quit = -1;
	close(fd[0]);
	close(fd[1]);
	if (saved >= 0)
		close(saved);
	return -1;
}

int log_capture(void)
{
	int fd[2], saved;

	if (log_capture_fd() >= 0 || pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return -1;
	/* Who writes waits where the pipe is full rather than lose what it says. */
	fcntl(fd[1], F_SETFL, fcntl(fd[1], F_GETFL) & ~O_NONBLOCK);
	cap.quit = eventfd(0, EFD_CLOEXEC);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	atomic_store(&cap.fd, fd[0] + 1);
	if (cap.quit < 0 || saved < 0 || !start())
		return give_up(fd, saved);
	dup2(fd[1], STDERR_FILENO);
	close(fd[1]);
	return saved;
}

void log_capture_end(int saved)
{
	uint64_t one = 1;
	int fd = log_capture_fd();

	if (saved < 0)
		return;
	dup2(saved, STDERR_FILENO);
	close(saved);
	if (fd < 0)
		return;
	if (write(cap.quit, &one, sizeof one) == (ssize_t)sizeof one)
		pthread_join(cap.thread, NULL);
	atomic_store(&cap.fd, 0);
	close(fd);
	close(cap.quit);
	cap.quit = -1;
}

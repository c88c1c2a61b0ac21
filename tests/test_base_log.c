/* test_base_log.c - lines for people: escaping, levels, repeats, rotation. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "tests/lib_base.h"

static char *text; /* of the log, by take() */

/* Closes the log and reads it; the pointer is good until the next take. */
static const char *take(const char *path)
{
	size_t n;

	log_close();
	big_free(text);
	cr_assert_eq(fs_read(path, 8 << 20, &text, &n, NULL), ST_OK);
	return text;
}

static unsigned count_lines(const char *s, const char *with)
{
	unsigned n = 0;

	for (; (s = strstr(s, with)); s++)
		n++;
	return n;
}

Test(log, a_line_has_seconds_level_thread_module_and_text)
{
	const char *path = tmp_path("log"), *s;
	struct err e = { 0 };
	int at = 0;
	double seconds;

	cr_assert_eq(log_open(path, &e), ST_OK, "%s", e.msg);
	log_thread("engine");
	log_at(LOG_WARN, "search", "%d cells", 210);
	s = take(path);
	cr_assert_eq(sscanf(s, "%lf warn engine search: 210 cells\n%n", &seconds, &at), 1);
	cr_assert_eq((size_t)at, strlen(s), "%s", s);
	cr_assert(seconds >= 0);
}

Test(log, control_characters_are_escaped_into_one_line)
{
	const char *path = tmp_path("log"), *s;

	cr_assert_eq(log_open(path, NULL), ST_OK);
	log_at(LOG_INFO, "io", "name %s end", "\x1b[2J\r\n\t\x9b\xc2\x9b\xe2\x80\xae\xc3\xa9");
	s = take(path);
	cr_assert(strstr(s, "name \\x1b[2J\\x0d\\x0a\\x09\\x9b\\u{009B}\\u{202E}\xc3\xa9 end\n"),
		"%s", s);
	cr_assert_eq(count_lines(s, "\n"), 1);
}

Test(log, a_line_too_long_is_cut_and_stays_a_line)
{
	const char *path = tmp_path("log"), *s;
	char *big = xalloc(5001);

	memset(big, 'x', 5000);
	cr_assert_eq(log_open(path, NULL), ST_OK);
	log_at(LOG_INFO, "io", "%s", big);
	memset(big, 1, 5000);
	log_at(LOG_INFO, "io", "again %s", big);
	s = take(path);
	cr_assert_eq(count_lines(s, "\n"), 2);
	cr_assert(strlen(s) < 3000);
	cr_assert(s[strlen(s) - 1] == '\n');
	xfree(big);
}

static int formatted;

static const char *costly(void)
{
	formatted++;
	return "x";
}

Test(log, a_level_that_is_off_formats_nothing)
{
	const char *path = tmp_path("log"), *s;

	cr_assert_eq(log_open(path, NULL), ST_OK);
	log_at(LOG_DEBUG, "bus", "%s", costly());
	cr_assert_eq(formatted, 0);
	cr_assert(log_levels("warn,bus=trace"));
	log_at(LOG_TRACE, "bus", "trace %s", costly());
	log_at(LOG_INFO, "io", "info %s", costly());
	log_at(LOG_WARN, "io", "warn %s", costly());
	cr_assert_eq(formatted, 2);
	cr_assert(log_levels("debug"));
	cr_assert(log_wanted(LOG_DEBUG, "bus") && !log_wanted(LOG_TRACE, "bus"));
	s = take(path);
	cr_assert(strstr(s, "trace x") && strstr(s, "warn x") && !strstr(s, "info x"), "%s", s);
}

Test(log, a_spec_that_is_not_understood_changes_nothing)
{
	static const char *const bad[] = { "", "loud", "info,", "info,bus", "=info",
		"bus=", "bus=loud", "a-very-long-module-name=info", "info,,bus=trace", "INFO" };

	cr_assert(log_levels("error"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_not(log_levels(bad[i]), "%s", bad[i]);
	cr_assert_not(log_wanted(LOG_WARN, "bus"));
	cr_assert(log_wanted(LOG_ERROR, "bus"));
}

static int watched;
static char last_seen[64];

static void watch(enum log_level l, const char *line)
{
	watched++;
	snprintf(last_seen, sizeof last_seen, "%d %s", (int)l, line);
}

Test(log, warnings_and_errors_are_watched)
{
	cr_assert_eq(log_open(tmp_path("log"), NULL), ST_OK);
	log_watch(watch);
	log_at(LOG_INFO, "io", "quiet");
	cr_assert_eq(watched, 0);
	log_at(LOG_WARN, "io", "a\x1b");
	cr_assert_str_eq(last_seen, "1 a\\x1b");
	log_at(LOG_ERROR, "io", "b");
	cr_assert_eq(watched, 2);
	log_watch(NULL);
	log_at(LOG_ERROR, "io", "c");
	cr_assert_eq(watched, 2);
	log_close();
}

Test(log, the_same_message_comes_ten_times_a_second_with_a_count_of_the_rest)
{
	const char *path = tmp_path("log"), *s;

	cr_assert_eq(log_open(path, NULL), ST_OK);
	for (int i = 0; i < 300; i++)
		log_at(LOG_WARN, "gpu", "fault %d", i);
	log_at(LOG_WARN, "gpu", "something else");
	s = take(path);
	/* On a machine that stalls, a second may pass in the middle. */
	cr_assert(count_lines(s, "fault") >= 10 && count_lines(s, "fault") <= 100, "%s", s);
	cr_assert(strstr(s, "the last message was repeated "), "%s", s);
	cr_assert(strstr(s, "something else"));
	cr_assert(strstr(s, "fault 9\n") && !strstr(s, "fault 10\n"));
}

Test(log, a_full_file_is_rotated_and_five_are_kept)
{
	static char path[512];
	char name[600];
	char *big = xalloc(1001);
	struct stat sb;

	snprintf(path, sizeof path, "%s", tmp_path("log"));
	memset(big, 'x', 1000);
	for (int i = 0; i < 8; i++) {
		/* Almost full by other means, so that the test is short. */
		FILE *f = fopen(path, "w");

		cr_assert(f && !ftruncate(fileno(f), (1 << 20) - 100) && !fclose(f));
		cr_assert_eq(log_open(path, NULL), ST_OK);
		log_at(LOG_INFO, "io", "%d %s", i, big);
		log_close();
		cr_assert(!stat(path, &sb) && sb.st_size < 2000);
		remove(path);
	}
	for (int i = 1; i <= 6; i++) {
		snprintf(name, sizeof name, "%s.%d", path, i);
		cr_assert_eq(fs_is_file(name), i <= 5);
	}
	xfree(big);
}

Test(log, before_it_is_open_warnings_go_to_the_error_output)
{
	int fds[2], saved = dup(2);
	char out[256];
	ssize_t n;

	cr_assert_eq(pipe(fds), 0);
	dup2(fds[1], 2);
	log_at(LOG_INFO, "io", "quiet");
	log_at(LOG_WARN, "io", "loud");
	dup2(saved, 2);
	n = read(fds[0], out, sizeof out - 1);
	cr_assert(n > 0);
	out[n] = '\0';
	cr_assert(strstr(out, " warn main io: loud\n") && !strstr(out, "quiet"), "%s", out);
	cr_assert_eq(log_lines(), 1);
	cr_assert_eq(log_open(tmp_path("none/log"), &(struct err){ 0 }), ST_IO);
	cr_assert_eq(log_open("/dev/null", &(struct err){ 0 }), ST_IO);
}

static void *talk(void *arg)
{
	const char *name = arg;

	log_thread(name);
	/* Ten of each format string are let through in a second. */
	for (int i = 0; i < 10; i++) {
		if (name[1] == '0')
			log_at(LOG_INFO, "t", "a %d", i);
		else if (name[1] == '1')
			log_at(LOG_INFO, "t", "b %d", i);
		else
			log_at(LOG_INFO, "t", "c %d", i);
	}
	return NULL;
}

Test(log, threads_write_whole_lines)
{
	static char names[3][3] = { "t0", "t1", "t2" };
	const char *path = tmp_path("log"), *s;
	pthread_t t[3];

	cr_assert_eq(log_open(path, NULL), ST_OK);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, talk, names[i]), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	s = take(path);
	cr_assert_eq(count_lines(s, "\n"), 30, "%s", s);
	cr_assert_eq(count_lines(s, " info t2 t: c "), 10, "%s", s);
}

Test(log, a_failing_disk_loses_lines_and_nothing_else)
{
	const char *path = tmp_path("log"), *s;

	cr_assert_eq(log_open(path, NULL), ST_OK);
	fs_fail_at(1, 28);
	log_at(LOG_INFO, "io", "lost");
	log_at(LOG_INFO, "io", "kept");
	s = take(path);
	cr_assert(!strstr(s, "lost") && strstr(s, "kept"));
}

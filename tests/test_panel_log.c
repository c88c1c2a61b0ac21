/* test_panel_log.c - the log on the screen: its levels, its filter, following and holding. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/log_capture.h"
#include "core/base/log_ring.h"
#include "tests/lib_base.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_log;

static struct alone p;
static char *shown;

static void begin(void)
{
	char path[512];

	snprintf(path, sizeof path, "%s/log", tmp_dir());
	cr_assert_eq(log_open(path, NULL), ST_OK);
	p = alone_open(&panel_log);
}

static void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
	log_close();
}

TestSuite(panel_log, .init = begin, .fini = end);

static const char *all(int w, int h)
{
	alone_hear(&p, EV_LOG, 0, (int64_t)log_ring_head(), NULL);
	xfree(shown);
	return shown = alone_draw(&p, w, h);
}

static bool has(const char *what)
{
	return strstr(all(90, 8), what) != NULL;
}

static void command(const char *word, const char *arg)
{
	cr_assert(p.class->on_command(p.self, word, arg), "%s", word);
}

Test(panel_log, an_empty_log_says_so)
{
	cr_assert(has("nothing was logged yet"));
}

Test(panel_log, lines_have_their_level_thread_and_module_and_errors_their_colour)
{
	log_at(LOG_INFO, "scan", "began");
	log_at(LOG_ERROR, "disk", "is full");
	cr_assert(has(" info main scan: began"), "%s", shown);
	cr_assert(has(" error main disk: is full"), "%s", shown);
	cr_assert_eq(alone_role(&p, 90, 8, 5, 1), ROLE_BAD);
	cr_assert_eq(alone_role(&p, 90, 8, 30, 0), ROLE_TEXT);
}

Test(panel_log, it_follows_the_newest_line_until_somebody_looks_back)
{
	for (int i = 0; i < 9; i++)
		log_at(LOG_INFO, i % 2 ? "odd" : "even", i % 2 ? "line %d" : "line %d!", i);
	cr_assert(has("line 8!"), "%s", shown);
	cr_assert_not(has("line 0!"), "%s", shown);
	cr_assert_str_eq(p.class->note(p.self), "follows");
	command("move", "up");
	log_at(LOG_WARN, "late", "one more");
	cr_assert_not(has("one more"), "%s", shown);
	cr_assert_str_eq(p.class->note(p.self), "held, 1 new  F follows");
	command("move", "first");
	cr_assert(has("line 0!"), "%s", shown);
	command("follow", "");
	cr_assert(has("one more"), "%s", shown);
	cr_assert_str_eq(p.class->note(p.self), "follows");
}

Test(panel_log, a_filter_is_words_that_are_there_and_words_that_are_not)
{
	log_at(LOG_INFO, "scan", "the fast pass");
	log_at(LOG_INFO, "chat", "the slow answer");
	command("filter", "THE -answer");
	cr_assert(has("fast pass"), "%s", shown);
	cr_assert_not(has("slow answer"), "%s", shown);
	command("filter", "nowhere");
	cr_assert(has("no line has that"), "%s", shown);
	command("filter", "");
	cr_assert(has("slow answer"), "%s", shown);
}

Test(panel_log, n_and_N_go_from_trouble_to_trouble)
{
	char *line;

	log_at(LOG_WARN, "a", "first trouble");
	for (int i = 0; i < 5; i++)
		log_at(LOG_INFO, "b", "nothing %d", i);
	log_at(LOG_ERROR, "c", "second trouble");
	log_at(LOG_INFO, "d", "the end");
	all(90, 8);
	command("prev", "");
	line = p.class->copy(p.self);
	cr_assert(strstr(line, "second trouble"), "%s", line);
	xfree(line);
	command("prev", "");
	line = p.class->copy(p.self);
	cr_assert(strstr(line, "first trouble"), "%s", line);
	xfree(line);
	command("next", "");
	line = p.class->copy(p.self);
	cr_assert(strstr(line, "second trouble"), "%s", line);
	xfree(line);
}

Test(panel_log, a_traceback_is_a_line_each)
{
	log_text(LOG_ERROR, "script", "a.lua:4: oh\nstack traceback:\n\t[C]: in ?");
	cr_assert(has("error main script: a.lua:4: oh\n"), "%s", shown);
	cr_assert(has("error main script:   stack traceback:\n"), "%s", shown);
	cr_assert(has("error main script:   [C]: in ?\n"), "%s", shown);
}

Test(panel_log, what_a_library_prints_is_tagged)
{
	int saved = log_capture();

	cr_assert_geq(saved, 0);
	cr_assert_eq(write(2, "libfoo: odd\x1b[31m\nhalf a line", 28), 28);
	log_capture_end(saved);
	cr_assert(has("info stderr stderr: libfoo: odd"), "%s", shown);
	cr_assert(has("stderr: half a line"), "%s", shown);
	cr_assert_null(strchr(shown, 0x1b));
	cr_assert_eq(log_capture_fd(), -1);
}

Test(panel_log, the_ring_is_bounded_and_a_slow_reader_goes_on_with_what_is_left)
{
	struct log_line *l = xalloc(sizeof *l);
	uint64_t next = 0, n = 0, last = 0;
	char text[600];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	for (int i = 0; i < 3000; i++) /* past the limit on lines, then past that on bytes */
		log_ring_put(i, LOG_INFO, "main", "m", i < 2000 ? "short" : text);
	while (log_ring_read(&next, l)) {
		cr_assert(!n || l->n == last + 1);
		cr_assert_eq(strlen(l->text), sizeof text - 1);
		last = l->n;
		n++;
	}
	cr_assert_eq(n, (64 << 10) / (sizeof text - 1));
	cr_assert_eq(last, 2999);
	xfree(l);
}

/* test_device_session.c - a sitting whose model is on a device: it does what one on the processor
 * does, moves, and outlives a device that is full, fails or is lost. */
#include "core/work/device.h"
#include "tests/lib_fenced.h"
#include "tests/session_fixture.h"

static const struct fenced_controls *fence;

static void open_on(const char *device, bool scan)
{
	fence = lib_fenced();
	fence->quickly(backend_best());
	work_home_texts();
	begin((struct session_options){
		.auto_scan = scan, .template = "chatml", .device = device });
	ok(session_open(s, work_demo(1), &e));
	settle();
	ok(session_set(s, "max_tokens", "12", &e));
}

static void close_all(void)
{
	end();
	cr_assert_eq(
		fence->ours(), 0, "%lu bytes left on the device", (unsigned long)fence->ours());
}

TestSuite(device_session, .timeout = 120);

static void to(const char *device)
{
	ok(session_device(s, device, &e));
	settle();
	cr_assert_str_eq(session_device_now(s), device, "%s", w.said);
}

static void say(const char *text)
{
	ok(session_say(s, text, &e));
	settle();
}

/* Of the map as it was seen last. */
static size_t scanned(void)
{
	size_t n = 0;

	for (size_t i = 0; w.map && i < w.map->n * w.map->k; i++) {
		n += w.map->cell[i].state == CELL_SCANNED;
		if (w.map->cell[i].state == CELL_SCANNED)
			cr_assert(isfinite(w.map->cell[i].value), "cell %zu is no number", i);
	}
	return n;
}

static size_t answers(void)
{
	size_t n = 0;

	for (size_t i = 0; w.chat && i < w.chat->n; i++)
		n += w.chat->piece[i].who == CHAT_MODEL;
	return n;
}

Test(device_session, scans_measures_chats_and_moves_there_and_back)
{
	size_t cells, before;
	double bpw;

	open_on("fenced:0", true);
	cr_assert_str_eq(session_device_now(s), "fenced:0");
	cells = scanned();
	cr_assert_gt(cells, 20, "%s", w.said);
	ok(session_budget(s, 3.3, &e));
	ok(session_measure(s, &e));
	settle();
	cr_assert(strstr(w.said, "measured 3."), "%s", w.said);
	say("one");
	before = answers();
	cr_assert_gt(before, 0);
	bpw = session_budget_now(s);

	to("cpu");
	cr_assert_eq(fence->ours(), 0, "%lu", (unsigned long)fence->ours());
	cr_assert_eq(session_budget_now(s), bpw);
	cr_assert_eq(scanned(), cells);
	cr_assert_eq(answers(), before);
	say("two");
	cr_assert_gt(answers(), before);

	to("fenced:1");
	cr_assert_gt(fence->ours(), 0);
	cr_assert_eq(session_budget_now(s), bpw);
	say("three");
	ok(session_set(s, "kv", "int8", &e));
	say("four");
	ok(session_set(s, "head", "int4g64", &e));
	say("five");
	to("fenced:0");
	say("six");
	cr_assert_not(strstr(w.said, "failed"), "%s", w.said);
	close_all();
}

Test(device_session, measures_the_same_number_wherever_the_model_is)
{
	char there[64], *at;

	open_on("fenced:0", true);
	ok(session_budget(s, 3.3, &e));
	ok(session_measure(s, &e));
	settle();
	at = strstr(w.said, "measured 3.");
	cr_assert(at, "%s", w.said);
	/* Behind it stands the prediction, which learns from it. */
	snprintf(there, sizeof there, "%.*s", (int)(strstr(at, " tokens") - at), at);
	to("cpu");
	memset(w.said, 0, sizeof w.said);
	ok(session_measure(s, &e));
	settle();
	cr_assert(strstr(w.said, there), "there %s, here %s", there, w.said);
	close_all();
}

Test(device_session, is_refused_where_there_is_no_room_and_stays)
{
	open_on("cpu", false);
	say("one");
	(void)backend_devices();
	fence->limit(100000);
	ok(session_device(s, "fenced:0", &e));
	settle();
	cr_assert_str_eq(session_device_now(s), "cpu");
	cr_assert(strstr(w.said, "are free on fenced:0"), "%s", w.said);
	say("two");
	fence->limit(0);
	to("fenced:0");
	cr_assert_eq(session_device(s, "", &e), ST_INVALID);
	ok(session_device(s, "cuda:9", &e));
	settle();
	cr_assert(strstr(w.said, "there is no cuda:9"), "%s", w.said);
	cr_assert_str_eq(session_device_now(s), "fenced:0");
	say("three");
	close_all();
}

Test(device_session, a_model_too_large_for_the_device_is_opened_on_the_processor_unless_asked)
{
	fence = lib_fenced();
	fence->limit(100000);
	open_on(NULL, false);
	cr_assert_str_eq(session_device_now(s), "cpu");
	cr_assert(strstr(w.said, "going on with cpu"), "%s", w.said);
	close_all();
	fence->limit(100000);
	open_on("fenced:0", false);
	cr_assert_eq(w.last, ST_NOMEM, "%s", w.said);
	fence->limit(0);
	close_all();
}

Test(device_session, a_device_that_fails_once_is_told_and_goes_on)
{
	open_on("fenced:0", false);
	say("one");
	fence->fail_at(40, false);
	say("two");
	cr_assert(strstr(w.said, "fenced:0: operation"), "%s", w.said);
	cr_assert(strstr(w.said, ":device cpu"), "%s", w.said);
	cr_assert_str_eq(session_device_now(s), "fenced:0");
	say("three");
	cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
	close_all();
}

Test(device_session, a_lost_device_hands_the_model_and_the_scan_to_the_processor)
{
	open_on("fenced:0", false);
	say("one");
	fence->fail_at(2500, true);
	ok(session_scan(s, &e));
	settle();
	cr_assert(strstr(w.said, "fenced:0 is lost to this process, going on with cpu"), "%s", w.said);
	cr_assert_str_eq(session_device_now(s), "cpu");
	cr_assert(device_lost());
	cr_assert_gt(scanned(), 20, "%s", w.said);
	say("two");
	cr_assert_eq(w.last, ST_OK, "%s", w.sentence);
	ok(session_device(s, "fenced:0", &e));
	settle();
	cr_assert_str_eq(session_device_now(s), "cpu");
	close_all();
}

/* Scan, chat and move with the nth operation failing: an answer every time, and nothing in the
 * caches that is no number. */
Test(device_session, no_failing_operation_leaves_a_lie_in_the_cache)
{
	fence = lib_fenced();
	fence->quickly(backend_best());
	work_home_texts();
	for (unsigned long n = 3; n < 3000; n += n < 120 ? 37 : n / 2) {
		bool lost = n % 2;

		begin((struct session_options){ .auto_scan = true,
			.template = "chatml",
			.device = "fenced:0",
			.formats = "int4g64,keep",
			.anew = true });
		fence->revive();
		fence->fail_at(n, lost);
		ok(session_open(s, work_demo(1), &e));
		settle();
		(void)scanned();
		(void)!session_scan(s, &e);
		settle();
		fence->fail_at(0, false);
		(void)scanned();
		end();
		fence->revive();
		cr_assert_eq(fence->ours(), 0, "operation %lu left memory behind", n);
	}
	begin((struct session_options){
		.auto_scan = true, .device = "cpu", .formats = "int4g64,keep" });
	ok(session_open(s, work_demo(1), &e));
	settle();
	cr_assert_gt(scanned(), 20);
	end();
}

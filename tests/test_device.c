/* test_device.c - the device in the program: the command, its completion, the header, lines. */
#include "tests/plain_fixture.h"

#include "app/tui/devices.h"
#include "core/base/text.h"
#include "tests/lib_fenced.h"

static void no_devices(void)
{
	setenv("BITDIAL_CUDA", "", 1);
	fixture_open();
}

TestSuite(device, .init = no_devices, .fini = fixture_close, .timeout = 30);

static void publish_model_on(const char *device)
{
	struct snap_model *m = snap_model_new(14, 2);
	struct err e;

	snprintf(m->name, sizeof m->name, "a model whose name is long enough for two");
	snprintf(m->text, sizeof m->text, "self-sampled");
	snprintf(m->reference, sizeof m->reference, "BF16 weights");
	snprintf(m->device, sizeof m->device, "%s", device);
	m->layers = 2;
	m->params = 134515008;
	cr_assert_not(format_parse(&m->format[0], "int2g64", &e));
	cr_assert_not(format_parse(&m->format[1], "int4g128", &e));
	publish(EV_MODEL, &m->snap);
}

Test(device, the_command_moves_the_model_and_is_no_act)
{
	char *text;

	publish_model_on("cpu, 2 threads");
	strcpy(fake.device, "fenced:0");
	text = say("device cpu\nhistory\n", 0);
	cr_expect(strstr(fake.log, "device cpu\n"), "%s", fake.log);
	cr_expect_not(strstr(text, "error"), "%s", text);
	cr_expect_not(strstr(text, "device cpu"), "an act: %s", text);
	big_free(text);
}

Test(device, alone_it_says_where_the_model_is_and_what_there_is)
{
	char *text;

	publish_model_on("cpu, 2 threads");
	text = say("device\ndevice cpu\n", 0);
	cr_expect(strstr(text, "the model is on cpu; there is cpu, and no other: "), "%s", text);
	cr_expect(strstr(text, "the model is on cpu already"), "%s", text);
	cr_expect_str_empty(fake.log);
	big_free(text);
}

Test(device, a_name_that_is_none_is_one_sentence_with_those_there_are)
{
	static const char *const bad[] = { "cuda:0", "cuda", "CPU", "gpu", "cpu:0", "\"\"", "..",
		"/dev/nvidia0", "cuda:99999999999999999999" };
	char *text;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char line[64];

		snprintf(line, sizeof line, "device %s\n", bad[i]);
		text = say(line, 2);
		cr_expect(strstr(text, "error: no device \""), "%s: %s", bad[i], text);
		/* A right name that is not there: why not is all there is room for. */
		cr_expect_eq(!strstr(text, "; there is cpu, and no other: "),
			!strncmp(bad[i], "cuda:", 5), "%s: %s", bad[i], text);
		cr_expect(strstr(text, "BITDIAL_CUDA is empty"), "%s: %s", bad[i], text);
		big_free(text);
	}
	text = say("device cpu auto\n", 2);
	cr_expect(strstr(text, "device: expected one name, got \"auto\" too"), "%s", text);
	cr_expect_str_empty(fake.log);
	big_free(text);
}

Test(device, what_the_session_refuses_is_said)
{
	char *text;

	fake.fail = "cuda:0: out of memory: it needs 3 GiB and has 1; close what fills it";
	text = say("device auto\n", 2);
	cr_expect(
		strstr(text, "error: cuda:0: out of memory: it needs 3 GiB and has 1"), "%s", text);
	big_free(text);
}

Test(device, the_names_there_are_complete)
{
	char *f = play(80, 24, ":\ntype device \nTab\n");

	cr_expect(strstr(f, "cpu"), "%s", f);
	cr_expect(strstr(f, "auto"), "%s", f);
	big_free(f);
}

static void two_devices(void)
{
	(void)lib_fenced();
	fixture_open();
}

Test(device, devices_are_named_completed_and_gone_to, .init = two_devices)
{
	char *f = play(80, 24, ":\ntype device f\nTab\n"), *text;

	cr_expect(strstr(f, "fenced:0  a fenced arena"), "%s", f);
	cr_expect(strstr(f, "fenced:1"), "%s", f);
	cr_expect_not(strstr(f, "cpu "), "%s", f);
	big_free(f);
	publish_model_on("cpu, 2 threads");
	text = say("device\ndevice fenced:1\n", 0);
	cr_expect(strstr(text, "the model is on cpu; there is cpu, fenced:0 (a fenced arena), "
			       "fenced:1"),
		"%s", text);
	cr_expect_str_eq(fake.log, "device fenced:1\n");
	big_free(text);
	text = say("device fenced:2\n", 2);
	cr_expect(strstr(text, "error: no device \"fenced:2\"; there is cpu, fenced:0 (a"), "%s",
		text);
	big_free(text);
}

Test(device, the_header_names_a_device_before_all_else_and_no_processor)
{
	char *f;

	publish_model_on("cuda:0, sm_90");
	f = play(120, 36, "");
	cr_expect(strstr(row(f, 0), "for two  cuda:0  135 M"), "%s", row(f, 0));
	big_free(f);
	publish_model_on("cuda:0, sm_90");
	f = play(80, 24, "");
	cr_expect(strstr(row(f, 0), "…  cuda:0 "), "%s", row(f, 0));
	big_free(f);
	publish_model_on("cpu, 2 threads");
	f = play(80, 24, "");
	cr_expect_not(strstr(row(f, 0), "cpu"), "%s", row(f, 0));
	big_free(f);
}

Test(device, the_header_holds_at_every_width)
{
	for (int w = 1; w <= 130; w += w < 30 ? 1 : 9) {
		char *f;

		publish_model_on("cuda:0, sm_90");
		f = play(w, 12, "");
		cr_expect_leq(text_width(row(f, 0), strlen(row(f, 0))), w, "%d: %s", w, row(f, 0));
		big_free(f);
	}
}

Test(device, a_name_with_escape_sequences_is_shown_without_them)
{
	char *f;

	publish_model_on("\x1b[31mcuda:0\x07");
	f = play(120, 36, "");
	cr_expect_not(strpbrk(f, "\x1b\x07"), "%s", f);
	big_free(f);
}

Test(device, show_says_in_words_what_the_panel_draws)
{
	char *text;

	publish_model_on("cpu, 2 threads");
	text = say("show device\n", 0);
	cr_expect(strstr(text, "device cpu: "), "%s", text);
	cr_expect(strstr(text, " used, "), "%s", text);
	cr_expect(strstr(text, "of it by bitdial"), "%s", text);
	cr_expect(strstr(text, "no other device: "), "%s", text);
	cr_expect_not(strstr(text, "nan"), "%s", text);
	big_free(text);
}

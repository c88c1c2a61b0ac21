/* test_work_ask.c - the dial by its other faces: bytes, the file, a damage, a speed. */
#include "tests/dial_fixture.h"

TestSuite(work_ask, .init = set_up, .fini = tear_down);

static struct dial_reached ask(enum ask_what what, double value)
{
	struct dial_reached r;
	struct err e = { 0 };

	cr_assert_eq(dial_ask(dial, &(struct ask){ what, value }, &r, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(read_all(), 1, "answered in the call");
	cr_assert_float_eq(r.bpw, last->stored_bpw, 0);
	cr_assert_float_eq(r.kl, last->kl, 0);
	cr_assert_eq(r.bytes, last->bytes);
	cr_assert_eq(r.file_bytes, last->file_bytes);
	return r;
}

static void refused(enum ask_what what, double value, const char *says)
{
	struct dial_reached r;
	struct err e = { 0 };
	double at = dial_bpw(dial);

	cr_assert_neq(dial_ask(dial, &(struct ask){ what, value }, &r, &e), ST_OK);
	cr_assert(strstr(e.msg, says), "%s", e.msg);
	cr_assert_eq(read_all(), 0, "a refused ask moves nothing");
	cr_assert_float_eq(dial_bpw(dial), at, 0);
}

Test(work_ask, bits_steps_bytes_and_the_file_lead_where_they_say)
{
	ask(ASK_BPW, 4);
	cr_assert_leq(last->stored_bpw, 4 + 1e-9);
	ask(ASK_STEP, 0.5);
	cr_assert_float_eq(last->asked_bpw, 4.5, 1e-12);
	ask(ASK_BYTES, (double)(front->least + 700));
	cr_assert_eq(last->budget, front->least + 700);
	cr_assert_leq(last->bytes, front->least + 700);
	ask(ASK_FILE, (double)(front->least + 700 + 1000));
	cr_assert_eq(last->budget, front->least + 700, "all but the linears has 1000 bytes");
	cr_assert_leq(last->file_bytes, front->least + 1700);
	refused(ASK_FILE, 1000, "all but the linears takes");
}

Test(work_ask, beyond_the_ends_it_says_which_end)
{
	cr_assert_eq(ask(ASK_BPW, 4).end, 0);
	cr_assert_eq(ask(ASK_BPW, 400).end, 1);
	cr_assert_eq(ask(ASK_BYTES, 1).end, -1);
	cr_assert_eq(last->bytes, front->least);
	cr_assert_eq(ask(ASK_STEP, -100).end, -1);
	cr_assert_eq(ask(ASK_BYTES, 1e17).end, 1);
	cr_assert_eq(last->bytes, front->most);
}

/* No smaller budget answers with as little. */
static void smallest_at(double kl)
{
	uint64_t found;

	ask(ASK_KL, kl);
	cr_assert_leq(last->kl, kl);
	found = last->bytes;
	for (uint64_t b = front->least; b < found; b += 16) {
		struct err e;

		cr_assert_eq(dial_bytes(dial, b, &e), ST_OK);
		read_all();
		cr_assert_gt(last->kl, kl, "%llu bytes do, %llu were given", (unsigned long long)b,
			(unsigned long long)found);
	}
}

Test(work_ask, a_damage_leads_to_the_smallest_layout_predicted_at_it)
{
	double all;

	ask(ASK_BPW, 0.1);
	all = last->kl;
	exact();
	for (double kl = all * 1.1; kl > all / 3000; kl *= 0.37)
		smallest_at(kl);
	ask(ASK_KL, 0);
	cr_assert_float_eq(last->kl, 0, 1e-12);
	ask(ASK_KL, all * 2);
	cr_assert_eq(last->bytes, front->least);
}

Test(work_ask, a_damage_is_kept_by_the_answer_before_the_exact_one_too)
{
	double all;

	ask(ASK_BPW, 0.1);
	all = last->kl;
	for (double kl = all * 1.1; kl > all / 3000; kl *= 0.81) {
		ask(ASK_KL, kl);
		cr_assert_leq(last->kl, kl);
	}
}

Test(work_ask, a_damage_that_no_layout_has_is_refused_with_the_least)
{
	struct err e;
	size_t matched;

	cr_assert_eq(dial_pin(dial, "layers.0.q", 0, &matched, &e), ST_OK);
	read_all();
	refused(ASK_KL, damage[0] * 0.99, "no layout of this dial is predicted at kl<=");
	cr_assert_eq(dial_damage(dial, damage, se, false, &e), ST_OK);
	read_all();
	refused(ASK_KL, 100, "first scores still, not nats");
}

Test(work_ask, a_speed_needs_a_measured_one_and_reads_bytes_from_it)
{
	double weights;

	refused(ASK_SPEED, 60, "no decoding speed is known yet; let the chat answer once");
	cr_assert(isnan(ask(ASK_BPW, 4).tok_s));
	weights = (double)last->bytes * 8 / last->stored_bpw;
	dial_speed(dial, NAN, 50);
	dial_speed(dial, 4, 0);
	refused(ASK_SPEED, 60, "no decoding speed is known yet");
	dial_speed(dial, 4, 50);
	ask(ASK_SPEED, 50);
	cr_assert_float_eq(last->asked_bpw, 4, 1e-3);
	cr_assert_geq(ask(ASK_SPEED, 60).tok_s, 60 - 1e-9);
	cr_assert_float_eq(
		last->asked_bpw, ((4 * weights / 8 + 1000) * 50 / 60 - 1000) * 8 / weights, 1e-2);
	cr_assert_eq(ask(ASK_SPEED, 1e6).end, -1);
	cr_assert_eq(ask(ASK_SPEED, 1e-6).end, 1);
}

Test(work_ask, an_ask_is_one_step_back)
{
	struct err e;
	double at;

	ask(ASK_BPW, 4);
	at = last->asked_bpw;
	ask(ASK_KL, 0.5);
	cr_assert_eq(dial_undo(dial, false, &e), ST_OK);
	read_all();
	cr_assert_float_eq(last->asked_bpw, at, 0);
}

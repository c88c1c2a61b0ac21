/* test_work_bus.c - events between threads: states, edges, snapshots. */
#include <criterion/criterion.h>
#include <poll.h>

#include "core/base/alloc.h"
#include "core/work/bus.h"
#include "core/work/snap.h"

static int alive;

static void counted_free(struct snap *s)
{
	alive--;
	xfree(s);
}

static struct snap *counted(void)
{
	struct snap *s = xalloc(sizeof *s);

	atomic_init(&s->refs, 1);
	s->free = counted_free;
	alive++;
	return s;
}

static bool readable(const struct sub *s)
{
	struct pollfd p = { .fd = sub_fd(s), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

Test(work_bus, of_a_state_only_the_newest_is_delivered)
{
	struct bus *b = bus_new();
	struct sub *s = bus_subscribe(b, ~0ull);
	struct event ev;

	for (int i = 1; i <= 5; i++)
		bus_publish(b, (struct event){ .kind = EV_ANSWER, .n = i, .snap = counted() });
	cr_assert_eq(alive, 1, "replaced snapshots are freed at once");
	cr_assert(sub_next(s, &ev));
	cr_assert_eq(ev.n, 5);
	snap_unref(ev.snap);
	cr_assert_not(sub_next(s, &ev));
	cr_assert_eq(alive, 1, "the bus keeps the newest for who comes late");
	bus_free(b);
	cr_assert_eq(alive, 0);
}

Test(work_bus, who_comes_late_begins_with_the_newest_states_and_no_edges)
{
	struct bus *b = bus_new();
	struct sub *s;
	struct event ev;

	bus_publish(b, (struct event){ .kind = EV_ANSWER, .n = 1, .snap = counted() });
	bus_publish(b, (struct event){ .kind = EV_ANSWER, .n = 2, .snap = counted() });
	bus_publish(b, (struct event){ .kind = EV_JOB_ENDED, .n = 3 });
	bus_publish(b, (struct event){ .kind = EV_MAP, .n = 4 });
	s = bus_subscribe_late(b, ~(1ull << EV_MAP));
	cr_assert(readable(s));
	cr_assert(sub_next(s, &ev));
	cr_assert(ev.kind == EV_ANSWER && ev.n == 2);
	snap_unref(ev.snap);
	cr_assert_not(sub_next(s, &ev));
	bus_unsubscribe(b, s);
	bus_publish(b, (struct event){ .kind = EV_ANSWER, .n = 5, .snap = counted() });
	cr_assert_eq(alive, 1);
	bus_free(b);
	cr_assert_eq(alive, 0);
}

Test(work_bus, states_of_other_keys_stay)
{
	struct bus *b = bus_new();
	struct sub *s = bus_subscribe(b, ~0ull);
	struct event ev;

	for (uint32_t k = 0; k < 6; k++)
		bus_publish(b, (struct event){ .kind = EV_JOB_PROGRESS, .key = k % 3, .n = k });
	for (uint32_t k = 0; k < 3; k++) {
		cr_assert(sub_next(s, &ev));
		cr_assert_eq(ev.key, k);
		cr_assert_eq(ev.n, (int64_t)k + 3);
	}
	cr_assert_not(sub_next(s, &ev));
	bus_free(b);
}

Test(work_bus, edges_come_in_order_and_none_is_lost)
{
	struct bus *b = bus_new();
	struct sub *s = bus_subscribe(b, ~0ull);
	struct event ev;

	for (int i = 0; i < 100; i++)
		bus_publish(b, (struct event){ .kind = EV_NOTICE, .n = i });
	for (int i = 0; i < 100; i++) {
		cr_assert(sub_next(s, &ev));
		cr_assert_eq(ev.n, i);
	}
	bus_free(b);
}

Test(work_bus, a_state_never_runs_ahead_of_an_edge_published_before_it)
{
	struct bus *b = bus_new();
	struct sub *s = bus_subscribe(b, ~0ull);
	struct event ev;

	bus_publish(b, (struct event){ .kind = EV_MAP, .n = 1 });
	bus_publish(b, (struct event){ .kind = EV_JOB_ENDED, .n = 7 });
	bus_publish(b, (struct event){ .kind = EV_MAP, .n = 2 });
	cr_assert(sub_next(s, &ev));
	cr_assert_eq(ev.kind, EV_JOB_ENDED);
	cr_assert(sub_next(s, &ev));
	cr_assert_eq(ev.n, 2);
	cr_assert_not(sub_next(s, &ev));
	bus_free(b);
}

Test(work_bus, a_subscriber_hears_only_the_kinds_it_asked_for)
{
	struct bus *b = bus_new();
	struct sub *s = bus_subscribe(b, 1ull << EV_CHAT);
	struct event ev;

	bus_publish(b, (struct event){ .kind = EV_MAP, .snap = counted() });
	cr_assert_not(readable(s));
	bus_publish(b, (struct event){ .kind = EV_CHAT });
	cr_assert(readable(s));
	cr_assert(sub_next(s, &ev));
	cr_assert_not(sub_next(s, &ev));
	cr_assert_not(readable(s), "an empty queue is not readable");
	bus_free(b);
}

Test(work_bus, unread_snapshots_are_freed_with_the_bus)
{
	struct bus *b = bus_new();
	struct snap *mine = counted();

	bus_subscribe(b, ~0ull);
	bus_subscribe(b, ~0ull);
	bus_publish(b, (struct event){ .kind = EV_NOTICE, .snap = snap_ref(mine) });
	bus_publish(b, (struct event){ .kind = EV_MAP, .snap = counted() });
	bus_free(b);
	cr_assert_eq(alive, 1, "the one still held");
	snap_unref(mine);
	cr_assert_eq(alive, 0);
	snap_unref(NULL);
}

Test(work_bus, snapshots_of_every_type_free_what_they_own)
{
	struct chat_piece p = { .len = 2 };
	struct snap_chat *c = snap_chat_new("hi", 2, &p, 1);

	cr_assert_eq(c->len, 2);
	cr_assert_eq(c->piece[0].len, 2);
	snap_unref(&c->snap);
	snap_unref(&snap_text_new("x")->snap);
	snap_unref(&snap_progress_new()->snap);
	snap_unref(&snap_model_new(3, 2)->snap);
	snap_unref(&snap_map_new(3, 2)->snap);
	snap_unref(&snap_variants_new(3, 2)->snap);
	snap_unref(&snap_front_new(0, 0)->snap);
	snap_unref(&snap_answer_new(3, true)->snap);
	snap_unref(&snap_chat_new(NULL, 0, NULL, 0)->snap);
}

/* stress_work.c - the bus and the jobs under many threads; a plain program, to be run under
 * the thread sanitizer.  Four publishers and one reader; then jobs submitted, stopped and
 * nested at random: each must be done exactly once; then a sitting whose dial is turned while
 * it scans, measures and chats. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/rng.h"
#include "core/model/model.h"
#include "core/work/bus.h"
#include "core/work/job.h"
#include "core/work/session.h"

enum { PUBLISHERS = 4, EVENTS = 50000, EDGE_EVERY = 10, JOBS = 4000 };

static atomic_int alive;
static struct bus *bus;

struct value {
	struct snap snap;
	int64_t n; /* plain on purpose: read by another thread */
};

static void value_free(struct snap *s)
{
	atomic_fetch_sub(&alive, 1);
	xfree(s);
}

static struct snap *value(int64_t n)
{
	struct value *v = xalloc(sizeof *v);

	atomic_init(&v->snap.refs, 1);
	v->snap.free = value_free;
	v->n = n;
	atomic_fetch_add(&alive, 1);
	return &v->snap;
}

static void *publisher(void *arg)
{
	uint32_t key = (uint32_t)(uintptr_t)arg;

	for (int64_t i = 0; i < EVENTS; i++)
		bus_publish(bus, (struct event){ i % EDGE_EVERY ? EV_JOB_PROGRESS : EV_NOTICE, key,
					 i, value(i) });
	return NULL;
}

#define CHECK(what)                                                                        \
	do {                                                                               \
		if (!(what)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

static void stress_bus(void)
{
	pthread_t t[PUBLISHERS];
	int64_t edge[PUBLISHERS] = { 0 }, state[PUBLISHERS];
	struct sub *s;
	struct event ev;
	int edges = 0;

	bus = bus_new();
	s = bus_subscribe(bus, ~0ull);
	for (uintptr_t i = 0; i < PUBLISHERS; i++) {
		state[i] = -1;
		CHECK(!pthread_create(&t[i], NULL, publisher, (void *)i));
	}
	while (edges < PUBLISHERS * EVENTS / EDGE_EVERY) {
		struct pollfd p = { .fd = sub_fd(s), .events = POLLIN };

		CHECK(poll(&p, 1, 60000) == 1);
		while (sub_next(s, &ev)) {
			CHECK(((struct value *)ev.snap)->n == ev.n);
			if (ev.kind == EV_NOTICE) {
				CHECK(ev.n == edge[ev.key]);
				edge[ev.key] += EDGE_EVERY;
				edges++;
			} else {
				CHECK(ev.n > state[ev.key]);
				state[ev.key] = ev.n;
			}
			snap_unref(ev.snap);
		}
	}
	for (int i = 0; i < PUBLISHERS; i++)
		pthread_join(t[i], NULL);
	while (sub_next(s, &ev)) {
		state[ev.key] = ev.n;
		snap_unref(ev.snap);
	}
	for (int i = 0; i < PUBLISHERS; i++)
		CHECK(state[i] == EVENTS - 1);
	bus_free(bus);
	CHECK(atomic_load(&alive) == 0);
	printf("bus: %d edges\n", edges);
}

/* ---- jobs */

struct load {
	atomic_int begun;
	int polls, ended; /* plain: the engine's, then the drainer's */
};
static struct load load[JOBS], rung[LANES];
static int depth[LANES], deepest; /* engine thread */
static int finished;

static enum st work(struct job *j, struct err *e)
{
	struct load *l = j->arg;
	int nested = 0;
	enum st st = ST_OK;

	(void)e;
	CHECK(++depth[j->class->lane] == 1); /* at most one a lane */
	for (int i = 0; i < LANES; i++)
		nested += depth[i];
	if (nested > deepest)
		deepest = nested;
	atomic_fetch_add(&l->begun, 1);
	for (int i = 0; i < l->polls && !st; i++)
		if (job_poll(j))
			st = ST_CANCELLED;
	depth[j->class->lane]--;
	return st;
}

static void done(struct job *j)
{
	struct load *l = j->arg;

	CHECK(!l->ended++);
	CHECK(atomic_load(&l->begun) == 1 || j->st == ST_CANCELLED);
	finished++;
}

static const struct job_class class[LANES] = {
	{ "interactive", NULL, LANE_INTERACTIVE, work, done },
	{ "chat", NULL, LANE_CHAT, work, done },
	{ "measure", NULL, LANE_MEASURE, work, done },
	{ "scan", NULL, LANE_SCAN, work, done },
};

/* One of each lane, each begun while the one below polls. */
static void ladder(struct jobs *q)
{
	for (int l = LANES; l--;) {
		rung[l].polls = 1 << 30;
		jobs_submit(q, &class[l], &rung[l], NULL);
		while (!atomic_load(&rung[l].begun))
			sched_yield();
	}
	for (int l = 0; l < LANES; l++)
		jobs_stop_class(q, &class[l]);
	while (jobs_count(q))
		jobs_drain(q);
	CHECK(finished == LANES && deepest == LANES);
	finished = 0;
}

static void stress_jobs(void)
{
	struct bus *b = bus_new();
	struct jobs *q = jobs_new(b);
	struct rng r;

	ladder(q);
	rng_seed(&r, 1);
	for (int i = 0; i < JOBS; i++) {
		uint32_t id;

		load[i].polls = (int)rng_below(&r, 3000);
		id = jobs_submit(q, &class[rng_below(&r, LANES)], &load[i], NULL);
		switch (rng_below(&r, 8)) {
		case 0:
			jobs_stop(q, id);
			break;
		case 1:
			jobs_stop(q, jobs_top(q, NULL));
			break;
		case 2:
			jobs_drain(q);
			break;
		case 3:
			jobs_stop_class(q, &class[rng_below(&r, LANES)]);
			break;
		case 4:
			while (jobs_count(q) > 50) {
				struct pollfd p = { .fd = jobs_fd(q), .events = POLLIN };

				CHECK(poll(&p, 1, 60000) == 1);
				jobs_drain(q);
			}
			break;
		default:
			jobs_worst_gap(q, NULL);
		}
	}
	jobs_free(q);
	bus_free(b);
	CHECK(finished == JOBS);
	printf("jobs: %d\n", finished);
}

/* ---- a sitting */

static int chats, answers;

static void read_events(struct sub *sub)
{
	struct event ev;

	while (sub_next(sub, &ev)) {
		chats += ev.kind == EV_CHAT;
		answers += ev.kind == EV_ANSWER;
		snap_unref(ev.snap);
	}
}

static void stress_session(void)
{
	char dir[] = "/tmp/bitdial-stress-XXXXXX", *model, *cache;
	struct session_options o = { .formats = "int2g64,int4g64,keep",
		.scan_tokens = 128,
		.auto_scan = true,
		.threads = 2,
		.template = "chatml" };
	struct bus *b = bus_new();
	struct sub *sub = bus_subscribe(b, ~0ull);
	int said = 0, measured = 0;
	struct session *s;
	struct err e;

	CHECK(mkdtemp(dir));
	model = xprintf("%s/demo.gguf", dir);
	cache = xprintf("%s/cache", dir);
	setenv("XDG_CACHE_HOME", cache, 1);
	setenv("BD_RUNS", dir, 1);
	CHECK(!model_demo_write(model, 1, &e));
	s = session_new(&o, b);
	CHECK(!session_open(s, model, &e));
	/* to its end, or (under the sanitizer) until all of it was seen; then it is cut off */
	for (int i = 0; session_busy(s); i++) {
		if (i > 5000 && chats && said > 1 && measured)
			break;
		struct timespec nap = { 0, 300000 };
		size_t n;

		nanosleep(&nap, NULL);
		read_events(sub);
		jobs_drain(session_jobs(s));
		CHECK(!session_budget(s, 2 + i % 60 / 10.0, &e));
		if (i % 256 == 20 && said < 8)
			said += !session_say(s, "hello", &e); /* not while one is under way */
		if (i % 300 == 50 && measured < 2)
			measured += !session_measure(s, &e);
		if (i % 41 == 30 && !session_pin(s, "layers.1.*", NULL, &n, &e))
			CHECK(!session_undo(s, &e));
	}
	read_events(sub);
	session_free(s);
	bus_free(b);
	CHECK(answers > 0 && chats > 0 && said > 1 && measured > 0);
	CHECK(!fs_remove_tree(dir, &e));
	xfree(model);
	xfree(cache);
	printf("session: %d answers, %d chats\n", answers, chats);
}

int main(void)
{
	stress_bus();
	stress_jobs();
	stress_session();
	return 0;
}

/* l_train.c - bitdial.train: fine-tuning the layout under the dial, as a run. */
#include <math.h>
#include <string.h>

#include "app/lua/l.h"
#include "core/base/alloc.h"
#include "core/work/snap_train.h"
#include "core/work/train_run.h"

struct l_training {
	uint32_t id;             /* of the job */
	uint64_t seen;           /* the step that next() gave last */
	struct snap_train *last; /* of this run; NULL: nothing yet */
};

static const struct l_class class;

static void put(lua_State *L, const char *name, double v)
{
	l_push_number(L, v);
	lua_setfield(L, -2, name);
}

/* ---- how it goes */

static void release(void *handle)
{
	struct l_training *t = handle;

	if (t->last)
		snap_unref(&t->last->snap);
}

/* The newest of this run; NULL: nothing yet. */
static const struct snap_train *hear(lua_State *L, struct l_training *t)
{
	struct snap_train *now;

	l_hear(L);
	now = (struct snap_train *)(uintptr_t)l_last(L, EV_TRAIN);
	if (now && now != t->last && now->job == t->id) {
		if (t->last)
			snap_unref(&t->last->snap);
		t->last = (struct snap_train *)snap_ref(&now->snap);
	}
	return t->last;
}

static const struct train_look *look(const struct snap_train *s)
{
	return s->n_looks ? &s->look[s->n_looks - 1] : NULL;
}

/* KL at each budget of a dial, at the last look; nil: it trains no dial. */
static void push_budgets(lua_State *L, const struct snap_train *s)
{
	const struct train_look *l = look(s);

	if (!s->points || !l) {
		lua_pushnil(L);
		return;
	}
	lua_createtable(L, (int)s->points, 0);
	for (size_t p = 0; p < s->points; p++) {
		lua_createtable(L, 0, 2);
		put(L, "bpw", s->point_bpw[p]);
		put(L, "kl", (double)l->point[p]);
		lua_rawseti(L, -2, (lua_Integer)p + 1);
	}
}

/* In what its loss is in, which is KL under a teacher. */
static double held(const struct snap_train *s)
{
	const struct train_look *l = look(s);

	return l ? train_look_loss(s, l) : (double)NAN;
}

static double held_kl(const struct snap_train *s)
{
	const struct train_look *l = look(s);

	return l ? (double)l->kl : (double)NAN;
}

static void push_step(lua_State *L, const struct snap_train *s)
{
	const struct train_look *l = look(s);

	lua_createtable(L, 0, 14);
	lua_pushinteger(L, (lua_Integer)s->step);
	lua_setfield(L, -2, "step");
	lua_pushinteger(L, (lua_Integer)s->steps);
	lua_setfield(L, -2, "steps");
	lua_pushinteger(L, (lua_Integer)s->skipped);
	lua_setfield(L, -2, "skipped");
	put(L, "loss", s->last[SERIES_LOSS]);
	put(L, "lr", s->last[SERIES_LR]);
	put(L, "lr_s", s->last[SERIES_LR_S]);
	put(L, "grad", s->last[SERIES_GRAD]);
	put(L, "flips", s->last[SERIES_FLIPS]);
	put(L, "changed", s->last[SERIES_CHANGED]);
	put(L, "tok_s", s->last[SERIES_RATE]);
	put(L, "held", held(s));
	put(L, "held_kl", held_kl(s));
	push_budgets(L, s);
	lua_setfield(L, -2, "budgets");
	put(L, "held_step", l ? (double)l->step : (double)NAN);
}

/* ---- what is asked for */

static double rate(lua_State *L, const char *name)
{
	lua_Number v = l_number(L, 1, name, (lua_Number)NAN);
	bool open = lua_getfield(L, 1, name) == LUA_TNIL;

	lua_pop(L, 1);
	if (!open && !(v >= 0 && !isinf(v)))
		luaL_error(L, "%s: %s: expected a number from 0 on", l_name(L), name);
	return v;
}

/* Words are the table's. */
static void read_ask(lua_State *L, struct train_ask *a)
{
	train_ask_init(a);
	for (const struct train_key *k = train_keys; k->name; k++) {
		void *to = (char *)a + k->at;

		switch (k->kind) {
		case TRAIN_WORD:
			*(const char **)to = l_string(L, 1, k->name, NULL);
			break;
		case TRAIN_COUNT:
			*(uint64_t *)to =
				(uint64_t)l_whole(L, 1, k->name, 0, k->least, (lua_Integer)k->most);
			break;
		case TRAIN_NUMBER:
			*(double *)to = rate(L, k->name);
			break;
		case TRAIN_FLAG:
			*(bool *)to = l_flag(L, 1, k->name, false);
			break;
		}
	}
	a->resume = l_string(L, 1, "resume", NULL);
	if (a->held >= 1)
		luaL_error(L, "%s: held: expected a share below 1", l_name(L));
}

static enum st begin(struct session *s, void *arg, struct err *e)
{
	return session_train(s, arg, e);
}

/* Where nobody chats there is no copy to be made of each step. */
static enum st begin_alone(struct session *s, void *arg, struct err *e)
{
	bool on;
	enum st st = session_train_chat(s, SWITCH_OFF, &on, e);

	return st ? st : session_train(s, arg, e);
}

/* The layout at 2.  A calibration is of that alone, thus of no dial. */
static enum st take_layout(lua_State *L, struct train_ask *ask, struct err *e)
{
	if (ask->resume)
		return err_set(e, ST_INVALID,
			"train: layout= goes with a new run: a resumed one knows all but its "
			"steps");
	if (ask->dial)
		return err_set(e, ST_INVALID, "train: dial= names the formats: leave layout= out");
	if (ask->calibrate)
		ask->layout = "under the dial";
	return l_use_layout(L, 2, e);
}

static int start(lua_State *L, bool calibrate)
{
	struct train_ask ask;
	struct err e = { 0 };
	struct l_training *t;
	uint32_t job;

	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	l_options(L, 1);
	read_ask(L, &ask);
	ask.calibrate |= calibrate;
	lua_settop(L, 1);
	lua_getfield(L, 1, "layout");
	if (!lua_isnil(L, 2) && take_layout(L, &ask, &e))
		return l_fail(L, &e);
	if (l_call(L, host_face(l_ctx(L)->host)->screen ? begin : begin_alone, &ask, &job, &e))
		return l_fail(L, &e);
	t = l_new(L, &class);
	t->id = job;
	return 1;
}

static int run(lua_State *L)
{
	return start(L, false);
}

static int calibrate(lua_State *L)
{
	return start(L, true);
}

static int methods(lua_State *L)
{
	static const char *const what[] = { [TRAIN_CODES] = "codes",
		[TRAIN_MASTERS] = "masters",
		[TRAIN_ADAPTERS] = "adapters",
		[TRAIN_LATENT] = "latent" };
	lua_Integer i = 0;

	lua_newtable(L);
	for (const struct train_method *m = train_methods; m->name; m++) {
		lua_createtable(L, 0, 8);
		lua_pushstring(L, m->name);
		lua_setfield(L, -2, "name");
		lua_pushstring(L, m->summary);
		lua_setfield(L, -2, "summary");
		lua_pushstring(L, what[m->what]);
		lua_setfield(L, -2, "what");
		lua_pushstring(L, m->unit == LR_LEVELS ? "levels" : "absolute");
		lua_setfield(L, -2, "unit");
		put(L, "lr", m->lr > 0 ? m->lr : (double)NAN);
		put(L, "lr_s", m->lr_s);
		put(L, "lr_gain", m->lr_gain);
		if (!strcmp(m->optimizer, "rank"))
			put(L, "budget", tune_defaults.from);
		lua_pushinteger(L, (lua_Integer)m->rank);
		lua_setfield(L, -2, "rank");
		lua_rawseti(L, -2, ++i);
	}
	return 1;
}

/* ---- a run in training */

static int get(lua_State *L, void *handle, const char *field)
{
	struct l_training *t = handle;
	const struct snap_train *s = hear(L, t);

	if (!strcmp(field, "tostring"))
		lua_pushfstring(L, " %s", s && s->run[0] ? s->run : "that begins");
	else if (!strcmp(field, "id"))
		lua_pushinteger(L, t->id);
	else if (!strcmp(field, "ended"))
		lua_pushboolean(L, l_over(L, t->id));
	else if (!s)
		lua_pushnil(L);
	else if (!strcmp(field, "run"))
		lua_pushstring(L, s->run);
	else if (!strcmp(field, "state"))
		lua_pushstring(L, training_name(s->state));
	else if (!strcmp(field, "step"))
		lua_pushinteger(L, (lua_Integer)s->step);
	else if (!strcmp(field, "steps"))
		lua_pushinteger(L, (lua_Integer)s->steps);
	else if (!strcmp(field, "loss"))
		l_push_number(L, s->last[SERIES_LOSS]);
	else if (!strcmp(field, "held"))
		l_push_number(L, held(s));
	else if (!strcmp(field, "held_kl"))
		l_push_number(L, held_kl(s));
	else if (!strcmp(field, "budgets"))
		push_budgets(L, s);
	else
		l_push_number(L, s->left_s);
	return 1;
}

/* A step is heard of once; of several since the last time the newest. */
static int next(lua_State *L)
{
	struct l_training *t = l_check(L, 1, &class);
	const struct snap_train *s;
	bool over;

	for (;;) {
		over = l_over(L, t->id); /* before: what was told comes with its end */
		s = hear(L, t);
		if (s && s->step > t->seen)
			break;
		if (over) {
			lua_pushnil(L);
			return 1;
		}
		l_wait(L, 1000);
	}
	t->seen = s->step;
	push_step(L, s);
	return 1;
}

static int wait(lua_State *L)
{
	struct l_training *t = l_check(L, 1, &class);
	const struct snap_train *s;
	struct err e = { 0 };

	if (!l_await(L, t->id, &e))
		return l_fail(L, &e);
	s = hear(L, t);
	if (!s || !s->run[0]) {
		(void)err_set(&e, ST_INVALID, "train: no run was written");
		return l_fail(L, &e);
	}
	return l_push_result(L, s->run);
}

static int stop(lua_State *L)
{
	struct l_training *t = l_check(L, 1, &class);
	struct err e = { 0 };

	if (l_stop(L, t->id, &e))
		return l_fail(L, &e);
	lua_pushboolean(L, 1);
	return 1;
}

struct pause {
	enum switch_verb verb;
	bool now;
};

static enum st do_pause(struct session *s, void *arg, struct err *e)
{
	struct pause *p = arg;

	return session_train_pause(s, p->verb, &p->now, e);
}

static enum st do_save(struct session *s, void *arg, struct err *e)
{
	(void)arg;
	return session_train_save(s, e);
}

/* Only of the run that is in training. */
static bool runs_now(lua_State *L, const struct l_training *t, struct err *e)
{
	if (!l_over(L, t->id))
		return true;
	(void)err_set(e, ST_INVALID, "%s: this run is over", l_name(L));
	return false;
}

static int pause(lua_State *L)
{
	struct l_training *t = l_check(L, 1, &class);
	struct pause p = { SWITCH_ON, true };
	struct err e = { 0 };

	if (!lua_isnoneornil(L, 2) && !lua_toboolean(L, 2))
		p.verb = SWITCH_OFF;
	if (!runs_now(L, t, &e) || l_call(L, do_pause, &p, NULL, &e))
		return l_fail(L, &e);
	lua_pushboolean(L, p.now);
	return 1;
}

static int save(lua_State *L)
{
	struct l_training *t = l_check(L, 1, &class);
	struct err e = { 0 };

	if (!runs_now(L, t, &e) || l_call(L, do_save, NULL, NULL, &e))
		return l_fail(L, &e);
	lua_pushboolean(L, 1);
	return 1;
}

static const struct l_fn of_run[] = {
	{ "wait", "() -> result | nil, message",
		"until it is over; {run=, path=} and the numbers that the run ends with: "
		"held_nll=, "
		"test_nll=, text_kl=, seconds_a_step=, changed= ...",
		wait, NULL },
	{ "next", "() -> step | nil",
		"waits for a step more: {step=, steps=, loss=, lr=, lr_s=, grad=, flips=, "
		"changed=, "
		"tok_s=, skipped=, held=, held_kl=, budgets=, held_step=}; of several since the "
		"last time the newest; nil: it is over",
		next, NULL },
	{ "pause", "([on]) -> paused | nil, message", "after the step that runs; false: goes on",
		pause, NULL },
	{ "save", "() -> true | nil, message", "a checkpoint after the step that runs", save,
		NULL },
	{ "stop", "() -> true | nil, message",
		"after a checkpoint; train{resume =} goes on from it", stop, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const struct l_opt fields[] = {
	{ "id", "number", "as the Jobs panel counts" },
	{ "ended", "boolean", "it is over, well or not" },
	{ "run", "string", "the id of its folder; nil until it is there, as all that follows" },
	{ "state", "string", "begins, running, paused ..." },
	{ "step", "number", "finished, or left out" },
	{ "steps", "number", "of the whole run" },
	{ "loss", "number",
		"nats a learned token, before the last step; under a teacher KL from what it "
		"says" },
	{ "held", "number", "the same of what is held out, at the last look" },
	{ "held_kl", "number", "KL from the reference there, of a dial the mean of its budgets" },
	{ "budgets", "table",
		"of a dial, at the last look: {{bpw=, kl=}, ...}; nil: it trains none" },
	{ "left", "number", "seconds it expects to take yet; nil: not known" },
	{ NULL, NULL, NULL },
};

static const struct l_class class = {
	.name = "training",
	.help = "a run in training, beside the script until wait() gives what came of it",
	.method = of_run,
	.field = fields,
	.get = get,
	.release = release,
	.size = sizeof(struct l_training),
};

#define TYPE_WORD                             "string"
#define TYPE_COUNT                            "number"
#define TYPE_NUMBER                           "number"
#define TYPE_FLAG                             "boolean"
#define OPTION(name, kind, least, most, help) { #name, TYPE_##kind, help },
static const struct l_opt options[] = {
	TRAIN_KEYS(OPTION){ "layout", "layout",
		"what to begin from, a calibration: what to calibrate in the place of the dial; "
		"else what is under the dial" },
	{ "resume", "string",
		"a run that was cut short goes on; it knows all the rest, its layout, too" },
	{ NULL, NULL, NULL },
};

static const struct l_fn fns[] = {
	{ "run", "[{data=, method=, ...}] or {resume=} -> training | nil, message",
		"trains the layout under the dial; the layout stays as it is, the trained one is "
		"in the run's "
		"folder",
		run, options },
	{ "methods",
		"() -> {{name=, summary=, what=, unit=, lr=, lr_s=, lr_gain=, budget=, rank=}, "
		"...}",
		"what it can be trained by; what: codes, latent, masters or adapters; unit of lr: "
		"levels "
		"(of 2 bits) or absolute",
		methods, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_train = {
	.name = "train",
	.help = "fine-tuning: of packed codes, of float copies, of adapters",
	.main = "run",
	.fn = fns,
	.class = &class,
	.sandbox = "methods",
};

static const struct l_fn calibrate_fns[] = {
	{ "run", "[{steps=, data=, dial=, ...}] or {resume=} -> training | nil, message",
		"teaches every format of the dial by the model itself (bitdial.train with "
		"calibrate = "
		"true); the dial has what came of it at every checkpoint",
		calibrate, options },
	{ NULL, NULL, NULL, NULL, NULL },
};

const struct l_module l_calibrate = {
	.name = "calibrate",
	.help = "calibration: of all budgets of the dial at once",
	.main = "run",
	.fn = calibrate_fns,
};

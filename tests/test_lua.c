/* test_lua.c - scripts on the demo model: what the modules give, how they fail, how they stop. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/lua/l.h"
#include "app/lua/manual.h"
#include "app/lua/script.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

static struct {
	struct bus *bus;
	struct session *session;
	struct host *host;
	char printed[8192], noticed[2048];
} now;

static void append(char *to, size_t size, const char *line)
{
	size_t n = strlen(to);

	snprintf(to + n, size - n, "%s\n", line);
}

static void print(void *arg, const char *line)
{
	(void)arg;
	append(now.printed, sizeof now.printed, line);
}

static void notice(void *arg, const char *line)
{
	(void)arg;
	append(now.noticed, sizeof now.noticed, line);
}

static void begin(void)
{
	struct session_options o = { .threads = 1, .scan_tokens = 64, .no_runs = true };
	struct host_face face = { .print = print, .notice = notice };

	work_home();
	now.bus = bus_new();
	now.session = session_new(&o, now.bus);
	now.host = host_new(now.session, now.bus, &face);
}

static void end(void)
{
	host_close(now.host);
	session_free(now.session);
	host_free(now.host);
	bus_free(now.bus);
}

/* Serves the script until it has ended; seconds > 0: stops it then. */
static int serve(struct script *s, double seconds, const char **sentence)
{
	double began = clock_now();
	bool stopped = false;

	for (;;) {
		struct pollfd p[3] = { { .fd = script_fd(s), .events = POLLIN },
			{ .fd = host_fd(now.host), .events = POLLIN },
			{ .fd = jobs_fd(session_jobs(now.session)), .events = POLLIN } };

		poll(p, 3, 20);
		host_serve(now.host);
		jobs_drain(session_jobs(now.session));
		if (p[0].revents)
			return script_join(s, sentence);
		if (seconds > 0 && !stopped && clock_now() - began > seconds) {
			stopped = true;
			script_stop(s);
		}
		cr_assert_lt(clock_now() - began, 60, "the script does not end");
	}
}

/* A file with the demo model and one more argument. */
static int run_file(const char *path, const char *argument, double seconds, char said[512])
{
	char *model = xstrdup(work_demo(1)), *more = xstrdup(argument), *argv[] = { model, more };
	struct script_options o = { .path = path, .argc = *more ? 2 : 1, .argv = argv };
	const char *sentence;
	struct script *s;
	struct err e = { 0 };
	int code;

	now.printed[0] = now.noticed[0] = '\0';
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_OK, "%s", e.msg);
	code = serve(s, seconds, &sentence);
	snprintf(said, 512, "%s", sentence);
	script_free(s);
	xfree(model);
	xfree(more);
	return code;
}

static int run_for(const char *text, double seconds, char said[512])
{
	const char *path = tmp_path("script.lua");

	tmp_write(path, text, strlen(text));
	return run_file(path, "", seconds, said);
}

/* Runs text after the model is opened as `m`; it must end well and print what is wanted. */
static void prints(const char *text, const char *want)
{
	char said[512], *all = xprintf("m = assert(bitdial.open(arg[1]))\n%s", text);
	int code = run_for(all, 0, said);

	cr_assert_eq(code, SCRIPT_OK, "%s", said);
	cr_assert_str_eq(now.printed, want);
	xfree(all);
}

TestSuite(lua, .init = begin, .fini = end, .timeout = 120);

Test(lua, a_model_is_opened_and_says_what_it_is)
{
	prints("print(m.layers, m.linears, #m.formats, m.formats[1]) print(m)",
		"4\t28\t5\tint2g64\nmodel demo\n");
}

Test(lua, a_file_that_is_not_there_gives_nil_and_a_sentence)
{
	char said[512];

	cr_assert_eq(run_for("print(bitdial.open('/no/such'))", 0, said), SCRIPT_OK, "%s", said);
	cr_assert(strstr(now.printed, "nil\t/no/such: there is no such file"), "%s", now.printed);
}

Test(lua, a_scan_gives_cells_that_agree_with_the_layouts_found_by_them)
{
	prints("local c = assert(bitdial.scan{ text = 'self' }:wait())\n"
	       "print(c.scanned == c.wanted, #c:totable())\n"
	       "local q = c:at('layers.0.q', 'int2g64')\n"
	       "print(q.linear, q.format, q.damage > 0, q.se > 0, q.tokens >= 64)\n"
	       "print(c:at('layers.9.q', 'int2g64'))\n"
	       "local l = assert(bitdial.search{ bpw = 3 }:wait())\n"
	       "print(l.bpw <= 3, l.exact, l.damage > 0)\n"
	       "local n = 0 for _ in pairs(l:formats()) do n = n + 1 end print(n)\n",
		"true\t140\nlayers.0.q\tint2g64\ttrue\ttrue\ttrue\n"
		"nil\tthere is no cell layers.9.q int2g64\ntrue\ttrue\ttrue\n28\n");
}

Test(lua, a_layout_can_be_used_again_measured_written_and_read)
{
	char text[512];

	snprintf(text, sizeof text,
		"assert(bitdial.scan():wait())\n"
		"local a = bitdial.search(3):wait()\n"
		"local b = bitdial.search(4):wait()\n"
		"assert(a:use())\n"
		"print(bitdial.layout.now().bytes == a.bytes)\n"
		"local d = assert(bitdial.measure(b):wait())\n"
		"print(d.damage > 0, d.se > 0, bitdial.layout.now().bytes == b.bytes)\n"
		"print(b:write('%s'))\n"
		"a:use()\n"
		"print(assert(bitdial.layout('%s')).bytes == b.bytes)\n"
		"print(bitdial.layout.read('/no/such'))\n",
		tmp_path("l.json"), tmp_path("l.json"));
	prints(text,
		"true\ntrue\ttrue\ttrue\ntrue\ntrue\n"
		"nil\tlayout /no/such is no file, no run, no format (int4g128) and no number of "
		"bits\n");
}

Test(lua, the_front_and_measured_points_are_tables)
{
	prints("assert(bitdial.scan():wait()) bitdial.search(3):wait()\n"
	       "local f = bitdial.search.front()\n"
	       "print(#f > 3, f[1].damage > f[#f].damage, f[1].bytes < f[#f].bytes)\n",
		"true\ttrue\ttrue\n");
}

Test(lua, an_answer_is_text_with_its_speed)
{
	prints("local r = assert(bitdial.chat{ prompt = 'hello', max_tokens = 5, temperature = 0 "
	       "}:wait())\n"
	       "print(type(r.text), r.tokens <= 5, r.bpw ~= nil)\n",
		"string\ttrue\ttrue\n");
}

Test(lua, a_scan_that_runs_already_is_the_one_that_is_given)
{
	prints("local a = assert(bitdial.scan())\n"
	       "local b = assert(bitdial.scan())\n"
	       "print(a.id == b.id, a.ended, b.kind)\n"
	       "local c = assert(b:wait())\n"
	       "print(c.scanned == c.wanted, a:wait().scanned == c.scanned)\n"
	       "print(bitdial.scan().id ~= a.id)\n",
		"true\tfalse\tscan\ntrue\ttrue\ntrue\n");
}

Test(lua, each_keep_gives_the_run_that_it_made)
{
	prints("assert(bitdial.scan():wait())\n"
	       "bitdial.search(3):wait() local a = assert(bitdial.run.keep('three'))\n"
	       "bitdial.search(6):wait() local b = assert(bitdial.run.keep('six'))\n"
	       "print(a ~= b, bitdial.run(a).options, bitdial.run(b).options)\n"
	       "print(bitdial.run(a).bpw < 3.1, bitdial.run(b).bpw > 5)\n"
	       "bitdial.run.trash(a) bitdial.run.trash(b)\n",
		"true\tthree\tsix\ntrue\ttrue\n");
}

Test(lua, a_layout_kept_as_a_run_is_found_tagged_and_thrown_away)
{
	prints("assert(bitdial.scan():wait()) bitdial.search(3):wait()\n"
	       "local id = assert(bitdial.run.keep('three'))\n"
	       "local r = assert(bitdial.run(id))\n"
	       "print(r.kind, r.status, r.bpw <= 3, r.damage > 0)\n"
	       "assert(bitdial.run.tag(id, 'good'))\n"
	       "print(#bitdial.run.list('tag:good'), #bitdial.run.list{ filter = 'bpw>5' })\n"
	       "print(bitdial.run.list('bpw>x'))\n"
	       "assert(bitdial.run.trash(id))\n"
	       "print(bitdial.run(id) == nil)\n",
		"search\tok\ttrue\ttrue\n1\t0\n"
		"nil\tfilter bpw>x: expected kind:search, tag:good, bpw<5, kl<=0.02, since:2d or a "
		"word\ntrue\n");
}

/* They are run where the tests are: at the top of the tree. */
Test(lua, the_scripts_that_ship_do_what_they_say)
{
	char said[512];

	cr_assert_eq(run_file("scripts/blame.lua", "3.6", 0, said), SCRIPT_OK, "%s", said);
	cr_assert(strstr(now.printed, "nats/MB") && strstr(now.printed, "layers.3.down"), "%s",
		now.printed);
	cr_assert_eq(
		run_file("scripts/front.lua", tmp_path("f.svg"), 0, said), SCRIPT_OK, "%s", said);
	cr_assert(
		strstr(now.printed, "uniform") && strstr(now.printed, "f.svg"), "%s", now.printed);
	cr_assert_eq(run_file("scripts/table1.lua", "3", 0, said), SCRIPT_OK, "%s", said);
	cr_assert(strstr(now.printed, "bpw\tbytes\tperplexity\tKL\tbasics\n") &&
			  strstr(now.printed, "reference\t-\t") && strstr(now.printed, "\n3.00\t"),
		"%s", now.printed);
	cr_assert_eq(run_file("scripts/sweep.lua", "1e-9", 0, said), SCRIPT_MISSED, "%s", said);
	cr_assert(strstr(now.noticed, "no budget up to 4.50 bpw"), "%s", now.noticed);
}

Test(lua, texts_rows_and_tasks_are_read_as_the_program_reads_them)
{
	const char *rows = tmp_path("rows.jsonl"),
		   *text = "\xef\xbb\xbf{\"text\":\"one\",\"n\":[1,2.5,null,true]}\n\n{\"text\":"
			   "\"two\"}\n{bad\n";
	static const char *const wanted[] = { "one\t2.5\ttrue\ntwo\tnil\tnil\nfalse\t",
		"rows.jsonl: line 4: ", "nil\tcannot open /no/such", "60\tTokyo\n",
		"line 1: no known form of a task", "true\ttrue\ttrue\n" };
	char said[512], *script;

	tmp_write(rows, text, strlen(text));
	script = xprintf("assert(bitdial.open(arg[1])) local p = '%s'\n"
			 "print(pcall(function() for r in bitdial.data.jsonl(p) do\n"
			 "print(r.text, r.n and r.n[2], r.n and r.n[4]) end end))\n"
			 "print(bitdial.data.jsonl('/no/such'))\n"
			 "local q = assert(bitdial.data.task('basics'))\n"
			 "print(#q, q[2].options[q[2].answer])\n"
			 "print(bitdial.data.task(p))\n"
			 "local f = io.open(p, 'w') f:write('{\"text\":\"abcdef\"}') f:close()\n"
			 "local t = assert(bitdial.data.text(p, { window = 2 }))\n"
			 "print(t.bytes >= 6, t.tokens > 0, t.windows == t.tokens // 2)\n",
		rows);
	cr_assert_eq(run_for(script, 0, said), SCRIPT_OK, "%s", said);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		cr_assert(strstr(now.printed, wanted[i]), "%s: %s", wanted[i], now.printed);
	xfree(script);
}

Test(lua, texts_and_tasks_are_measured_on_a_layout_and_on_the_reference)
{
	prints("assert(bitdial.scan():wait())\n"
	       "local low = assert(bitdial.search(3):wait())\n"
	       "local t = assert(assert(bitdial.measure.text{ layout = low }):wait())\n"
	       "local r = assert(assert(bitdial.measure.text{ layout = false }):wait())\n"
	       "print(t.damage > 0, t.bpw <= 3, t.perplexity ~= r.perplexity, r.damage, r.bpw)\n"
	       "local q = assert(assert(bitdial.measure.task{ task = 'basics', layout = low, limit "
	       "= 12 }):wait())\n"
	       "print(q.items, q.accuracy * 12 % 1 == 0, q.se < 0.2, q.bpw == t.bpw)\n"
	       "print(pcall(bitdial.measure.task, { limit = 3 }))\n"
	       "local j = assert(bitdial.measure.task{ task = 'nosuch' })\n"
	       "print(select(2, j:wait()):match('no task of that name'))\n",
		"true\ttrue\ttrue\tnil\tnil\n12\ttrue\ttrue\ttrue\n"
		"false\tbad argument #1 to '?' (task is missing: {task = \"basics\"})\n"
		"no task of that name\n");
}

Test(lua, the_front_the_map_and_what_runs_measured_are_drawn)
{
	char *script = xprintf(
		"local d = '%s'\n"
		"assert(bitdial.scan():wait())\n"
		"local f = io.open(d .. '/loss.tsv', 'w') f:write('1\\t2\\n2\\t1\\n') f:close()\n"
		"print(bitdial.plot.front{ path = d .. '/a.gp' } ~= nil)\n"
		"print(bitdial.plot.heatmap{ path = d .. '/b.gp', view = 'damage' } ~= nil)\n"
		"print(bitdial.plot.heatmap{ path = d .. '/c.gp', value = {{1, 2}, {3, 4}}, rows = "
		"{'x', 'y'} } ~= nil)\n"
		"print(bitdial.plot.runs{ path = d .. '/e.gp', runs = { d .. '/loss.tsv' }, log_y "
		"= true } ~= nil)\n"
		"print(bitdial.plot.heatmap{ path = d .. '/b.gp', view = 'colour' })\n"
		"print(pcall(bitdial.plot.heatmap, { path = 'x.gp', value = {{1, 2}, {3}} }))\n"
		"for _, n in ipairs{ 'a', 'b', 'c', 'e' } do assert(io.open(d .. '/' .. n .. "
		"'.tsv')) end\n",
		tmp_dir());

	prints(script, "true\ntrue\ntrue\ntrue\n"
		       "nil\tplot: the map shows damage, bits or change, not \"colour\"\n"
		       "false\tbad argument #1 to '?' (value: rows of one length, please)\n");
	xfree(script);
}

Test(lua, a_product_is_timed)
{
	prints("local t = assert(bitdial.kernels.time{ rows = 64, cols = 64, cold = false "
	       "}:wait())\n"
	       "print(t.us > 0, t.us >= t.least_us, t.gb_s > 0)\n"
	       "print(bitdial.kernels{ format = 'keep' })\n"
	       "print(#bitdial.kernels.list() >= 2)\n",
		"true\ttrue\ttrue\nnil\ttime: expected a packed format, such as int4g128\ntrue\n");
}

Test(lua, an_unknown_option_is_refused_with_the_one_that_was_meant)
{
	char said[512];

	cr_assert_eq(run_for("bitdial.search{ bwp = 3 }", 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "bitdial.search.run: unknown option 'bwp'; did you mean 'bpw'?"),
		"%s", said);
	cr_assert_eq(run_for("bitdial.search{ 3 }", 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "options have names"), "%s", said);
	cr_assert_eq(run_for("bitdial.search{ bpw = 'x' }", 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "bitdial.search.run: bpw: expected a number"), "%s", said);
	cr_assert_eq(run_for("bitdial.search()", 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "one budget"), "%s", said);
}

Test(lua, a_closed_handle_is_an_error_with_a_sentence)
{
	char said[512];

	cr_assert_eq(run_for("local m <close> = bitdial.open(arg[1])\n"
			     "local old\n do local n <close> = bitdial.models.now() old = n end\n"
			     "print(tostring(old)) print(old.layers)",
			     0, said),
		SCRIPT_FAILED);
	cr_assert(strstr(said, "this model was closed"), "%s", said);
	cr_assert_str_eq(now.printed, "model (closed)\n");
}

Test(lua, a_missed_goal_is_told_and_is_the_exit_status_3)
{
	char said[512];

	cr_assert_eq(
		run_for("bitdial.expect(1 < 2, 'a') bitdial.expect(nil, 'not reached') print('on')",
			0, said),
		SCRIPT_MISSED);
	cr_assert_str_eq(now.noticed, "not reached\n");
	cr_assert_str_eq(now.printed, "on\n");
}

Test(lua, an_error_has_its_place_and_its_trace)
{
	char said[512];

	cr_assert_eq(run_for("local function f()\n error('no') end\n f()", 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "script.lua:2: no") && strstr(said, "traceback"), "%s", said);
	cr_assert_eq(run_for("x = = 1", 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "script.lua:1:"), "%s", said);
}

Test(lua, an_exit_ends_the_script_and_not_the_program)
{
	char said[512];

	cr_assert_eq(
		run_for("pcall(os.exit, 7) print('not reached') while true do end", 0, said), 7);
	cr_assert_eq(run_for("os.exit(true)", 0, said), 0);
	cr_assert_eq(run_for("coroutine.wrap(function() os.exit(false) end)()", 0, said), 1);
	cr_assert_str_eq(said, "");
}

Test(lua, nothing_asked_for_without_a_model_or_beyond_reason_does_more_than_say_no)
{
	static const char *const asked[] = { "bitdial.layout.now()", "bitdial.scan.now()",
		"bitdial.search.front()", "bitdial.search(3)", "bitdial.measure()",
		"bitdial.chat('x')", "bitdial.search.guard('ends')", "bitdial.run.get('')",
		"bitdial.run.keep()", "bitdial.scan{ tokens = 1e300 }",
		"bitdial.search{ bpw = 0 / 0 }", "bitdial.search{ damage = -1 }",
		"bitdial.search{ bytes = 1e300 }", "bitdial.kernels.time{ rows = 1e9 }",
		"bitdial.kernels.time{ cols = -1 }", "bitdial.kernels.time{ format = 'int9g7' }",
		"bitdial.plot{}", "bitdial.plot{ path = '/no/such/a.png', series = { {} } }",
		"bitdial.plot{ path = 'a.png', series = { { x = { 1 }, y = { 'a' } } } }",
		"bitdial.models.open('')", "bitdial.models.open(('x'):rep(1e5))",
		"bitdial.layout('\\0')", "bitdial.scan(7)",
		"bitdial.scan{ formats = { 'int2g64', 7, {} } }",
		"bitdial.chat{ prompt = 'x', seed = -1e300, temperature = 0 / 0 }",
		"bitdial.kernels.time(setmetatable({}, { __index = error }))",
		"bitdial.notice('%d', 'x')" };
	char text[512], said[512];

	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		snprintf(text, sizeof text,
			"pcall(function() local j = %s if type(j) == 'userdata' "
			"then pcall(j.wait, j) end end) print('on')",
			asked[i]);
		cr_assert_eq(run_for(text, 0, said), SCRIPT_OK, "%s: %s", asked[i], said);
		cr_assert_str_eq(now.printed, "on\n", "%s", asked[i]);
	}
}

Test(lua, compiled_code_is_not_run)
{
	char *argv[] = { NULL };
	struct script_options o = { .path = tmp_path("b.lua"), .argv = argv };
	struct script *s;
	struct err e = { 0 };

	tmp_write(o.path, "\033LuaT", 5);
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "only source"), "%s", e.msg);
}

Test(lua, a_stop_ends_loops_coroutines_and_pcalls)
{
	static const char *const endless[] = { "while true do end",
		"while true do pcall(function() while true do end end) end",
		"local c = coroutine.wrap(function() while true do end end) c()",
		"while true do local c = coroutine.create(function() while true do "
		"coroutine.yield() end end) for i = 1, 1e9 do coroutine.resume(c) end end",
		"assert(bitdial.open(arg[1])) while true do bitdial.layout.now() end",
		"assert(bitdial.open(arg[1])) while true do pcall(bitdial.search, 3) end" };
	char said[512];

	for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
		cr_assert_eq(
			run_for(endless[i], 0.2, said), SCRIPT_STOPPED, "%s: %s", endless[i], said);
}

Test(lua, a_stop_ends_the_wait_for_a_job)
{
	char said[512];

	cr_assert_eq(run_for("assert(bitdial.open(arg[1])) local j = bitdial.scan() "
			     "while true do j:wait() j = bitdial.scan{ tokens = 128 } or j end",
			     0.3, said),
		SCRIPT_STOPPED, "%s", said);
}

Test(lua, what_cannot_be_stopped_is_named)
{
	const char *path = tmp_path("slow.lua"), *sentence;
	const char *text = "io.popen('sleep 2'):read('a')";
	char inside[64] = "";
	struct script_options o = { .path = path };
	struct script *s;
	struct err e = { 0 };
	double began = clock_now();

	tmp_write(path, text, strlen(text));
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_OK, "%s", e.msg);
	while (!script_stuck(s, 0.3, inside) && clock_now() - began < 20)
		poll(NULL, 0, 10);
	cr_assert_str_eq(inside, "file:read");
	serve(s, 0, &sentence);
	script_free(s);
}

Test(lua, a_console_keeps_its_values_and_prints_expressions)
{
	struct script_options o = { .path = "console", .text = "x = 20", .keep = true };
	const char *sentence;
	struct script *s;
	struct err e = { 0 };

	now.printed[0] = '\0';
	cr_assert_eq(script_start(&s, now.host, &o, &e), ST_OK, "%s", e.msg);
	serve(s, 0, &sentence);
	cr_assert_eq(script_again(s, "x + 1, 'a'", &e), ST_OK);
	serve(s, 0, &sentence);
	cr_assert_str_eq(now.printed, "21\ta\n");
	cr_assert_eq(script_again(s, "while true do end", &e), ST_OK);
	cr_assert_eq(serve(s, 0.1, &sentence), SCRIPT_STOPPED);
	cr_assert_eq(script_again(s, "x", &e), ST_OK);
	cr_assert_eq(serve(s, 0, &sentence), SCRIPT_OK, "%s", sentence);
	cr_assert_str_eq(now.printed, "21\ta\n20\n");
	script_free(s);
}

Test(lua, the_manual_names_every_function_and_option_there_is)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	cr_assert(lua_manual(f, NULL));
	cr_assert_not(lua_manual(f, "nonsense"));
	fclose(f);
	for (size_t i = 0; l_modules[i]; i++) {
		const struct l_module *m = l_modules[i];

		for (size_t k = 0; m->fn[k].name; k++) {
			char want[96];

			snprintf(want, sizeof want, "bitdial.%s.%s", m->name, m->fn[k].name);
			cr_assert(strstr(text, want), "%s", want);
			cr_assert(m->fn[k].help && *m->fn[k].help && m->fn[k].args, "%s", want);
		}
		cr_assert(!m->main || strstr(text, m->help), "%s", m->name);
	}
	free(text);
}

Test(lua, the_manual_page_has_every_function_and_option_and_no_mistake)
{
	char *text = NULL, cmd[256], line[256];
	const char *path = tmp_path("bitdial-lua.3");
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	lua_manual_page(f);
	fclose(f);
	for (size_t i = 0; l_modules[i]; i++)
		for (const struct l_fn *fn = l_modules[i]->fn; fn->name; fn++) {
			char want[96];

			snprintf(want, sizeof want, ".It Ic \"\\&bitdial.%s.%s\"",
				l_modules[i]->name, fn->name);
			cr_assert(strstr(text, want), "%s", want);
			for (const struct l_opt *o = fn->opt; o && o->name; o++) {
				snprintf(want, sizeof want, ".It Va \"\\&%s\"", o->name);
				cr_assert(strstr(text, want), "%s: %s", fn->name, want);
			}
		}
	cr_assert(strstr(text, "bitdial.expect") && strstr(text, ".Ss Handle job"));
	tmp_write(path, text, n);
	free(text);
	if (system("command -v mandoc >/dev/null 2>&1"))
		cr_skip_test("mandoc is not installed");
	snprintf(cmd, sizeof cmd, "mandoc -T lint -W warning %s 2>&1", path);
	f = popen(cmd, "r");
	cr_assert(f);
	cr_expect_not(fgets(line, sizeof line, f), "%s", line);
	pclose(f);
}

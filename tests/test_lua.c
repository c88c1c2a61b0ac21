/* test_lua.c - scripts on the demo model: what the modules give, and what they refuse. */
#include "tests/lua_fixture.h"

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

/* The demo leaves linears undecided: a scan that goes on to them gives their cells more tokens. */
Test(lua, a_scan_leaves_what_is_undecided_alone_unless_asked)
{
	prints("local function most(cells) local n = 0 for _, c in ipairs(cells:totable()) do "
	       "n = math.max(n, c.tokens) end return n end\n"
	       "local a = most(assert(bitdial.scan():wait()))\n"
	       "local b = most(assert(bitdial.scan():wait()))\n"
	       "local c = most(assert(bitdial.scan{ undecided = true }:wait()))\n"
	       "print(a == b, c > b)\n",
		"true\ttrue\n");
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

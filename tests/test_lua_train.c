/* test_lua_train.c - bitdial.train on the demo model, what table4.lua computes, and rows of data
 * files. */
#include "core/base/fs.h"
#include "tests/lua_fixture.h"

TestSuite(lua_train, .init = begin, .fini = end, .timeout = 240);

#define TABLE "local T = dofile('scripts/table4.lua')\n"

/* ---- rows of what is trained on */

Test(lua_train, rows_of_a_data_file_are_messages_whatever_its_shape)
{
	static const char alpaca[] = "[{\"instruction\": \"Say \\\"a\\\"\", \"input\": \"b\", "
				     "\"output\": \"c\\u0000d\"}]";
	static const char text[] = "{\"text\": \"one\"}\n{\"text\": \"two\"}\n";
	char *all = NULL;

	tmp_write(tmp_path("a.json"), alpaca, sizeof alpaca - 1);
	tmp_write(tmp_path("t.jsonl"), text, sizeof text - 1);
	all = xprintf("for r in assert(bitdial.data.rows('%s')) do\n"
		      "  for _, m in ipairs(r.messages) do print(m.role, (m.content:gsub('%%c', "
		      "'.'))) end\n"
		      "end\n"
		      "for r in bitdial.data.rows('%s') do print(r.messages[1].role, "
		      "r.messages[1].content) end\n"
		      "print(bitdial.data.rows('/no/such'))\n",
		tmp_path("a.json"), tmp_path("t.jsonl"));
	prints(all, "user\tSay \"a\"..b\nassistant\tc.d\ntext\tone\ntext\ttwo\n"
		    "nil\tcannot open /no/such: No such file or directory\n");
	xfree(all);
}

Test(lua_train, a_row_that_is_wrong_is_named_with_its_line)
{
	static const char text[] = "{\"text\": \"one\"}\n{\"text\": 2}\n";
	char said[512], *all;

	tmp_write(tmp_path("b.jsonl"), text, sizeof text - 1);
	all = xprintf("for r in bitdial.data.rows('%s') do end", tmp_path("b.jsonl"));
	cr_assert_eq(run_for(all, 0, said), SCRIPT_FAILED);
	cr_assert(strstr(said, "b.jsonl: line 2"), "%s", said);
	xfree(all);
}

/* ---- what the table computes */

/* Two sequences of 1 and 3 labels: sums differ by 1 and by -2, so by -1/4 a label; left over are
 * 1.25 and -1.25, whose root sum of squares over 4 labels, for two, is 0.625. */
Test(lua_train, errors_of_pairs_are_those_of_a_ratio_over_sequences)
{
	prints(TABLE "local a, b = { { 2, 1 }, { 4, 3 } }, { { 1, 1 }, { 6, 3 } }\n"
		     "local d, se = T.paired(a, b)\n"
		     "print(d, ('%.6f'):format(se), T.mean(a))\n"
		     "local same, none = T.paired(a, a) print(same, none)\n"
		     "print(select(2, pcall(T.paired, a, { { 1, 2 }, { 6, 3 } })):match('other "
		     "sequences'))\n"
		     "print(T.paired(T.together { a, b }, { { 1.5, 1 }, { 5, 3 } }))\n"
		     "print(T.spread { 1, 3 }, T.spread { 1 })\n",
		"-0.25\t0.625000\t1.5\t4\n0.0\t0.0\nother sequences\n0.0\t0.0\n"
		"1.4142135623731\tnil\n");
}

Test(lua_train, the_rate_with_the_lowest_held_out_loss_is_taken_and_failed_probes_are_not)
{
	prints(TABLE "print(T.choose { { factor = 1, held = 2.5 }, { factor = 2, held = 2.25 }, { "
		     "factor = 3 },\n"
		     "  { factor = 4, held = 0/0 } }, T.choose { { factor = 1 } })\n"
		     "local m = { name = 'lora', lr = 1e-3, unit = 'absolute' }\n"
		     "local k, f = T.factors(m)\n"
		     "for _, x in ipairs(f) do print(k, T.rate(m, k, x)) end\n"
		     "m = { name = 'rank', budget = 1e-4, lr_s = 3e-3, unit = 'levels' }\n"
		     "k, f = T.factors(m) print(k, T.rate(m, k, f[3]))\n",
		"2\tnil\nlr\t0.00033\nlr\t0.001\nlr\t0.003\n"
		"budget\t0.0003\n");
}

Test(lua_train, rates_that_are_given_are_numbers_of_methods)
{
	prints(TABLE "local r = T.rates('stats:0.001,fp:1e-4') print(r.stats, r.fp, r.lora)\n"
		     "print(next(T.rates('')))\n"
		     "print(select(2, pcall(T.rates, 'stats')))\n",
		"0.001\t0.0001\tnil\nnil\n"
		"table4.lua: rates=stats: expected METHOD:RATE, such as stats:0.001\n");
}

Test(lua_train, the_table_s_columns_stand_under_each_other)
{
	prints(TABLE "local base = { method = 'base', bytes = 5e7, seq = { { 3, 1 }, { 5, 2 } }, "
		     "nlls = { 8 / 3 } }\n"
		     "local rank = { method = 'rank', rate = 3e-3, bytes = 5e7, seq = { { 2, 1 }, "
		     "{ 4, 2 } },\n"
		     "  nlls = { 2 }, kl = 0.1, memory = 2 ^ 28, peak = 2 ^ 29, step_s = 3.214, "
		     "changed = 0.05 }\n"
		     "for _, l in ipairs(T.columns { T.head(1), T.row(base, base), T.row(rank, "
		     "base, nil),\n"
		     "  T.row { method = 'sr', failed = 'no' } }) do print(l) end\n",
		"method   rate    MB  answer NLL       from base  from lora  KL on text  held MiB  "
		"peak MiB  "
		"s/step  changed %\n"
		"base        -  50.0      2.6667               -          -           -         -  "
		"       -  "
		"     -          -\n"
		"rank    0.003  50.0      2.0000  -0.6667±0.2222          -      0.1000       256  "
		"     512  "
		"  3.21       5.00\n"
		"sr          -  no\n");
}

Test(lua_train, options_of_the_table_are_named_and_checked)
{
	prints(TABLE "local o = T.options({ 'steps=20', 'at=3.6' }, { steps = 150, at = '', seeds "
		     "= 1 }, 'table4.lua')\n"
		     "print(o.steps, o.at, o.seeds)\n"
		     "print(pcall(T.options, { 'steps=0' }, { steps = 150 }, 'table4.lua'))\n"
		     "print(pcall(T.options, { 'stepz=3' }, { steps = 150 }, 'table4.lua'))\n",
		"20\t3.6\t1\n"
		"false\ttable4.lua: steps=0: expected a whole number from 1 on\n"
		"false\ttable4.lua: stepz=3: expected name=value; names are listed at the top of "
		"the script\n");
}

/* Tenths by content: all rows are on one side or the other, a row that is there twice on one. */
Test(lua_train, a_split_keeps_every_row_and_does_not_depend_on_the_order)
{
	char *all, *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	for (int i = 0; i < 200; i++)
		fprintf(to, "{\"prompt\": \"what is \\\"%d\\\"\", \"completion\": \"it\\n%d\"}\n",
			i % 150, i % 150);
	fclose(to);
	tmp_write(tmp_path("d.jsonl"), text, n);
	free(text);
	all = xprintf(TABLE "local dir = '%s/'\n"
			    "T.split(dir .. 'd.jsonl', 1 << 30, dir .. 'a', dir .. 'b')\n"
			    "local seen, n, twice = {}, { a = 0, b = 0 }, 0\n"
			    "for _, f in ipairs { 'a', 'b' } do\n"
			    "  for r in bitdial.data.rows(dir .. f) do\n"
			    "    local q = r.messages[1].content .. r.messages[2].content\n"
			    "    n[f] = n[f] + 1\n"
			    "    twice = twice + (seen[q] and seen[q] ~= f and 1 or 0)\n"
			    "    seen[q] = f\n"
			    "  end\n"
			    "end\n"
			    "print(n.a + n.b, n.b > 8 and n.b < 40, twice, seen['what is "
			    "\"7\"it\\n7'] ~= nil)\n",
		tmp_dir());
	prints(all, "200\ttrue\t0\ttrue\n");
	xfree(all);
}

/* ---- training on the demo */

#define SHORT "data = 'share/sft/next-step.jsonl', rows = 40, window = 64, windows = 2, "

Test(lua_train, methods_are_told_with_their_rates)
{
	prints("local by = {} for _, m in ipairs(bitdial.train.methods()) do by[m.name] = m end\n"
	       "print(by.rank.what, by.lora.what, by.fp.what, by.latent.what)\n"
	       "print(by.flips.unit, by.lora.rank > 0, #by.rank.summary > 0, by.rank.lr_s > 0)\n",
		"codes\tadapters\tmasters\tlatent\nlevels\ttrue\ttrue\ttrue\n");
}

Test(lua_train, a_run_tells_its_steps_and_gives_its_numbers)
{
	prints("assert(bitdial.scan():wait()) assert(bitdial.search(4):wait())\n"
	       "local t = assert(bitdial.train { " SHORT
	       "method = 'rank', steps = 6, name = 'six steps' })\n"
	       "local last, n = nil, 0\n"
	       "for s in t.next, t do assert(not last or s.step > last.step) last = s n = n + 1 "
	       "end\n"
	       "print(last.step, last.steps, n >= 1, last.loss > 0, t.ended)\n"
	       "local r = assert(t:wait())\n"
	       "print(r.steps, r.held_nll > 0, r.changed > 0, r.train_bytes > 0, r.test_nll)\n"
	       "local run = assert(bitdial.run(r.run))\n"
	       "print(run.kind, run.state, run.options, run.numbers.held_nll == r.held_nll)\n"
	       "print(t.run == r.run, t.state, t.step, t:pause() == nil, (select(2, t:save())))\n",
		"6\t6\ttrue\ttrue\ttrue\n6.0\ttrue\ttrue\ttrue\tnil\n"
		"train\tdone\tsix steps\ttrue\ntrue\tdone\t6\ttrue\t"
		"training:save: this run is over\n");
}

Test(lua_train, a_run_that_was_stopped_goes_on_to_the_same_numbers)
{
	prints("local l = assert(bitdial.layout('int4g64'))\n"
	       "local ask = { " SHORT "method = 'flips', steps = 60, seed = 3, layout = l }\n"
	       "local whole = assert(bitdial.train(ask):wait())\n"
	       "local t = assert(bitdial.train(ask))\n"
	       "assert(t:pause()) local step = assert(t:next())\n"
	       "assert(t:stop()) local r, said = t:wait()\n"
	       "print(r, said:match('^stopped') ~= nil, step.step < 60, bitdial.run(t.run).state)\n"
	       "local again = assert(bitdial.train { resume = t.run }:wait())\n"
	       "print(again.run == t.run, again.steps, again.held_nll == whole.held_nll,\n"
	       "  again.changed == whole.changed)\n",
		"nil\ttrue\ttrue\tstopped\ntrue\t60.0\ttrue\ttrue\n");
}

Test(lua_train, a_test_and_another_text_are_measured_at_the_end)
{
	char *all;
	const char *text = "It was a dark and stormy night; the rain fell in torrents. ";

	tmp_write(tmp_path("other.txt"), text, strlen(text));
	tmp_write(tmp_path("test.jsonl"),
		"{\"prompt\": \"a\", \"completion\": \"b c\"}\n{\"prompt\": \"d\", \"completion\": "
		"\"e\"}\n",
		71);
	all = xprintf("assert(bitdial.layout('int4g64'):use())\n"
		      "local T = dofile('scripts/table4.lua')\n"
		      "local r = assert(bitdial.train { " SHORT
		      "method = 'stats', steps = 2, test = '%s', text = '%s' }:wait())\n"
		      "local s = T.sequences(r.path .. '/test.tsv')\n"
		      "print(#s, s[1][2] > s[2][2], math.abs(T.mean(s) - r.test_nll) < 1e-9, "
		      "r.text_kl > 0)\n",
		tmp_path("test.jsonl"), tmp_path("other.txt"));
	prints(all, "2\ttrue\ttrue\ttrue\n");
	xfree(all);
}

Test(lua_train, what_cannot_be_trained_is_a_sentence_and_wrong_use_raises)
{
	prints("assert(bitdial.layout('int4g64'):use())\n"
	       "local function said(o)\n"
	       "  local t, why = bitdial.train(o)\n"
	       "  if t then t, why = t:wait() end\n"
	       "  return t, why\n"
	       "end\n"
	       "print(said { data = '/no/such' })\n"
	       "print(select(2, said { " SHORT "method = 'rang' }):match('rang') ~= nil)\n"
	       "print(said { resume = 'nothing' } == nil)\n"
	       "print(said { resume = 'nothing', lr = 0.1 })\n"
	       "for _, o in ipairs { { stepz = 3 }, { steps = 0 }, { lr = -1 }, { held = 1 }, { lr "
	       "= 0/0 }, { held = 0/0 }, { lr_gain = 0/0 }, { steps = 1.5 } } do\n"
	       "  local ok, why = pcall(bitdial.train, o)\n"
	       "  print(ok, (why:gsub('^.*bitdial.train.run: ', '')))\n"
	       "end\n",
		"nil\ttrain: data: cannot open /no/such: No such file or directory\ntrue\ntrue\n"
		"nil\ttrain: lr= goes with a new run: a resumed one knows all but its steps\n"
		"false\tunknown option 'stepz'; did you mean 'steps'?\n"
		"false\tsteps: expected a whole number from 1 to 1073741824, got 0\n"
		"false\tlr: expected a number from 0 on\n"
		"false\theld: expected a share below 1\n"
		"false\tlr: expected a number from 0 on\n"
		"false\theld: expected a number from 0 on\n"
		"false\tlr_gain: expected a number from 0 on\n"
		"false\tsteps: expected a whole number from 1 to 1073741824, got 1.5\n");
}

Test(lua_train, a_layout_that_is_named_is_calibrated_alone_and_one_of_the_dial_is_its_own)
{
	prints("local l = assert(bitdial.layout('int4g64'))\n"
	       "local r = assert(assert(bitdial.calibrate { " SHORT
	       "steps = 2, layout = l }):wait())\n"
	       "local run = assert(bitdial.run(r.run))\n"
	       "print(run.options, math.type(r.stored_bpw) and r.stored_bpw > 4)\n"
	       "print(bitdial.calibrate { " SHORT
	       "steps = 2, layout = l, dial = 'int2g64,int4g64' })\n"
	       "print(bitdial.calibrate { resume = r.run, layout = l })\n"
	       "print(bitdial.calibrate { " SHORT "steps = 2, dial = 'int2g64,' })\n",
		"flips, 2 steps of 2 x 64 tokens, layout under the dial\ttrue\n"
		"nil\ttrain: dial= names the formats: leave layout= out\n"
		"nil\ttrain: layout= goes with a new run: a resumed one knows all but its steps\n"
		"nil\tint2g64,: a name is missing at a comma: name formats, such as "
		"int2g64,int4g128\n");
}

/* The loss of a step is KL there, so what stands beside it is. */
Test(lua_train, under_a_teacher_what_is_held_out_is_told_in_kl_and_of_a_dial_by_budget)
{
	prints("local t = assert(bitdial.calibrate { " SHORT
	       "steps = 4, held_every = 2, dial = 'int2g64,int4g64' })\n"
	       "local last\n"
	       "for s in t.next, t do last = s end\n"
	       "local r = assert(t:wait())\n"
	       "local function near(a, b) return math.abs(a - b) < 1e-4 * b end\n"
	       "print(near(t.held, r.held_kl), near(t.held_kl, r.held_kl), r.held_nll > t.held)\n"
	       "print(last.held == last.held_kl, #last.budgets, #t.budgets)\n"
	       "local sum = 0\n"
	       "for _, b in ipairs(t.budgets) do assert(b.bpw > 1) sum = sum + b.kl end\n"
	       "print(near(sum / 5, t.held))\n"
	       "t = assert(bitdial.train { " SHORT
	       "steps = 2, layout = assert(bitdial.layout('int4g64')) })\n"
	       "r = assert(t:wait())\n"
	       "print(near(t.held, r.held_nll), t.budgets, t.held_kl and near(t.held_kl, "
	       "r.held_kl))\n",
		"true\ttrue\ttrue\ntrue\t5\t5\ntrue\ntrue\tnil\ttrue\n");
}

/* ---- the table */

/* Of a file its contents count, and of a model what it was calibrated by. */
Test(lua_train, a_cell_is_another_one_where_what_it_depends_on_is)
{
	char *all = xprintf(TABLE
		"local dir = '%s/'\n"
		"local function file(name, text) T.write(dir .. name, { text }) return dir .. name "
		"end\n"
		"local function keys(o, calibration)\n"
		"  local all = { data = file('d', 'data'), test = '', text = '', rows = 9 }\n"
		"  for k, v in pairs(o) do all[k] = v end\n"
		"  return T.keys(all, calibration)\n"
		"end\n"
		"local key, asked = keys {}\n"
		"local function same(o, calibration)\n"
		"  local k, a = keys(o, calibration)\n"
		"  return k == key, a == asked\n"
		"end\n"
		"print(same {})\n"
		"print(same { data = file('e', 'data') })\n"
		"print(same { data = file('e', 'other') })\n"
		"print(same { rows = 8 })\n"
		"print(same({}, 'run/step-000004'))\n"
		"print(same { text = file('t', 'one') })\n"
		"print(select(2, keys { text = file('t', 'one') }) == select(2, keys { text = "
		"file('t', 'two') }))\n"
		"print(select(2, keys { test = file('t', 'one') }) == select(2, keys { test = "
		"file('t', 'two') }))\n"
		"print(same { test = file('t', 'one') })\n",
		tmp_dir());

	prints(all, "true\ttrue\ntrue\ttrue\nfalse\ttrue\nfalse\ttrue\nfalse\ttrue\ntrue\tfalse\n"
		    "false\nfalse\nfalse\tfalse\n");
	xfree(all);
}

/* What was freed before does not count; 64 MiB are for the allocator's whims. */
Test(lua_train, a_cell_s_peak_is_its_own)
{
	prints(TABLE "local function now(key)\n"
		     "  for l in io.lines('/proc/self/status') do\n"
		     "    local kib = l:match('^' .. key .. ':%s+(%d+)')\n"
		     "    if kib then return tonumber(kib) / 1024 end\n"
		     "  end\n"
		     "end\n"
		     "local big = ('x'):rep(200 << 20) big = nil collectgarbage()\n"
		     "print(not T.own_peak() or now('VmHWM') - now('VmRSS') < 64)\n",
		"true\n");
}

#define MAIN                                                                              \
	"T.main { m.path, 'share/sft/next-step.jsonl', 'budgets=int4g128,3', 'steps=4', " \
	"'probe=2', "                                                                     \
	"'window=64', 'windows=2', 'methods=base,lora,rank' }\n"

Test(lua_train, the_table_is_made_kept_and_made_again_without_a_step)
{
	prints(TABLE "local said, real = {}, print\n"
		     "print = function(s) said[#said + 1] = s end\n" MAIN
		     "local id, runs = said[#said]:match('kept in (.*)$'), "
		     "#bitdial.run.list('kind:train')\n"
		     "local first, k = table.concat(said, '\\n'), nil\n"
		     "said = {}\n" MAIN "print = real\n"
		     "print(table.concat(said, '\\n'):gsub('kept in.*', '') == first:gsub('kept "
		     "in.*', ''))\n"
		     /* 6 probes, and at two budgets an untrained one and two trained ones */
		     "print(runs, #bitdial.run.list('kind:train'))\n"
		     "local rows = {}\n"
		     "for l in io.lines(bitdial.run(id).path .. '/table4.tsv') do\n"
		     "  local budget, method = l:match('^(%S+)\\t[%d.]+\\t(%a+)')\n"
		     "  rows[#rows + 1] = budget and budget .. '/' .. method\n"
		     "end\n"
		     "print(table.concat(rows, ' '))\n"
		     "print(bitdial.run(id).notes:match('at int4g128') ~= nil)\n",
		"true\n12\t12\n"
		"int4g128/base int4g128/lora int4g128/rank 3/base 3/lora 3/rank\n"
		"true\n");
}

#define WORN(more)                                                                 \
	"T.main { " more                                                           \
	", 'share/sft/next-step.jsonl', 'budgets=int2g64,int4g128,3', 'steps=2', " \
	"'probe=2', 'window=64', 'windows=2', 'rows=80', 'rates=rank:0.0001'"

/* The same model by its path, with and without what a run made of it; a cell of one is none of the
 * other. */
Test(lua_train, a_table_of_a_calibrated_run_has_cells_of_its_own)
{
	prints(TABLE
		"local t = assert(bitdial.calibrate { " SHORT
		"steps = 4, dial = 'int2g64,int4g64' })\n"
		"local run = assert(bitdial.run(assert(t:wait()).run))\n"
		"local said, real = {}, print\n"
		"print = function(s) said[#said + 1] = s end\n"
		"local function base(at)\n"
		"  for i, l in ipairs(said) do\n"
		"    if l:match(' at ' .. at .. ': ') then return l and said[i + 2]:match('^base "
		"+%- +[%d.]+ +([%d.]+)') end\n"
		"  end\n"
		"end\n" WORN(
			"m.path") ", 'methods=base,rank' }\n"
				  "local plain, n = base 'int2g64', "
				  "#bitdial.run.list('kind:train')\n"
				  "said = {}\n" WORN(
					  "m.path") ", 'methods=base,rank', 'calibrated=' .. "
						    "run.path }\n"
						    "local worn, m2 = {}, "
						    "#bitdial.run.list('kind:train')\n"
						    "for i, l in ipairs(said) do\n"
						    "  worn[#worn + 1] = l:match('^calibrated +%- "
						    "+[%d.]+ +([%d.]+)') or "
						    "l:match('^calibrated.*(the cal.*)$')\n"
						    "end\n"
						    "local plain2 = base 'int2g64'\n"
						    "said = {}\n" WORN(
							    "run.path") ", 'methods=base' }\n"
									"print = real\n"
									"print(#worn, worn[1] ~= "
									"plain, plain2 == plain, "
									"worn[2])\n"
									"print(base 'int2g64' == "
									"worn[1], m2 - n)\n"
									"print(select(2, "
									"pcall(function() print = "
									"function() end " WORN(
										"m.path") ", "
											  "'calibra"
											  "ted=' "
											  ".. "
											  "m.path "
											  "} "
											  "end)):"
											  "match('"
											  "expected"
											  " a "
											  "run'))"
											  "\n",
		"3\ttrue\ttrue\tthe calibrated run has no int4g128\ntrue\t2\nexpected a run\n");
}

Test(lua_train, a_calibration_is_one_call_and_the_dial_has_what_came_of_it)
{
	prints("assert(bitdial.scan():wait())\n"
	       "local t = assert(bitdial.calibrate { " SHORT "steps = 6 })\n"
	       "local r = assert(t:wait())\n"
	       "local run = assert(bitdial.run(r.run))\n"
	       "print(run.kind, run.state, r.steps, r.held_kl > 0)\n",
		"train\tdone\t6.0\ttrue\n");
}

#define DIAL                                                                                   \
	"C.main { m.path, 'text=README.md', 'data=share/sft/next-step.jsonl', 'budgets=2.9', " \
	"'steps=4', 'window=64', 'windows=2', 'limit=300', 'scan=64', 'methods=latent,stats' }\n"

Test(lua_train, a_dial_before_and_after_is_a_table_that_trains_once)
{
	prints("local C, said, real = dofile('scripts/calibration.lua'), {}, print\n"
	       "print = function(s) said[#said + 1] = s end\n" DIAL
	       "local runs = #bitdial.run.list('kind:train')\n" DIAL "print = real\n"
	       "print(runs, #bitdial.run.list('kind:train'))\n"
	       "local all = table.concat(said, '\\n')\n"
	       "print(#said % 2, all:match('latent: 4 steps, %d+ tokens') ~= nil, all:match('all "
	       "int2g64') ~= nil)\n"
	       "print(select(2, all:gsub('\\n2%.%d+ +%d%.%d +%d+%.%d+±', '')))\n"
	       "print(all:match('\\nreference: [^|]* | [^|]* | ') ~= nil, all:match('\\nstats at "
	       "2.%d+: ') ~= nil)\n",
		"2\t2\n"
		"0\ttrue\ttrue\n"
		"6\n"
		"true\ttrue\n");
}

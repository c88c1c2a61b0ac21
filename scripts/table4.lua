-- table4.lua - what fine-tuning makes of few bits: every method on the same tokens.
--
--   bitdial --batch scripts/table4.lua MODEL DATA [name=value ...]
--
--   budgets=int4g128,3.6   layouts: a format everywhere, or the search's best at so many bits a weight
--   methods=base,stats,lora,galore,diodemix,rank,flips,fp   of bitdial.train.methods(); base: untrained
--   steps=150 window=256 windows=4   each run: 150 steps of 4 windows of 256 tokens
--   probe=40 at=BUDGET     three learning rates a method, each tried for so many steps at that
--                          budget (the first); the best on what is held out of DATA is taken
--   probe_windows=2        of a step of those: their order needs less than the runs
--   rates=stats:0.001,...  of these methods no rate is tried, but this one taken
--   seeds=1                each run so often, with the seeds 1, 2, ...
--   test=FILE              answers that nothing is chosen by; else a tenth of DATA, by its content
--   text=FILE              another text: KL from the reference on it tells what is forgotten
--   rows=N                 of DATA at most
--   calibrated=RUN         of MODEL: a row more, its dial at each budget, untrained
--
-- A table for each budget: of each method the rate chosen, bytes of the linears (with adapters), NLL
-- of the test's answers, its differences from base and from LoRA with the standard errors of
-- pairs (the same sequences under both), KL on the text, memory (T.about), seconds a step, codes that ever
-- changed.  fp trains all weights of the file in floating point: the ceiling, the same in every table.
-- With a calibrated run as MODEL every other method begins from what it made.
--
-- Each cell is a run.  Typed again after a stop or a crash the same line takes finished runs as they
-- are, goes on with one that was cut short, and does the rest; the splits and layouts lie in a run
-- of their own.  Runs are known by what the files say, not by their names.
local T = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "tables.lua")
local fixed = T.fixed

-- ---- numbers

-- An answer's mean, as sums over sequences: seq[i] = {sum of nats, labels}.
function T.mean(seq)
  local sum, n = 0, 0
  for _, s in ipairs(seq) do
    sum, n = sum + s[1], n + s[2]
  end
  return sum / n, n
end

-- Mean a - b over labels, and the standard error of that ratio, of the same sequences under both.
function T.paired(a, b)
  assert(#a == #b, "other sequences")
  local n, k, sum, d2 = 0, #a, 0, 0
  for i = 1, k do
    assert(a[i][2] == b[i][2], "other sequences")
    sum, n = sum + a[i][1] - b[i][1], n + a[i][2]
  end
  local mean = sum / n
  for i = 1, k do
    d2 = d2 + (a[i][1] - b[i][1] - mean * a[i][2]) ^ 2
  end
  return mean, k > 1 and math.sqrt(d2 * k / (k - 1)) / n or 0 / 0
end

-- The same sequences under several seeds: the mean of each.
function T.together(runs)
  local out = {}
  for i, s in ipairs(runs[1]) do
    local sum = 0
    for _, r in ipairs(runs) do
      assert(r[i][2] == s[2], "other sequences")
      sum = sum + r[i][1]
    end
    out[i] = { sum / #runs, s[2] }
  end
  return out
end

-- How far the seeds lie from each other: a standard deviation; nil of one.
function T.spread(values)
  local n, sum, d2 = #values, 0, 0
  if n < 2 then return nil end
  for _, v in ipairs(values) do sum = sum + v end
  for _, v in ipairs(values) do d2 = d2 + (v - sum / n) ^ 2 end
  return math.sqrt(d2 / (n - 1))
end

-- The factor whose probe ended lowest on what is held out; a probe that failed has no number.
function T.choose(probes)
  local best
  for _, p in ipairs(probes) do
    if p.held and p.held == p.held and (not best or p.held < best.held) then best = p end
  end
  return best and best.factor
end

-- What is tuned of a method, and by which factors of its own rate.  What moves codes by rank is
-- tuned by how many, what moves none by the step of scales; diodemix is published with a rate that
-- moves nothing (core/tune/FORMULAS.md 3.1), so it may have much larger ones.
function T.factors(m)
  local knob = m.name == "rank" and "budget" or m.name == "stats" and "lr_s" or "lr"
  return knob, m.name == "diodemix" and { 1, 30, 1000 } or { 1 / 3, 1, 3 }
end

function T.rate(m, knob, factor)
  return tonumber(("%.2g"):format(m[knob] * factor))
end

-- ---- words

-- Of a step.
function T.windows(cell, o) return cell.probe and o.probe_windows or o.windows end

-- What a cell's run is called: all that it depends on, but the model, which the run says itself.  data: of
-- all files that are read, and of the calibration that it begins from.
function T.name(data, cell, o)
  return ("table4 %s %s %s %s=%g %dx%dx%d seed %d"):format(data, cell.budget, cell.method,
    cell.knob or "lr", cell.rate or 0, cell.steps, T.windows(cell, o), o.window, cell.seed)
end

local function with_error(v, se)
  return v and fixed("%+.4f", v) .. (se and se == se and fixed("±%.4f", se) or "") or "-"
end

-- What is known of a method at a budget, of all its seeds, as a row; base, lora: theirs, or nil.
function T.row(c, base, lora)
  if c.failed then
    return { c.method, c.rate and ("%g"):format(c.rate) or "-", instead = c.failed }
  end
  local nll = T.mean(c.seq)
  local from = { "-", "-" }
  for i, other in ipairs { base or false, lora or false } do
    if other and other ~= c and other.seq then from[i] = with_error(T.paired(c.seq, other.seq)) end
  end
  local seeds = T.spread(c.nlls)
  return { c.method, c.rate and ("%g"):format(c.rate) or "-", fixed("%.1f", c.bytes and c.bytes / 1e6),
    fixed("%.4f", nll) .. (seeds and (" (%.4f)"):format(seeds) or ""), from[1], from[2],
    fixed("%.4f", c.kl), fixed("%.0f", c.memory and c.memory / 2 ^ 20),
    fixed("%.0f", c.peak and c.peak / 2 ^ 20), fixed("%.2f", c.step_s),
    fixed("%.2f", c.changed and 100 * c.changed) }
end

function T.head(seeds)
  return { "method", "rate", "MB", seeds > 1 and "answer NLL (sd of seeds)" or "answer NLL", "from base",
    "from lora", "KL on text", "held MiB", "peak MiB", "s/step", "changed %" }
end

T.about = {
  "held MiB: what training allocated beside the model",
  "peak MiB: the most that this process had in memory meanwhile, with pages of the model's file and what the scan left",
}

-- ---- files

-- 32-bit FNV-1a: its lowest bit is but the parity of those of the bytes.
function T.hash(s)
  local h = 0x811c9dc5
  for i = 1, #s do h = ((h ~ s:byte(i)) * 0x01000193) & 0xffffffff end
  return h
end

local function quoted(s)
  return '"' .. s:gsub('[%c"\\\127]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
end

-- A row as a line of messages, or of text.
function T.line(row)
  local words = {}
  for i, m in ipairs(row.messages) do
    if m.role == "text" then return '{"text": ' .. quoted(m.content) .. "}" end
    words[i] = ('{"role": %s, "content": %s}'):format(quoted(m.role), quoted(m.content))
  end
  return '{"messages": [' .. table.concat(words, ", ") .. "]}"
end

-- Sums and labels of each sequence, from a run's test.tsv: columns nll_sum and labelled.
function T.sequences(path)
  local out, nll, n = {}, nil, nil
  local file <close> = assert(io.open(path))
  for line in file:lines() do
    local cells = {}
    for c in line:gsub("^#%s*", ""):gmatch("[^\t]+") do cells[#cells + 1] = c end
    if not nll then
      for i, c in ipairs(cells) do
        if c == "nll_sum" then nll = i elseif c == "labelled" then n = i end
      end
      assert(nll and n, path .. ": expected columns nll_sum and labelled")
    else
      out[#out + 1] = { assert(tonumber(cells[nll])), assert(tonumber(cells[n])) }
    end
  end
  return out
end

local function contents(path)
  local file <close> = assert(io.open(path, "rb"))
  return (assert(file:read("a")))
end

-- What splits, layouts and probes depend on (beside the model), and what is measured of a run at its end.
function T.keys(o, calibration)
  local own = o.test == ""
  return ("%08x"):format(T.hash(table.concat({ contents(o.data), o.rows, own and "split" or "whole",
    calibration or "" }, "\n"))),
    ("%08x"):format(T.hash((own and "" or contents(o.test)) .. "\n" .. (o.text == "" and "" or contents(o.text))))
end

-- From here on the process's peak (VmHWM) is that of what comes; false: nobody may say so here, and the
-- peaks of runs are of all that came before, too.
function T.own_peak()
  local file <close> = io.open("/proc/self/clear_refs", "w")
  return file ~= nil and file:write("5") ~= nil and file:flush() ~= nil
end

-- Rows of a file in two files; by content, so that a row that is there twice is on one side.
function T.split(path, rows, train, test)
  local a, b, n = {}, {}, 0
  for row in assert(bitdial.data.rows(path)) do
    n = n + 1
    if n > rows then break end
    local line = T.line(row)
    local to = (T.hash(line) >> 12) % 10 == 0 and b or a
    to[#to + 1] = line
  end
  if #a == 0 or #b == 0 then
    error(("table4.lua: %s: %d rows are too few for a test: name one, test=FILE"):format(path, n), 0)
  end
  T.write(train, a)
  T.write(test, b)
end

-- ---- runs

-- The run that splits and layouts lie in; made once for a model and a file.
local function home_of(model, o)
  local key, asked = T.keys(o, model.calibration)
  local name = "table4 data " .. key
  local run = T.run(model, "search", name)
  if not run then
    assert(assert(bitdial.search { bpw = 4.25 }):wait()) -- a layout is what is kept
    run = assert(bitdial.run.get(assert(bitdial.run.keep(name))))
  end
  local home = { key = key, asked = asked, id = run.id, train = o.data, test = o.test, path = run.path }
  if o.test == "" then
    home.train, home.test = run.path .. "/train.jsonl", run.path .. "/test.jsonl"
    if not T.exists(home.train) or not T.exists(home.test) then
      T.split(o.data, o.rows, home.train, home.test)
    end
  end
  return home
end

-- The layout of a budget, the same one each time; nil and a sentence where there is none.
local function find_layout(home, budget)
  local path = home.path .. "/layout-" .. budget .. ".json"
  if T.exists(path) then return bitdial.layout(path) end
  local bpw = tonumber(budget)
  local layout, why
  if bpw then
    layout, why = assert(bitdial.search { bpw = bpw }):wait()
  else
    layout, why = bitdial.layout(budget)
  end
  if not layout then return nil, why end
  assert(layout:write(path))
  return layout
end

local function layout_of(home, budget) return assert(find_layout(home, budget)) end

-- What came of a finished run.
local function read(id)
  local run = assert(bitdial.run.get(id))
  local v = run.numbers
  return { id = run.id, held = v.held_wide_nll or v.held_nll, kl = v.text_kl, memory = v.train_bytes, peak = v.peak_bytes,
    step_s = v.seconds_a_step, changed = v.changed, adapters = v.adapter_bytes,
    seq = T.exists(run.path .. "/test.tsv") and T.sequences(run.path .. "/test.tsv") or nil }
end

-- Trains a cell, or takes its run: nil and a sentence where it failed.
local function train(model, home, o, cell)
  local name = T.name(cell.probe and home.key or home.key .. "-" .. home.asked, cell, o)
  local run = T.run(model, "train", name)
  if run and run.state == "done" then return read(run.id) end
  if run and run.state == "running" then
    error("table4.lua: another process is at " .. run.id .. ": wait for it, or stop it", 0)
  end
  bitdial.notice("%s", name)
  assert(cell.layout:use())
  T.own_peak()
  local job, said
  if run and run.state ~= "failed" then
    job, said = bitdial.train { resume = run.id }
    if not job then bitdial.notice("%s begins anew: %s", run.id, said) end
  end
  if not job then
    local ask = { name = name, data = home.train, rows = o.rows, method = cell.method, steps = cell.steps,
      window = o.window, windows = T.windows(cell, o), seed = cell.seed,
      held_every = cell.probe and cell.steps or math.max(10, cell.steps // 2) }
    if cell.knob then ask[cell.knob] = cell.rate end
    if cell.method == "stats" and cell.untrained then
      ask.lr_s, ask.lr_gain = 0, 0
    end
    if not cell.probe then
      ask.test, ask.text = home.test, o.text ~= "" and o.text or nil
    end
    job, said = bitdial.train(ask)
  end
  local result
  if job then result, said = job:wait() end
  if not result then return nil, said end
  return read(result.run)
end

-- ---- the table

local function methods_of(o)
  local known, list = {}, {}
  for _, m in ipairs(bitdial.train.methods()) do known[m.name] = m end
  for i, name in ipairs(T.list(o.methods)) do
    if name ~= "base" and not known[name] then
      error("table4.lua: there is no method " .. name .. ": bitdial.train.methods() lists them", 0)
    end
    list[i] = known[name] or { name = "base" }
  end
  return list
end

-- "stats:0.001,fp:1e-4" as rates by name.
function T.rates(s)
  local out = {}
  for _, w in ipairs(T.list(s)) do
    local name, value = w:match("^([%w-]+):(.*)$")
    out[name or w] = tonumber(value)
    if not out[name or w] then
      error("table4.lua: rates=" .. w .. ": expected METHOD:RATE, such as stats:0.001", 0)
    end
  end
  return out
end

local function ceiling(m) return m.what == "masters" end

-- The rates of all methods, each chosen by its probes.
local function choose_rates(model, home, o, methods, layouts)
  local chosen, given = {}, T.rates(o.rates)
  for _, m in ipairs(methods) do
    local knob, factors = T.factors(m)
    if given[m.name] then
      chosen[m.name] = { knob = knob, rate = given[m.name] }
    elseif m.name ~= "base" then
      local probes = {}
      for i, factor in ipairs(factors) do
        local rate = T.rate(m, knob, factor)
        local r, said = train(model, home, o, { method = m.name, knob = knob, rate = rate, probe = true,
          steps = o.probe, seed = 1, budget = ceiling(m) and "keep" or o.at,
          layout = ceiling(m) and layouts.keep or layouts[o.at] })
        probes[i] = { factor = factor, held = r and r.held }
        print(("probe %-9s %s=%-8g %s"):format(m.name, knob, rate, r and fixed("%.4f", r.held) or said))
      end
      local factor = T.choose(probes)
      chosen[m.name] = { knob = knob, rate = factor and T.rate(m, knob, factor) }
    end
  end
  return chosen
end

-- All seeds of a method at a budget.
local function cell_of(model, home, o, m, rate, budget, layout)
  local base = m.name == "base" or m.name == "calibrated"
  local out = { method = m.name, rate = rate and rate.rate, bytes = layout.bytes, nlls = {} }
  local seqs, sums = {}, { kl = 0, memory = 0, peak = 0, step_s = 0, changed = 0 }
  if not base and not out.rate then
    out.failed = "no probe ended well"
    return out
  end
  for seed = 1, base and 1 or o.seeds do
    local r, said = train(model, home, o, { method = base and "stats" or m.name, untrained = base,
      knob = rate and rate.knob, rate = out.rate, steps = base and 1 or o.steps, seed = seed,
      budget = budget, layout = layout })
    if not r then
      out.failed = said
      return out
    end
    seqs[seed], out.nlls[seed] = r.seq, T.mean(r.seq)
    for k in pairs(sums) do sums[k] = r[k] and sums[k] and sums[k] + r[k] end
    out.bytes = layout.bytes + (r.adapters or 0)
  end
  out.seq = T.together(seqs)
  for k, v in pairs(sums) do out[k] = v and v / #seqs or nil end
  if base then
    out.memory, out.peak, out.step_s, out.changed = nil, nil, nil, nil
  elseif m.what ~= "codes" then
    out.changed = nil
  end
  if ceiling(m) then out.bytes = 2 * model.weights end -- as it would be stored
  return out
end

-- The dial of a calibrated run, untrained, at each budget; it replaces the model that is open.
local function calibrated_cells(model, o, budgets)
  local worn <close> = assert(bitdial.open(o.calibrated))
  if not worn.calibration or worn.path ~= model.path then
    error(("table4.lua: calibrated=%s: expected a run of bitdial calibrate on %s"):format(o.calibrated, model.path), 0)
  end
  assert(bitdial.scan():wait())
  local home, has, out = home_of(worn, o), {}, {}
  for _, f in ipairs(worn.formats) do has[f] = true end
  for _, budget in ipairs(budgets) do
    local layout, why = nil, "the calibrated run has no " .. budget
    if tonumber(budget) or has[budget] then layout, why = find_layout(home, budget) end
    out[budget] = layout and cell_of(worn, home, o, { name = "calibrated" }, nil, budget, layout)
      or { method = "calibrated", failed = why }
  end
  return out
end

function T.main(words)
  local usage = "usage: table4.lua MODEL DATA [name=value ...]"
  local model <close> = assert(bitdial.open(assert(words[1], usage)))
  local o = T.options({ table.unpack(words, 3) }, { budgets = "int4g128,3.6",
    methods = "base,stats,lora,galore,diodemix,rank,flips,fp", steps = 150, window = 256, windows = 4,
    probe = 40, probe_windows = 2, rates = "", at = "", seeds = 1, test = "", text = "", rows = 1 << 30,
    calibrated = "" }, "table4.lua")
  o.data = assert(words[2], usage)
  local budgets, methods = T.list(o.budgets), methods_of(o)
  if o.at == "" then o.at = budgets[1] end
  local worn = {}
  if o.calibrated ~= "" then
    worn = calibrated_cells(model, o, budgets)
    assert(bitdial.open(words[1]))
  end
  assert(bitdial.scan():wait())

  local home, layouts = home_of(model, o), {}
  for _, b in ipairs { o.at, table.unpack(budgets) } do
    layouts[b] = layouts[b] or layout_of(home, b)
  end
  for _, m in ipairs(methods) do
    if ceiling(m) then layouts.keep = layouts.keep or layout_of(home, "keep") end
  end
  local rates = choose_rates(model, home, o, methods, layouts)

  local lines, tsv = {}, { "# budget\tbpw\t" .. table.concat(T.head(o.seeds), "\t") }
  local function say(line)
    lines[#lines + 1] = line
    print(line)
  end
  for _, budget in ipairs(budgets) do
    local cells, by = {}, {}
    for i, m in ipairs(methods) do
      local at = ceiling(m) and "keep" or budget
      cells[i] = cell_of(model, home, o, m, rates[m.name], at, layouts[at])
      by[m.name] = cells[i]
    end
    if worn[budget] then table.insert(cells, by.base and cells[1] == by.base and 2 or 1, worn[budget]) end
    local rows = { T.head(o.seeds) }
    for i, c in ipairs(cells) do
      rows[i + 1] = T.row(c, by.base, by.lora)
      tsv[#tsv + 1] = table.concat({ budget, ("%.3f"):format(layouts[budget].bpw),
        table.unpack(rows[i + 1]) }, "\t") .. (c.failed and "\t" .. c.failed or "")
    end
    say(("%s at %s: %.2f bpw; %d steps of %d tokens"):format(model.name, budget, layouts[budget].bpw,
      o.steps, o.windows * o.window))
    for _, line in ipairs(T.columns(rows)) do say(line) end
  end

  for _, line in ipairs(T.about) do say(line) end
  if not T.own_peak() then say("peak MiB is of all cells so far: /proc/self/clear_refs is not to be written here") end
  assert(layouts[budgets[1]]:use())
  local id = assert(bitdial.run.keep("table4"))
  assert(bitdial.run.notes(id, table.concat(lines, "\n") .. "\n"))
  T.write(bitdial.run(id).path .. "/table4.tsv", tsv)
  print("kept in " .. id)
end

-- As a script it runs; where another one takes it in (dofile) it gives its functions.
if arg[0] and arg[0]:find("table4%.lua$") then
  T.main(arg)
end
return T

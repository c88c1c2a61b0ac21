-- calibration.lua - what a calibration makes of the dial: before and after, at several budgets.
--
--   bitdial --batch scripts/calibration.lua MODEL text=FILE [name=value ...]
--
--   text=FILE              measured on: none of it is in what is scanned or trained on
--   data=FILE              trained on; else the model writes it itself
--   dial=int2g64,int4g64   formats of the dial; else those of at most 4 bits that it has
--   methods=flips          of bitdial.train.methods(); latent,stats,flips: beside each other
--   budgets=2.5,2.9,3.3,3.6,4.0,4.27   stored bits a weight
--   steps=240 windows=4 window=256     each run: 240 steps of 4 windows of 256 tokens
--   limit=4096             tokens of the text, at most
--   scan=256               tokens that a scan measures cells on, before and after
--   ask=yes                the same three questions at each budget; no: none
--
-- A table for the dial as it was and one for each method: at each budget the layout that a search finds,
-- its bytes, KL from the reference with its standard error, perplexity and share of tokens on which both
-- agree; the ends of the dial without a search; and what it cost: tokens, minutes, memory, bytes of a
-- checkpoint.  Then the answers.
--
-- Each calibration is a run.  Typed again after a stop the same line takes finished runs as they are
-- and goes on with one that was cut short; what was scanned is in the cache.
local T = dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "tables.lua")

T.questions = { "What is the capital of France?", "Write one sentence about the sea.",
  "Explain in two sentences why the sky is blue." }

local HEAD = { "bpw", "MB", "KL", "perplexity", "top-1" }

-- What a text says of a layout, as a row; layout = false: the reference.
local function row(o, name, layout)
  local m = assert(assert(bitdial.measure.text { file = o.text, layout = layout, limit = o.limit }):wait())
  return { name, layout and T.fixed("%.1f", layout.bytes / 1e6) or "-",
    layout and ("%.4f±%.4f"):format(m.damage, m.se) or "-", T.fixed("%.2f", m.perplexity),
    layout and T.fixed("%.1f %%", 100 * m.top1) or "-" }
end

local function answers(layout)
  local out = {}
  for i, q in ipairs(T.questions) do
    local a = assert(assert(bitdial.chat { prompt = q, layout = layout, temperature = 0, max_tokens = 60 }):wait())
    out[i] = (a.text:gsub("%s+", " "))
  end
  return out
end

-- The dial of what is open now: a row a budget, its two ends, and what it answers.
function T.dial(o, title, say)
  local rows, said = { HEAD }, {}
  assert(assert(bitdial.scan { formats = o.dial, tokens = o.scan }):wait())
  local names = T.list(o.dial)
  for _, name in ipairs { names[1], names[#names] } do
    rows[#rows + 1] = row(o, "all " .. name, assert(bitdial.layout(name)))
  end
  for _, b in ipairs(T.list(o.budgets)) do
    local budget = assert(tonumber(b), "calibration.lua: budgets=" .. b .. ": expected stored bits a weight")
    local layout = assert(assert(bitdial.search { bpw = budget }):wait())
    rows[#rows + 1] = row(o, ("%.2f"):format(layout.bpw), layout)
    if o.ask == "yes" then said[#said + 1] = { rows[#rows][1], answers(layout) } end
  end
  say(title)
  for _, line in ipairs(T.columns(rows)) do say(line) end
  return said
end

-- A finished run of that method, or nil and a sentence.
local function calibrated(model, o, method)
  local name = ("calibration %s %s %s %dx%dx%d"):format(o.data, o.dial, method, o.steps, o.windows, o.window)
  local run = T.run(model, "train", name)
  if run and run.state == "done" then return run end
  bitdial.notice("%s", name)
  local job, why
  if run and run.state ~= "failed" then
    job, why = bitdial.calibrate { resume = run.id }
  else
    job, why = bitdial.calibrate { name = name, method = method, data = o.data ~= "" and o.data or nil, dial = o.dial,
      steps = o.steps, windows = o.windows, window = o.window }
  end
  local result
  if job then result, why = job:wait() end
  if not result then return nil, why end
  return bitdial.run.get(result.run)
end

-- What a run cost.
local function price(run)
  local n, bytes = run.numbers, 0
  for file in io.popen("du -sk '" .. run.path:gsub("'", "'\\''") .. "'"):lines() do
    bytes = tonumber(file:match("^%d+")) * 1024
  end
  return ("%.0f steps, %.0f tokens in %.0f minutes (%.1f s a step); %.0f MiB held beside the model, %.0f MiB on disk")
    :format(n.steps, n.tokens, run.seconds / 60, n.seconds_a_step, n.train_bytes / 2 ^ 20, bytes / 2 ^ 20)
end

function T.main(words)
  local path = assert(words[1], "usage: calibration.lua MODEL text=FILE [name=value ...]")
  local o = T.options({ table.unpack(words, 2) }, { text = "", data = "", dial = "int2g64,int4g64",
    methods = "flips", budgets = "2.5,2.9,3.3,3.6,4.0,4.27", steps = 240, windows = 4, window = 256,
    limit = 4096, scan = 256, ask = "yes" }, "calibration.lua")
  if o.text == "" then error("calibration.lua: name a text to measure on: text=FILE", 0) end
  local lines, spoken = {}, {}
  local function say(line)
    lines[#lines + 1] = line
    print(line)
  end

  local model = assert(bitdial.open(path))
  local reference = row(o, "reference", false)
  say(("reference: perplexity %s"):format(reference[4]))
  spoken[1] = { "before", T.dial(o, "before", say) }
  for _, method in ipairs(T.list(o.methods)) do
    local run, why = calibrated(model, o, method)
    if run then
      assert(bitdial.open(run.path))
      spoken[#spoken + 1] = { method, T.dial(o, method .. ": " .. price(run), say) }
      model = assert(bitdial.open(path))
    else
      say(method .. ": " .. why)
    end
  end
  if o.ask == "yes" then say("reference: " .. table.concat(answers(assert(bitdial.layout("keep"))), " | ")) end
  for _, s in ipairs(spoken) do
    for _, a in ipairs(s[2]) do say(("%s at %s: %s"):format(s[1], a[1], table.concat(a[2], " | "))) end
  end
  local id = assert(bitdial.run.keep("calibration"))
  assert(bitdial.run.notes(id, table.concat(lines, "\n") .. "\n"))
  print("kept in " .. id)
end

if arg[0] and arg[0]:find("calibration%.lua$") then
  T.main(arg)
end
return T

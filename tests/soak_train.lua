-- soak_train.lua - does training in integer space learn (FORMULAS.md 3.5, T6)?
--
--   bitdial --batch tests/soak_train.lua MODEL data=FILE [name=value ...]
--
--   data=FILE    a tenth of its rows, by their content, is the test; a thousand rows or more: of fewer the
--                steps are several times through the data, and what learns most has learned it by heart
--   steps=60  windows=4  window=256
--
-- On the same sequences and to more than three paired standard errors: what `rank` and `flips` trained at
-- int2g64 answers better than what `stats` trained, and that better than the layout as it was; and at
-- int4g128 the loss of either is at most 1.5 % above that of a float fine-tune from the same point.
-- An hour; it ends with an error where one of these does not hold.  Typed again after a stop it takes the
-- runs that are finished.
local T = dofile("scripts/table4.lua")

local o = T.options({ table.unpack(arg, 2) },
  { data = "", steps = 60, windows = 4, window = 256 }, "soak_train.lua")
local model <close> = assert(bitdial.open(assert(arg[1], "usage: soak_train.lua MODEL [name=value ...]")))
if o.data == "" then error("soak_train.lua: name rows to train on: data=FILE", 0) end
local train, test = os.tmpname(), os.tmpname()
T.split(o.data, 1 << 30, train, test)
local file <close> = assert(io.open(o.data, "rb"))
local key = T.hash(assert(file:read("a")))

local function told(layout, method, untrained, path)
  local seq = T.sequences(path .. "/test.tsv")
  print(("%-9s %-6s %.4f nats a token"):format(layout, untrained and "-" or method, (T.mean(seq))))
  return seq
end

-- The test's sequences after a run, which is made once; untrained: after a step of nothing.
local function after(layout, method, untrained)
  local name = ("soak %08x %s %s %dx%dx%d"):format(key, untrained and "-" or method, layout, o.steps, o.windows,
    o.window)
  local done = T.run(model, "train", name)
  if done and done.state == "done" then return told(layout, method, untrained, done.path) end
  assert(bitdial.layout(layout):use())
  local ask = { name = name, data = train, test = test, method = method,
    steps = untrained and 1 or o.steps, windows = o.windows, window = o.window, held_every = o.steps, seed = 1 }
  if untrained then ask.lr_s, ask.lr_gain = 0, 0 end -- of stats, which has no other rate
  local result = assert(assert(bitdial.train(ask)):wait())
  return told(layout, method, untrained, assert(bitdial.run.get(result.run)).path)
end

local failed, asked = 0, 0
local function holds(what, ok)
  print((ok and "holds: " or "FAILED: ") .. what)
  asked, failed = asked + 1, failed + (ok and 0 or 1)
end

local function better(what, a, b)
  local d, se = T.paired(a, b)
  holds(("%s: %+.4f ± %.4f"):format(what, d, se), d < -3 * se)
end

local base, stats = after("int2g64", "stats", true), after("int2g64", "stats")
better("int2g64, scales alone against the layout as it was", stats, base)
local methods = { "rank", "flips" }
for _, method in ipairs(methods) do
  better("int2g64, " .. method .. " against scales alone", after("int2g64", method), stats)
end
local float = T.mean(after("int4g128", "fp"))
for _, method in ipairs(methods) do
  local packed = T.mean(after("int4g128", method))
  holds(("int4g128, %s %.4f, float from the same point %.4f: %+.2f %%"):format(method, packed, float,
    100 * (packed / float - 1)), packed <= 1.015 * float)
end
os.remove(train)
os.remove(test)
if failed > 0 then error(failed .. " of " .. asked .. " do not hold", 0) end

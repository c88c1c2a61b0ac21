-- soak_train.lua - does training in integer space learn (FORMULAS.md 3.5, T6)?
--
--   bitdial --batch tests/soak_train.lua MODEL [name=value ...]
--
--   data=share/sft/next-step.jsonl  a tenth of it, by its content, is the test
--   steps=60  windows=4  window=256
--
-- On the same sequences and to more than three paired standard errors: what `rank` and `flips` trained at
-- int2g64 answers better than what `stats` trained, and that better than the layout as it was; and at
-- int4g128 the loss of either is at most 1.5 % above that of a float fine-tune from the same point.
-- Minutes to an hour; it ends with an error where one of these does not hold.
local T = dofile("scripts/table4.lua")

local o = T.options({ table.unpack(arg, 2) },
  { data = "share/sft/next-step.jsonl", steps = 60, windows = 4, window = 256 }, "soak_train.lua")
local model <close> = assert(bitdial.open(assert(arg[1], "usage: soak_train.lua MODEL [name=value ...]")))
local train, test = os.tmpname(), os.tmpname()
T.split(o.data, 1 << 30, train, test)

-- The test's sequences after a run; untrained: after a step of nothing.
local function after(layout, method, untrained)
  assert(bitdial.layout(layout):use())
  local ask = { name = "soak " .. method .. " " .. layout, data = train, test = test, method = method,
    steps = untrained and 1 or o.steps, windows = o.windows, window = o.window, held_every = o.steps, seed = 1 }
  if untrained then ask.lr_s, ask.lr_gain = 0, 0 end -- of stats, which has no other rate
  local result = assert(assert(bitdial.train(ask)):wait())
  local seq = T.sequences(assert(bitdial.run.get(result.run)).path .. "/test.tsv")
  print(("%-9s %-6s %.4f nats a token"):format(layout, untrained and "-" or method, (T.mean(seq))))
  return seq
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
local float = T.mean(after("int4g128", "fp"))
for _, method in ipairs { "rank", "flips" } do
  better("int2g64, " .. method .. " against scales alone", after("int2g64", method), stats)
  local packed = T.mean(after("int4g128", method))
  holds(("int4g128, %s %.4f, float from the same point %.4f: %+.2f %%"):format(method, packed, float,
    100 * (packed / float - 1)), packed <= 1.015 * float)
end
os.remove(train)
os.remove(test)
if failed > 0 then error(failed .. " of " .. asked .. " do not hold", 0) end

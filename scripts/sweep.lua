-- sweep.lua - the smallest layout that does no more damage than you allow.
--
--   bitdial --batch scripts/sweep.lua MODEL [KL [LO HI STEP]]
--
-- Budgets from LO to HI (2.5, 4.5) by STEP (0.25): each best layout is measured; with random layouts
-- of the same bytes from three seeds beside it, one sees what the search is worth.  The smallest
-- one below KL (0.1 nats a token) is kept as a run with the tag good; none: exit status 3.
local path, goal = arg[1], tonumber(arg[2]) or 0.1
local lo, hi, step = tonumber(arg[3]) or 2.5, tonumber(arg[4]) or 4.5, tonumber(arg[5]) or 0.25
local seeds = { 1, 2, 3 }
local model <close> = assert(bitdial.open(assert(path, "usage: sweep.lua MODEL [KL [LO HI STEP]]")))
assert(bitdial.scan():wait())

local good
print("bpw\tpredicted\tmeasured\trandom layouts")
for bpw = lo, hi + step / 2, step do
  local best = assert(bitdial.search { bpw = bpw }:wait())
  local m = assert(bitdial.measure(best):wait())
  local others = {}
  for _, seed in ipairs(seeds) do
    best:use()
    local layout = bitdial.search.guard("random", seed)
    others[#others + 1] = layout and
      string.format("%.3f", assert(bitdial.measure(layout):wait()).damage) or "-"
  end
  print(string.format("%.2f\t%.4f\t%.4f±%.4f\t%s", best.bpw, best.damage, m.damage, m.se,
    table.concat(others, " ")))
  if m.damage <= goal and not good then
    good = best
  end
end

if bitdial.expect(good, string.format("no budget up to %.2f bpw stays below %g nats", hi, goal)) then
  good:use()
  local id = assert(bitdial.run.keep(string.format("KL below %g", goal)))
  assert(bitdial.run.tag(id, "good"))
  print(string.format("%.2f bpw, %d bytes: %s", good.bpw, good.bytes, id))
end

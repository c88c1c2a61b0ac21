-- blame.lua - why each linear has its bits.
--
--   bitdial --batch scripts/blame.lua MODEL [BPW]
--
-- The best layout at BPW (3.6) as a table: for each linear its format and what that does, the next
-- smaller format and what that would do, and the nats that a saved megabyte would cost there.  At
-- the top are the linears that would hurt most to make smaller, at the bottom those next in turn.
local path, bpw = arg[1], tonumber(arg[2]) or 3.6
local model <close> = assert(bitdial.open(assert(path, "usage: blame.lua MODEL [BPW]")))
local cells = assert(bitdial.scan():wait())
local best = assert(bitdial.search { bpw = bpw }:wait())

local of = {} -- the cells of each linear whose damage is known; keep does none
for _, c in ipairs(cells:totable()) do
  of[c.linear] = of[c.linear] or {}
  c.damage = c.damage or c.format == "keep" and 0 or nil
  if c.damage then
    table.insert(of[c.linear], c)
  end
end

local rows = {}
for linear, format in pairs(best:formats()) do
  local here, below
  table.sort(of[linear], function(a, b) return a.bytes < b.bytes end)
  for _, c in ipairs(of[linear]) do
    if c.format == format then here = c end
    if not here then below = c end
  end
  if here then
    rows[#rows + 1] = { linear = linear, here = here, below = below, price = below and
      (below.damage - here.damage) / (here.bytes - below.bytes) * 1e6 or -1 }
  end
end
table.sort(rows, function(a, b)
  return a.price > b.price or a.price == b.price and a.linear < b.linear
end)

print(string.format("%s at %.2f bpw, KL %.4f predicted", model.name, best.bpw, best.damage))
local form = "%-16s %-9s %9s   %-9s %9s %10s"
print(form:format("linear", "has", "damage", "next", "damage", "nats/MB"))
for _, r in ipairs(rows) do
  print(form:format(r.linear, r.here.format, ("%.5f"):format(r.here.damage),
    r.below and r.below.format or "-", r.below and ("%.5f"):format(r.below.damage) or "-",
    r.below and ("%.4f"):format(r.price) or "-"))
end

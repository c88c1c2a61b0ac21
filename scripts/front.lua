-- front.lua - the front of a model and what plain rules do with the same bytes, measured.
--
--   bitdial --batch scripts/front.lua MODEL [OUT.png [STEP]]
--
-- Every STEP (0.5) bits a weight: the best layout, then uniform and ends, each measured on text
-- that the scan has not seen.  With OUT a picture, by gnuplot.  The goal is a search that is never
-- beaten by a rule: where it is, beyond its error, the exit status is 3.
local path, out, step = arg[1], arg[2], tonumber(arg[3]) or 0.5
local model <close> = assert(bitdial.open(assert(path, "usage: front.lua MODEL [OUT.png [STEP]]")))
assert(bitdial.scan():wait())

local curve = assert(bitdial.search.front())
local least, most = curve[1].bytes * 8 / model.weights, curve[#curve].bytes * 8 / model.weights
local names = { "search", "uniform", "ends" }
local line, points = { x = {}, y = {}, label = "predicted" }, {}
for i, p in ipairs(curve) do
  line.x[i], line.y[i] = p.bytes * 8 / model.weights, p.damage > 0 and p.damage or 0 / 0
end
for _, name in ipairs(names) do
  points[name] = { x = {}, y = {}, error = {}, label = name .. ", measured" }
end

print("bpw", table.unpack(names))
for bpw = math.ceil(least / step) * step, most - step / 4, step do
  local best = assert(bitdial.search { bpw = bpw }:wait())
  local found, cells = {}, { string.format("%.2f", best.bpw) }
  for _, name in ipairs(names) do
    best:use()
    local layout = name == "search" and best or bitdial.search.guard(name)
    if layout then -- at the low end a rule may have nothing so small
      local m = assert(bitdial.measure(layout):wait())
      local p = points[name]
      p.x[#p.x + 1], p.y[#p.y + 1], p.error[#p.error + 1] = layout.bpw, m.damage, m.se
      found[name] = m
      bitdial.expect(found.search.damage <= m.damage + 2 * (m.se + found.search.se),
        string.format("%s is better at %.2f bpw", name, bpw))
    end
    cells[#cells + 1] = layout and string.format("%.4f±%.4f", found[name].damage, found[name].se) or "-"
  end
  print(table.concat(cells, "\t"))
end

if out then
  print(assert(bitdial.plot { path = out, title = model.name, x_label = "stored bits a weight",
    y_label = "KL, nats a token", log_y = true,
    series = { line, points.search, points.uniform, points.ends } }))
end

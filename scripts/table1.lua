-- table1.lua - what fewer bits cost: tasks, perplexity and KL at several budgets.
--
--   bitdial --batch scripts/table1.lua MODEL [BPW,BPW... [LIMIT [TASK...]]]
--
-- A row for each budget (2.5,3,3.5,4.5) and one for the reference: bytes of the linears, perplexity
-- and KL on text that the scan has not seen, and of each task (all that bitdial.data.tasks() finds)
-- the share of questions answered rightly, by length of the option, with its standard error.
-- LIMIT: questions of a task at most (0: all).  The table is kept in a run, as its notes and as
-- table1.tsv.
local path, budgets, limit = arg[1], arg[2] or "2.5,3,3.5,4.5", tonumber(arg[3]) or 0
local model <close> = assert(bitdial.open(assert(path, "usage: table1.lua MODEL [BPW,BPW... [LIMIT [TASK...]]]")))
assert(bitdial.scan():wait())

local tasks = { table.unpack(arg, 4) }
for _, t in ipairs(#tasks == 0 and bitdial.data.tasks() or {}) do
  tasks[#tasks + 1] = t.name
end

if #tasks == 0 then
  io.stderr:write("table1.lua: there are no tasks: name a .jsonl, or put it into tasks/ of the data folder\n")
end

local lines = {}
local function row(cells)
  lines[#lines + 1] = table.concat(cells, "\t")
  print(lines[#lines])
end

-- layout = false is the reference
local function measured(name, layout)
  local text = assert(assert(bitdial.measure.text { layout = layout }):wait())
  local cells = { name, layout and layout.bytes or "-", string.format("%.3f", text.perplexity),
    layout and string.format("%.4f±%.4f", text.damage, text.se) or "-" }
  for _, task in ipairs(tasks) do
    local t = assert(assert(bitdial.measure.task { task = task, layout = layout, limit = limit }):wait())
    cells[#cells + 1] = string.format("%.1f±%.1f", 100 * t.accuracy_norm, 100 * t.se_norm)
  end
  row(cells)
end

local head = { "bpw", "bytes", "perplexity", "KL" }
for _, task in ipairs(tasks) do
  head[#head + 1] = (task:match("[^/]*$"):gsub("%.jsonl$", ""))
end
row(head)
measured("reference", false)
for bpw in budgets:gmatch("[^,]+") do
  local layout = assert(bitdial.search { bpw = assert(tonumber(bpw), bpw .. ": expected a number") }:wait())
  measured(string.format("%.2f", layout.bpw), layout)
end

local id = assert(bitdial.run.keep("table1"))
assert(bitdial.run.notes(id, table.concat(lines, "\n") .. "\n"))
local file <close> = assert(io.open(bitdial.run(id).path .. "/table1.tsv", "w"))
file:write("# ", table.concat(lines, "\n"), "\n")
print("kept in " .. id)

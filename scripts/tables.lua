-- tables.lua - what scripts that measure and make a table have in common; table4.lua and calibration.lua
-- take it in (dofile).
local T = {}

-- ---- words

-- name=value of the command line over what is known, by the type of that; script: who complains.
function T.options(words, known, script)
  local o = {}
  for k, v in pairs(known) do o[k] = v end
  for _, w in ipairs(words) do
    local name, value = w:match("^([%w_]+)=(.*)$")
    if not name or known[name] == nil then
      error(script .. ": " .. w .. ": expected name=value; names are listed at the top of the script", 0)
    end
    if type(known[name]) == "number" then
      value = math.tointeger(tonumber(value))
      if not value or value < 1 then
        error(script .. ": " .. w .. ": expected a whole number from 1 on", 0)
      end
    end
    o[name] = value
  end
  return o
end

function T.list(s)
  local out = {}
  for w in s:gmatch("[^,]+") do out[#out + 1] = w end
  return out
end

local function padded(s, width, left)
  local gap = (" "):rep(width - (utf8.len(s) or #s))
  return left and s .. gap or gap .. s
end

-- Lines with columns as wide as their widest cell, the first to the left; instead: words in the
-- place of the rest.
function T.columns(rows)
  local width, lines = {}, {}
  for _, r in ipairs(rows) do
    for i, c in ipairs(r) do width[i] = math.max(width[i] or 0, utf8.len(c) or #c) end
  end
  for _, r in ipairs(rows) do
    local cells = {}
    for i, c in ipairs(r) do cells[i] = padded(c, width[i], i == 1) end
    cells[#cells + 1] = r.instead
    lines[#lines + 1] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  return lines
end

-- "-" where there is no number.
function T.fixed(form, v) return v and v == v and form:format(v) or "-" end

-- ---- files

function T.write(path, lines)
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(table.concat(lines, "\n"), "\n"))
end

function T.exists(path)
  local file <close> = io.open(path)
  return file ~= nil
end

-- ---- runs

-- The newest run of that kind and name of this model.
function T.run(model, kind, name)
  for _, r in ipairs(assert(bitdial.run.list("kind:" .. kind))) do
    if r.options == name and r.model_path == model.path then return r end
  end
end

return T

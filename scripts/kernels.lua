-- kernels.lua - how fast the packed kernels are on shapes you name, beside reading alone.
--
--   bitdial --batch scripts/kernels.lua [OUT.png] [ROWSxCOLS ...]
--
-- Each format at each shape (4096x4096, 2048x8192, 576x1536), one token and 128, weights coming
-- from memory: GB/s of weights, the share of what reading alone reaches in the same second, and
-- billions of operations a second.  With OUT a picture over the tokens at once.
local formats = { "int2g64", "int3g64", "int4g128", "int8g128" }
local shapes, out = {}, nil
for _, a in ipairs(arg) do
  local rows, cols = a:match("^(%d+)x(%d+)$")
  if rows then
    shapes[#shapes + 1] = { rows = tonumber(rows), cols = tonumber(cols) }
  else
    out = a
  end
end
if #shapes == 0 then
  shapes = { { rows = 4096, cols = 4096 }, { rows = 2048, cols = 8192 }, { rows = 576, cols = 1536 } }
end

print(bitdial.kernels.best())
print("format    shape         tokens       us    GB/s   of reading     GOP/s")
for _, s in ipairs(shapes) do
  for _, format in ipairs(formats) do
    for _, m in ipairs { 1, 128 } do
      local t = assert(assert(bitdial.kernels.time { format = format, rows = s.rows, cols = s.cols,
        m = m }):wait())
      print(("%-9s %-12s %7d %8.0f %7.2f %9.0f %%  %10.1f"):format(format, s.rows .. "x" .. s.cols, m,
        t.us, t.gb_s, 100 * t.gb_s / t.read_gb_s, t.gop_s))
    end
  end
end

if out then
  local series, s = {}, shapes[1]
  for i, format in ipairs(formats) do
    series[i] = { label = format, x = {}, y = {} }
    for _, m in ipairs { 1, 2, 4, 8, 16, 32, 64, 128 } do
      local t = assert(bitdial.kernels.time { format = format, rows = s.rows, cols = s.cols, m = m }:wait())
      table.insert(series[i].x, m)
      table.insert(series[i].y, t.gop_s)
    end
  end
  print(assert(bitdial.plot { path = out, title = s.rows .. " x " .. s.cols, x_label = "tokens at once",
    y_label = "GOP/s", log_x = true, log_y = true, series = series }))
end

-- The Search screen with the Lua console beside the panels it drives: [ and ] step to it.
return {
  name = "console", key = "1",
  { h = 14, "heatmap:0.68", "cell" },
  { h = 4,  "slider", drop = 2 },
  { h = "*", "console:0.62", "front" },
  { h = 3,  "jobs", drop = 1 },
  narrow = {                                     -- used below 100 columns
    { h = 9, "heatmap:0.57", "cell", drop = 2 },
    { h = 3, "slider", drop = 1 },
    { h = "*", "console" },
  },
}

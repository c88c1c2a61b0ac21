-- The Search screen.  Rows from the top: h is the height in lines, "*" takes what is left;
-- "panel:weight" is a share of the width, the rest share what is left.  When lines run
-- out, the row with the lowest drop leaves first.
return {
  name = "search", key = "1",
  { h = 14, "heatmap:0.68", "cell" },
  { h = 4,  "slider" },
  { h = "*", "front:0.68", "search", drop = 2 },
  { h = 3,  "jobs", drop = 1 },
  narrow = {                                     -- used below 100 columns
    { h = 12, "heatmap:0.57", "cell" },
    { h = 4,  "slider" },
    { h = "*", "front", drop = 1 },
  },
}

-- The Runs screen: the run folders there are, and below them the one under the cursor.
return {
  name = "runs", key = "4",
  { h = "*", "runs" },
  { h = 3,  "jobs", drop = 1 },
  narrow = {
    { h = "*", "runs" },
  },
}

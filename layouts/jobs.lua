-- The Jobs screen: what it is doing, on what, and what went wrong.
return {
  name = "jobs", key = "5",
  { h = 14, "jobs:0.66", "device" },
  { h = "*", "log" },
  narrow = {
    { h = 8, "jobs" },
    { h = 4, "device", drop = 1 },
    { h = "*", "log", drop = 2 },
  },
}

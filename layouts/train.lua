-- The Train screen: is it learning, and does it win back what quantizing cost.
return {
  name = "train", key = "2",
  { h = "*", "loss:0.70", "facts" },
  { h = 6,  "spark", drop = 2 },
  { h = 3,  "jobs", drop = 1 },
  narrow = {
    { h = "*", "loss:0.66", "facts" },
    { h = 6,  "spark", drop = 1 },
  },
}

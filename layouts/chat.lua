-- The Chat screen: the transcript with its input line, and the dial that answers it.
return {
  name = "chat", key = "3",
  { h = "*", "chat" },
  { h = 4,  "slider", drop = 2 },
  { h = 3,  "jobs", drop = 1 },
  narrow = {
    { h = "*", "chat" },
    { h = 4,  "slider", drop = 1 },
  },
}

-- solarised: quiet text on a dark terminal, in the manner of Solarized by Ethan Schoonover, with
-- lighter steps where his grey would be hard to read.  Colours are names, numbers of the 256 or
-- "#rrggbb", which become the nearest the terminal has; what is not named is as in the default theme.
return {
  background = "dark",
  text         = "#93a1a1",
  dim          = "#6f878d",
  strong       = { "#eee8d5", bold = true },
  accent       = "#2aa198",
  good         = "#859900",
  warn         = "#c9a020",
  bad          = { "#e8604c", bold = true },
  sel          = { "#fdf6e3", bg = "#005f87" },
  cursor       = { "#002b36", bg = "#d7af00", bold = true },
  border       = "#586e75",
  border_focus = "#2aa198",
  series = { "#cb8b16", "#4aa3df", "#859900", "#d7d787", "#6c9fd4", "#e8604c", "#d7679f" },
}

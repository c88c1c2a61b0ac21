-- paper: dark ink for a light terminal.
return {
  background = "light",
  text         = 236,
  dim          = 242,
  strong       = { 16, bold = true },
  accent       = "#005f87",
  good         = "#005f00",
  warn         = "#7a4f00",
  bad          = { "#a00000", bold = true },
  sel          = { 16, bg = 187 },
  cursor       = { 231, bg = "#005f87", bold = true },
  border       = 249,
  border_focus = "#005f87",
  series = { "#b05000", "#0087af", "#008700", "#7a6000", "#0000af", "#d70000", "#af005f" },
}

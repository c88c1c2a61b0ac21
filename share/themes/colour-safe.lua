-- colour-safe: a dark terminal for eyes that do not tell red from green.  Nothing is told by red
-- against green: good is blue, warn yellow, bad orange and underlined.  The colours are those of
-- Okabe and Ito (2008); the ramp runs from dark to light and from blue to yellow (cividis).
return {
  background = "dark",
  text         = 252,
  dim          = 246,
  strong       = { 231, bold = true },
  accent       = "#56b4e9",
  good         = { "#56b4e9", bold = true },
  warn         = { "#f0e442", bold = true },
  bad          = { "#e69f00", bold = true, underline = true },
  sel          = { 231, bg = "#0050a0" },
  cursor       = { 16, bg = "#f0e442", bold = true },
  border       = 242,
  border_focus = "#56b4e9",
  ramp   = { 235, 24, 60, 243, 246, 144, 186, 227 },
  series = { "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#4f94d4", "#d55e00", "#cc79a7" },
}

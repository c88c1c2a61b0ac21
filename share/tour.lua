-- The tour (:tour, bitdial --demo --tour): stations in order, read as data.
--   say      one sentence, shown until the station is passed
--   key      what to press, as it is shown; waits is the command that passes the station
--   plain    the sentence where there is no screen (--plain), command what to type there
--   play     what is pressed when the tour plays by itself: keys, "type TEXT", ":COMMAND",
--            "wait idle" or "wait MILLISECONDS"
return {
  { say = "Turn the dial: a full stop gives 0.05 bit a weight more and a comma takes it, and the map, the damage and the layout answer at once.",
    key = ", .", waits = "budget",
    plain = "turn the dial: budget and a number is bits a weight, and the best layout at that size answers at once.",
    command = "budget 4.5",
    play = { "wait idle", ", , , , . .", "< < . . . ." } },
  { say = "Read the map: a column is a layer, a row a kind of linear, and the brighter a cell the more damage that linear alone does with the fewest bits; walk over it.",
    key = "h j k l", waits = "move",
    plain = "read the map as a list: the linears that do the most damage with the fewest bits come first.",
    command = "show map 5",
    play = { "l l j", "j j h k" } },
  { say = "Pin a linear: p takes the one under the cursor, then a number of bits and Enter, and the search gives what is left to the others.",
    key = "p", waits = "pin",
    plain = "pin a linear: a name and a number of bits, and the search gives what is left to the others.",
    command = "pin layers.0.v 4",
    play = { "p", "type 4", "Enter" } },
  { say = "Put the mark: a makes this layout A, and whatever the dial does next is told as a difference from it.",
    key = "a", waits = "mark",
    plain = "put the mark: this layout becomes A, and whatever the dial does next is told as a difference from it.",
    command = "mark",
    play = { "a", "< . ." } },
  { say = "Measure: the damage was predicted so far, and m runs the layout on text and says what it is.",
    key = "m", waits = "measure",
    plain = "measure: the damage was predicted so far, and this runs the layout on text and says what it is.",
    command = "measure",
    play = { "m", "wait idle" } },
  { say = "Talk to it: 3 opens the chat with the layout under the dial, a line and Enter asks it, and Esc and a then answer twice, by A and by this layout.",
    key = "3 Enter", waits = "say",
    plain = "talk to it: the layout under the dial answers, and after ab on the mark A answers the same beside it.",
    command = "say Tell me about the dial.",
    play = { "3", "type Tell me about the dial.", "Enter", "wait idle" } },
  finish = "that was the tour: 2 and :train start fine-tune it, ? lists the keys where you are, help WORD finds a command, and bitdial MODEL opens a model of yours",
}

#!/bin/sh
# paste - 100 kB at once are text, not commands, wherever they land; the mouse drags the dial.
. "$(dirname "$0")/common"
begin 120 36
awk 'BEGIN { for (i = 0; i < 2000; i++) print "q :quit! \033[31m y Q \001\002 " i " , . < > the end of a line." }' > "$DIR/text"
[ "$(wc -c < "$DIR/text")" -gt 100000 ] || awk 'BEGIN { for (i = 0; i < 1200; i++) print "the rest of what is pasted, a line of text" }' >> "$DIR/text"
mux load-buffer -b big "$DIR/text"
open --demo
see '^ SEARCH  *[0-9.]* bpw'
mux paste-buffer -p -b big -t t # a list of panels takes no text
press 3
see 'Say something\|you:'
mux paste-buffer -p -b big -t t
see 'a message holds 64 kB'
press 'M-:'
see '^:'
mux paste-buffer -p -b big -t t
press Escape
sleep 0.2
kill -0 "$(pid)" || fail "it ended"
! screen | grep -q 'status=' || fail "the paste ran a command"
press M-1
see '^ SEARCH'
see '\[1\]Search'

# SGR mouse: press at the left of the slider, drag to the right, let go
row=$(screen | grep -n '●.* bpw' | head -1 | cut -d: -f1)
bpw() { screen | sed -n 's/^ [A-Z]*  *\([0-9.]*\) bpw.*/\1/p'; }
mouse() { say "$(printf '\033[<%s;%s;%s%s' "$1" "$2" "$row" "$3")"; }
mouse 0 20 M
see '^ SEARCH  *[23]\.'
mouse 32 50 M
mouse 32 70 M
mouse 0 70 m
see '^ SEARCH  *[678]\.'
press :
say 'quit!'
press Enter
ended 0
ok

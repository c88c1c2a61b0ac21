#!/bin/sh
# suspend - Ctrl-Z gives the shell its terminal back, fg brings the screen back, in the
# size the window has by then.
. "$(dirname "$0")/common"
begin 100 30
run 'stty -a > $DIR/before; wipe'
run '$BITDIAL --demo'
see 'SEARCH'
press C-z
see 'Stopped'
run 'stty -a > $DIR/after; echo in-the-shell'
see '^in-the-shell'
restored
mux resize-window -t t -x 80 -y 24
run fg
see 'SEARCH'
[ "$(screen | sed -n 24p | cut -c1-4)" != 'sh> ' ] || fail "no screen after fg"
press :
say 'quit!'
press Enter
see '^sh>$'
run 'code=$?; wipe; echo status=$code; stty rows 30 columns 100; stty -a > $DIR/after; echo at-the-end'
ended 0
ok

#!/bin/sh
# plain - on a terminal without a cursor: what is typed is edited by the terminal, one line a change,
# Ctrl-C stops what runs and then the program; no byte of it moves the cursor.
. "$(dirname "$0")/common"
begin 100 40
run 'TERM=dumb $BITDIAL --demo; echo status=$?'
see 'try bitdial --once or bitdial --plain'
see '^status=2$'
run 'wipe; TERM=dumb $BITDIAL --demo --plain; echo status=$?'
see '^search: .*measured$'
see '^> *$'
say 'budget 3.x'
press BSpace
say '6'
press Enter
see '^search: 3.5. bpw (asked 3.60)'
say 'chat'
press Enter
see '^say> *$'
press Enter
see '^chat: lines are commands again$'
say 'refine'
press Enter
see 'refine begins$'
press C-c
see '^stopping refine'
see 'refine was stopped after'
sleep 2
press C-c
see '^nothing runs; Ctrl-C again'
press C-c
see '^status=130$'
run 'wipe; mkfifo $DIR/out; cat -v < $DIR/out > $DIR/bytes & $BITDIAL --demo --plain > $DIR/out; echo status=$?'
sleep 1
say 'show map'
press Enter
say 'quit'
press Enter
see '^status=0$'
grep -q '^most sensitive: ' "$DIR/bytes" || fail "nothing was said: $(cat "$DIR/bytes")"
! grep -q '\^\[\|\^M\|\^H' "$DIR/bytes" || fail "it moves the cursor: $(grep '\^' "$DIR/bytes")"
ok

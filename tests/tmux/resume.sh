#!/bin/sh
# resume - kill -9 in a refinement: the next start offers it in one line, one key begins it again;
# what Esc left is not offered a second time.  The Jobs screen shows it run.
. "$(dirname "$0")/common"
begin 120 36
word() { find "$XDG_STATE_HOME/bitdial/underway" -name "*-$1-*.json" 2> /dev/null; }
refines() { [ -n "$(word refine)" ]; }
cut() { # starts the program, and kills it in a refinement
	open --demo
	see 'nothing runs' 60
	say ':refine'
	press Enter
	until_true 'no word of the refinement' refines
	kill -9 "$(pid)"
	see 'status=137'
	mux kill-server # nobody restored that terminal
	SOCKET=$SOCKET-2
	begin 120 36
}
cut
open --demo
see 'the refining of [0-9:]* at [0-9.]* bpw was cut short: r or :resume begins it again, Esc leaves it'
[ -n "$(word refine)" ] || fail "nobody answered, and the next start would not know"
press r
press 5
see '[5].*Jobs' 5
see '[●·!] refine' 60
see '· refine  done' 90
say 'q'
ended 0

cut
open --demo
see 'the refining of .* was cut short'
press Escape
sleep 0.3
[ -z "$(word refine)" ] || fail "it would be told twice"
say r
see 'nothing was cut short'
say 'q'
ended 0
open --demo
see 'nothing runs' 60
! screen | grep -q 'cut short' || fail "says it twice"
kill -TERM "$(pid)"
ended 143
ok "a refinement was offered once, begun again by one key, and left by Esc"
